//! The detectors. Each file holds one: its state, what it compares with, and its words.
//!
//! They are functions over plain state that lives in the session, not a trait: the set is
//! closed, each looks at a different part of an event, and a session is saved as a whole.

pub(crate) mod beacon;
pub(crate) mod blocked_probes;
pub(crate) mod contradiction;
pub(crate) mod direct_address;
pub(crate) mod dns_tunnel;
pub(crate) mod fan_out;
pub(crate) mod fleet_drip;
pub(crate) mod foreign_tenant;
pub(crate) mod new_destination;
pub(crate) mod not_found;
pub(crate) mod odd_certificate;
pub(crate) mod policy;
pub(crate) mod rate_burst;
pub(crate) mod sensitive_content;
pub(crate) mod slow_drip;
pub(crate) mod template_drift;
pub(crate) mod upload_size;

use egret_event::{Attribution, SmolStr};

use crate::baseline::{Ladder, NormalSize, SizeQuestion, Sizes, Weight};
use crate::incident::{Detector, Finding, Level, Normal, Quantity, Tail};
use crate::priors::SizePrior;
use crate::size::Cell;

/// The tail probability below which a detector is worth a closer look (and words).
pub(crate) const NOTABLE: f64 = 0.01;

/// How a probability was got, given where the belief came from.
fn tail_kind(p: f64, weight: &Weight) -> Tail {
    if weight.level == Level::Prior {
        Tail::Prior
    } else if p < 1.0 / (weight.most_sessions as f64 + 1.0) {
        Tail::Extrapolated
    } else {
        Tail::Empirical
    }
}

/// What is normal by half and by 98 % of the sessions, as a finding tells it.
fn normal(weight: &Weight, [median, p98]: [f64; 2], origin: &Attribution) -> Normal {
    Normal {
        level: weight.level,
        name: crate::words::name_at(weight.level, origin),
        sessions: weight.sessions,
        median,
        p98,
    }
}

/// The same of sizes.
fn normal_size(normal: &NormalSize, origin: &Attribution) -> Normal {
    self::normal(&normal.weight, [normal.median as f64, normal.p98 as f64], origin)
}

/// What is counted of a session, held against what other sessions have of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    detector: Detector,
    /// What it counts.
    unit: &'static str,
    cell: Cell,
    prior: SizePrior,
    /// The smallest probability that it may contribute.
    least_p: f64,
}

impl Count {
    /// P(a session has at least so many).
    pub(crate) fn tail(&self, ladder: &Ladder<'_>, count: u64) -> f64 {
        self.sizes(ladder).survival(count).max(self.least_p)
    }

    /// The smallest number of them whose tail probability is below `p`, to the histogram bin.
    pub(crate) fn first_below(&self, ladder: &Ladder<'_>, p: f64) -> u64 {
        self.sizes(ladder).first_below(p)
    }

    /// The finding about so many, in words made of whose they normally are and of how many 98 % have at
    /// most.
    fn finding(
        &self,
        count: u64,
        ladder: &Ladder<'_>,
        origin: &Attribution,
        words: impl FnOnce(&str, u64) -> String,
    ) -> Finding {
        let (p, normal) = (self.tail(ladder, count), self.sizes(ladder).normal());
        Finding {
            detector: self.detector,
            p,
            tail: tail_kind(p, &normal.weight),
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity { value: count as f64, unit: SmolStr::new_static(self.unit) },
            normal: Some(normal_size(&normal, origin)),
            words: words(&crate::words::whose(normal.weight.level, origin), normal.p98),
        }
    }

    fn sizes<'a, 'l>(&self, ladder: &'l Ladder<'a>) -> Sizes<'a, 'l> {
        ladder.sizes(SizeQuestion { cell: self.cell, prior: self.prior, own: None })
    }
}

/// The smallest probability of a count that only adds to other evidence. Egret's own choice.
const LEAST_P_OF_CORROBORATION: f64 = 1e-3;
