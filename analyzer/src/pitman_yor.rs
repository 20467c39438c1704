//! How unfamiliar a value is, given how often each value was drawn before: the hierarchical
//! Pitman-Yor process.
//!
//! Sources: Teh, "A hierarchical Bayesian language model based on Pitman-Yor processes" (2006),
//! equation 4, with one table per value; the discount is the estimator of Ney, Essen and Kneser
//! (1994), d = K₁ / (K₁ + 2 K₂).

/// θ: how many draws the parent's belief weighs. Egret's own choice, as for sizes and counts.
const STRENGTH: f64 = 50.0;

/// Draws below which a value does not count as seen, so that a single session cannot make its
/// destination familiar.
pub(crate) const MIN_DRAWS: u64 = 3;

/// What is known of one level: how many draws, and how many values were drawn once or twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Draws {
    /// n: draws in all.
    pub(crate) total: u64,
    /// K: distinct values.
    pub(crate) values: u64,
    /// K₁: values drawn once.
    pub(crate) once: u64,
    /// K₂: values drawn twice.
    pub(crate) twice: u64,
}

impl Draws {
    /// Counts a value that was drawn `draws` times.
    pub(crate) fn add_value(&mut self, draws: u64) {
        self.total += draws;
        self.values += 1;
        self.once += u64::from(draws == 1);
        self.twice += u64::from(draws == 2);
    }

    /// P(the next draw is this value or one as unfamiliar), when it was drawn `draws` times at
    /// this level and the parent level says `parent`.
    pub(crate) fn familiarity(&self, draws: u64, parent: f64) -> f64 {
        self.familiarity_by(STRENGTH, draws, parent)
    }

    /// As [`Self::familiarity`], with another strength θ of the parent's belief.
    pub(crate) fn familiarity_by(&self, strength: f64, draws: u64, parent: f64) -> f64 {
        let [n, values, once, twice] =
            [self.total, self.values, self.once, self.twice].map(|count| count as f64);
        let discount = if once > 0.0 { once / (once + 2.0 * twice) } else { 0.0 };
        let own = if draws >= MIN_DRAWS { draws as f64 - discount } else { 0.0 };
        // Values below MIN_DRAWS do not count as seen: their mass goes to the unfamiliar too.
        let unseen = once * (1.0 - discount) + twice * (2.0 - discount);
        let escape = (strength + discount * values + unseen) / (strength + n);
        (own / (strength + n) + escape * parent).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_without_data_says_what_its_parent_says() {
        assert!((Draws::default().familiarity(0, 0.05) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_value_is_familiar_from_three_draws_on() {
        let mut draws = Draws::default();
        for _ in 0..10 {
            draws.add_value(100);
        }
        draws.add_value(2);
        let [new, twice, thrice, common] =
            [0, 2, 3, 100].map(|count| draws.familiarity(count, 0.05));
        assert!((new - twice).abs() < 1e-12 && thrice > twice && common > 10.0 * thrice);
        assert!(new < 0.05, "much was seen here, and never this: {new}");
    }

    #[test]
    fn where_everything_is_new_the_new_is_no_surprise() {
        let mut draws = Draws::default();
        for _ in 0..10_000 {
            draws.add_value(1);
        }
        assert!(draws.familiarity(0, 1.0) > 0.99);
    }
}
