//! One line of a log: its fields, found by name, and what their text means.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use super::field::{Field, Kind};
use crate::logs::digits::{digits_at_begin, number};
use crate::logs::entry::Ends;
use crate::logs::json::{Fields, Raw};
use crate::logs::record::LineProblem;
use crate::logs::text::{address, port};
use egret_event::Timestamp;

/// Most entries of a list in a column (`answers`, `san.dns`, ...) that are looked at.
const MAX_LISTED: usize = 64;

/// A line's fields. Borrows from the line.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    cells: [Option<&'a [u8]>; Field::COUNT],
    form: Form,
}

/// How the text of a cell is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As a column; lists are separated by this.
    Column(u8),
    /// As JSON.
    Json,
}

impl<'a> Row<'a> {
    /// A row of which nothing is known yet.
    pub(super) fn empty(form: Form) -> Self {
        Self { cells: [None; Field::COUNT], form }
    }

    pub(super) fn set(&mut self, field: Field, cell: &'a [u8]) {
        self.cells[field as usize] = Some(cell);
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.cells[field as usize].is_some()
    }

    /// Which log it is of: by what it says, or by a field that only that log has.
    pub(super) fn kind(&self) -> Kind {
        if let Some(name) = self.text(Field::Stream) {
            return Kind::of(&name);
        }
        [
            (Field::ConnState, Kind::Conn),
            (Field::TransDepth, Kind::Http),
            (Field::TransId, Kind::Dns),
            (Field::ClientInitialDcid, Kind::Quic),
            (Field::PercentLost, Kind::CaptureLoss),
            (Field::CertSubject, Kind::X509),
            (Field::SslHistory, Kind::Ssl),
            (Field::Cipher, Kind::Ssl),
            (Field::Established, Kind::Ssl),
        ]
        .into_iter()
        .find(|(field, _)| self.has(*field))
        .map_or(Kind::Other, |(_, kind)| kind)
    }

    /// The text of a field, without the escapes of its form. `None`: it is unset or empty.
    pub(super) fn text(&self, field: Field) -> Option<Cow<'a, [u8]>> {
        let text = self.plain(self.cells[field as usize]?);
        (!text.is_empty()).then_some(text)
    }

    /// The entries of a list, at most 64.
    pub(super) fn list(&self, field: Field) -> Vec<Cow<'a, [u8]>> {
        let Some(cell) = self.cells[field as usize].filter(|cell| !cell.is_empty()) else {
            return Vec::new();
        };
        match self.form {
            Form::Column(separator) => {
                let entries = cell.split(|byte| *byte == separator).take(MAX_LISTED);
                entries.map(|entry| self.plain(entry)).collect()
            }
            Form::Json => Raw::of(cell).list().into_iter().map(Raw::plain).collect(),
        }
    }

    fn plain(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        match self.form {
            Form::Column(_) => unescaped(raw),
            Form::Json => Raw::of(raw).plain(),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn count(&self, field: Field) -> Option<u64> {
        number(&self.text(field)?)
    }

    /// A number of packets.
    pub(super) fn packets(&self, field: Field) -> Option<u32> {
        self.count(field).map(|packets| u32::try_from(packets).unwrap_or(u32::MAX))
    }

    pub(super) fn flag(&self, field: Field) -> Option<bool> {
        match &*self.text(field)? {
            b"T" | b"true" => Some(true),
            b"F" | b"false" => Some(false),
            _ => None,
        }
    }

    pub(super) fn address(&self, field: Field) -> Option<IpAddr> {
        address(&self.text(field)?)
    }

    /// Seconds since the epoch, or ISO 8601.
    pub(super) fn time(&self, field: Field) -> Option<Timestamp> {
        let text = self.text(field)?;
        match decimal(&text) {
            Some((seconds, nanos)) => Some(Timestamp::from_parts(seconds, nanos)),
            None => str::from_utf8(&text).ok()?.parse().ok(),
        }
    }

    /// A span of time, in seconds. Negative ones, which Zeek writes of packets out of order, are
    /// none.
    pub(super) fn span(&self, field: Field) -> Option<Duration> {
        let (seconds, nanos) = decimal(&self.text(field)?)?;
        Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?))
    }

    /// The longest of a list of spans of time, in whole seconds; 0 where there is none.
    pub(super) fn longest_s(&self, field: Field) -> u32 {
        let seconds = |text: &Cow<'_, [u8]>| decimal(text).map(|(seconds, _)| seconds);
        let longest = self.list(field).iter().filter_map(seconds).max().unwrap_or(0);
        u32::try_from(longest).unwrap_or(0)
    }

    /// When and between whom. Times are those that the line begins with.
    pub(super) fn ends(&self) -> Result<Ends, LineProblem> {
        let end = |host, port_field| {
            let address = self.address(host)?;
            Some((address, self.text(port_field).and_then(|text| port(&text)).unwrap_or(0)))
        };
        Ok(Ends {
            at: self.time(Field::Ts).ok_or(LineProblem::Malformed("ts"))?,
            client: end(Field::OrigH, Field::OrigP).ok_or(LineProblem::Malformed("id.orig_h"))?,
            server: end(Field::RespH, Field::RespP).ok_or(LineProblem::Malformed("id.resp_h"))?,
        })
    }
}

/// Seconds with a fraction, as whole seconds and nanoseconds; further digits are left out. An
/// exponent, which some JSON writers use, is understood to the precision of a double.
fn decimal(text: &[u8]) -> Option<(i64, i64)> {
    /// Of the fraction, as far as it is taken.
    const PLACES: usize = 9;
    let whole = digits_at_begin(text);
    let (seconds, rest) = text.split_at(whole);
    let fraction = match rest {
        [] => rest,
        [b'.', fraction @ ..] => fraction,
        _ => return with_exponent(text),
    };
    let places = fraction.len().min(PLACES);
    let nanos = match number(&fraction[..places]) {
        Some(digits) => digits * 10u64.pow((PLACES - places) as u32),
        None if fraction.is_empty() => 0,
        None => return with_exponent(text),
    };
    if fraction[places..].iter().any(|byte| !byte.is_ascii_digit()) {
        return with_exponent(text);
    }
    Some((i64::try_from(number(seconds)?).ok()?, i64::try_from(nanos).ok()?))
}

/// As [`decimal`], with an exponent; whatever else is none.
#[cold]
fn with_exponent(text: &[u8]) -> Option<(i64, i64)> {
    let has_exponent = text.contains(&b'e') || text.contains(&b'E');
    let value: f64 = str::from_utf8(text).ok().filter(|_| has_exponent)?.parse().ok()?;
    // Beyond this no time can be told.
    let is_sensible = value.is_finite() && (0.0..9.0e9).contains(&value);
    is_sensible.then(|| (value as i64, (value.fract() * 1e9) as i64))
}

/// Undoes `\xNN`, by which Zeek writes separators and unprintable bytes in columns.
fn unescaped(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memmem::find(raw, b"\\x") else { return Cow::Borrowed(raw) };
    let mut plain = raw[..first].to_vec();
    let mut rest = &raw[first..];
    while let Some((byte, after)) = rest.split_first() {
        match escaped_byte(rest) {
            Some(value) => {
                plain.push(value);
                rest = &rest[4..];
            }
            None => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

/// The byte that `\xNN` at the begin of `raw` stands for.
pub(super) fn escaped_byte(raw: &[u8]) -> Option<u8> {
    let digits = raw.strip_prefix(b"\\x")?.get(..2)?;
    digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

impl<'a> Fields<'a> for Row<'a> {
    fn set(&mut self, key: &[u8], value: Raw<'a>) {
        if let Some(field) = Field::of(key).filter(|_| !value.written().is_empty()) {
            self.cells[field as usize] = Some(value.written());
        }
    }

    fn clear(&mut self) {
        *self = Self::empty(self.form);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_to_the_nanosecond() {
        for (text, seconds, nanos) in [
            ("1767599996.649031", 1_767_599_996, 649_031_000),
            ("0.5", 0, 500_000_000),
            ("7", 7, 0),
            ("7.", 7, 0),
            ("1.0000000019", 1, 1),
            ("1.00000000012345678901234567890", 1, 0),
            ("1.5e3", 1_500, 0),
            ("25e-1", 2, 500_000_000),
        ] {
            assert_eq!(decimal(text.as_bytes()), Some((seconds, nanos)), "{text}");
        }
        for text in ["", ".5", "-1.5", "1.x", "1.5x", "1,5", "x", "1e", "1e99", "1.123456789x"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }
}
