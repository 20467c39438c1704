//! What a share that was counted says of the share in the long run.

use serde::Serialize;
use statrs::function::beta::inv_beta_reg;

/// A share, and between what it lies with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// How often it was.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The lower bound, 0 to 1.
    pub low: f64,
    /// The upper bound, 0 to 1.
    pub high: f64,
}

impl Interval {
    /// The share that was counted. `None`: of nothing.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }
}

/// The bounds that hold whatever the share is (Clopper and Pearson, "The use of confidence or
/// fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934): quantiles of the
/// beta distribution.
pub fn clopper_pearson(count: u64, of: u64) -> Interval {
    const TAIL: f64 = 0.025;
    let (hits, misses) = (count as f64, (of - count.min(of)) as f64);
    let low = if count == 0 { 0.0 } else { inv_beta_reg(hits, misses + 1.0, TAIL) };
    let high = if count >= of { 1.0 } else { inv_beta_reg(hits + 1.0, misses, 1.0 - TAIL) };
    Interval { count, of, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_scipy() {
        // scipy.stats.beta.ppf(0.025, k, n - k + 1) and ppf(0.975, k + 1, n - k), SciPy 1.17.
        for (count, of, low, high) in [
            (0, 10, 0.0, 0.308_497_107_818_760_7),
            (5, 10, 0.187_086_028_447_398_55, 0.812_913_971_552_601_5),
            (10, 10, 0.691_502_892_181_239_2, 1.0),
            (3, 30_000, 2.062_287_888_723_413_6e-5, 2.922_143_461_382_033e-4),
        ] {
            let bounds = clopper_pearson(count, of);
            // The inverse that is used here is good to about eight digits.
            assert!((bounds.low - low).abs() <= 1e-7 * low, "{bounds:?}");
            assert!((bounds.high - high).abs() <= 1e-7 * high, "{bounds:?}");
        }
    }

    #[test]
    fn nothing_counted_says_nothing() {
        let bounds = clopper_pearson(0, 0);
        assert_eq!((bounds.share(), bounds.low, bounds.high), (None, 0.0, 1.0));
    }
}
