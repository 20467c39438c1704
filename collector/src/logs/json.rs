//! Values of JSON as they are written, and what they mean: borrowed from their line, looked at only
//! when they are asked for. What is of another kind than was asked for is as good as not there, so
//! that one odd field does not cost the line.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::digits::number;
use super::text::json_decoded;

/// Most entries of a list that are looked at.
const MAX_LISTED: usize = 64;

/// A value as it is written; empty where there is none, or `null`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// A value in a line.
    pub(super) fn of(written: &'a [u8]) -> Self {
        Self(if written == b"null" { b"" } else { written })
    }

    /// The text of a string. `None`: it is none, or empty.
    pub(super) fn text(self) -> Option<Cow<'a, [u8]>> {
        let inner = self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        if memchr::memchr(b'\\', inner).is_some() {
            // Escapes that stand for no character leave the others.
            let text = serde_json::from_slice::<String>(self.0);
            return Some(
                text.map_or_else(|_| json_decoded(inner), |text| text.into_bytes().into()),
            );
        }
        (!inner.is_empty()).then_some(Cow::Borrowed(inner))
    }

    /// The text of a string, or else what is written.
    pub(super) fn plain(self) -> Cow<'a, [u8]> {
        self.text().unwrap_or(Cow::Borrowed(if self.0 == b"\"\"" { b"" } else { self.0 }))
    }

    /// A whole number that is not negative, also where it is written as a string.
    pub(super) fn count(self) -> Option<u64> {
        number(&self.plain())
    }

    /// The entries of a list, at most 64.
    pub(super) fn list(self) -> Vec<Self> {
        if !self.0.starts_with(b"[") {
            return Vec::new();
        }
        let mut entries: Vec<Self> = self.read().unwrap_or_default();
        entries.truncate(MAX_LISTED);
        entries
    }

    /// An object's fields, or whatever else. `None`: it is none such.
    pub(super) fn read<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_slice(self.0).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|value| Self::of(value.get().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_are_asked_for_or_nothing() {
        let line = br#"{"a":"x\"\u00e9","b":7,"c":"8","d":null,"e":[1,"two",{}],"f":true,"g":""}"#;
        let fields: std::collections::BTreeMap<&str, Raw<'_>> = Raw::of(line).read().unwrap();
        assert_eq!(fields["a"].text().as_deref(), Some("x\"é".as_bytes()));
        assert_eq!((fields["b"].count(), fields["c"].count()), (Some(7), Some(8)));
        assert_eq!((fields["a"].count(), fields["b"].text()), (None, None));
        assert_eq!(fields["d"], Raw::default());
        let listed: Vec<_> = fields["e"].list().into_iter().map(Raw::plain).collect();
        assert_eq!(listed, [&b"1"[..], b"two", b"{}"]);
        assert_eq!((fields["g"].text(), fields["g"].plain().as_ref()), (None, &b""[..]));
        assert_eq!(fields["b"].list(), []);
    }
}
