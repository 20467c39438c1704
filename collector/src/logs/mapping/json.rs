//! Lines of JSON: paths tell where the fields are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::field::{Field, Slots, Value};

/// Longest accepted path, in steps: deeper objects are not logs.
const MAX_STEPS: usize = 16;

/// Where fields are in an object: a tree of its keys, so that a line is walked once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree {
    children: Vec<(Box<[u8]>, Tree)>,
    /// The fields that are here, and which of their sources this is.
    fields: Vec<(Field, u8)>,
}

impl Tree {
    /// Adds the `rank`-th source of a field: a JSON pointer (RFC 6901), `/key/0/key`.
    ///
    /// # Errors
    /// Says what is wrong with the pointer.
    pub(super) fn add(&mut self, pointer: &str, field: Field, rank: u8) -> Result<(), String> {
        let steps =
            pointer.strip_prefix('/').filter(|steps| !steps.is_empty()).ok_or_else(|| {
                format!("{pointer:?} is no JSON pointer; write it as \"/key/inner key\"")
            })?;
        if steps.split('/').count() > MAX_STEPS {
            return Err(format!("{pointer:?} has more than {MAX_STEPS} steps"));
        }
        let mut node = self;
        for step in steps.split('/') {
            node = node.child(step.replace("~1", "/").replace("~0", "~").into_bytes());
        }
        node.fields.push((field, rank));
        Ok(())
    }

    fn child(&mut self, key: Vec<u8>) -> &mut Self {
        let at = self.children.iter().position(|(name, _)| **name == *key).unwrap_or_else(|| {
            self.children.push((key.into(), Self::default()));
            self.children.len() - 1
        });
        &mut self.children[at].1
    }

    fn find(&self, key: &[u8]) -> Option<&Self> {
        self.children.iter().find(|(name, _)| **name == *key).map(|(_, child)| child)
    }

    /// What a line has in its fields. `None`: it is no JSON object.
    pub(super) fn read<'a>(&self, line: &'a [u8]) -> Option<Slots<'a>> {
        if line.first() != Some(&b'{') {
            return None;
        }
        let mut reader = serde_json::Deserializer::from_slice(line);
        let mut slots = Slots::new();
        Walk { tree: self, slots: &mut slots }.deserialize(&mut reader).ok()?;
        reader.end().ok().map(|()| slots)
    }
}

/// A step into a line.
struct Walk<'t, 's, 'a> {
    tree: &'t Tree,
    slots: &'s mut Slots<'a>,
}

impl<'a> Walk<'_, '_, 'a> {
    fn put(self, value: &Value<'a>) {
        for (field, rank) in &self.tree.fields {
            self.slots.put(*field, *rank, Some(value.clone()));
        }
    }

    fn put_text(self, text: Cow<'a, [u8]>) {
        if let Some(value) = Value::text(text) {
            self.put(&value);
        }
    }
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Key<'a>>()? {
            match self.tree.find(key.0.as_bytes()) {
                Some(tree) => map.next_value_seed(Walk { tree, slots: &mut *self.slots })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut items: S) -> Result<(), S::Error> {
        let empty = Tree::default();
        for place in 0_u32.. {
            let mut digits = [0; 10];
            let tree = self.tree.find(decimal(place, &mut digits)).unwrap_or(&empty);
            let walk = Walk { tree, slots: &mut *self.slots };
            if items.next_element_seed(walk)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        self.put_text(Cow::Borrowed(text.as_bytes()));
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if !self.tree.fields.is_empty() {
            self.put_text(Cow::Owned(text.as_bytes().to_vec()));
        }
        Ok(())
    }

    fn visit_u64<E>(self, count: u64) -> Result<(), E> {
        self.put(&Value::Whole(count));
        Ok(())
    }

    fn visit_i64<E>(self, _negative: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put(&Value::Fraction(value));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put_text(Cow::Borrowed(if value { b"true" } else { b"false" }));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key, borrowed where JSON does not escape it.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> de::Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A number in text, without an allocation.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(sources: &[(&str, Field)]) -> Tree {
        let mut tree = Tree::default();
        for (rank, (pointer, field)) in sources.iter().enumerate() {
            tree.add(pointer, *field, rank as u8).unwrap();
        }
        tree
    }

    #[test]
    fn pointers_reach_into_objects_and_lists() {
        let tree = tree(&[
            ("/request/headers/User-Agent/0", Field::UserAgent),
            ("/request/host", Field::Host),
            ("/a~1b", Field::User),
            ("/status", Field::Status),
        ]);
        let line = br#"{"x":[1,{"y":2}],"request":{"host":"a\u0026b","headers":{"User-Agent":
            ["curl","other"]}},"a/b":"bob","status":403,"n":-1,"z":null}"#;
        let slots = tree.read(line).unwrap();
        assert_eq!(slots.bytes(Field::UserAgent), Some(&b"curl"[..]));
        assert_eq!(slots.bytes(Field::Host), Some(&b"a&b"[..]));
        assert_eq!(slots.bytes(Field::User), Some(&b"bob"[..]));
        assert_eq!(slots.count(Field::Status), Some(403));
    }

    #[test]
    fn what_is_no_object_is_not_read() {
        let tree = tree(&[("/a", Field::Host)]);
        for line in [&b"[1]"[..], b"{", b"{} x", b"text", b"", b"{\"a\":\"\xff\"}"] {
            assert!(tree.read(line).is_none(), "{}", line.escape_ascii());
        }
        let mut none = Tree::default();
        assert!(none.add("a", Field::Host, 0).unwrap_err().contains("JSON pointer"));
        assert!(none.add(&"/a".repeat(17), Field::Host, 0).unwrap_err().contains("16 steps"));
    }
}
