//! The fields that a mapping fills, and what a line has in them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::logs::digits::number;

/// What a part of a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// When the request or tunnel ended.
    Time,
    /// When it began.
    Start,
    /// How long it took.
    Duration,
    /// The proxy's client: an address, with or without a port. Of a list with commas, as in
    /// `X-Forwarded-For`, the last counts: the one before it was told by somebody else.
    Client,
    /// The client's port, where it stands by itself.
    ClientPort,
    /// The host asked for, with or without a port.
    Host,
    /// The port asked for, where it stands by itself.
    Port,
    /// `METHOD URL HTTP/VERSION`.
    Request,
    /// The request's method.
    Method,
    /// The URL asked for: absolute, `HOST:PORT` (CONNECT), or a path with its query.
    Url,
    /// The URL's scheme, where it stands by itself: it tells the port.
    Scheme,
    /// The query, where it stands by itself. Only its length is kept.
    Query,
    /// The status answered.
    Status,
    /// Bytes taken from the client.
    Up,
    /// Bytes given to the client.
    Down,
    /// Bytes of the request's body; what `up` is where that is not told.
    Body,
    /// The server name of the TLS session inside.
    Sni,
    /// The destination's own address, with or without a port.
    Server,
    /// The server's port, where it stands by itself.
    ServerPort,
    /// The destination's own address and always a port, which of an IPv6 address may be told by
    /// nothing but that: `2001:db8::7:443`.
    ServerAndPort,
    /// The user that the proxy knows.
    User,
    /// The User-Agent header.
    UserAgent,
    /// The media type of the request's body.
    ContentType,
    /// The subject of the client's certificate.
    Certificate,
    /// What the proxy decided, in its own words: for the rules of `blocked`.
    Decision,
    /// What kind of line it is: for the rules of `only`.
    Kind,
}

/// How many fields there are.
pub(super) const FIELDS: usize = Field::Kind as usize + 1;

/// The value of a field as it stands in the line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, [u8]>),
    Whole(u64),
    Fraction(f64),
}

impl<'a> Value<'a> {
    /// A value, unless it is one that stands for "nothing".
    pub(super) fn text(text: Cow<'a, [u8]>) -> Option<Self> {
        let nothing = matches!(&*text, b"" | b"-" | b"<NOSRV>" | b"<BADREQ>");
        (!nothing).then_some(Self::Text(text))
    }

    /// The text of it; numbers, which are no names, have none.
    fn into_text(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Whole(_) | Self::Fraction(_) => None,
        }
    }

    /// A count, also where it is written as text. Negative ones count as absent.
    fn count(&self) -> Option<u64> {
        match self {
            Self::Text(text) => number(text),
            Self::Whole(count) => Some(*count),
            Self::Fraction(value) => (*value >= 0.0).then_some(*value as u64),
        }
    }

    /// Whether it is written like `pattern`, which may begin and end in `*`.
    fn is_like(&self, pattern: &[u8]) -> bool {
        match self {
            Self::Text(text) => like(text, pattern),
            Self::Whole(count) => number(pattern) == Some(*count),
            Self::Fraction(_) => false,
        }
    }
}

fn like(text: &[u8], pattern: &[u8]) -> bool {
    let (open_start, pattern) = match pattern.strip_prefix(b"*") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let (open_end, pattern) = match pattern.strip_suffix(b"*") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    match (open_start, open_end) {
        (false, false) => text == pattern,
        (false, true) => text.starts_with(pattern),
        (true, false) => text.ends_with(pattern),
        (true, true) => memchr::memmem::find(text, pattern).is_some(),
    }
}

/// What one line has in its fields.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    values: [Option<Value<'a>>; FIELDS],
    /// From which of a field's sources its value is; the first one counts most.
    ranks: [u8; FIELDS],
}

impl<'a> Slots<'a> {
    pub(super) fn new() -> Self {
        Self { values: [const { None }; FIELDS], ranks: [u8::MAX; FIELDS] }
    }

    /// Notes a value from the `rank`-th source of a field.
    pub(super) fn put(&mut self, field: Field, rank: u8, value: Option<Value<'a>>) {
        let place = field as usize;
        if value.is_some() && rank < self.ranks[place] {
            self.values[place] = value;
            self.ranks[place] = rank;
        }
    }

    pub(super) fn get(&self, field: Field) -> Option<&Value<'a>> {
        self.values[field as usize].as_ref()
    }

    pub(super) fn bytes(&self, field: Field) -> Option<&[u8]> {
        match self.get(field)? {
            Value::Text(text) => Some(text),
            Value::Whole(_) | Value::Fraction(_) => None,
        }
    }

    pub(super) fn take(&mut self, field: Field) -> Option<Cow<'a, [u8]>> {
        self.values[field as usize].take().and_then(Value::into_text)
    }

    pub(super) fn count(&self, field: Field) -> Option<u64> {
        self.get(field)?.count()
    }

    pub(super) fn port(&self, field: Field) -> Option<u16> {
        self.count(field).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
    }

    /// Whether the field is written like one of `patterns`; the empty one is for its absence.
    pub(super) fn is_like(&self, field: Field, patterns: &[Box<[u8]>]) -> bool {
        match self.get(field) {
            None => patterns.iter().any(|pattern| pattern.is_empty()),
            Some(value) => {
                patterns.iter().any(|pattern| !pattern.is_empty() && value.is_like(pattern))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_may_be_open_at_either_end() {
        for (pattern, fits) in [
            ("PR--", true),
            ("PR*", true),
            ("*--", true),
            ("*R-*", true),
            ("PR", false),
            ("", false),
        ] {
            assert_eq!(like(b"PR--", pattern.as_bytes()), fits, "{pattern}");
        }
        assert!(like(b"anything", b"*") && like(b"", b"*"));
    }

    #[test]
    fn the_first_source_that_has_a_value_counts() {
        let mut slots = Slots::new();
        let text = |text: &'static str| Value::text(Cow::Borrowed(text.as_bytes()));
        slots.put(Field::Host, 1, text("second"));
        slots.put(Field::Host, 0, text("-"));
        assert_eq!(slots.bytes(Field::Host), Some(&b"second"[..]));
        slots.put(Field::Host, 0, text("first"));
        slots.put(Field::Host, 2, text("third"));
        assert_eq!(slots.bytes(Field::Host), Some(&b"first"[..]));
    }
}
