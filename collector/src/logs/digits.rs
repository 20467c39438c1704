//! Numbers and IPv4 addresses in text, read without a loop over their digits.
//!
//! How many digits a field has changes from line to line, so a processor that takes them one by
//! one guesses wrong where most fields end. Here all digits are in a register at once.

use std::net::Ipv4Addr;

use wide::u8x16;

use super::scan::{LANE_BYTES, lane_of, word_of};

/// A byte in each of a word's eight.
const fn in_each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// What makes the high bit of a byte of 10 or more appear when it is added; bytes below stay below.
const ABOVE_NINE: u64 = in_each(0x80 - 10);

/// The first and the third of a word's four pairs of bytes, of each its lower byte.
const EVERY_OTHER_PAIR: u64 = 0x0000_00ff_0000_00ff;

const HIGH: u64 = in_each(0x80);
const ZEROS: u64 = in_each(b'0');

/// Most digits of a number: more may not fit 64 bits.
const MOST_DIGITS: usize = 19;

/// The longest IPv4 address in text has 15 bytes, and the one after it shows its end.
const ADDRESS_BYTES: usize = LANE_BYTES;

/// A decimal number of at most 19 digits and nothing else.
#[inline]
pub(super) fn number(raw: &[u8]) -> Option<u64> {
    match raw.len() {
        0 => None,
        length @ 1..=8 => value(word_of(raw), length),
        _ => long_number(raw),
    }
}

/// As [`number`]: a call, where that is for what is seldom.
#[cold]
pub(super) fn any_number(raw: &[u8]) -> Option<u64> {
    number(raw)
}

/// As [`number`], of more than eight digits.
fn long_number(raw: &[u8]) -> Option<u64> {
    let (head, tail) = raw.split_last_chunk::<8>()?;
    if raw.len() > MOST_DIGITS {
        return None;
    }
    Some(number(head)? * 100_000_000 + eight_digits(*tail)?)
}

/// The number that the first `length` bytes of a text are, 1 to 8 digits.
#[inline]
pub(super) fn begin(text: [u8; 8], length: usize) -> Option<u64> {
    value(u64::from_le_bytes(text), length)
}

/// How many digits a text begins with; 16 stands for as many or more.
#[inline]
pub(super) fn digits_at_begin(raw: &[u8]) -> usize {
    no_digits(lane_of(raw)).trailing_zeros().min(LANE_BYTES as u32) as usize
}

/// The value of the first `length` bytes of a word, 1 to 8 digits.
#[inline]
fn value(word: u64, length: usize) -> Option<u64> {
    // The last digit goes to the top, and what is below the first becomes zero.
    let digits = (word ^ ZEROS) << (64 - 8 * length);
    if !are_digits(digits) {
        return None;
    }
    // Neighbours are put together to pairs; of these the first and third, and the second and fourth,
    // are a product each, whose upper half is the sum of both with their weights.
    let pairs = digits * 10 + (digits >> 8);
    let first_and_third = (pairs & EVERY_OTHER_PAIR).wrapping_mul(100 | 1_000_000 << 32);
    let second_and_fourth = (pairs >> 16 & EVERY_OTHER_PAIR).wrapping_mul(1 | 10_000 << 32);
    Some((first_and_third.wrapping_add(second_and_fourth)) >> 32)
}

/// Whether all bytes of a word are below 10.
#[inline]
const fn are_digits(word: u64) -> bool {
    (word.wrapping_add(ABOVE_NINE) | word) & HIGH == 0
}

/// The values of the digits in a text of the form of `form`, in which a zero stands for any digit
/// and other bytes for themselves; where these are, the word has zeros.
#[inline]
pub(super) fn formed(text: [u8; 8], form: [u8; 8]) -> Option<u64> {
    let marks = u64::from_le_bytes(form.map(|byte| if byte == b'0' { 0 } else { 0xff }));
    let word = u64::from_le_bytes(text) ^ u64::from_le_bytes(form);
    (word & marks == 0 && are_digits(word)).then_some(word)
}

/// Where a number of two digits begins in what [`formed`] gives, that number.
#[inline]
pub(super) fn pairs(digits: u64) -> [u8; 8] {
    (digits * 10 + (digits >> 8)).to_le_bytes()
}

/// The number that eight digits are.
#[inline]
pub(super) fn eight_digits(text: [u8; 8]) -> Option<u64> {
    value(u64::from_le_bytes(text), 8)
}

/// Four decimal numbers with dots, the form of nearly all addresses in logs, and what follows
/// them. `None`: leave it to the general parser.
#[inline]
pub(super) fn dotted_begin(raw: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let begin = lane_of(raw);
    let marks = no_digits(begin);
    let after_first = marks & marks.wrapping_sub(1);
    let after_second = after_first & after_first.wrapping_sub(1);
    let after_third = after_second & after_second.wrapping_sub(1);
    if after_third == 0 {
        return None;
    }
    // The last octet may begin at the end, and four bytes are taken for each.
    let mut text = [0; ADDRESS_BYTES + 4];
    text[..ADDRESS_BYTES].copy_from_slice(&begin);
    let [first, second, third, end] = [marks, after_first, after_second, after_third]
        .map(|marks| marks.trailing_zeros() as usize % ADDRESS_BYTES);
    if [text[first], text[second], text[third]] != [b'.'; 3] {
        return None;
    }
    let address = Ipv4Addr::new(
        octet(&text, 0, first)?,
        octet(&text, first + 1, second)?,
        octet(&text, second + 1, third)?,
        octet(&text, third + 1, end)?,
    );
    Some((address, &raw[end..]))
}

/// A bit for each byte that is no digit.
#[inline]
fn no_digits(text: [u8; ADDRESS_BYTES]) -> u32 {
    let above_zero = u8x16::new(text) ^ u8x16::splat(b'0');
    above_zero.simd_gt(u8x16::splat(9)).to_bitmask()
}

/// The smallest octet of so many digits, as in [`octet`]. No octet has no digit, or more than
/// three; none leads with a zero, which may mean octal: the general parser refuses it.
const LEAST_OCTETS: [u32; ADDRESS_BYTES] = {
    let mut least = [u32::MAX; ADDRESS_BYTES];
    [least[1], least[2], least[3]] = [0x00_00_00, 0x00_01_00, 0x01_00_00];
    least
};

/// Digits up to 255.
#[inline]
fn octet(text: &[u8; ADDRESS_BYTES + 4], begin: usize, end: usize) -> Option<u8> {
    let length = end.wrapping_sub(begin) % ADDRESS_BYTES;
    let digits = u32::from_le_bytes(*text[begin..].first_chunk()?) ^ ZEROS as u32;
    // The last digit goes to the top, and what is below the first becomes zero.
    let digits = digits.wrapping_shl(0_u32.wrapping_sub(8 * length as u32));
    // Read the other way round it is a byte for each of hundreds, tens and ones.
    if !(LEAST_OCTETS[length]..=0x02_05_05).contains(&digits.swap_bytes()) {
        return None;
    }
    // Bits 24 to 31 of the product are ones + 10 · tens + 100 · hundreds.
    Some((digits.wrapping_mul(1 | 10 << 8 | 100 << 16) >> 24) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_lengths_are_read() {
        let digits = b"9876543210123456789";
        for length in 1..=digits.len() {
            let text = &digits[..length];
            assert_eq!(number(text), str::from_utf8(text).unwrap().parse().ok());
            for at in 0..length {
                for other in [b'/', b':', b' ', 0, 0x80, 0xb0, 0xff] {
                    let mut text = text.to_vec();
                    text[at] = other;
                    assert_eq!(number(&text), None, "{}", text.escape_ascii());
                }
            }
        }
        assert_eq!(number(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
        assert_eq!(number(b"00000000000000000000"), None);
        assert_eq!(number(b""), None);
    }

    #[test]
    fn a_text_has_its_form_or_gives_nothing() {
        let read = formed(*b":59.042Z", *b":00.000Z").unwrap();
        assert_eq!(read.to_le_bytes(), [0, 5, 9, 0, 0, 4, 2, 0]);
        let [_, seconds, _, _, tens, ones, _, _] = pairs(read);
        assert_eq!((seconds, tens, ones), (59, 4, 42));
        for at in 0..8 {
            for other in [b'/', b':', b'.', b' ', 0, 0x80, 0xb0, 0xff] {
                let mut text = *b":59.042Z";
                if text[at] != other {
                    text[at] = other;
                    assert_eq!(formed(text, *b":00.000Z"), None, "{}", text.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn digits_are_counted_up_to_sixteen() {
        let digits = b"98765432101234567";
        for length in 0..=digits.len() {
            let text = [&digits[..length], &b"-1"[..]].concat();
            assert_eq!(digits_at_begin(&text), length.min(16));
            assert_eq!(digits_at_begin(&digits[..length]), length.min(16));
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_what_the_standard_library_reads(text in "[0-9]{1,19}|[0-9:/ +-]{0,21}") {
            let expected = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
            let expected = expected.flatten().filter(|_| text.len() <= MOST_DIGITS);
            proptest::prop_assert_eq!(number(text.as_bytes()), expected);
        }

        #[test]
        fn addresses_are_what_the_standard_library_reads(
            text in "[0-9]{1,3}(\\.[0-9]{1,4}){2,4}|[0-9.]{0,18}|([0-9]{1,2}\\.){3}[0-9/:.\u{e9}]{0,3}",
            after in "[^0-9]?.{0,10}",
        ) {
            let read = dotted_begin(text.as_bytes()).filter(|(_, rest)| rest.is_empty());
            proptest::prop_assert_eq!(read.map(|(address, _)| address), text.parse().ok());
            // What follows changes nothing, unless it could be more of it.
            if let Ok(address) = text.parse::<Ipv4Addr>()
                && !after.starts_with(|next: char| next.is_ascii_digit())
            {
                let whole = format!("{text}{after}");
                let expected = Some((address, after.as_bytes()));
                proptest::prop_assert_eq!(dotted_begin(whole.as_bytes()), expected);
            }
        }
    }
}
