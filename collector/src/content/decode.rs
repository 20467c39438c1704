//! Encodings, undone: what was written with `%XX`, 16, 32 or 64 letters, or was compressed.
//!
//! A run may begin in the middle of what was encoded, so that it is read from each place at which a
//! whole group could begin.

use std::io::Read as _;

use egret_event::ContentLayer;

/// How many times as long inflated data may be as what it came from.
const MOST_INFLATION: usize = 20;

/// Bytes by which it is decided whether something was decoded to text.
const SAMPLE: usize = 12;

/// An alphabet that stands for bytes.
#[derive(Debug)]
pub(super) struct Alphabet {
    pub(super) layer: ContentLayer,
    /// Bits of each letter.
    bits: u32,
    /// What each byte stands for; [`NONE`]: it is no letter.
    values: [u8; 256],
}

const NONE: u8 = 0xff;

/// Base 16, 32 (RFC 4648's, its "extended hex", and that of iodine: a to z, 0 to 5) and 64 (the
/// standard one and the one for URLs, which can be told apart by two letters and are read alike).
pub(super) static ALPHABETS: [Alphabet; 5] = [
    Alphabet::of(ContentLayer::Hex, 4, &[b"0123456789abcdef", b"0123456789ABCDEF"]),
    Alphabet::of(
        ContentLayer::Base64,
        6,
        &[
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        ],
    ),
    Alphabet::of(
        ContentLayer::Base32,
        5,
        &[b"abcdefghijklmnopqrstuvwxyz234567", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"],
    ),
    Alphabet::of(
        ContentLayer::Base32,
        5,
        &[b"abcdefghijklmnopqrstuvwxyz012345", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"],
    ),
    Alphabet::of(
        ContentLayer::Base32,
        5,
        &[b"0123456789abcdefghijklmnopqrstuv", b"0123456789ABCDEFGHIJKLMNOPQRSTUV"],
    ),
];

impl Alphabet {
    const fn of(layer: ContentLayer, bits: u32, letters: &[&[u8]; 2]) -> Self {
        let mut values = [NONE; 256];
        let mut case = 0;
        while case < 2 {
            let mut value = 0;
            while value < letters[case].len() {
                values[letters[case][value] as usize] = value as u8;
                value += 1;
            }
            case += 1;
        }
        Self { layer, bits, values }
    }

    /// Whether a byte is one of its letters.
    pub(super) fn has(&self, byte: u8) -> bool {
        self.values[usize::from(byte)] != NONE
    }

    /// Letters before which a whole group may begin: two bytes take up the same bits only once in so
    /// many letters.
    pub(super) fn phases(&self) -> usize {
        match self.bits {
            4 => 2,
            5 => 8,
            _ => 4,
        }
    }

    /// Letters that `bytes` bytes take.
    pub(super) fn letters_of(&self, bytes: usize) -> usize {
        (bytes * 8).div_ceil(self.bits as usize)
    }

    /// What `letters` stand for, if all are of the alphabet; bits at the end that fill no byte are
    /// left out.
    pub(super) fn decode(&self, letters: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(letters.len() * self.bits as usize / 8);
        let (mut held, mut held_bits) = (0_u32, 0);
        for letter in letters {
            held = held << self.bits | u32::from(self.values[usize::from(*letter)]);
            held_bits += self.bits;
            if held_bits >= 8 {
                held_bits -= 8;
                bytes.push((held >> held_bits) as u8);
            }
        }
        bytes
    }

    /// Whether `letters` begin what can be read further: text, or something compressed.
    pub(super) fn begins_readable(&self, letters: &[u8]) -> bool {
        let sample = self.decode(&letters[..letters.len().min(self.letters_of(SAMPLE))]);
        is_text(&sample) || is_compressed(&sample)
    }
}

/// Whether all bytes are those of a text: printable ASCII, line ends, tabs, and the NUL between
/// environment variables.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t' | 0))
}

/// Whether it begins like gzip (RFC 1952) or zlib (RFC 1950) of the usual window.
pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, 8, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

/// Inflates at most `most_bytes`, and no more than 20 times what there is. What was cut off is no
/// reason not to read what is there.
pub(super) fn inflated(bytes: &[u8], most_bytes: usize) -> Vec<u8> {
    let most = most_bytes.min(bytes.len().saturating_mul(MOST_INFLATION)) as u64;
    let mut text = Vec::new();
    // An error comes with what was read before it.
    let _ = match bytes {
        [0x1f, ..] => flate2::read::GzDecoder::new(bytes).take(most).read_to_end(&mut text),
        _ => flate2::read::ZlibDecoder::new(bytes).take(most).read_to_end(&mut text),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn letters_stand_for_what_rfc_4648_says() {
        let [hex, base64, base32, ..] = &ALPHABETS;
        assert_eq!(hex.decode(b"666F6f626172"), b"foobar");
        assert_eq!(base64.decode(b"Zm9vYmFy"), b"foobar");
        assert_eq!(base64.decode(b"-_-_"), base64.decode(b"+/+/"));
        assert_eq!(base32.decode(b"MZXW6YTBOI"), b"foobar");
    }

    #[test]
    fn what_was_deflated_is_inflated_as_far_as_is_allowed() {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&[b'a'; 100_000]).unwrap();
        let packed = packed.finish().unwrap();
        assert!(is_compressed(&packed));
        assert_eq!(inflated(&packed, 64 << 10).len(), packed.len() * MOST_INFLATION);
        assert_eq!(inflated(&packed, 100).len(), 100);
        assert!(inflated(&packed[..2], 100).is_empty());
    }
}
