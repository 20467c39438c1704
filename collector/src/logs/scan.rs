//! Finding a byte that is likely to be near.
//!
//! Fields of a log line are a dozen bytes long. For so few a call into `memchr` costs more than
//! the search, so the first bytes are looked at here, eight at a time.

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
    }
}
