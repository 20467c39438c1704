//! D15: a session goes to more destinations that are new here than is normal.
//!
//! One of them says little: up to a quarter of ordinary sessions contact something that nobody here
//! contacted before. Hundreds do, however slowly they come and however little each is sent: that is what
//! data spread over many places looks like, and a scan of the outside. A crawler's sessions are like
//! that too, and have a normal of their own.

use egret_event::Attribution;

use super::Count;
use crate::baseline::Ladder;
use crate::incident::{Detector, Finding};
use crate::priors::SizePrior;
use crate::size::Cell;

/// Such destinations of a session.
pub(crate) const DESTINATIONS: Count = Count {
    detector: Detector::FanOut,
    unit: "new destinations",
    cell: Cell::NEW_DESTINATIONS,
    prior: SizePrior::OF_NEW_DESTINATIONS,
    least_p: 0.0,
};

/// Fewer are never told: a few new destinations are no news even where sessions have none. Egret's own
/// choice.
pub(crate) const LEAST: u64 = 20;

/// The finding about so many new destinations of a session, with its words.
pub(crate) fn finding(ladder: &Ladder<'_>, count: u64, origin: &Attribution) -> Finding {
    DESTINATIONS.finding(count, ladder, origin, |whose, most| {
        format!(
            "contacted {count} destinations that are new here; {whose} normally contact at most {most} \
             (98 %)"
        )
    })
}
