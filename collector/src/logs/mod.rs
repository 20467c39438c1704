//! Logs of proxies, sensors and exporters: lines in, events out.
//!
//! Each dialect is one parser ([`squid`], [`envoy`]) that turns a line into an [`Entry`];
//! everything after that (attribution, destination, ids, counting) is shared. A log is read once
//! to its end, or followed as it grows and rotates. This room knows files; it does not know what
//! becomes of events, and never reads the wall clock but as `Context::now`.

mod argus;
mod complaints;
mod digits;
mod entry;
pub mod envoy;
mod flat;
mod follow;
mod generation;
#[cfg(test)]
mod golden;
mod headers;
mod hosts;
pub mod hubble;
mod intake;
mod json;
mod lines;
pub mod mapping;
mod memo;
mod piece;
mod reader;
mod recent;
mod record;
mod rotation;
mod scan;
mod scribe;
mod signs;
pub mod smokescreen;
pub mod squid;
mod suricata;
mod target;
#[cfg(test)]
mod testing;
mod text;
pub mod vpc;
mod wake;
mod whole;
mod zeek;

pub(crate) use complaints::Complaints;
pub use entry::{DnsRecord, Ends, Entry, FlowRecord, GapRecord};
pub(crate) use follow::run_following;
pub(crate) use lines::{Line, Lines};
pub use reader::Reader;
pub use record::{Coding, LineProblem, LogRecord, Written};
pub(crate) use scribe::{Ids, Scribe};
pub(crate) use signs::looks_like;
pub(crate) use text::percent_decoded;
pub(crate) use whole::run_whole;
pub use zeek::ConnectionNames;
pub use zeek::beforehand::names_beforehand;
