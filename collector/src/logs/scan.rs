//! Finding bytes that are near each other.
//!
//! Fields of a log line are a dozen bytes long. For so few a call into `memchr` costs more than
//! the search, so the first bytes are looked at here, eight at a time. Where all places of a byte
//! are wanted ([`Places`]), those of 64 bytes are found at once: the processor then need not guess
//! how long the next field is.

/// Bytes that are looked at before `memchr` takes over; beyond, its wide registers win.
const NEAR_BYTES: usize = 32;

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Where `byte` first occurs in `text`.
#[inline]
pub(super) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let wanted = u64::from(byte) * LOW;
    match near(text, |word| zeros(word ^ wanted)) {
        Ok(found) => Some(found),
        Err(seen) => memchr::memchr(byte, &text[seen..]).map(|found| seen + found),
    }
}

/// Where the first of two bytes first occurs in `text`.
#[inline]
pub(super) fn find2(one: u8, other: u8, text: &[u8]) -> Option<usize> {
    let (first, second) = (u64::from(one) * LOW, u64::from(other) * LOW);
    match near(text, |word| zeros(word ^ first) | zeros(word ^ second)) {
        Ok(found) => Some(found),
        Err(seen) => memchr::memchr2(one, other, &text[seen..]).map(|found| seen + found),
    }
}

/// The first byte of the first words for which `hits` has a bit set, or how many bytes had none.
#[inline]
fn near(text: &[u8], hits: impl Fn(u64) -> u64) -> Result<usize, usize> {
    let mut seen = 0;
    while seen < NEAR_BYTES
        && let Some(word) = text[seen..].first_chunk::<8>()
    {
        let hits = hits(u64::from_le_bytes(*word));
        if hits != 0 {
            return Ok(seen + hits.trailing_zeros() as usize / 8);
        }
        seen += 8;
    }
    Err(seen)
}

/// Sets the high bit of the lowest zero byte; above it, bits mean nothing (Henry S. Warren,
/// Hacker's Delight, section 6-1).
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Bytes of a text whose hits are found at once.
const BLOCK_BYTES: usize = 64;

/// The places of a byte in a text, in order.
pub(super) struct Places<'a> {
    text: &'a [u8],
    byte: u8,
    /// Where the block begins that `hits` is of.
    block: usize,
    /// A bit for each place in the block that was not told yet.
    hits: u64,
}

impl<'a> Places<'a> {
    #[inline]
    pub(super) fn of(byte: u8, text: &'a [u8]) -> Self {
        Self { text, byte, block: 0, hits: hits_in_block(byte, text) }
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.hits == 0 {
            self.block += BLOCK_BYTES;
            let rest = self.text.get(self.block..)?;
            self.hits = hits_in_block(self.byte, rest);
        }
        let place = self.block + self.hits.trailing_zeros() as usize;
        self.hits &= self.hits - 1;
        Some(place)
    }
}

/// A bit for each of the first 64 bytes of `text` that is `byte`.
fn hits_in_block(byte: u8, text: &[u8]) -> u64 {
    let Some(block) = text.first_chunk::<BLOCK_BYTES>() else {
        let mut block = [!byte; BLOCK_BYTES];
        block[..text.len()].copy_from_slice(text);
        return hits(byte, &block);
    };
    hits(byte, block)
}

/// The comparison is of all bytes at once, in wide registers, where the processor has them.
#[inline]
fn hits(byte: u8, block: &[u8; BLOCK_BYTES]) -> u64 {
    let equal = block.map(|other| u8::from(other == byte));
    let (words, _) = equal.as_chunks::<8>();
    words.iter().rev().fold(0, |hits, word| hits << 8 | gather(u64::from_le_bytes(*word)))
}

/// The low bits of eight bytes that are 0 or 1, side by side: the factor moves that of byte `n` to
/// bit 56 + `n`.
#[inline]
fn gather(low_bits: u64) -> u64 {
    low_bits.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_found_is_the_first(
            text in proptest::collection::vec(0x1eu8..0x24, 0..80),
            filler in 0usize..60,
            byte in 0x1eu8..0x24,
            other in proptest::num::u8::ANY,
        ) {
            let text = [vec![0xff; filler], text].concat();
            let position = |wanted: &[u8]| text.iter().position(|byte| wanted.contains(byte));
            proptest::prop_assert_eq!(find(byte, &text), position(&[byte]));
            proptest::prop_assert_eq!(find2(byte, other, &text), position(&[byte, other]));
        }

        #[test]
        fn all_places_are_told_in_order(
            text in proptest::collection::vec(proptest::sample::select(&b" !\x00\x1f\xa0"[..]), 0..200),
        ) {
            for byte in [b' ', 0, 0xa0] {
                let expected: Vec<_> = (0..text.len()).filter(|at| text[*at] == byte).collect();
                proptest::prop_assert_eq!(Places::of(byte, &text).collect::<Vec<_>>(), expected);
            }
        }
    }
}
