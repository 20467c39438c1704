//! Syslog as a carrier: proxies and relays send their logs to a port, in place of writing a file.
//!
//! What is carried is any dialect of [`crate::logs`], and may come bare too, as Squid's
//! `access_log udp:` and `tcp:` send it. Here the envelope is taken off: datagrams or a stream
//! ([`Frames`], RFC 6587), then the header ([`Message`], RFC 5424 or RFC 3164). Both are pure,
//! never panic, and are public so that they can be fuzzed.
//!
//! A stream waits while the queue behind it is full, and so does its sender. Datagrams cannot
//! wait: the newest are dropped and counted.

mod datagrams;
mod frames;
mod header;
mod intake;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use datagrams::run_datagrams;
pub use frames::{Frame, Frames};
pub use header::Message;
pub(crate) use intake::Intake;
pub(crate) use streams::run_streams;
