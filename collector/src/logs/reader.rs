//! Lines of one file, read in the dialect that they are in.
//!
//! Owns what has to be remembered from line to line: which dialect the file turned out to be in,
//! and for dialects whose header says what the columns are, that.

use egret_event::Timestamp;

use super::argus::Argus;
use super::entry::Entry;
use super::hubble::Hubble;
use super::record::LineProblem;
use super::signs::looks_like;
use super::suricata::Suricata;
use super::vpc::Vpc;
use super::zeek::{ConnectionNames, Zeek};
use super::{envoy, smokescreen, squid};
use crate::Dialect;

/// Reads the lines of one file.
#[derive(Debug)]
pub struct Reader {
    /// The dialect that the lines are read in: told, or that of the last line that could be read.
    dialect: Option<Dialect>,
    /// Whether the dialect was told, and so is not to be guessed.
    is_told: bool,
    zeek: Zeek,
    argus: Argus,
    suricata: Suricata,
    hubble: Hubble,
    vpc: Vpc,
    /// What the line read last tells beside its entry.
    beside: Option<Entry<'static>>,
    /// The latest day that a date without a year can mean.
    latest: Option<Timestamp>,
}

impl Reader {
    /// A reader at the begin of a file, of `dialect` or of what its lines look like.
    pub fn new(dialect: Option<Dialect>) -> Self {
        Self {
            dialect,
            is_told: dialect.is_some(),
            zeek: Zeek::default(),
            argus: Argus::default(),
            suricata: Suricata::default(),
            hubble: Hubble::default(),
            vpc: Vpc::default(),
            beside: None,
            latest: None,
        }
    }

    /// Lets it learn and use these names, which others may share.
    #[must_use]
    pub fn sharing(mut self, names: ConnectionNames) -> Self {
        self.zeek.share(names);
        self
    }

    /// What follows is the begin of the next file of the same log, which was last written to at
    /// `latest`: its headers are forgotten, and what runs on from file to file is not. By `latest`
    /// the year of dates that have none is told.
    pub fn next_file(&mut self, latest: Timestamp) {
        if !self.is_told {
            self.dialect = None;
        }
        self.latest = Some(latest);
        self.zeek.next_file();
        self.argus.next_file();
        self.vpc.next_file();
    }

    /// The dialect that was told, or that was found out so far.
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Reads a line, without its line end.
    ///
    /// Where no dialect was told, the first line that can be read decides for those after it; a
    /// line that then cannot be read may decide anew.
    ///
    /// # Errors
    /// See [`LineProblem`].
    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Result<Entry<'a>, LineProblem> {
        let Some(dialect) = self.dialect else { return self.guess(line) };
        // An entry is large: it is made where the caller wants it, and not moved there.
        if self.is_told {
            return self.read_as(dialect, line);
        }
        let read = self.read_as(dialect, line);
        if !is_malformed(&read) || looks_like(line) == dialect {
            return read;
        }
        // What the line is not in the file's own dialect says more than what it is not in another.
        let guessed = self.guess(line);
        if is_malformed(&guessed) { read } else { guessed }
    }

    /// Whether the line read last tells something beside its entry.
    pub fn has_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// What the line read last tells beside its entry: the part of a flow that was not seen, the
    /// certificate of a handshake, an earlier question that nobody answered.
    pub fn take_beside(&mut self) -> Option<Entry<'static>> {
        self.beside.take()
    }

    /// How many names of connections were forgotten for want of room since the last call.
    pub(super) fn take_forgotten(&self) -> u64 {
        self.zeek.take_forgotten()
    }

    /// At the end, one of the things that were held back until more was known, until there are no
    /// more.
    pub fn take_left(&mut self) -> Option<Entry<'static>> {
        self.suricata.take_left()
    }

    /// Reads a line as what it looks like, and remembers that if it was right.
    fn guess<'a>(&mut self, line: &'a [u8]) -> Result<Entry<'a>, LineProblem> {
        let dialect = looks_like(line);
        let read = self.read_as(dialect, line);
        if !is_malformed(&read) {
            self.dialect = Some(dialect);
        }
        read
    }

    #[inline]
    fn read_as<'a>(&mut self, dialect: Dialect, line: &'a [u8]) -> Result<Entry<'a>, LineProblem> {
        match dialect {
            Dialect::SquidNative => squid::parse_native(line),
            Dialect::SquidEgret => squid::parse_egret(line),
            Dialect::EnvoyJson => envoy::parse(line),
            Dialect::Argus => self.argus.read(line),
            Dialect::SuricataEve => self.suricata.read(line, &mut self.beside),
            Dialect::ZeekTsv => self.zeek.read_tsv(line, &mut self.beside),
            Dialect::ZeekJson => self.zeek.read_json(line, &mut self.beside),
            Dialect::Smokescreen => smokescreen::parse(line).map(Entry::Request),
            Dialect::CiliumHubble => self.hubble.read(line),
            Dialect::AwsVpc => self.vpc.read(line),
            Dialect::Mapped(mapping) => mapping.parse(line, self.latest).map(Entry::Request),
        }
    }
}

fn is_malformed(read: &Result<Entry<'_>, LineProblem>) -> bool {
    matches!(read, Err(LineProblem::Malformed(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: &[u8] = b"1795451434.428      1 10.20.0.17 TCP_MISS/200 1246 GET \
        http://up.example/ - HIER_DIRECT/192.0.2.1 -";
    const EGRET: &[u8] =
        b"1795451434.428 1 10.20.0.17:9 TCP_MISS/200 up=1 down=2 GET http://a/ -:-";

    #[test]
    fn a_file_settles_on_the_dialect_of_its_first_good_line() {
        let mut reader = Reader::new(None);
        assert!(reader.read(b"half a line").is_err());
        assert_eq!(reader.dialect(), None);
        reader.read(EGRET).unwrap();
        assert_eq!(reader.dialect(), Some(Dialect::SquidEgret));
        assert!(reader.read(b"half a line").is_err());
        assert_eq!(reader.dialect(), Some(Dialect::SquidEgret));
    }

    #[test]
    fn a_log_whose_format_was_changed_midway_is_read_on() {
        let mut reader = Reader::new(None);
        for (line, dialect) in [
            (NATIVE, Dialect::SquidNative),
            (EGRET, Dialect::SquidEgret),
            (NATIVE, Dialect::SquidNative),
        ] {
            reader.read(line).unwrap();
            assert_eq!(reader.dialect(), Some(dialect));
        }
    }

    #[test]
    fn a_dialect_that_was_told_is_not_guessed() {
        let mut reader = Reader::new(Some(Dialect::EnvoyJson));
        assert_eq!(reader.read(NATIVE), Err(LineProblem::Malformed("JSON")));
        assert_eq!(reader.dialect(), Some(Dialect::EnvoyJson));
    }
}
