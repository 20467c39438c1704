//! A count per session (blocked destinations), summed up by its moments.

use serde::{Deserialize, Serialize};

/// Sessions that a level's parent weighs when the level's own data are joined with it.
/// Egret's own choice, to be replaced by the evaluation.
pub(crate) const PARENT_WEIGHT: f64 = 50.0;

/// Largest count of one session that is learned, so that one session cannot move a variance at
/// will. Egret's own choice: far above the bar of the shipped prior.
const LARGEST_COUNT: u32 = 65_535;

/// Number, sum and sum of squares of one count per session. Merging is addition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moments {
    sessions: u64,
    sum: u64,
    squares: u64,
}

impl Moments {
    /// Adds one session's count.
    pub(crate) fn add(&mut self, count: u32) {
        let count = u64::from(count.min(LARGEST_COUNT));
        self.sessions += 1;
        self.sum += count;
        self.squares = self.squares.saturating_add(count * count);
    }

    /// Adds all sessions of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// Sessions counted.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions
    }
}

/// Mean and mean square of a count per session, as believed at one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    mean: f64,
    mean_square: f64,
}

impl Expected {
    /// From a mean and a standard deviation.
    pub(crate) const fn from_mean_and_deviation(mean: f64, deviation: f64) -> Self {
        Self { mean, mean_square: mean * mean + deviation * deviation }
    }

    /// What is believed at a level with data `own`, when this is believed at its parent.
    pub(crate) fn narrowed(self, own: &Moments) -> Self {
        let n = own.sessions as f64;
        let join =
            |sum: u64, parent: f64| (sum as f64 + PARENT_WEIGHT * parent) / (n + PARENT_WEIGHT);
        Self { mean: join(own.sum, self.mean), mean_square: join(own.squares, self.mean_square) }
    }

    /// P(a session's count ≥ `count`), the session's own rate being Gamma distributed among
    /// sessions with this mean, and κ = mean / (variance − mean) found from both moments.
    pub(crate) fn tail(&self, count: u32) -> f64 {
        let mean = self.mean.max(1e-3);
        let overdispersion = (self.mean_square - mean * mean - mean).max(mean * 1e-3);
        let rate = mean / overdispersion;
        crate::tails::negative_binomial_tail(count, rate * mean, rate, 1.0)
    }

    /// The smallest count, up to 2²⁰, whose tail is below `p`.
    pub(crate) fn first_below(&self, p: f64) -> u32 {
        let (mut low, mut high) = (0u32, 1 << 20);
        while low < high {
            let middle = low.midpoint(high);
            if self.tail(middle) < p {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_data_outweighs_the_parent() {
        let mut own = Moments::default();
        for i in 0..10_000 {
            own.add(if i % 2 == 0 { 90 } else { 110 });
        }
        let parent = Expected::from_mean_and_deviation(5.0, 5.0);
        let expected = parent.narrowed(&own);
        assert!((expected.mean - 100.0).abs() < 1.0);
        assert!(parent.tail(150) < 1e-9 && expected.tail(120) > 1e-3);
    }

    #[test]
    fn the_bar_is_where_the_tail_falls_below() {
        let expected = Expected::from_mean_and_deviation(14.0, 20.0);
        let bar = expected.first_below(0.01 / 3.0);
        assert!(3.0 * expected.tail(bar) < 0.01 && 3.0 * expected.tail(bar - 1) >= 0.01);
    }
}
