//! The detectors. Each file holds one: its state, what it compares with, and its words.
//!
//! They are functions over plain state that lives in the session, not a trait: the set is
//! closed, each looks at a different part of an event, and a session is saved as a whole.

pub(crate) mod beacon;
pub(crate) mod blocked_probes;
pub(crate) mod contradiction;
pub(crate) mod direct_address;
pub(crate) mod dns_tunnel;
pub(crate) mod fleet_drip;
pub(crate) mod foreign_tenant;
pub(crate) mod new_destination;
pub(crate) mod odd_certificate;
pub(crate) mod policy;
pub(crate) mod rate_burst;
pub(crate) mod sensitive_content;
pub(crate) mod slow_drip;
pub(crate) mod template_drift;
pub(crate) mod upload_size;

use egret_event::Attribution;

use crate::baseline::{NormalSize, Weight};
use crate::incident::{Level, Normal, Tail};

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
