//! Finding bytes that are near each other.
//!
//! Fields of a log line are a dozen bytes long. For so few a call into `memchr` costs more than
//! the search, so the first bytes are looked at here, 16 at a time. Where all places of a byte
//! are wanted ([`Places`]), those of 64 bytes are found at once: the processor then need not guess
//! how long the next field is.

use wide::u8x16;

/// Bytes that are compared at once.
pub(super) const LANE_BYTES: usize = 16;

/// Bytes that are looked at before `memchr` takes over; beyond, its wider registers win.
pub(super) const NEAR_BYTES: usize = 2 * LANE_BYTES;

/// Where `byte` first occurs in `text`.
#[inline]
pub(super) fn find(byte: u8, text: &[u8]) -> Option<usize> {
    let wanted = u8x16::splat(byte);
    match near(text, |lane| lane.simd_eq(wanted)) {
        Near::Found(found) => Some(found),
        Near::Nowhere => None,
        Near::Beyond => memchr::memchr(byte, &text[NEAR_BYTES..]).map(|found| NEAR_BYTES + found),
    }
}

/// Where the first of two bytes first occurs in `text`.
#[inline]
pub(super) fn find2(one: u8, other: u8, text: &[u8]) -> Option<usize> {
    let (first, second) = (u8x16::splat(one), u8x16::splat(other));
    match near(text, |lane| lane.simd_eq(first) | lane.simd_eq(second)) {
        Near::Found(found) => Some(found),
        Near::Nowhere => None,
        Near::Beyond => {
            memchr::memchr2(one, other, &text[NEAR_BYTES..]).map(|found| NEAR_BYTES + found)
        }
    }
}

/// A bit for each of some bytes that is one of two.
#[inline]
pub(super) fn hits2(one: u8, other: u8, text: &[u8; NEAR_BYTES]) -> u32 {
    let (first, second) = (u8x16::splat(one), u8x16::splat(other));
    let (lanes, _) = text.as_chunks::<LANE_BYTES>();
    lanes.iter().rev().fold(0, |hits, lane| {
        let lane = u8x16::new(*lane);
        hits << LANE_BYTES | (lane.simd_eq(first) | lane.simd_eq(second)).to_bitmask()
    })
}

/// What a look at the first bytes of a text tells.
enum Near {
    /// The first hit.
    Found(usize),
    /// There is no hit, and the text is no longer.
    Nowhere,
    /// There is no hit, and the text goes on.
    Beyond,
}

/// The first of a text's near bytes that `hits` marks.
#[inline]
fn near(text: &[u8], hits: impl Fn(u8x16) -> u8x16) -> Near {
    let mut seen = 0;
    while let Some(lane) = text[seen..].first_chunk() {
        if seen == NEAR_BYTES {
            return Near::Beyond;
        }
        let hits = hits(u8x16::new(*lane)).to_bitmask();
        if hits != 0 {
            return Near::Found(seen + hits.trailing_zeros() as usize);
        }
        seen += LANE_BYTES;
    }
    let rest = &text[seen..];
    // Nothing is where the text has ended, whatever byte is looked for.
    match hits(u8x16::new(lane_of(rest))).to_bitmask().trailing_zeros() as usize {
        found if found < rest.len() => Near::Found(seen + found),
        _ => Near::Nowhere,
    }
}

/// The first bytes of a text, and zeros where it has fewer.
#[inline]
pub(super) fn lane_of(text: &[u8]) -> [u8; LANE_BYTES] {
    if let Some(whole) = text.first_chunk() {
        return *whole;
    }
    let (head, tail) = match text.split_at_checked(8) {
        Some((head, tail)) => (word_of(head), word_of(tail)),
        None => (word_of(text), 0),
    };
    (u128::from(head) | u128::from(tail) << 64).to_le_bytes()
}

/// A text of at most eight bytes in a word, the first byte lowest, zeros after the last.
#[inline]
pub(super) fn word_of(text: &[u8]) -> u64 {
    match *text {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b, c, d, ..] => {
            let tail = text.last_chunk().map_or(0, |tail| u32::from_le_bytes(*tail));
            // Where the two overlap they are the same.
            let tail = u64::from(tail) << (8 * (text.len() - 4));
            u64::from(u32::from_le_bytes([a, b, c, d])) | tail
        }
    }
}

/// Bytes of a text whose hits are found at once.
pub(super) const BLOCK_BYTES: usize = 64;

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
        Self { text, byte, block: 0, hits: hits_in_first_block(byte, text) }
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.hits == 0 {
            self.block += BLOCK_BYTES;
            self.hits = hits_in_later_block(self.byte, self.text, self.block)?;
        }
        let place = self.block + self.hits.trailing_zeros() as usize;
        self.hits &= self.hits - 1;
        Some(place)
    }
}

/// A bit for each of the 64 bytes of `text` from `start` on that is `byte`; the text has as many
/// before. `None`: the text has ended.
///
/// It is a call, so that what [`Places`] remembers can stay in registers wherever that is used.
#[inline(never)]
fn hits_in_later_block(byte: u8, text: &[u8], start: usize) -> Option<u64> {
    let left = text.len().checked_sub(start)?;
    match text[start..].first_chunk() {
        Some(block) => Some(hits(byte, block)),
        // Those of the text's last bytes, less what was in the block before.
        None if left > 0 => Some(hits(byte, text.last_chunk()?) >> (BLOCK_BYTES - left)),
        None => None,
    }
}

/// A bit for each of the first 64 bytes of `text` that is `byte`.
fn hits_in_first_block(byte: u8, text: &[u8]) -> u64 {
    let Some(block) = text.first_chunk::<BLOCK_BYTES>() else {
        let mut block = [!byte; BLOCK_BYTES];
        block[..text.len()].copy_from_slice(text);
        return hits(byte, &block);
    };
    hits(byte, block)
}

/// A bit for each byte of a block that is `byte`.
#[inline]
pub(super) fn hits(byte: u8, block: &[u8; BLOCK_BYTES]) -> u64 {
    let wanted = u8x16::splat(byte);
    let (lanes, _) = block.as_chunks::<LANE_BYTES>();
    lanes.iter().rev().fold(0, |hits, lane| {
        hits << LANE_BYTES | u64::from(u8x16::new(*lane).simd_eq(wanted).to_bitmask())
    })
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
