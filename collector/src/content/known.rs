//! Values that the configuration names: found wherever 16 bytes of one stand together.
//!
//! A value itself is not kept. Kept are keyed hashes of every 16 bytes of it, forwards and
//! backwards; the key is drawn when the process starts and never leaves it, and nothing that is found
//! depends on it. A sum that rolls along the text, cut to a few bits, rules most places out before
//! a hash is computed: it tells about three bits of each 16 bytes, and not which.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};

use egret_event::{Sections, SensitiveKind, SmolStr};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

/// Bytes that are looked up together, and the shortest value that can be found.
pub(super) const WINDOW: usize = 16;

/// Bits of the filter for each window, and the least of them.
const BITS_PER_WINDOW: usize = 8;
const LEAST_BITS: usize = 256;

/// A value to look for.
#[derive(Debug)]
pub(super) struct Sought<'a> {
    pub(super) label: Label,
    /// At least [`WINDOW`] bytes.
    pub(super) value: &'a [u8],
}

/// What is known of a value beside the value.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) name: SmolStr,
    pub(super) kind: SensitiveKind,
    /// Domains that it belongs to, with their subdomains.
    pub(super) belongs: Vec<SmolStr>,
}

/// What is looked for.
#[derive(Default)]
pub(super) struct KnownValues {
    /// Each with its length.
    values: Vec<(Label, usize)>,
    key: RandomState,
    /// By the hash of what stands in it.
    windows: HashMap<u64, Window, FixedState>,
    filter: Filter,
}

/// Sixteen bytes of a value.
#[derive(Debug, Clone, Copy)]
struct Window {
    value: usize,
    /// Where in the value they begin.
    at: usize,
    is_reversed: bool,
}

/// What was seen of a value in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Which value.
    pub(super) value: usize,
    pub(super) sections: Sections,
    pub(super) is_reversed: bool,
}

/// Says which values are looked for, and nothing of what was made from them.
impl fmt::Debug for KnownValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.values).finish()
    }
}

impl KnownValues {
    pub(super) fn of(sought: &[Sought<'_>]) -> Self {
        let key = RandomState::new();
        let windows = sought.iter().map(|one| 2 * one.value.len()).sum();
        let mut known = Self { filter: Filter::of(windows, &key), key, ..Self::default() };
        for one in sought {
            known.values.push((one.label.clone(), one.value.len()));
            known.enter(one.value, false);
            known.enter(&one.value.iter().rev().copied().collect::<Vec<u8>>(), true);
        }
        known
    }

    /// Enters all windows of the value that was added last.
    fn enter(&mut self, text: &[u8], is_reversed: bool) {
        let value = self.values.len() - 1;
        for (start, window) in text.windows(WINDOW).enumerate() {
            let at = if is_reversed { text.len() - WINDOW - start } else { start };
            let hash = hash(&self.key, window);
            self.windows.entry(hash).or_insert(Window { value, at, is_reversed });
            self.filter.enter(window);
        }
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn label(&self, value: usize) -> &Label {
        &self.values[value].0
    }

    /// What stands in `text`, each value once.
    pub(super) fn look(&self, text: &[u8], found: &mut Vec<Sighting>) {
        found.clear();
        if self.is_empty() || text.len() < WINDOW {
            return;
        }
        let mut sum = self.filter.sum(&text[..WINDOW]);
        for start in 0..=text.len() - WINDOW {
            let window = &text[start..start + WINDOW];
            if start > 0 {
                sum = self.filter.roll(sum, text[start - 1], window[WINDOW - 1]);
            }
            if self.filter.has(sum)
                && let Some(window) = self.windows.get(&hash(&self.key, window))
            {
                self.note(*window, found);
            }
        }
    }

    fn note(&self, window: Window, found: &mut Vec<Sighting>) {
        let Window { value, at, is_reversed } = window;
        let sections = sections(self.values[value].1, at);
        match found.iter_mut().find(|one| one.value == value) {
            Some(known) => known.sections.add(sections),
            None => found.push(Sighting { value, sections, is_reversed }),
        }
    }
}

fn hash(key: &RandomState, window: &[u8]) -> u64 {
    let mut hasher = key.build_hasher();
    hasher.write(window);
    hasher.finish()
}

/// The sections of a value of `length` bytes whose beginnings stand in the window at `at`. Sections
/// longer than a window are seen when any window in them is.
fn sections(length: usize, at: usize) -> Sections {
    let count = length.min(Sections::MOST);
    let first = (at * count).div_ceil(length).min(at * count / length + 1);
    let last = ((at + WINDOW - 1) * count / length).max(at * count / length);
    let seen = (first.min(last)..=last).fold(0, |bits, section| bits | 1 << section);
    Sections { seen, of: count as u8 }
}

/// Rules out windows by a polynomial of their bytes (Karp and Rabin, 1987), modulo 2^64 with a secret
/// base, of which the highest bits count.
#[derive(Debug, Default)]
struct Filter {
    base: u64,
    /// The base to the power of [`WINDOW`] - 1.
    oldest: u64,
    bits: Vec<u64>,
    shift: u32,
}

impl Filter {
    fn of(windows: usize, key: &RandomState) -> Self {
        let bits = (windows * BITS_PER_WINDOW).max(LEAST_BITS).next_power_of_two();
        let base = key.hash_one(bits) | 1;
        Self {
            base,
            oldest: base.wrapping_pow(WINDOW as u32 - 1),
            bits: vec![0; bits / 64],
            shift: 64 - bits.trailing_zeros(),
        }
    }

    fn sum(&self, window: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum.wrapping_mul(self.base).wrapping_add(u64::from(*byte));
        window.iter().fold(0, add)
    }

    #[inline]
    fn roll(&self, sum: u64, out: u8, new: u8) -> u64 {
        let rest = sum.wrapping_sub(self.oldest.wrapping_mul(u64::from(out)));
        rest.wrapping_mul(self.base).wrapping_add(u64::from(new))
    }

    #[inline]
    fn has(&self, sum: u64) -> bool {
        let bit = (sum >> self.shift) as usize;
        self.bits[bit / 64] & 1 << (bit % 64) != 0
    }

    fn enter(&mut self, window: &[u8]) {
        let bit = (self.sum(window) >> self.shift) as usize;
        self.bits[bit / 64] |= 1 << (bit % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(values: &[&[u8]]) -> KnownValues {
        let sought: Vec<_> = values
            .iter()
            .map(|value| Sought {
                label: Label {
                    name: "one".into(),
                    kind: SensitiveKind::Registered,
                    belongs: Vec::new(),
                },
                value,
            })
            .collect();
        KnownValues::of(&sought)
    }

    fn look(known: &KnownValues, text: &[u8]) -> Vec<Sighting> {
        let mut found = Vec::new();
        known.look(text, &mut found);
        found
    }

    #[test]
    fn a_value_is_found_whole_in_part_and_backwards() {
        let value = b"correct horse battery staple";
        let known = known(&[b"another value of some length", value]);
        let whole = look(&known, b"/?q=correct horse battery staple&x");
        assert_eq!(whole.len(), 1);
        assert_eq!((whole[0].value, whole[0].is_reversed), (1, false));
        assert!((whole[0].sections.share() - 1.0).abs() < 1e-12);
        let part = look(&known, b"xx horse battery sta xx");
        assert_eq!(part[0].sections.seen, ((1 << 18) - 1) << 7);
        let backwards = look(&known, b"elpats yrettab esroh tcerroc");
        assert!(backwards[0].is_reversed && backwards[0].sections.share() == 1.0);
        assert_eq!(look(&known, b"correct horse b"), []);
        assert_eq!(look(&known, b"wrong horses, battery stable"), []);
    }

    #[test]
    fn sections_of_long_values_add_up_to_all_of_it() {
        for length in [16, 17, 47, 48, 49, 100, 1_000, 4_096] {
            let windows = (0..=length - WINDOW).map(|at| sections(length, at));
            let all = windows.reduce(|mut one, other| {
                one.add(other);
                one
            });
            assert!(all.is_some_and(|all| all.share() == 1.0), "{length}: {all:?}");
        }
    }

    #[test]
    fn nothing_of_a_value_is_kept_that_could_be_read() {
        let value = b"correct horse battery staple";
        let KnownValues { values, windows, filter, .. } = known(&[value]);
        let kept = format!("{values:?} {windows:?} {filter:?}");
        let bytes = format!("{:?}", &value[..4]);
        assert!(!kept.contains("horse") && !kept.contains(bytes.trim_matches(['[', ']'])));
    }
}
