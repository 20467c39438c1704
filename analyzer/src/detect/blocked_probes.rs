//! D7: many distinct destinations were blocked.
//!
//! Two tests must agree. The tail compares the count with what sessions here usually meet
//! (telemetry that a locked-down network refuses). The sequential test asks whether first
//! contacts fail more often than they succeed, which a crawler's do not.

use egret_event::{Attribution, SmolStr};
use serde::{Deserialize, Serialize};

use super::{normal, tail_kind};
use crate::baseline::Ladder;
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::BLOCKED;
use crate::seen_set::SeenSet;
use crate::tails::RandomWalk;

/// Distinct blocked targets of a session from which on they are noted as evidence: most sessions have one
/// or two, of telemetry.
pub(crate) const NOTED_FROM: u32 = 3;

/// First contacts of a session, from the first blocked one on. A target is a host (or address)
/// and a port; trying it again changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Probes {
    blocked: SeenSet,
    reached: SeenSet,
    walk: RandomWalk,
}

impl Probes {
    /// Notes a blocked contact; whether its target is newly blocked.
    pub(crate) fn block(&mut self, target: u64) -> bool {
        let new = self.blocked.insert(target);
        if new {
            self.walk.failure();
        }
        new
    }

    /// Notes a contact that was let through.
    pub(crate) fn reach(&mut self, target: u64) {
        if self.reached.insert(target) {
            self.walk.success();
        }
    }

    /// Reads what an allowed contact needs; the value means nothing.
    pub(crate) fn look_ahead(&self) -> u64 {
        self.reached.look_ahead()
    }

    /// Distinct targets that were blocked.
    pub(crate) fn distinct_blocked(&self) -> u32 {
        self.blocked.count()
    }

    /// The probability that a benign session is blocked this often: the larger of both tests.
    pub(crate) fn tail(&self, ladder: &Ladder<'_>) -> f64 {
        let (expected, _) = ladder.expected(BLOCKED, |scope| &scope.blocked);
        expected.tail(self.blocked.count()).max(self.walk.tail())
    }

    /// The finding, with its words.
    pub(crate) fn finding(&self, ladder: &Ladder<'_>, origin: &Attribution) -> Finding {
        let (expected, weight) = ladder.expected(BLOCKED, |scope| &scope.blocked);
        let p = self.tail(ladder);
        let median = expected.first_below(0.5).saturating_sub(1);
        let p98 = expected.first_below(0.02).saturating_sub(1);
        let whose = crate::words::whose(weight.level, origin);
        Finding {
            detector: Detector::BlockedProbes,
            p,
            tail: tail_kind(p, &weight),
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity {
                value: f64::from(self.blocked.count()),
                unit: SmolStr::new_static("distinct blocked destinations"),
            },
            normal: Some(normal(&weight, [median, p98].map(f64::from), origin)),
            words: format!(
                "{} distinct destinations were blocked and {} other new ones reached; {whose} \
                 normally meet at most {p98} (98 %)",
                self.blocked.count(),
                self.reached.count(),
            ),
        }
    }
}
