//! Lines of text: what stands between the fields tells where they end.

use std::borrow::Cow;

use super::field::{Field, Slots, Value};
use crate::logs::text::hex_pair;

/// A compiled pattern: fields, each with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// What the line begins with.
    begin: Box<[u8]>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// `None`: skipped.
    field: Option<Field>,
    /// The field of the port that follows after a colon. They are split at the last one: an IPv6
    /// address has more.
    port: Option<Field>,
    /// From which of the field's sources it is.
    rank: u8,
    /// Whether it stands in quotes, in which a backslash escapes.
    quoted: bool,
    /// Whether it is the last that does. Then its end is looked for from the line's end: not all
    /// proxies escape quotes, and a client must not be able to end the field that it writes.
    is_last_quoted: bool,
    /// What follows it; empty only for the last, which goes to the end of the line.
    until: Box<[u8]>,
}

/// A piece of a pattern as it is read from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    Field(Option<Field>),
}

impl Pattern {
    /// Puts pieces together.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub(super) fn of(pieces: Vec<Piece>) -> Result<Self, String> {
        let mut pattern = Self { begin: Box::default(), parts: Vec::new() };
        let mut literal: Vec<u8> = Vec::new();
        let mut seen: Vec<Field> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => literal.extend(text),
                Piece::Field(port @ Some(_)) if *literal == *b":" && pattern.joins(port) => {
                    literal.clear();
                    seen.extend(port);
                }
                Piece::Field(field) => {
                    let quoted = literal.last() == Some(&b'"');
                    pattern.close(std::mem::take(&mut literal))?;
                    let rank = seen.iter().filter(|other| Some(**other) == field).count();
                    seen.extend(field);
                    let rank = u8::try_from(rank).unwrap_or(u8::MAX - 1);
                    pattern.parts.push(Part {
                        field,
                        port: None,
                        rank,
                        quoted,
                        is_last_quoted: false,
                        until: Box::default(),
                    });
                }
            }
        }
        if let Some(last) = pattern.parts.last_mut() {
            last.until = literal.into();
        }
        if let Some(last) = pattern.parts.iter_mut().rfind(|part| part.quoted) {
            last.is_last_quoted = true;
        }
        if seen.is_empty() {
            return Err("has no fields; name at least a time and a client".to_owned());
        }
        Ok(pattern)
    }

    /// Lets the last part end in this port, if it is the port of what it is.
    fn joins(&mut self, port: Option<Field>) -> bool {
        let Some(last) = self.parts.last_mut() else { return false };
        let fits = matches!(
            (last.field, port),
            (Some(Field::Client), Some(Field::ClientPort))
                | (Some(Field::Server), Some(Field::ServerPort))
                | (Some(Field::Host), Some(Field::Port))
        );
        if fits {
            last.port = port;
        }
        fits
    }

    fn close(&mut self, literal: Vec<u8>) -> Result<(), String> {
        match self.parts.last_mut() {
            None => self.begin = literal.into(),
            Some(_) if literal.is_empty() => {
                return Err("has two fields with nothing between them, so that nothing tells \
                            where the first ends; put something between, or skip both as one {}"
                    .to_owned());
            }
            Some(last) => last.until = literal.into(),
        }
        Ok(())
    }

    /// The fields that it has.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        self.parts.iter().flat_map(|part| [part.field, part.port]).flatten()
    }

    /// What a line has in its fields. `None`: it is not of this pattern.
    pub(super) fn read<'a>(&self, line: &'a [u8]) -> Option<Slots<'a>> {
        let mut slots = Slots::new();
        let mut rest = line.strip_prefix(&*self.begin)?;
        for (place, part) in self.parts.iter().enumerate() {
            let is_last = place + 1 == self.parts.len();
            let (value, after) = part.split(rest, is_last)?;
            part.put(value, &mut slots);
            rest = after;
        }
        rest.is_empty().then_some(slots)
    }
}

impl Part {
    fn put<'a>(&self, value: &'a [u8], slots: &mut Slots<'a>) {
        let Some(field) = self.field else { return };
        let colon = self.port.and_then(|_| memchr::memrchr(b':', value));
        let (value, after) = value.split_at(colon.unwrap_or(value.len()));
        if let (Some(port), Some(after)) = (self.port, after.strip_prefix(b":")) {
            slots.put(port, self.rank, Value::text(Cow::Borrowed(after)));
        }
        let text = if self.quoted { unescaped(value) } else { Cow::Borrowed(value) };
        slots.put(field, self.rank, Value::text(text));
    }

    /// Splits off the value. The last one ends where the line ends in what follows it.
    fn split<'a>(&self, rest: &'a [u8], is_last: bool) -> Option<(&'a [u8], &'a [u8])> {
        if self.until.is_empty() {
            return Some((rest, &[]));
        }
        if is_last && (!self.quoted || self.is_last_quoted) {
            return Some((rest.strip_suffix(&*self.until)?, &[]));
        }
        let end = if self.is_last_quoted {
            memchr::memmem::rfind(rest, &self.until)?
        } else if self.quoted {
            quoted_end(rest, &self.until)?
        } else {
            memchr::memmem::find(rest, &self.until)?
        };
        Some((&rest[..end], &rest[end + self.until.len()..]))
    }
}

/// Where `until`, which begins with the closing quote, follows and is not escaped.
fn quoted_end(rest: &[u8], until: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + memchr::memmem::find(&rest[from..], until)?;
        let backslashes = rest[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 || until.first() != Some(&b'"') {
            return Some(end);
        }
        from = end + 1;
    }
}

/// Undoes `\"`, `\\` and `\xHH`, by which proxies keep quotes out of quoted fields.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else { return Cow::Borrowed(text) };
    let mut plain = text[..first].to_vec();
    let mut rest = &text[first..];
    while let Some((&byte, after)) = rest.split_first() {
        let (value, next) = match (byte, after) {
            (b'\\', [b'x', high, low, next @ ..]) => match hex_pair([*high, *low]) {
                Some(value) => (value, next),
                None => (byte, after),
            },
            (b'\\', [escaped @ (b'"' | b'\\'), next @ ..]) => (*escaped, next),
            _ => (byte, after),
        };
        plain.push(value);
        rest = next;
    }
    Cow::Owned(plain)
}

/// Reads Egret's own notation: `{field}`, `{}` for what is skipped, `{{` for a brace.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn own_notation(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        pieces.push(Piece::Literal(rest.as_bytes()[..open].to_vec()));
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            pieces.push(Piece::Literal(b"{".to_vec()));
            rest = after;
            continue;
        }
        let close = rest.find('}').ok_or("has a { without }; write {{ for a brace itself")?;
        pieces.push(Piece::Field(named(&rest[..close])?));
        rest = &rest[close + 1..];
    }
    pieces.push(Piece::Literal(rest.as_bytes().to_vec()));
    Ok(pieces)
}

fn named(name: &str) -> Result<Option<Field>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let plain = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name);
    serde::Deserialize::deserialize(plain).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, line: &str, field: Field) -> Option<String> {
        let pattern = Pattern::of(own_notation(pattern).unwrap()).unwrap();
        let mut slots = pattern.read(line.as_bytes())?;
        Some(String::from_utf8(slots.take(field).unwrap_or_default().into_owned()).unwrap())
    }

    #[test]
    fn a_field_ends_where_what_follows_it_begins() {
        let pattern = "{client} - {user} [{time}] {{{host}";
        let line = "10.20.0.17 - al ice [now] {a.example";
        for (field, value) in
            [(Field::Client, "10.20.0.17"), (Field::User, "al ice"), (Field::Host, "a.example")]
        {
            assert_eq!(read(pattern, line, field).as_deref(), Some(value));
        }
        assert_eq!(read(pattern, "10.20.0.17 - al ice now", Field::Client), None);
        assert_eq!(read("{client}.", "a.b.", Field::Client).as_deref(), Some("a.b"));
        assert_eq!(read("{client} \"{url}\"", "a \"b\" more", Field::Url), None);
    }

    #[test]
    fn a_quote_inside_quotes_does_not_end_them() {
        let pattern = "\"{user-agent}\" {status}";
        for (line, agent) in [
            (r#""a\" 200 \"b" 403"#, r#"a" 200 "b"#),
            (r#""a\x22 \\" 403"#, r#"a" \"#),
            (r#""\xzz\n" 403"#, r"\xzz\n"),
        ] {
            assert_eq!(read(pattern, line, Field::UserAgent).as_deref(), Some(agent), "{line}");
            assert_eq!(read(pattern, line, Field::Status).as_deref(), Some("403"), "{line}");
        }
    }

    #[test]
    fn a_client_that_writes_quotes_cannot_forge_what_follows() {
        let pattern = "\"{url}\" \"{user-agent}\" {decision}:{}";
        let line = "\"u\" \"x\" TCP_MISS:y\" TCP_DENIED:HIER_NONE";
        assert_eq!(read(pattern, line, Field::Decision).as_deref(), Some("TCP_DENIED"));
        assert_eq!(read(pattern, line, Field::UserAgent).as_deref(), Some("x\" TCP_MISS:y"));
    }

    #[test]
    fn a_port_is_what_follows_the_last_colon() {
        let pattern = "{client}:{client-port} {server}:{server-port}";
        for (line, field, value) in [
            ("fd00::1:4000 -:-", Field::Client, "fd00::1"),
            ("fd00::1:4000 -:-", Field::ClientPort, "4000"),
            ("fd00::1:4000 -:-", Field::Server, ""),
            ("- 192.0.2.7:443", Field::ServerPort, "443"),
        ] {
            assert_eq!(read(pattern, line, field).as_deref(), Some(value), "{line} {field:?}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_read_say_why() {
        for (pattern, word) in [
            ("{client}{user}", "nothing between"),
            ("no fields {}", "has no fields"),
            ("{client", "without }"),
            ("{colour}", "colour"),
        ] {
            let problem = own_notation(pattern).and_then(Pattern::of).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
