//! The headers of a file of columns, and its lines by them.

use super::field::{Field, Kind};
use super::row::{Form, Row, escaped_byte};
use crate::logs::record::LineProblem;

/// What the lines that begin with `#` have said so far.
#[derive(Debug)]
pub(super) struct Header {
    separator: u8,
    set_separator: u8,
    empty_field: Vec<u8>,
    unset_field: Vec<u8>,
    kind: Kind,
    /// What the columns are. Empty: not said yet.
    columns: Vec<Option<Field>>,
}

impl Default for Header {
    /// What Zeek writes unless it is told otherwise.
    fn default() -> Self {
        Self {
            separator: b'\t',
            set_separator: b',',
            empty_field: b"(empty)".to_vec(),
            unset_field: b"-".to_vec(),
            kind: Kind::Other,
            columns: Vec::new(),
        }
    }
}

impl Header {
    /// Takes a line that begins with `#`. Those that say nothing of the columns are skipped.
    pub(super) fn learn(&mut self, line: &[u8]) -> Result<(), LineProblem> {
        if let Some(written) = line.strip_prefix(b"#separator ") {
            let separator = single(written).ok_or(LineProblem::Malformed("#separator"))?;
            *self = Self { separator, ..Self::default() };
            return Ok(());
        }
        let mut words = line.split(|byte| *byte == self.separator);
        let name = words.next().unwrap_or_default();
        if name == b"#fields" {
            self.columns = words.map(Field::of).collect();
            return Ok(());
        }
        let value = words.next().unwrap_or_default();
        match name {
            b"#set_separator" => {
                let separator = single(value).ok_or(LineProblem::Malformed("#set_separator"))?;
                self.set_separator = separator;
            }
            b"#empty_field" => self.empty_field = value.to_vec(),
            b"#unset_field" => self.unset_field = value.to_vec(),
            b"#path" => self.kind = Kind::of(value),
            _ => {}
        }
        Ok(())
    }

    /// Which log the lines are of.
    pub(super) fn kind(&self) -> Result<Kind, LineProblem> {
        if self.columns.is_empty() {
            return Err(LineProblem::Malformed("no #fields line before it"));
        }
        Ok(self.kind)
    }

    /// The fields of a line.
    pub(super) fn row<'a>(&self, line: &'a [u8]) -> Result<Row<'a>, LineProblem> {
        let mut row = Row::empty(Form::Column(self.set_separator));
        let mut columns = self.columns.iter();
        let cells = Cells { rest: Some(line), separator: self.separator };
        for cell in cells {
            let Some(column) = columns.next() else {
                // Some tools leave a separator at the end.
                if cell.is_empty() {
                    continue;
                }
                return Err(LineProblem::Malformed("more cells than columns"));
            };
            match column {
                Some(field) if cell == self.empty_field => row.set(*field, b""),
                Some(field) if cell != self.unset_field => row.set(*field, cell),
                _ => {}
            }
        }
        match columns.next() {
            None => Ok(row),
            Some(_) => Err(LineProblem::Malformed("fewer cells than columns")),
        }
    }
}

/// A separator, written as itself, as `\xNN` or, by tools that write logs anew, as `\t`.
fn single(written: &[u8]) -> Option<u8> {
    match written {
        [byte] => Some(*byte),
        b"\\t" => Some(b'\t'),
        [_, _, _, _] => escaped_byte(written),
        _ => None,
    }
}

/// The cells of a line.
struct Cells<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let Some(end) = memchr::memchr(self.separator, rest) else {
            self.rest = None;
            return Some(rest);
        };
        self.rest = Some(&rest[end + 1..]);
        Some(&rest[..end])
    }
}
