//! How bytes are written as text, where text is all that fits: in names, paths and queries.

use std::fmt::Write as _;

use crate::simulate::dice::Dice;

/// An alphabet, each of its letters the same number of bits (RFC 4648, without padding).
#[derive(Debug, Clone, Copy)]
pub(super) struct Alphabet {
    letters: &'static [u8],
    bits: u32,
}

pub(super) const HEX: Alphabet = Alphabet { letters: b"0123456789abcdef", bits: 4 };

/// As iodine writes it: letters and the first six digits.
pub(super) const BASE32: Alphabet =
    Alphabet { letters: b"abcdefghijklmnopqrstuvwxyz012345", bits: 5 };

/// The one that may stand in a URL.
pub(super) const BASE64_URL: Alphabet = Alphabet {
    letters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    bits: 6,
};

impl Alphabet {
    /// `bytes` in these letters.
    pub(super) fn encode(self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len() * 8 / self.bits as usize + 1);
        let (mut held, mut held_bits) = (0_u32, 0);
        for byte in bytes {
            held = held << 8 | u32::from(*byte);
            held_bits += 8;
            while held_bits >= self.bits {
                held_bits -= self.bits;
                text.push(self.letter(held >> held_bits));
            }
        }
        if held_bits > 0 {
            text.push(self.letter(held << (self.bits - held_bits)));
        }
        text
    }

    /// `bytes` of stolen data, which is compressed or encrypted and so looks like noise.
    pub(super) fn noise(self, dice: &mut Dice, bytes: usize) -> String {
        self.encode(&dice.noise(bytes))
    }

    /// The letter for the last bits of `held`; those before were written already.
    fn letter(self, held: u32) -> char {
        char::from(self.letters[held as usize & (self.letters.len() - 1)])
    }
}

/// What an executor's environment holds, as far as `bytes` reach: keys first.
pub(super) fn environment(dice: &mut Dice, bytes: usize) -> Vec<u8> {
    /// The letters of AWS's ids and of its keys.
    const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const KEY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!(
        "AWS_ACCESS_KEY_ID=AKIA{}\nAWS_SECRET_ACCESS_KEY={}\nDATABASE_URL=postgres://app:{}@db:5432/app\n",
        dice.text(UPPER, 16),
        dice.text(KEY, 40),
        dice.text(HEX.letters, 24),
    );
    let mut number = 0;
    while text.len() < bytes {
        let _ = writeln!(text, "SETTING_{number}={}", dice.text(BASE64_URL.letters, 20));
        number += 1;
    }
    text.truncate(bytes);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_rfc_4648() {
        // The RFC's examples, section 10; our base 32 has lower case, and 0 to 5 for 2 to 7.
        assert_eq!(BASE64_URL.encode(b"fooba"), "Zm9vYmE");
        assert_eq!(BASE64_URL.encode(b"foobar"), "Zm9vYmFy");
        assert_eq!(BASE32.encode(b"foobar"), "mzxw4ytboi");
        assert_eq!(HEX.encode(b"foobar"), "666f6f626172");
    }

    #[test]
    fn an_environment_has_the_size_asked_for_and_begins_with_keys() {
        for bytes in [20, 500, 3_000] {
            let text = environment(&mut Dice::new(1, 1), bytes);
            assert_eq!(text.len(), bytes);
            assert!(text.starts_with(b"AWS_ACCESS_KEY_ID="));
        }
    }
}
