//! `key=value` pairs in a line, as CEF and LEEF have them.

use std::fmt::{Display, Write};

use crate::fields::Named;
use crate::text::bounded;

/// What fields leave of a line, in bytes: two separators, a key and the first words of the sentence.
const BEGIN_OF_SENTENCE: usize = 100;

/// Writes pairs behind what is there, with a separator between them.
pub(crate) struct Pairs<'a> {
    out: &'a mut String,
    separator: char,
    escape: fn(char, &mut String),
    /// Longest value from outside, in bytes.
    longest: usize,
    /// The bytes that the line may have in all.
    room: usize,
    fields: &'a Named,
    is_first: bool,
}

impl<'a> Pairs<'a> {
    /// In a line that may have `room` bytes in all. Where one of the `fields` has the key of a pair, that is left
    /// out.
    pub(crate) fn behind(
        out: &'a mut String,
        (separator, escape): (char, fn(char, &mut String)),
        room: usize,
        fields: &'a Named,
    ) -> Self {
        Self { out, separator, escape, longest: longest_value(room), room, fields, is_first: true }
    }

    /// A value of our own making, which needs no escapes.
    pub(crate) fn value(&mut self, key: &str, value: impl Display) {
        if !self.fields.has(key) {
            self.write(key, value);
        }
    }

    fn write(&mut self, key: &str, value: impl Display) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(self.separator);
        }
        _ = write!(self.out, "{key}={value}");
    }

    /// The same, where there is one.
    pub(crate) fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(key, value);
        }
    }

    /// A number; none where it is zero, which some parsers do not take for a number.
    pub(crate) fn count(&mut self, key: &str, number: u64) {
        self.maybe(key, Some(number).filter(|number| *number > 0));
    }

    /// A value from outside, unless it is empty: some parsers take what follows for it.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.value(key, bounded(text, self.longest, self.escape));
        }
    }

    /// The same, where there is one.
    pub(crate) fn maybe_text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// The end: the fields, those for which there is room beside the begin of a sentence; then that, a text from
    /// outside, as much of it as `longest` and the room leave.
    pub(crate) fn end(mut self, key: &str, sentence: &str, longest: usize) {
        for (name, value) in self.fields.words().filter(|(_, value)| !value.is_empty()) {
            let value = bounded(&value, self.longest, self.escape);
            if self.out.len() + name.len() + value.len() + BEGIN_OF_SENTENCE <= self.room {
                self.write(name, value);
            }
        }
        if self.fields.has(key) {
            return;
        }
        self.write(key, "");
        let left = self.room.saturating_sub(self.out.len()).min(longest);
        self.out.push_str(&bounded(sentence, left, self.escape));
    }
}

/// Longest value from outside, in bytes, of ten that have to find room beside what is ours.
pub(crate) const fn longest_value(room: usize) -> usize {
    let fair = room / 20;
    if fair < 255 { fair } else { 255 }
}
