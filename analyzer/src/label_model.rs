//! How many bits of information the labels of a host name hold, for somebody who knows how
//! ordinary names look: `-log2 P(labels)` under a model of characters.
//!
//! The model says how likely each character is after the two before it. It is counted, when it is
//! first needed, from `priors/labels.txt`: labels written by hand for Egret, taken from no list and
//! no log. A word that names are made of costs about two bits a character, what an encoder wrote
//! four and more.
//!
//! Sources: ibHH (Ozery, Nadler and Shabtai, "Information-based heavy hitters for real-time DNS data
//! exfiltration detection", NDSS 2024) weighs names by their information; interpolated n-grams as
//! in Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1999).

use std::sync::LazyLock;

const LABELS: &str = include_str!("priors/labels.txt");

/// Letters, digits, `-`, `_`, the end of a label, and everything else.
const SYMBOLS: usize = 40;
const END: usize = 38;
const OTHER: usize = 39;

/// How many characters the shorter context's belief weighs. Egret's own choice.
const PARENT_WEIGHT: f64 = 5.0;

/// Weights are told in sixteenths of a bit: whole numbers, and fine enough.
const PER_BIT: u32 = 16;

/// What a character can carry at most, in sixteenths of a bit: log2 of the letters that the label
/// is written in. Lower case and upper case are one here, so base 64 carries a little more.
const DIGIT: u32 = 53;
const HEX_DIGIT: u32 = 64;
const LETTER: u32 = 75;
const LETTER_OR_DIGIT: u32 = 83;
const ANY_PRINTABLE: u32 = 96;
const ANY_BYTE: u32 = 128;

/// The cost of each character after each two others, in sixteenths of a bit.
static COSTS: LazyLock<Vec<u16>> = LazyLock::new(costs);

fn costs() -> Vec<u16> {
    let mut counts = Counts::new();
    let lines = LABELS.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).for_each(|label| counts.add(label));
    let single = leaning(&counts.single, &[1.0 / SYMBOLS as f64; SYMBOLS]);
    let pairs: Vec<_> = counts.pairs.chunks(SYMBOLS).map(|row| leaning(row, &single)).collect();
    let rows = counts.triples.chunks(SYMBOLS).enumerate();
    rows.flat_map(|(before, row)| leaning(row, &pairs[before % SYMBOLS]))
        .map(|probability| (-probability.log2() * f64::from(PER_BIT)).round() as u16)
        .collect()
}

/// P(symbol) in a context where they were counted so often, leaning on the shorter context's belief.
fn leaning(counts: &[f64], parent: &[f64]) -> Vec<f64> {
    let sum: f64 = counts.iter().sum();
    let lean = |(count, parent)| (count + PARENT_WEIGHT * parent) / (sum + PARENT_WEIGHT);
    counts.iter().zip(parent).map(lean).collect()
}

/// How often each character came: at all, after one other, after two others.
struct Counts {
    single: Vec<f64>,
    pairs: Vec<f64>,
    triples: Vec<f64>,
}

impl Counts {
    fn new() -> Self {
        let none = |order| vec![0.0; SYMBOLS.pow(order)];
        Self { single: none(1), pairs: none(2), triples: none(3) }
    }

    fn add(&mut self, label: &str) {
        let mut before = END * SYMBOLS + END;
        for symbol in label.bytes().map(symbol_of).chain([END]) {
            self.single[symbol] += 1.0;
            self.pairs[before % SYMBOLS * SYMBOLS + symbol] += 1.0;
            self.triples[before * SYMBOLS + symbol] += 1.0;
            before = before % SYMBOLS * SYMBOLS + symbol;
        }
    }
}

fn symbol_of(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'0'..=b'9' => usize::from(byte - b'0') + 26,
        b'-' => 36,
        b'_' => 37,
        _ => OTHER,
    }
}

/// Information in labels (in clean form, separated by dots), in sixteenths of a bit.
pub(crate) fn information(labels: &str) -> u32 {
    labels.split('.').map(of_label).sum()
}

/// A sum of such information in whole bytes.
pub(crate) fn in_bytes(information: u64) -> u32 {
    u32::try_from(information / u64::from(PER_BIT * 8)).unwrap_or(u32::MAX)
}

/// Information in the path of a URL, in sixteenths of a bit.
pub(crate) fn information_in_path(path: &str) -> u32 {
    path.split(['/', '.']).map(of_label).sum()
}

fn of_label(label: &str) -> u32 {
    let mut before = END * SYMBOLS + END;
    let mut cost = 0;
    let mut add = |symbol: usize| {
        cost += u32::from(COSTS[before * SYMBOLS + symbol]);
        before = before % SYMBOLS * SYMBOLS + symbol;
    };
    let (mut plain, mut printable, mut escaped) = (0, 0, 0);
    let mut bytes = label.bytes();
    while let Some(byte) = bytes.next() {
        let symbol = symbol_of(byte);
        add(symbol);
        match (byte, symbol) {
            // `\xNN` stands for one byte.
            (b'\\', _) => escaped += u32::from(bytes.nth(2).is_some()),
            (_, OTHER) => printable += 1,
            _ => plain += 1,
        }
    }
    add(END);
    let room = plain * room_of(label) + printable * ANY_PRINTABLE + escaped * ANY_BYTE;
    cost.min(room)
}

/// What one plain character of a label can carry, by the alphabet that the label keeps to.
fn room_of(label: &str) -> u32 {
    let keeps_to = |is_of: fn(&u8) -> bool| label.as_bytes().iter().all(is_of);
    if keeps_to(u8::is_ascii_digit) {
        DIGIT
    } else if keeps_to(u8::is_ascii_hexdigit) {
        HEX_DIGIT
    } else if keeps_to(u8::is_ascii_lowercase) {
        LETTER
    } else {
        LETTER_OR_DIGIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits_per_character(labels: &str) -> f64 {
        f64::from(information(labels)) / f64::from(PER_BIT) / labels.len() as f64
    }

    #[test]
    fn words_hold_little_and_what_an_encoder_wrote_holds_much() {
        for words in ["download", "static-assets", "collector.telemetry", "backup.eu-west-1"] {
            assert!(bits_per_character(words) < 3.1, "{words}: {}", bits_per_character(words));
        }
        for encoded in ["d3b07384d113edec49eaa6238ad5ff00", "62510322ca00000000899dfcec319328"] {
            let bits = bits_per_character(encoded);
            assert!((3.4..=4.0).contains(&bits), "{encoded}: {bits}");
        }
        assert!(bits_per_character("laegpumiplhhpz12ynd1efljwlkjcgwy") > 4.2);
    }

    #[test]
    fn nothing_holds_more_than_its_alphabet_can_carry() {
        assert_eq!(information(""), 0);
        assert!(information("4.3.2.1") <= 4 * DIGIT);
        assert!(information("\\xff\\x00\\x80") <= 3 * ANY_BYTE);
        assert!(information(&"q9".repeat(31)) <= 62 * LETTER_OR_DIGIT);
        assert_eq!(information("\\"), 0, "an escape cut short");
    }

    #[test]
    fn the_labels_are_clean_names() {
        let lines = LABELS.lines().filter(|line| !line.starts_with('#'));
        let labels: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        assert!(labels.len() > 1_000);
        for label in labels {
            assert!(label.bytes().all(|byte| symbol_of(byte) != OTHER), "{label}");
        }
    }
}
