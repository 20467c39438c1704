//! Lines of one file, read in the dialect that they are in.
//!
//! Owns what has to be remembered from line to line: most dialects need nothing, some have a
//! header that says what the columns are.

use super::entry::Entry;
use super::record::LineProblem;
use super::{envoy, squid};
use crate::Dialect;

/// Reads the lines of one file.
#[derive(Debug)]
pub struct Reader {
    /// `None`: each line is read as what it looks like.
    dialect: Option<Dialect>,
}

impl Reader {
    /// A reader at the begin of a file, of `dialect` or of what its lines look like.
    pub fn new(dialect: Option<Dialect>) -> Self {
        Self { dialect }
    }

    /// Reads a line, without its line end.
    ///
    /// # Errors
    /// See [`LineProblem`].
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Result<Entry<'a>, LineProblem> {
        match self.dialect.unwrap_or_else(|| looks_like(line)) {
            Dialect::SquidNative => squid::parse_native(line).map(Entry::Request),
            Dialect::SquidEgret => squid::parse_egret(line).map(Entry::Request),
            Dialect::EnvoyJson => envoy::parse(line).map(Entry::Request),
        }
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
