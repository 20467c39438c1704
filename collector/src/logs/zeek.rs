//! Zeek's logs, as columns (`.log` files with `#` headers) and as JSON, one object per line.
//!
//! Both forms give the same [`Row`]; what a row of each log means is told in one file per log:
//! [`conn`], [`dns`], [`http`], [`ssl`], [`quic`], [`x509`], [`capture_loss`]. Lines of other logs
//! (`weird`, `files`, `notice`, ...) tell of no egress of their own and are notes.
//!
//! Columns are found by the names in `#fields`, which may be repeated in the middle of a file with
//! other columns. JSON lines say which log they are of in `_path` (`@stream` in some shippers), or
//! else by the keys that only that log has.
//!
//! What the other logs call a connection becomes the name of the flow in `conn`: [`names`].
//!
//! Times are seconds since the epoch or ISO 8601. An unset value (`-`, or a key that is not there)
//! is unknown, and never zero.

pub(super) mod beforehand;
mod capture_loss;
mod conn;
mod dns;
mod field;
mod http;
mod names;
mod quic;
mod row;
mod ssl;
mod tsv;
mod x509;

use self::field::Kind;
pub use self::names::ConnectionNames;
use self::row::{Form, Row};
use self::tsv::Header;
use self::x509::Certificates;
use super::entry::Entry;
use super::json::read_into;
use super::record::LineProblem;

/// What has to be remembered of a Zeek log from line to line.
#[derive(Debug, Default)]
pub(super) struct Zeek {
    header: Header,
    certificates: Certificates,
    names: ConnectionNames,
}

impl Zeek {
    /// Learns and uses these names, which others may share.
    pub(super) fn share(&mut self, names: ConnectionNames) {
        self.names = names;
    }

    /// What follows is the next file of the log.
    pub(super) fn next_file(&mut self) {
        self.header = Header::default();
        self.certificates = Certificates::default();
    }

    /// How many names were forgotten for want of room since the last call.
    pub(super) fn take_forgotten(&self) -> u64 {
        self.names.take_forgotten()
    }

    /// Reads a line of columns, without its line end. What the line tells beside its entry is
    /// left in `beside`.
    pub(super) fn read_tsv<'a>(
        &mut self,
        line: &'a [u8],
        beside: &mut Option<Entry<'static>>,
    ) -> Result<Entry<'a>, LineProblem> {
        if line.starts_with(b"#") {
            self.header.learn(line)?;
            return Err(LineProblem::Note);
        }
        let kind = self.header.kind()?;
        if kind == Kind::Other {
            return Err(LineProblem::Note);
        }
        let row = self.header.row(line)?;
        self.entry(kind, &row, beside)
    }

    /// Reads a line of JSON, likewise.
    pub(super) fn read_json<'a>(
        &mut self,
        line: &'a [u8],
        beside: &mut Option<Entry<'static>>,
    ) -> Result<Entry<'a>, LineProblem> {
        let mut row = Row::empty(Form::Json);
        read_into(&mut row, line).ok_or(LineProblem::Malformed("JSON"))?;
        let kind = row.kind();
        if kind == Kind::Other {
            // Nearly every log has it: what has not is something else.
            row.time(field::Field::Ts).ok_or(LineProblem::Malformed("ts"))?;
            return Err(LineProblem::Note);
        }
        self.entry(kind, &row, beside)
    }

    fn entry<'a>(
        &mut self,
        kind: Kind,
        row: &Row<'a>,
        beside: &mut Option<Entry<'static>>,
    ) -> Result<Entry<'a>, LineProblem> {
        let mut read = match kind {
            Kind::Conn => conn::entry(row, beside),
            Kind::Dns => dns::entry(row),
            Kind::Http => http::entry(row),
            Kind::Ssl => ssl::entry(row, &self.certificates, beside),
            Kind::Quic => quic::entry(row),
            Kind::X509 => self.certificates.learn(row),
            Kind::CaptureLoss => capture_loss::entry(row),
            Kind::Other => Err(LineProblem::Note),
        };
        if let Ok(entry) = &mut read {
            self.names.join(row, entry);
        }
        read
    }
}

#[cfg(test)]
mod tests;
