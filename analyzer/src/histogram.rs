//! Log histograms of byte counts, with integer counts: merging them is addition.

use serde::{Deserialize, Serialize};

use crate::tails::ParetoTail;

/// log₂ of the bins per doubling. Eight bins: a bin's ends differ by at most 12.5 %.
const SUB_BITS: u32 = 3;

/// Observations before a tail is fitted: 2 % of them are 100 excesses.
const MIN_FOR_TAIL: u64 = 5_000;

/// The quantile above which the tail is fitted.
pub(crate) const TAIL_QUANTILE: f64 = 0.98;

/// The bin of a byte count. Bins grow with the count, about 500 cover all of `u64`.
pub(crate) fn bin_of(bytes: u64) -> u16 {
    let value = bytes.max(1);
    let exponent = value.ilog2();
    if exponent < SUB_BITS {
        return u16::try_from(bytes).expect("below 8");
    }
    let fraction = (value >> (exponent - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    let bin = (u64::from(exponent - SUB_BITS + 1) << SUB_BITS) | fraction;
    u16::try_from(bin).expect("at most 61 * 8 + 7")
}

/// The last bin.
pub(crate) const LAST_BIN: u16 = (61 << SUB_BITS) + 7;

/// The smallest byte count of a bin.
pub(crate) fn bin_start(bin: u16) -> u64 {
    let (group, fraction) = (u32::from(bin >> SUB_BITS), u64::from(bin & ((1 << SUB_BITS) - 1)));
    if group == 0 {
        return fraction;
    }
    ((1 << SUB_BITS) | fraction) << (group - 1)
}

/// ln(1 + bytes), the scale on which sizes are compared.
pub(crate) fn log_size(bytes: u64) -> f64 {
    (bytes as f64).ln_1p()
}

/// How often each size was seen. Only bins that occurred take space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    /// (bin, count), by bin.
    bins: Vec<(u16, u32)>,
    total: u64,
}

impl Histogram {
    /// Counts one observation.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.add_to_bin(bin_of(bytes), 1);
    }

    /// Adds all observations of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            self.add_to_bin(*bin, *count);
        }
    }

    fn add_to_bin(&mut self, bin: u16, count: u32) {
        self.total += u64::from(count);
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(count),
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }

    /// The smallest byte count beyond everything that was observed.
    pub(crate) fn end(&self) -> u64 {
        self.bins.last().map_or(1, |(bin, _)| bin_start(bin.saturating_add(1).min(LAST_BIN)))
    }

    /// Observations.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The part of the observations that are in the bin of `bytes` or above: never less than the
    /// part that is at least `bytes`. 0 when there are none.
    pub(crate) fn survival(&self, bytes: u64) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let bin = bin_of(bytes);
        let at = self.bins.partition_point(|(other, _)| *other < bin);
        let above: u64 = self.bins[at..].iter().map(|(_, count)| u64::from(*count)).sum();
        above as f64 / self.total as f64
    }

    /// The smallest byte count of the first bin after the one that holds the quantile `q`, so
    /// that at least `q` of the observations are below it. 0 when there are none.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let wanted = q * self.total as f64;
        let mut below = 0u64;
        for (bin, count) in &self.bins {
            below += u64::from(*count);
            if below as f64 >= wanted {
                return bin_start(bin.saturating_add(1).min(LAST_BIN));
            }
        }
        0
    }

    /// The tail beyond the 98 % quantile, on the scale of [`log_size`]. `None` with fewer than
    /// 100 excesses.
    pub(crate) fn fit_tail(&self) -> Option<ParetoTail> {
        if self.total < MIN_FOR_TAIL {
            return None;
        }
        let first = bin_of(self.quantile(TAIL_QUANTILE));
        let start = log_size(bin_start(first));
        let at = self.bins.partition_point(|(bin, _)| *bin < first);
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (bin, n) in &self.bins[at..] {
            let excess = log_size(bin_middle(*bin)) - start;
            let n = f64::from(*n);
            count += n;
            sum += n * excess;
            squares += n * excess * excess;
        }
        if count < 100.0 {
            return None;
        }
        let mean = sum / count;
        ParetoTail::fit(start, count / self.total as f64, mean, squares / count - mean * mean)
    }
}

fn bin_middle(bin: u16) -> u64 {
    let (start, end) = (bin_start(bin), bin_start(bin.saturating_add(1).min(LAST_BIN)));
    start + end.saturating_sub(start) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_ordered_and_12_percent_wide() {
        assert_eq!(bin_of(u64::MAX), LAST_BIN);
        for bin in 0..LAST_BIN {
            let (start, next) = (bin_start(bin), bin_start(bin + 1));
            assert!(start < next, "bin {bin}");
            assert_eq!((bin_of(start), bin_of(next - 1)), (bin, bin));
            assert!(start < 8 || (next - start) * 8 <= start, "bin {bin}");
        }
    }

    #[test]
    fn survival_never_understates() {
        let mut sizes = Histogram::default();
        for bytes in 1..=1000u64 {
            sizes.add(bytes * 1000);
        }
        for bytes in [1u64, 1000, 250_000, 999_999, 1_000_000] {
            let exact = (1000 - (bytes - 1) / 1000) as f64 / 1000.0;
            let survival = sizes.survival(bytes);
            assert!(survival >= exact && survival <= exact + 0.125, "{bytes}: {survival}");
        }
        assert!(sizes.survival(2_000_000).abs() < 1e-12);
        assert!(sizes.quantile(0.98) >= 980_000);
    }

    #[test]
    fn a_tail_is_fitted_from_one_hundred_excesses_on() {
        let mut sizes = Histogram::default();
        // A Pareto law with index 1: exponential with scale 1 on the logarithmic scale.
        let sample = |i: u64, n: u64| (1000.0 * n as f64 / (n - i) as f64) as u64;
        for i in 0..4_999 {
            sizes.add(sample(i, 5_000));
        }
        assert!(sizes.fit_tail().is_none());
        for i in 0..20_000 {
            sizes.add(sample(i, 20_000));
        }
        let tail = sizes.fit_tail().expect("enough excesses");
        let p = tail.survival(log_size(10_000_000));
        assert!((0.3e-4..3e-4).contains(&p), "P(1e4-fold) should be near 1e-4, is {p:e}");
    }

    proptest::proptest! {
        #[test]
        fn merging_is_adding(left: Vec<u64>, right: Vec<u64>) {
            let of = |sizes: &[u64]| {
                let mut histogram = Histogram::default();
                sizes.iter().for_each(|bytes| histogram.add(*bytes));
                histogram
            };
            let mut merged = of(&left);
            merged.merge(&of(&right));
            proptest::prop_assert_eq!(merged, of(&[right, left].concat()));
        }
    }
}
