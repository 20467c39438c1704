//! Logs that are read once are looked through for names before the first connection is told.
//!
//! A connection's line can stand before the lines that name it: in a folder `conn.log` is a file
//! beside the others, Zeek itself writes the `ssl` line of a QUIC connection when that has ended, and
//! shippers order as they like. Files that give no names are passed over after their first line.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::field::{Field, Kind};
use super::names::ConnectionNames;
use super::row::{Form, Row};
use super::tsv::Header;
use crate::logs::json::read_into;
use crate::logs::lines::{Line, Lines};
use crate::logs::reader::Reader;
use crate::unpack::{Packing, Unpacked};
use crate::{Dialect, Recognized, SourceConfig, SourceKind, recognize};

/// What Zeek's logs among `sources` call their connections, as far as there is room; of other sources
/// nothing. Ends early once `stop` is set.
///
/// A file that cannot be read gives no names: whoever reads it for its events says why.
pub fn names_beforehand<'a>(
    sources: impl IntoIterator<Item = &'a SourceConfig>,
    stop: &AtomicBool,
) -> ConnectionNames {
    let logs: Vec<Log<'_>> = sources.into_iter().filter_map(Log::of).collect();
    let names = ConnectionNames::roomy();
    if logs.iter().any(|log| log.tells.connections) {
        for log in logs.iter().filter(|log| log.tells.names) {
            if let Err(error) = log.look_through(&names, stop) {
                tracing::debug!(path = %log.path.display(), %error, "no more names in this log");
            }
        }
    }
    let forgotten = names.take_forgotten();
    if forgotten > 0 {
        tracing::warn!(forgotten, "too many names of connections: the first are told by address");
    }
    names.whole()
}

/// A log of Zeek's that is read once.
struct Log<'a> {
    path: &'a Path,
    dialect: Dialect,
    tells: Tells,
}

/// What the lines of a log are good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tells {
    connections: bool,
    names: bool,
}

impl<'a> Log<'a> {
    /// `None`: it is something else, or cannot be read.
    fn of(source: &'a SourceConfig) -> Option<Self> {
        let SourceKind::Log { path, dialect, follow: false } = &source.kind else { return None };
        let dialect = dialect.or_else(|| match recognize(path) {
            Ok(Recognized::Log(dialect)) => Some(dialect),
            _ => None,
        });
        let dialect = dialect.filter(|d| matches!(d, Dialect::ZeekTsv | Dialect::ZeekJson))?;
        Some(Self { path, dialect, tells: tells(path, dialect).ok()? })
    }

    fn look_through(&self, names: &ConnectionNames, stop: &AtomicBool) -> io::Result<()> {
        let mut reader = Reader::new(Some(self.dialect)).sharing(names.clone());
        each_line(self.path, &mut |line| {
            // Nobody is told anything yet: what is wrong with a line is said when it is read again.
            let _ = reader.read(line);
            let _ = reader.take_beside();
            !stop.load(Relaxed)
        })
    }
}

/// What the log at `path` tells: its first line that says so decides.
fn tells(path: &Path, dialect: Dialect) -> io::Result<Tells> {
    let mut header = Header::default();
    let mut told = None;
    each_line(path, &mut |line| {
        told = if dialect == Dialect::ZeekJson { of_json(line) } else { of_tsv(line, &mut header) };
        told.is_none()
    })?;
    Ok(told.unwrap_or_default())
}

fn of_json(line: &[u8]) -> Option<Tells> {
    let mut row = Row::empty(Form::Json);
    read_into(&mut row, line)?;
    // Where each line says which log it is of, there are several.
    let is_mixed = row.has(Field::Stream);
    let of_kind = Tells::of(row.kind());
    Some(Tells { connections: is_mixed || of_kind.connections, names: is_mixed || of_kind.names })
}

fn of_tsv(line: &[u8], header: &mut Header) -> Option<Tells> {
    if line.starts_with(b"#") {
        let _ = header.learn(line);
        return None;
    }
    header.kind().ok().map(Tells::of)
}

impl Tells {
    fn of(kind: Kind) -> Self {
        Self {
            connections: kind == Kind::Conn,
            names: matches!(kind, Kind::Dns | Kind::Http | Kind::Ssl | Kind::Quic),
        }
    }
}

/// Gives each line of the file at `path`, compressed or not, to `take`, until that returns `false`.
fn each_line(path: &Path, take: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    let file = File::open(path)?;
    let packing = Packing::of(&file)?;
    let mut input = Unpacked::new(file, packing)?;
    let mut lines = Lines::starting_at(0);
    loop {
        let read = lines.fill(&mut input)?;
        while let Some(line) = lines.next() {
            if !is_taken(&line, take) {
                return Ok(());
            }
        }
        if read == 0 {
            if let Some(line) = lines.rest() {
                is_taken(&line, take);
            }
            return Ok(());
        }
    }
}

/// Gives a line to `take`; whether the next one is wanted too.
fn is_taken(line: &Line<'_>, take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    match line {
        Line::Whole { bytes, .. } => take(bytes),
        Line::TooLong { .. } => true,
    }
}
