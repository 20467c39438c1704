//! D9: an address that is contacted although no name led to it.
//!
//! Programs ask for names. Who has an address written down, because he wants no name in a resolver's
//! log or because his server has none, does not ask. It counts where it could have been seen: in
//! sessions whose questions are seen, and in requests that a proxy logs as they were made. A session
//! is judged by how many such addresses it contacts that are new here; alone that is never enough,
//! because a name may have been asked for before anybody looked.

use egret_event::{Attribution, Event};

use super::beacon::is_asked_by_timers;
use super::policy::is_private;
use super::{Count, LEAST_P_OF_CORROBORATION};
use crate::baseline::Ladder;
use crate::incident::{Detector, Finding};
use crate::priors::SizePrior;
use crate::size::Cell;

/// Such addresses of a session.
pub(crate) const ADDRESSES: Count = Count {
    detector: Detector::DirectAddress,
    unit: "new addresses that no name led to",
    cell: Cell::DIRECT_ADDRESSES,
    prior: SizePrior::OF_DIRECT_ADDRESSES,
    least_p: LEAST_P_OF_CORROBORATION,
};

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
    ADDRESSES.finding(addresses, ladder, origin, |whose, most| {
        format!(
            "contacted by its address, and no name that was asked for led there: number {addresses} of \
             such new ones in this session; {whose} normally contact at most {most} (98 %)"
        )
    })
}
