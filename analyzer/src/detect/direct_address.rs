//! D9: an address that is contacted although no name led to it.
//!
//! Programs ask for names. Who has an address written down, because he wants no name in a resolver's
//! log or because his server has none, does not ask. It counts where it could have been seen: in
//! sessions whose questions are seen, and in requests that a proxy logs as they were made. A session
//! is judged by how many such addresses it contacts that are new here; alone that is never enough,
//! because a name may have been asked for before anybody looked.

use egret_event::{Attribution, Event, SmolStr};

use super::beacon::is_asked_by_timers;
use super::policy::is_private;
use super::{normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion, Sizes};
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::SizePrior;
use crate::size::Cell;

/// The smallest probability that it may contribute: it only adds to other evidence. Egret's own choice.
const LEAST_P: f64 = 1e-3;

/// Whether a destination has no name, is in nobody's private network, and is no resolver or clock, which
/// are configured by address.
pub(crate) fn is_direct(event: &Event) -> bool {
    let destination = &event.destination;
    destination.host.is_none()
        && destination.address.is_some()
        && !is_private(destination)
        && !is_asked_by_timers(destination.port)
}

/// The finding about so many new addresses of a session, with its words.
pub(crate) fn finding(ladder: &Ladder<'_>, addresses: u64, origin: &Attribution) -> Finding {
    let sizes = sizes(ladder);
    let (p, normal) = (sizes.survival(addresses).max(LEAST_P), sizes.normal());
    let whose = crate::words::whose(normal.weight.level, origin);
    Finding {
        detector: Detector::DirectAddress,
        p,
        tail: tail_kind(p, &normal.weight),
        share: 0.0,
        place: None,
        judged_benign: None,
        observed: Quantity {
            value: addresses as f64,
            unit: SmolStr::new_static("new addresses that no name led to"),
        },
        normal: Some(normal_size(&normal, origin)),
        words: format!(
            "contacted by its address, and no name that was asked for led there: number {addresses} of \
             such new ones in this session; {whose} normally contact at most {} (98 %)",
            normal.p98,
        ),
    }
}

/// The smallest number of them whose tail probability is below `p`, to the histogram bin.
pub(crate) fn first_below(ladder: &Ladder<'_>, p: f64) -> u64 {
    sizes(ladder).first_below(p)
}

fn sizes<'a, 'l>(ladder: &'l Ladder<'a>) -> Sizes<'a, 'l> {
    let (cell, prior) = (Cell::DIRECT_ADDRESSES, SizePrior::OF_DIRECT_ADDRESSES);
    ladder.sizes(SizeQuestion { cell, prior, own: None })
}
