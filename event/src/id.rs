//! Ids that are hashes of what they are about, so that a repeat is recognized as one.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bits of an [`EventId`] that count within its scope. 48 bits address 256 TiB of a log file.
const COUNTER_BITS: u32 = 48;

/// What a run of event ids is about: one generation of a log file, or one flow.
///
/// An 80-bit BLAKE3 hash of the parts that identify it. It is computed once per file or flow, so
/// that an event's own id costs a shift and an or.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(u128);

impl Scope {
    /// The scope named by `parts`. Each part is length-prefixed, so `["ab","c"]` ≠ `["a","bc"]`.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(hash(parts) << COUNTER_BITS)
    }

    /// The id of the `n`-th thing in this scope. `n` wraps at 2^48.
    pub fn id(self, n: u64) -> EventId {
        EventId(self.0 | u128::from(n & ((1 << COUNTER_BITS) - 1)))
    }

    /// A 64-bit number for this scope, for use as a flow id.
    pub fn short(self) -> u64 {
        // The top 64 of the 80 hash bits.
        (self.0 >> 64) as u64
    }
}

/// Identifies an event, an incident or an alert: 128 bits, written as 32 hexadecimal digits.
///
/// The same input always gives the same id, so writing something twice is an upsert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{32}$"))]
pub struct EventId(u128);

/// The text is not 32 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an id: 32 hexadecimal digits are expected")]
pub struct ParseIdError {
    text: String,
}

impl EventId {
    /// The id of the thing named by `parts` (see [`Scope::of`] for how they are joined).
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(hash(parts))
    }

    /// As [`Self::of`], with a last part that is written piece by piece: `length` bytes in all.
    pub fn writer(first: &[&[u8]], length: u64) -> IdWriter {
        let mut hasher = begin(first);
        hasher.update(&length.to_le_bytes());
        IdWriter(hasher)
    }

    /// From its 128 bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Its 128 bits.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Big-endian bytes, as stored.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseIdError { text: text.to_owned() };
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| wrong())
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            u128::deserialize(deserializer).map(Self)
        }
    }
}

/// An id in the making: see [`EventId::writer`].
#[derive(Debug)]
pub struct IdWriter(blake3::Hasher);

impl IdWriter {
    /// The id of what was written.
    pub fn finish(self) -> EventId {
        EventId(end(&self.0))
    }
}

impl io::Write for IdWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first 128 bits of the BLAKE3 hash of length-prefixed parts.
fn hash(parts: &[&[u8]]) -> u128 {
    end(&begin(parts))
}

fn begin(parts: &[&[u8]]) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher
}

fn end(hasher: &blake3::Hasher) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn an_id_that_is_written_is_that_of_its_parts() {
        let mut id = EventId::writer(&[b"baseline"], 11);
        for piece in [&b"content"[..], b"", b" of "] {
            id.write_all(piece).unwrap();
        }
        assert_eq!(id.finish(), EventId::of(&[b"baseline", b"content of "]));
    }

    #[test]
    fn ids_within_a_scope_differ_and_keep_their_order() {
        let scope = Scope::of(&[b"squid", b"first line"]);
        assert!(scope.id(0) < scope.id(1));
        assert_ne!(scope.id(7), Scope::of(&[b"squid", b"other line"]).id(7));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(EventId::of(&[b"ab", b"c"]), EventId::of(&[b"a", b"bc"]));
    }

    #[test]
    fn text_form_comes_back_and_nonsense_is_refused() {
        let id = EventId::of(&[b"x"]);
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        for wrong in ["", "xyz", "+0000000000000000000000000000001", "0x"] {
            assert!(wrong.parse::<EventId>().is_err(), "{wrong:?} was accepted");
        }
    }
}
