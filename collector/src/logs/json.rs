//! Values of JSON as they are written, and what they mean: borrowed from their line, looked at only
//! when they are asked for. What is of another kind than was asked for is as good as not there, so
//! that one odd field does not cost the line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::digits::number;
use super::flat::Flat;
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
        let mut entries: Vec<Self> = serde_json::from_slice(self.0).unwrap_or_default();
        entries.truncate(MAX_LISTED);
        entries
    }

    /// The fields of an object. `None`: it is none.
    pub(super) fn object<T: Fields<'a> + Default>(self) -> Option<T> {
        read(self.0)
    }

    /// As it is written; empty where there is none, or `null`.
    pub(super) fn written(self) -> &'a [u8] {
        self.0
    }
}

/// An object of which some fields are read, each as it is written.
pub(super) trait Fields<'a> {
    /// Takes a field. What is not read is passed over, and of two with the same key the last counts.
    fn set(&mut self, key: &[u8], value: Raw<'a>);

    /// Forgets what was taken.
    fn clear(&mut self);
}

/// Declares such an object. Its fields have the names of their keys, or another one where a key is no name:
/// `kind = "type"`.
macro_rules! object {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident $(= $key:literal)?,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $name<'a> {
            $($field: $crate::logs::json::Raw<'a>,)+
        }

        impl<'a> $crate::logs::json::Fields<'a> for $name<'a> {
            fn set(&mut self, key: &[u8], value: $crate::logs::json::Raw<'a>) {
                match key {
                    $(_ if key == $crate::logs::json::key!($field $($key)?).as_bytes() => self.$field = value,)+
                    _ => {}
                }
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    };
}

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(super) use {key, object};

/// Reads the object that a text is. `None`: it is none.
pub(super) fn read<'a, T: Fields<'a> + Default>(text: &'a [u8]) -> Option<T> {
    let mut fields = T::default();
    read_into(&mut fields, text).map(|()| fields)
}

/// The same into fields of which none is set. `None`: it is none, and what was read of it means nothing.
pub(super) fn read_into<'a>(fields: &mut impl Fields<'a>, text: &'a [u8]) -> Option<()> {
    read_quickly(fields, text).or_else(|| {
        fields.clear();
        let mut json = serde_json::Deserializer::from_slice(text);
        json.deserialize_map(InGeneral(fields)).ok()?;
        json.end().ok()
    })
}

/// `None`: it is not of the plain kind, and may yet be an object.
fn read_quickly<'a>(fields: &mut impl Fields<'a>, text: &'a [u8]) -> Option<()> {
    let mut flat = Flat::of(text)?;
    loop {
        let key = flat.key()?;
        fields.set(key, Raw::of(flat.written()?));
        if !flat.goes_on()? {
            return Some(());
        }
    }
}

struct InGeneral<'f, T>(&'f mut T);

impl<'de, T: Fields<'de>> Visitor<'de> for InGeneral<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            self.0.set(key.0.as_bytes(), map.next_value()?);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

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
        let fields: std::collections::BTreeMap<&str, Raw<'_>> =
            serde_json::from_slice(line).unwrap();
        assert_eq!(fields["a"].text().as_deref(), Some("x\"é".as_bytes()));
        assert_eq!((fields["b"].count(), fields["c"].count()), (Some(7), Some(8)));
        assert_eq!((fields["a"].count(), fields["b"].text()), (None, None));
        assert_eq!(fields["d"], Raw::default());
        let listed: Vec<_> = fields["e"].list().into_iter().map(Raw::plain).collect();
        assert_eq!(listed, [&b"1"[..], b"two", b"{}"]);
        assert_eq!((fields["g"].text(), fields["g"].plain().as_ref()), (None, &b""[..]));
        assert_eq!(fields["b"].list(), []);
    }

    object! {
        #[derive(PartialEq)]
        struct Thing {
            kind = "type",
            size,
        }
    }

    #[test]
    fn an_object_is_the_same_read_quickly_or_in_general() {
        let plain = br#"{"size":7,"other":[{"size":8}],"type":"a"}"#;
        let spaced = br#" { "size": 7, "other": [{"size": 8}], "typ\u0065": "a" } "#;
        let things: [Thing<'_>; 2] = [plain, &spaced[..]].map(|text| read(text).unwrap());
        let is_quick = |text| read_quickly(&mut Thing::default(), text).is_some();
        assert!(is_quick(plain) && !is_quick(spaced));
        assert_eq!(things[0], things[1]);
        assert_eq!((things[0].size.count(), things[0].kind.written()), (Some(7), &b"\"a\""[..]));
        assert_eq!(read::<Thing<'_>>(b"{}"), Some(Thing::default()));
        for text in
            [&b""[..], b"[]", b"{", b"7", b"{\"size\":7", b"{\"size\":7}}", b"{\"size\":07}"]
        {
            assert_eq!(read::<Thing<'_>>(text), None, "{}", text.escape_ascii());
        }
    }
}
