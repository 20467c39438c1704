//! Alerts from a real outbox to real receivers: rsyslog over TCP and TLS, and HTTP servers that
//! answer as the scenario says. Time is virtual: it moves only when a test moves it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alertmanager;
mod certificates;
mod ecs;
mod email;
mod escalation;
mod faults;
mod fields;
mod heartbeat;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod lives;
mod outbox;
mod outputs;
#[expect(unreachable_pub, reason = "this file is part of the integration tests' library too")]
#[path = "../../../tests/src/ports.rs"]
mod ports;
mod readme;
mod retries;
mod roll_ups;
mod rsyslog;
mod sample;
mod siems;
mod syslog;
mod syslog_ng;
mod validators;
mod webhooks;
