//! A quick reader for JSON objects as programs log them: without white space, and with few escapes, none
//! of them by number.
//!
//! It takes less than a third of the time that a general reader needs. Whatever it does not know it leaves
//! to that one, so it need not be complete.

use crate::logs::digits::digits_at_begin;
use crate::logs::piece::Piece;
use crate::logs::scan::{BLOCK_BYTES, find2, hits, hits2};
use crate::logs::text::json_escape;

/// As many digits are left to the general reader where a number is wanted.
const MAX_DIGITS: usize = 16;

/// How deep lists and objects may be in each other.
const MAX_DEPTH: usize = 8;

/// A value that the quick reader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A string without escapes.
    Text(&'a [u8]),
    /// A string with escapes of one character, as it stands there.
    Escaped(&'a [u8]),
    /// A whole number that is not negative.
    Number(u64),
    /// `null`.
    Null,
}

/// What was not read yet of an object: from within the quotation marks of a key on, or from a value
/// on. Wherever there is a `None`, it is no object of this plain kind.
pub(super) struct Flat<'a>(&'a [u8]);

impl<'a> Flat<'a> {
    /// The object that `line` is.
    #[inline]
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        line.strip_prefix(b"{\"").map(Self)
    }

    /// From within the quotation marks of the next key on, or from the next value on.
    #[inline]
    pub(super) fn text(&self) -> &'a [u8] {
        self.0
    }

    /// Passes a key of `key_bytes`, its closing mark and the colon included.
    #[inline]
    pub(super) fn pass_key(&mut self, key_bytes: usize) {
        self.0 = &self.0[key_bytes..];
    }

    /// Takes the next key, whichever it is.
    #[inline]
    pub(super) fn key(&mut self) -> Option<&'a [u8]> {
        let (end, _) = string(self.0).filter(|(_, is_escaped)| !is_escaped)?;
        let (key, rest) = self.0.split_at(end);
        self.0 = rest.strip_prefix(b"\":")?;
        Some(key)
    }

    /// Takes the next value, which is a string without escapes, or `null`, which is read as an empty
    /// one.
    #[inline(always)]
    pub(super) fn plain_text(&mut self) -> Option<&'a [u8]> {
        let Some(text) = self.0.strip_prefix(b"\"") else {
            self.0 = self.0.strip_prefix(b"null")?;
            return Some(b"");
        };
        let (end, _) = string(text).filter(|(_, is_escaped)| !is_escaped)?;
        self.0 = &text[end + 1..];
        Some(&text[..end])
    }

    /// Takes the next value, which is digits, fewer than [`MAX_DIGITS`], without a leading zero.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Option<u64> {
        let text = self.0;
        let length = digits_at_begin(text);
        if length == MAX_DIGITS || (length > 1 && text[0] == b'0') {
            return None;
        }
        self.0 = &text[length..];
        Piece::of(text, length).number()
    }

    /// Takes the next value, whichever it is.
    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        match self.0.first()? {
            b'"' => {
                let text = &self.0[1..];
                let (end, is_escaped) = string(text)?;
                let inner = &text[..end];
                self.0 = &text[end + 1..];
                Some(if is_escaped { Value::Escaped(inner) } else { Value::Text(inner) })
            }
            b'n' => {
                self.0 = self.0.strip_prefix(b"null")?;
                Some(Value::Null)
            }
            _ => self.number().map(Value::Number),
        }
    }

    /// Takes the next value as it is written, whichever it is.
    #[inline]
    pub(super) fn written(&mut self) -> Option<&'a [u8]> {
        let (value, rest) = self.0.split_at(extent(self.0, MAX_DEPTH)?);
        self.0 = rest;
        Some(value)
    }

    /// Whether there is one more key.
    #[inline]
    pub(super) fn goes_on(&mut self) -> Option<bool> {
        match self.0.strip_prefix(b",\"") {
            Some(more) => {
                self.0 = more;
                Some(true)
            }
            None => (self.0 == b"}").then_some(false),
        }
    }
}

/// How many bytes the value has that `text` begins with.
#[inline]
fn extent(text: &[u8], depth: usize) -> Option<usize> {
    match text.first()? {
        b'"' => string(&text[1..]).map(|(end, _)| end + 2),
        b'{' => extent_of_all(text, depth.checked_sub(1)?, (b'}', true)),
        b'[' => extent_of_all(text, depth.checked_sub(1)?, (b']', false)),
        b't' => text.starts_with(b"true").then_some(4),
        b'f' => text.starts_with(b"false").then_some(5),
        b'n' => text.starts_with(b"null").then_some(4),
        _ => extent_of_number(text),
    }
}

/// The same of an object or a list, which ends with `close` and has keys or none.
fn extent_of_all(text: &[u8], depth: usize, (close, has_keys): (u8, bool)) -> Option<usize> {
    if text.get(1) == Some(&close) {
        return Some(2);
    }
    let mut at = 1;
    loop {
        if has_keys {
            let key = text[at..].strip_prefix(b"\"")?;
            let (end, _) = string(key)?;
            key[end..].starts_with(b"\":").then_some(())?;
            at += 1 + end + 2;
        }
        at += extent(&text[at..], depth)?;
        match text.get(at) {
            Some(b',') => at += 1,
            Some(end) if *end == close => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The same of a number without an exponent.
fn extent_of_number(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.starts_with(b"-"));
    let whole = count_digits(&text[sign..]);
    if whole == 0 || (whole > 1 && text[sign] == b'0') {
        return None;
    }
    let mut end = sign + whole;
    if text.get(end) == Some(&b'.') {
        let fraction = count_digits(&text[end + 1..]);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    (!matches!(text.get(end), Some(b'e' | b'E'))).then_some(end)
}

fn count_digits(text: &[u8]) -> usize {
    let mut count = 0;
    loop {
        let more = digits_at_begin(&text[count..]);
        count += more;
        if more < MAX_DIGITS {
            return count;
        }
    }
}

/// Where the string ends that `text` is from its first character on, and whether it has escapes.
#[inline]
fn string(text: &[u8]) -> Option<(usize, bool)> {
    // Most strings end near. One look at so many bytes leaves the processor nothing to guess.
    if let Some(near) = text.first_chunk() {
        let end = hits2(b'"', b'\\', near).trailing_zeros() as usize;
        if near.get(end) == Some(&b'"') {
            return Some((end, false));
        }
    }
    long_string(text)
}

/// As [`string`], a block at a time as long as what is escaped are quotation marks: that is what
/// user agents have, which may have a dozen of them.
fn long_string(text: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0;
    let mut is_escaped = false;
    let mut carried = 0;
    while let Some(block) = text[at..].first_chunk::<BLOCK_BYTES>() {
        let (marks, slashes) = (hits(b'"', block), hits(b'\\', block));
        let escaped = slashes << 1 | carried;
        let ends = marks & !escaped;
        let before_end = (ends & ends.wrapping_neg()).wrapping_sub(1);
        if escaped & before_end & !marks != 0 {
            return any_string(text);
        }
        is_escaped |= slashes & before_end != 0;
        if ends != 0 {
            return Some((at + ends.trailing_zeros() as usize, is_escaped));
        }
        carried = slashes >> (BLOCK_BYTES - 1);
        at += BLOCK_BYTES;
    }
    any_string(text)
}

/// As [`string`], whatever is escaped.
fn any_string(text: &[u8]) -> Option<(usize, bool)> {
    let mut at = 0;
    let mut is_escaped = false;
    loop {
        at += find2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some((at, is_escaped));
        }
        is_escaped = true;
        json_escape(*text.get(at + 1)?)?;
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// The fields of an object, as the quick reader takes them.
    fn fields(object: &str) -> Option<Vec<(&str, &str)>> {
        let text = |bytes| str::from_utf8(bytes).unwrap();
        let mut flat = Flat::of(object.as_bytes())?;
        let mut fields = Vec::new();
        loop {
            let key = text(flat.key()?);
            fields.push((key, text(flat.written()?)));
            if !flat.goes_on()? {
                return Some(fields);
            }
        }
    }

    #[test]
    fn what_programs_write_is_read_quickly() {
        let expected = [
            ("ts", "1767599996.649031"),
            ("id", "1234567890123456789"),
            ("none", "null"),
            ("ok", "true"),
            ("off", "-0.5"),
            ("list", r#"["a",{"b":[]},[1,2.25]]"#),
            ("flow", r#"{"pkts":7,"reason":"time\"out"}"#),
            ("empty", "{}"),
            ("text", r#""a,\"b\":{""#),
        ];
        let written: Vec<_> =
            expected.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let line = format!("{{{}}}", written.join(","));
        assert_eq!(fields(&line).as_deref(), Some(&expected[..]));
    }

    #[test]
    fn what_is_too_deep_is_left_to_the_general_reader() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(fields(&nested(MAX_DEPTH)).is_some());
        assert!(fields(&nested(MAX_DEPTH + 1)).is_none());
        assert!(fields(&nested(100_000)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_quickly_is_the_same_in_general(
            object in r#"\{("[kx]":(-?[0-9]{0,3}(\.[0-9]{0,2})?e?|"[a\\"u]{0,3}"|nu?ll|true|false|\[(("a"|1|\[\])?,?){0,3}\]|\{("b":(1|\{\})?,?){0,2}\}),?){1,3}\}?"#,
        ) {
            if let Some(quick) = fields(&object) {
                let general: std::collections::BTreeMap<String, &RawValue> =
                    serde_json::from_str(&object).expect("an object");
                for (key, value) in general {
                    let last = quick.iter().rfind(|(other, _)| *other == key).map(|(_, value)| *value);
                    proptest::prop_assert_eq!(last, Some(value.get()));
                }
            }
        }

        #[test]
        fn a_number_ends_where_the_general_reader_says(
            text in "-?[0-9]{0,40}(\\.[0-9]{0,20})?([eE][0-9])?",
            after in "[,}]?",
        ) {
            let general = serde_json::from_str::<&RawValue>(&text).map(|raw| raw.get().len()).ok();
            let whole = format!("{text}{after}");
            let quick = extent_of_number(whole.as_bytes()).filter(|end| *end == text.len());
            let has_exponent = text.contains(['e', 'E']);
            proptest::prop_assert_eq!(quick, general.filter(|_| !has_exponent));
        }

        #[test]
        fn a_string_ends_where_a_look_at_each_byte_says(
            text in "([a-c]{0,40}|\\\\\"|\\\\\\\\|\\\\n|\\\\u|\\\\)*",
            after in "\"?([a-z\\\\]{0,70}\"){0,3}",
        ) {
            let text = format!("{text}{after}");
            proptest::prop_assert_eq!(string(text.as_bytes()), any_string(text.as_bytes()));
        }

        #[test]
        fn a_string_with_many_marks_in_it_ends_where_a_look_at_each_byte_says(
            text in "([a-c]{0,9}\\\\\"){0,30}",
            after in "\"[a-z\\\\]{0,70}",
        ) {
            let text = format!("{text}{after}");
            proptest::prop_assert_eq!(string(text.as_bytes()), any_string(text.as_bytes()));
        }
    }
}
