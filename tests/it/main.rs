//! All integration tests, in one binary.

mod architecture;
mod authorities;
mod bad_input;
mod command_line;
mod configuration;
mod doctor;
mod evaluation;
mod exporters;
mod faults;
mod hostile;
mod itself;
mod ledger;
mod monitoring;
mod overload;
mod peers;
mod proxies;
mod recovery;
mod replay;
mod scenario;
mod storm;
mod targets;
mod verdicts;
mod zeek;
