//! Proxy logs: lines in, events out.
//!
//! Each dialect is one pure parser ([`squid`], [`envoy`]) that turns a line into a [`LogRecord`];
//! everything after that (attribution, destination, ids, counting) is shared. A log is read once
//! to its end, or followed as it grows and rotates. This room knows files; it does not know what
//! becomes of events, and never reads the wall clock but as `Context::now`.

mod complaints;
pub mod envoy;
mod follow;
mod generation;
mod intake;
mod lines;
mod memo;
mod record;
mod rotation;
mod scribe;
pub mod squid;
#[cfg(test)]
mod testing;
mod text;
mod wake;
mod whole;

pub(crate) use follow::run_following;
pub(crate) use lines::{Line, Lines};
pub use record::{LineProblem, LogRecord};
pub(crate) use whole::run_whole;

use crate::Dialect;

/// Reads one line, without its line end, in `dialect` or in the one that it looks like.
///
/// # Errors
/// See [`LineProblem`].
pub fn parse(dialect: Option<Dialect>, line: &[u8]) -> Result<LogRecord<'_>, LineProblem> {
    match dialect.unwrap_or_else(|| looks_like(line)) {
        Dialect::SquidNative => squid::parse_native(line),
        Dialect::SquidEgret => squid::parse_egret(line),
        Dialect::EnvoyJson => envoy::parse(line),
    }
}

/// The dialect that a line can only be of, if it is of any.
pub(crate) fn looks_like(line: &[u8]) -> Dialect {
    if line.trim_ascii_start().starts_with(b"{") {
        return Dialect::EnvoyJson;
    }
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    match fields.nth(4) {
        Some(field) if field.starts_with(b"up=") => Dialect::SquidEgret,
        _ => Dialect::SquidNative,
    }
}
