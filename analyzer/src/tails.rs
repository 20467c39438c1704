//! Tail probabilities and how they are combined. Pure functions of numbers.
//!
//! Nothing here knows what is counted or whose it is.

use statrs::function::beta::checked_beta_reg;
use statrs::function::gamma::checked_gamma_lr;

/// Probabilities are clipped to this range before they are combined, so that no detector alone
/// decides without limit, and none can veto the others.
const P_RANGE: (f64, f64) = (1e-15, 0.99);

/// P(X ≥ `count`) of a Gamma-Poisson count with the given shape and rate, over `time` (in the
/// unit of `1/rate`): the negative-binomial tail I_{t/(b+t)}(x, a).
///
/// Source: Johnson, Kemp and Kotz, Univariate Discrete Distributions (2005), section 5.6.
pub(crate) fn negative_binomial_tail(count: u32, shape: f64, rate: f64, time: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    // Only a shape or rate that is not a positive number fails; then nothing can be said.
    checked_beta_reg(f64::from(count), shape, time / (rate + time)).unwrap_or(1.0).clamp(0.0, 1.0)
}

/// A generalized-Pareto tail: P(Y > y) = ζ (1 + ξ (y − u) / σ)^(−1/ξ) for y > u.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ParetoTail {
    /// u: where the tail begins.
    pub(crate) start: f64,
    /// ζ: how much of the distribution lies beyond `start`.
    pub(crate) mass: f64,
    /// σ: its scale, in the unit of y.
    pub(crate) scale: f64,
    /// ξ: its shape, in [0, 0.5]. At 0 the tail is exponential.
    pub(crate) shape: f64,
}

impl ParetoTail {
    /// Fits scale and shape to the mean and the variance of the excesses (method of moments).
    ///
    /// Source: Hosking and Wallis, Technometrics 29 (1987), section 2.2; there k = −ξ. The shape
    /// is kept in [0, 0.5], where the variance exists and the tail has no end. `None` when the
    /// moments are not those of a tail.
    pub(crate) fn fit(start: f64, mass: f64, mean: f64, variance: f64) -> Option<Self> {
        if !(mean > 0.0 && variance > 0.0) {
            return None;
        }
        let shape = (0.5 * (1.0 - mean * mean / variance)).clamp(0.0, 0.5);
        // With the shape held, the scale that keeps the mean: E = σ / (1 − ξ).
        Some(Self { start, mass, scale: mean * (1.0 - shape), shape })
    }

    /// P(Y > y); `mass` for y at or before the start.
    pub(crate) fn survival(&self, y: f64) -> f64 {
        let reach = ((y - self.start) / self.scale).max(0.0);
        let beyond = if self.shape < 1e-9 {
            (-reach).exp()
        } else {
            (1.0 + self.shape * reach).powf(-1.0 / self.shape)
        };
        self.mass * beyond
    }
}

/// Evidence of one probability: tan((½ − p)π), clipped. Positive below one half.
pub(crate) fn evidence(p: f64) -> f64 {
    1.0 / (p.clamp(P_RANGE.0, P_RANGE.1) * std::f64::consts::PI).tan()
}

/// Cauchy combination of probabilities that may depend on each other, as (weight, p) pairs. The
/// weights need not add up to 1. Nothing to combine gives 1.
///
/// Source: Liu and Xie, Journal of the American Statistical Association 115 (2020), 393–402.
pub(crate) fn combine(parts: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut weights, mut sum) = (0.0, 0.0);
    for (weight, p) in parts {
        weights += weight;
        sum += weight * evidence(p);
    }
    if weights <= 0.0 {
        return 1.0;
    }
    let t = sum / weights;
    // For t > 0, ½ − atan(t)/π = atan(1/t)/π: this form keeps small probabilities exact.
    let angle = if t > 0.0 { (1.0 / t).atan() } else { std::f64::consts::FRAC_PI_2 - t.atan() };
    (angle / std::f64::consts::PI).clamp(0.0, 1.0)
}

/// P(X ≤ `x`) of a χ² distribution: the regularized lower incomplete gamma function.
///
/// Source: NIST Digital Library of Mathematical Functions, section 8.2, with a = degrees / 2.
fn chi_square_lower(x: f64, degrees: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    // Only arguments that are no positive numbers fail; then nothing can be said.
    checked_gamma_lr(degrees / 2.0, x / 2.0).unwrap_or(1.0).clamp(0.0, 1.0)
}

/// P(intervals are as even as these), if what they lie between happens by chance, at any rate: the
/// lower tail of Moran's statistic, of their sum and the sum of their natural logarithms.
///
/// Source: Moran, Journal of the Royal Statistical Society B 13 (1951), 147-150, with Bartlett's
/// correction: 2n (ln of the mean - mean of ln) / (1 + (n + 1) / 6n) is about χ² with n - 1 degrees.
pub(crate) fn interval_tail(intervals: u32, sum: f64, sum_of_logs: f64) -> f64 {
    let n = f64::from(intervals);
    if intervals < 2 || sum <= 0.0 {
        return 1.0;
    }
    let spread = ((sum / n).ln() - sum_of_logs / n).max(0.0);
    chi_square_lower(2.0 * n * spread / (1.0 + (n + 1.0) / (6.0 * n)), n - 1.0)
}

/// How even intervals are: the shape of the gamma distribution that fits them best, by their sum and
/// the sum of their natural logarithms. 1 for chance, more for what is more even; their coefficient
/// of variation is one over its root.
///
/// Source: Minka, "Estimating a Gamma distribution" (2002), the closed form that is within 1.5 % of
/// the most likely one.
pub(crate) fn interval_shape(intervals: u32, sum: f64, sum_of_logs: f64) -> f64 {
    let n = f64::from(intervals.max(1));
    let spread = ((sum / n).ln() - sum_of_logs / n).max(1e-12);
    (3.0 - spread + ((spread - 3.0).powi(2) + 24.0 * spread).sqrt()) / (12.0 * spread)
}

/// A sequential test of first contacts: hosts that mean well succeed, scanners fail.
///
/// With P(success | benign) = 0.8 and P(success | scanner) = 0.2, each failure multiplies the
/// likelihood ratio by 4 and each success divides it by 4, so the state is one integer: failures
/// less successes. Source: Jung, Paxson, Berger and Balakrishnan, IEEE Symposium on Security and
/// Privacy (2004), "threshold random walk".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct RandomWalk {
    position: i32,
    highest: i32,
    restarts: u32,
}

/// log₄ of the likelihood ratio at which the benign hypothesis is accepted and the walk starts
/// again: 4⁻³ ≈ 0.016 misses at most, near the 1 % of the paper.
const ACCEPT_BENIGN: i32 = -3;

impl RandomWalk {
    /// Notes the outcome of a first contact that failed.
    pub(crate) fn failure(&mut self) {
        self.position += 1;
        self.highest = self.highest.max(self.position);
    }

    /// Notes the outcome of a first contact that succeeded.
    pub(crate) fn success(&mut self) {
        self.position -= 1;
        if self.position <= ACCEPT_BENIGN {
            self.position = 0;
            self.restarts = self.restarts.saturating_add(1);
        }
    }

    /// A bound, valid at every look, on the probability that a benign host gets this far: by
    /// Ville's inequality a likelihood ratio ever reaches r with probability at most 1/r, and
    /// each restart is a further try.
    pub(crate) fn tail(&self) -> f64 {
        let tries = f64::from(self.restarts) + 1.0;
        (tries * 0.25f64.powi(self.highest)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(value: f64, reference: f64) {
        let error = (value - reference).abs() / reference;
        assert!(error < 1e-9, "{value:e} is not {reference:e} (relative error {error:e})");
    }

    /// References: `scipy.special.betainc(x, a, t / (b + t))`, SciPy 1.17.
    #[test]
    fn negative_binomial_tails_are_those_of_scipy() {
        assert_close(negative_binomial_tail(1, 0.5, 0.1, 1.0), 0.6984886554222363);
        assert_close(
            negative_binomial_tail(10, 0.7339449541284404, 0.055045871559633, 1.0),
            0.4461490769576554,
        );
        assert_close(
            negative_binomial_tail(120, 0.8, 0.1333333333333333, 1.0),
            1.498784165570367e-7,
        );
        assert_close(
            negative_binomial_tail(300, 0.5, 0.0364583333333333, 1.0),
            3.59815078038152e-6,
        );
        assert_close(
            negative_binomial_tail(30, 0.641025641025641, 0.641025641025641, 1.0),
            1.0161387559175974e-7,
        );
        assert_close(negative_binomial_tail(5, 20.0, 4.0, 2.5), 0.9805176380632968);
        assert_close(negative_binomial_tail(0, 1.0, 1.0, 1.0), 1.0);
    }

    /// References: `scipy.stats.chi2.cdf`, SciPy 1.17.
    #[test]
    fn chi_square_tails_are_those_of_scipy() {
        assert_close(chi_square_lower(2.5, 9.0), 0.019116508597186565);
        assert_close(chi_square_lower(0.5, 19.0), 1.3426505641870612e-12);
        assert_close(chi_square_lower(30.0, 19.0), 0.9482015411069761);
        assert_close(chi_square_lower(1e-6, 9.0), 8.443219411593917e-31);
        assert_close(chi_square_lower(12.0, 40.0), 5.180168937011945e-06);
        assert_eq!(chi_square_lower(0.0, 9.0), 0.0);
    }

    #[test]
    fn even_intervals_are_unlikely_by_chance_whatever_their_length() {
        for length in [0.5, 60.0, 86_400.0_f64] {
            assert!(interval_tail(10, 10.0 * length, 10.0 * length.ln()) < 1e-15);
        }
        // Half of them a hundredth of the others: more uneven than chance.
        let sum_of_logs = 5.0 * 1.0_f64.ln() + 5.0 * 100.0_f64.ln();
        assert!(interval_tail(10, 505.0, sum_of_logs) > 0.9);
        assert_close(interval_tail(1, 60.0, 60.0_f64.ln()), 1.0);
    }

    #[test]
    fn the_shape_of_intervals_is_that_of_the_distribution_they_come_from() {
        // Sums of a gamma distribution: the mean, and ψ(k) + ln θ for the mean logarithm;
        // ψ(1) = -γ and ψ(4) = 11/6 - γ (DLMF 5.4.14).
        let of = |shape: f64, digamma: f64| interval_shape(1000, 1000.0 * shape, 1000.0 * digamma);
        assert!((of(4.0, 1.2561176684318) / 4.0 - 1.0).abs() < 0.015);
        assert!((of(1.0, -0.5772156649015) - 1.0).abs() < 0.015);
        assert!(interval_shape(10, 600.0, 10.0 * 60.0_f64.ln()) > 1e6);
    }

    /// References: `zeta * scipy.stats.genpareto.sf(y - u, xi, scale=sigma)`, SciPy 1.17.
    #[test]
    fn pareto_tails_are_those_of_scipy() {
        let tail = ParetoTail { start: 10.0, mass: 0.02, scale: 0.5, shape: 0.2 };
        assert_close(tail.survival(12.0), 0.0010584429880268927);
        let tail = ParetoTail { start: 10.0, mass: 0.02, scale: 0.5, shape: 0.0 };
        assert_close(tail.survival(14.0), 6.709252558050237e-6);
        let tail = ParetoTail { start: 3.0, mass: 0.02, scale: 1.5, shape: 0.5 };
        assert_close(tail.survival(30.0), 0.0001999999999999999);
        let tail = ParetoTail { start: 3.0, mass: 0.1, scale: 1.5, shape: 0.1 };
        assert_close(tail.survival(2.0), 0.1);
    }

    /// References: `scipy.stats.cauchy.sf` of the weighted mean of `scipy.stats.cauchy.isf(p)`,
    /// evaluated with mpmath at 50 digits.
    #[test]
    fn cauchy_combinations_are_those_of_the_definition() {
        assert_close(combine([(1.0, 1e-5), (4.0, 0.3)].into_iter()), 4.999543502073514e-5);
        assert_close(combine([(1.0, 0.01), (4.0, 0.99)].into_iter()), 0.9833430689224452);
        assert_close(
            combine([(1.0, 0.05), (4.0, 1e-12), (2.0, 0.7)].into_iter()),
            1.7499999999933192e-12,
        );
        assert_close(combine([(2.0, 0.9), (2.0, 0.8)].into_iter()), 0.8656588096479116);
    }

    #[test]
    fn combining_nothing_says_nothing_and_extremes_are_clipped() {
        assert_close(combine(std::iter::empty()), 1.0);
        assert_close(combine([(1.0, 0.0)].into_iter()), 1e-15);
        assert_close(combine([(1.0, 1.0)].into_iter()), 0.99);
    }

    #[test]
    fn a_fitted_tail_recovers_the_moments_it_was_fitted_to() {
        // Mean σ/(1−ξ) = 1.25, variance σ²/((1−ξ)²(1−2ξ)) = 2.604… for σ = 1, ξ = 0.2.
        let tail = ParetoTail::fit(10.0, 0.02, 1.25, 1.0 / (0.64 * 0.6)).unwrap();
        assert_close(tail.shape, 0.2);
        assert_close(tail.scale, 1.0);
        assert!(ParetoTail::fit(10.0, 0.02, 0.0, 0.0).is_none());
    }

    #[test]
    fn a_walk_of_successes_starts_again_and_pays_for_it() {
        let mut walk = RandomWalk::default();
        for _ in 0..9 {
            walk.success();
        }
        assert_close(walk.tail(), 1.0);
        for _ in 0..5 {
            walk.failure();
        }
        assert_close(walk.tail(), 4.0 / 1024.0);
    }
}
