//! Thresholds from the sessions seen here: split conformal prediction on one score per session.
//!
//! A session's score says how unlikely the strongest evidence in it was at any time. Of a template
//! the highest scores are kept. An alert is then due above the k-th highest of n, with k so small
//! that the share of ordinary sessions above it is at most [`FALSE_ALARMS`] with a probability of
//! [`CONFIDENCE`]: that share is distributed as Beta(k, n + 1 − k), whatever the scores are.
//!
//! Source: Vovk, Conditional validity of inductive conformal predictors, Machine Learning 92
//! (2013), 349–376, proposition 2a.
//!
//! Scores count from the baseline that was frozen before a session, so no session has a part in
//! what it was scored against.

use serde::{Deserialize, Serialize};
use statrs::function::beta::checked_beta_reg;

use crate::incident::Stage;
use crate::priors::THRESHOLD;

/// The share of ordinary sessions that may raise an alert.
const FALSE_ALARMS: f64 = 1e-3;

/// How sure it is that no more do.
const CONFIDENCE: f64 = 0.95;

/// Highest scores that are kept: enough for about 77,000 sessions. With more sessions the share
/// that may alert only becomes smaller.
const MOST_SCORES: usize = 64;

/// The combined probabilities between which a calibrated threshold stays. Above the first, novelty
/// alone would alert; below the second somebody who runs many sessions could lift the threshold
/// out of reach by his own. Egret's own choice.
const LOOSEST: f64 = 1e-3;
const STRICTEST: f64 = 1e-6;

/// A combined probability as a whole number that merges and compares exactly: −log₁₀ p in
/// thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Score(u16);

impl Score {
    /// Of a probability; 15 powers of ten are the most.
    pub(crate) fn of(p: f64) -> Self {
        Self((-1000.0 * p.clamp(1e-15, 1.0).log10()).round() as u16)
    }

    /// The probability below which scores are higher.
    fn threshold(self) -> f64 {
        10f64.powf(-(f64::from(self.0) + 0.5) / 1000.0)
    }
}

/// The scores of a template's sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    sessions: u64,
    /// The highest, falling.
    highest: Vec<Score>,
}

/// A score that few sessions get beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usual {
    pub(crate) score: Score,
    /// The part of the sessions that score above it, at most, where nothing changes.
    pub(crate) share: f64,
    /// Sessions that say so.
    pub(crate) sessions: u64,
}

impl Calibration {
    /// Sessions that were scored.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions
    }

    /// What the least of the kept scores is to the sessions that come; `None` while there are too few
    /// for a threshold.
    pub(crate) fn usual(&self) -> Option<Usual> {
        let score = *self.highest.last()?;
        let share = self.highest.len() as f64 / (self.sessions as f64 + 1.0);
        promises(1, self.sessions).then_some(Usual { score, share, sessions: self.sessions })
    }

    /// How many of the kept scores are above one.
    pub(crate) fn above(&self, score: Score) -> u64 {
        self.highest.partition_point(|kept| *kept > score) as u64
    }

    /// Adds a session.
    pub(crate) fn add(&mut self, score: Score) {
        self.sessions += 1;
        let at = self.highest.partition_point(|other| *other >= score);
        if at < MOST_SCORES {
            self.highest.insert(at, score);
            self.highest.truncate(MOST_SCORES);
        }
    }

    /// Adds all sessions of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.highest.extend_from_slice(&other.highest);
        self.highest.sort_unstable_by(|a, b| b.cmp(a));
        self.highest.truncate(MOST_SCORES);
    }

    /// What follows from it; the shipped threshold while there are too few sessions.
    pub(crate) fn bar(&self) -> Bar {
        let is_kept = |rank: &usize| promises(*rank, self.sessions);
        let Some(rank) = (1..=self.highest.len()).take_while(is_kept).last() else {
            return Bar::default();
        };
        let threshold = self.highest[rank - 1].threshold().clamp(STRICTEST, LOOSEST);
        Bar { threshold, stage: Stage::Calibrated, sessions: self.sessions }
    }
}

/// Whether alerting above the `rank`-th highest score of `sessions` keeps what is promised.
fn promises(rank: usize, sessions: u64) -> bool {
    let (k, n) = (rank as f64, sessions as f64);
    // Only a rank beyond the number of sessions fails.
    checked_beta_reg(k, n + 1.0 - k, FALSE_ALARMS).is_ok_and(|sure| sure >= CONFIDENCE)
}

/// Below which combined probability an incident opens, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bar {
    pub(crate) threshold: f64,
    pub(crate) stage: Stage,
    /// Sessions that it was calibrated on.
    pub(crate) sessions: u64,
}

impl Default for Bar {
    fn default() -> Self {
        Self { threshold: THRESHOLD, stage: Stage::Priors, sessions: 0 }
    }
}

impl Bar {
    /// Powers of ten by which a combined probability is below the threshold.
    pub(crate) fn margin(&self, p: f64) -> f64 {
        (self.threshold.log10() - p.max(1e-15).log10()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::quick;
    use proptest::prelude::*;

    fn of(scores: impl Iterator<Item = u16>) -> Calibration {
        let mut calibration = Calibration::default();
        scores.for_each(|score| calibration.add(Score(score)));
        calibration
    }

    fn rank_of(sessions: u64) -> usize {
        (1..=MOST_SCORES).take_while(|rank| promises(*rank, sessions)).last().unwrap_or(0)
    }

    #[test]
    fn so_many_of_the_highest_may_be_passed() {
        // By the binomial distribution, computed with SciPy's binom.sf.
        let ranks = [2_994, 2_995, 10_000, 20_000].map(rank_of);
        assert_eq!(ranks, [0, 1, 5, 13]);
    }

    #[test]
    fn few_sessions_leave_the_shipped_threshold() {
        assert_eq!(of((0..2_994).map(|_| 2_000)).bar(), Bar::default());
    }

    #[test]
    fn an_alert_is_due_above_the_score_that_may_be_passed() {
        let bar = of((0..10_000u16).map(|n| if n < 6 { 3_200 + 100 * n } else { 0 })).bar();
        assert_eq!((bar.stage, bar.sessions), (Stage::Calibrated, 10_000));
        // The fifth highest is 3300: one that is as unlikely does not alert, the next does.
        assert!(10f64.powf(-3.3) > bar.threshold && bar.threshold > 10f64.powf(-3.301));
    }

    #[test]
    fn thresholds_stay_within_their_bounds() {
        assert_eq!(of((0..5_000).map(|_| 0)).bar().threshold, LOOSEST);
        assert_eq!(of((0..5_000).map(|_| 15_000)).bar().threshold, STRICTEST);
    }

    proptest! {
        #[test]
        fn calibrations_merge_in_any_order(
            scores in prop::collection::vec(0u16..15_001, 0..300),
            cut in 0usize..300,
        ) {
            let (one, other) = scores.split_at(cut.min(scores.len()));
            let [mut left, mut right] = [of(one.iter().copied()), of(other.iter().copied())];
            let whole = of(scores.iter().copied());
            let unmerged = left.clone();
            left.merge(&right);
            right.merge(&unmerged);
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&right, &whole);
        }
    }

    #[test]
    fn nineteen_of_twenty_calibrations_keep_the_promise() {
        // Every score up to 12,000 is as likely as any other, so the share that alerts is known.
        let alerting = |seed: u32| {
            let scores = (0..10_000u32).map(|n| (quick((seed, n)) % 12_000) as u16);
            let rank = rank_of(10_000);
            let kth = of(scores).highest[rank - 1];
            f64::from(11_999 - kth.0) / 12_000.0
        };
        let broken = (0..200).filter(|seed| alerting(*seed) > FALSE_ALARMS).count();
        assert!((1..=16).contains(&broken), "{broken} of 200, and 6 are expected");
    }
}
