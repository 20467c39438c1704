//! Chance from a seed.
//!
//! Only integers and multiplication of floats are used, so the same seed gives the same throws on
//! every machine (`ln` and `exp` may differ in the last bit between C libraries).

use std::ops::Range;
use std::time::Duration;

/// The golden ratio as a 64-bit odd number: the usual step that spreads neighbouring seeds
/// (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of throws.
#[derive(Debug, Clone)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// The stream number `stream` of `seed`. Streams of one seed are independent, so that one
    /// more throw in one session changes nothing in the next.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut mixer = fastrand::Rng::with_seed(seed ^ stream.wrapping_mul(GOLDEN));
        Self(fastrand::Rng::with_seed(mixer.u64(..)))
    }

    /// A stream of its own that follows from this one.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// A whole number in `range`, every one as likely.
    pub(crate) fn count(&mut self, range: Range<usize>) -> usize {
        self.0.usize(range)
    }

    /// A size in `range`, every doubling as likely: small ones are common, large ones are not rare.
    pub(crate) fn size(&mut self, range: Range<usize>) -> usize {
        let doublings = (range.end / range.start.max(1)).max(1).ilog2();
        let floor = range.start.max(1) << self.0.u32(0..=doublings);
        (floor + self.0.usize(0..floor)).min(range.end - 1)
    }

    /// A length of time in `range`, in milliseconds, to the microsecond.
    pub(crate) fn ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_micros(self.0.u64(range.start * 1000..range.end * 1000))
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of `choices`, every one as likely.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.0.usize(0..choices.len())]
    }

    /// An index into `weights`, each as likely as its weight.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut left = self.0.u32(0..weights.clone().sum());
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// Puts `items` in a chance order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// `length` bytes of noise.
    pub(crate) fn noise(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    /// `length` letters of `alphabet`.
    pub(crate) fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(*self.pick(alphabet))).collect()
    }

    /// Any 16 bits.
    pub(crate) fn u16(&mut self) -> u16 {
        self.0.u16(..)
    }

    /// Any 32 bits.
    pub(crate) fn u32(&mut self) -> u32 {
        self.0.u32(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_throws_and_streams_differ() {
        let throws = |seed, stream| Dice::new(seed, stream).noise(32);
        assert_eq!(throws(7, 1), throws(7, 1));
        assert_ne!(throws(7, 1), throws(7, 2));
        assert_ne!(throws(7, 1), throws(8, 1));
    }

    #[test]
    fn sizes_stay_in_range_and_reach_its_upper_half() {
        let mut dice = Dice::new(1, 1);
        let sizes: Vec<usize> = (0..1000).map(|_| dice.size(5_000..200_000)).collect();
        assert!(sizes.iter().all(|size| (5_000..200_000).contains(size)));
        assert!(sizes.iter().any(|size| *size > 100_000));
        assert!(sizes.iter().filter(|size| **size < 40_000).count() > 400);
    }
}
