//! A quick reader for JSON objects as Envoy writes them: flat, without white space, and with few
//! escapes, none of them by number.
//!
//! It takes less than a third of the time that a general reader needs. Whatever it does not know it leaves
//! to that one, so it need not be complete.

use crate::logs::digits::digits_at_begin;
use crate::logs::piece::Piece;
use crate::logs::scan::{BLOCK_BYTES, find2, hits, hits2};
use crate::logs::text::json_escape;

/// As many digits are left to the general reader.
const MAX_DIGITS: usize = 16;

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

    /// Passes the next key, whichever it is.
    pub(super) fn pass_any_key(&mut self) -> Option<()> {
        let (end, _) = string(self.0).filter(|(_, is_escaped)| !is_escaped)?;
        self.0 = self.0[end..].strip_prefix(b"\":")?;
        Some(())
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
    use super::*;

    proptest::proptest! {
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
