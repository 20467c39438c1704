//! What was counted of a session at a destination.

use egret_event::{Event, Timestamp};
use serde::{Deserialize, Serialize};

use crate::incident::Observed;
use crate::views::{ByView, View};

/// What may come back where something is left: a handshake with its certificates and an answer that
/// says "taken". Pages, packages and lists are larger. Egret's own choice.
pub(crate) const LITTLE: u64 = 8 << 10;

/// Of so many bytes that a flow received, one may have been sent to receive them: QUIC acknowledges in
/// datagrams whose content is sealed, so that it counts as payload (about 40 bytes for two of 1,250:
/// 1.6 %), and HTTP/2 opens its windows again (1.2 % in a download of 35 MB that was looked at for this).
/// Who hides in it has to send 32 bytes back for each that he takes. Egret's own choice.
const RECEIVED_PER_RECEIPT: u64 = 32;

/// What was sent for its own sake, as a view shows it: a log counts requests, and no receipts.
const fn without_receipts(view: View, (up_bytes, down_bytes): (u64, u64)) -> u64 {
    match view {
        View::Wire => up_bytes.saturating_sub(down_bytes / RECEIVED_PER_RECEIPT),
        View::Log => up_bytes,
    }
}

/// What an event sent for its own sake, in bytes; 0 where the volume is not known.
pub(crate) fn uploaded(event: &Event) -> u64 {
    let bytes = (event.up_bytes().unwrap_or(0), event.down.bytes.unwrap_or(0));
    without_receipts(View::of(event), bytes)
}

/// Volumes and contacts as one kind of observer saw them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Side {
    up_bytes: u64,
    down_bytes: u64,
    /// What was sent while little came back.
    one_way_bytes: u64,
    allowed: u32,
    blocked: u32,
    /// Allowed contacts whose volume the observer did not know.
    unknown: u32,
    events: u32,
}

/// What each view counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally(ByView<Side>);

impl Tally {
    /// Counts an event.
    pub(crate) fn add(&mut self, event: &Event) {
        let side = self.0.at(View::of(event));
        let [up, down] = [&event.up, &event.down].map(|volume| volume.bytes.unwrap_or(0));
        side.up_bytes = side.up_bytes.saturating_add(up);
        side.down_bytes = side.down_bytes.saturating_add(down);
        if down <= LITTLE {
            side.one_way_bytes = side.one_way_bytes.saturating_add(up);
        }
        if event.is_contact() {
            if event.verdict.is_blocked() {
                side.blocked = side.blocked.saturating_add(1);
            } else {
                side.allowed = side.allowed.saturating_add(1);
                side.unknown = side.unknown.saturating_add(u32::from(event.up.bytes.is_none()));
            }
        }
        side.events = side.events.saturating_add(1);
    }

    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.events() == 0
    }

    fn events(&self) -> u64 {
        self.0.iter().map(|side| u64::from(side.events)).sum()
    }

    /// Payload bytes sent, as far as known.
    pub(crate) fn up_bytes(&self) -> u64 {
        self.0.most(|side| side.up_bytes)
    }

    /// The same without what may have been sent to receive what came back.
    pub(crate) fn uploaded(&self) -> u64 {
        let of_view =
            |(view, side): (View, &Side)| without_receipts(view, (side.up_bytes, side.down_bytes));
        self.0.views().map(of_view).max().unwrap_or(0)
    }

    /// Of these, what was sent in contacts (or intervals of them) that brought little back.
    pub(crate) fn one_way_bytes(&self) -> u64 {
        self.0.most(|side| side.one_way_bytes)
    }

    /// Contacts let through.
    pub(crate) fn allowed(&self) -> u32 {
        self.0.most(|side| side.allowed)
    }

    /// All contacts.
    pub(crate) fn contacts(&self) -> u32 {
        self.allowed().saturating_add(self.blocked())
    }

    /// Contacts stopped.
    fn blocked(&self) -> u32 {
        self.0.most(|side| side.blocked)
    }

    /// Contacts whose volume neither side knows: what the wire measured needs no log.
    fn unknown(&self) -> u32 {
        let Some((wire, log)) = self.0.both() else { return self.0.most(|side| side.unknown) };
        let measured = wire.allowed.saturating_sub(wire.unknown);
        wire.unknown.max(log.unknown.saturating_sub(measured))
    }

    /// Whether the volume of some contact is known.
    pub(crate) fn has_volume(&self) -> bool {
        self.up_bytes() > 0 || self.allowed() > self.unknown()
    }

    /// As an incident shows it.
    pub(crate) fn observed(&self) -> Observed {
        Observed {
            up_bytes: self.up_bytes(),
            down_bytes: self.0.most(|side| side.down_bytes),
            contacts_of_unknown_volume: u64::from(self.unknown()),
            contacts_allowed: u64::from(self.allowed()),
            contacts_blocked: u64::from(self.blocked()),
            distinct_blocked: u64::from(self.blocked() > 0),
            events: self.events(),
        }
    }
}

/// Adds what was observed at a further destination.
pub(crate) fn add_observed(sum: &mut Observed, further: &Observed) {
    sum.up_bytes = sum.up_bytes.saturating_add(further.up_bytes);
    sum.down_bytes = sum.down_bytes.saturating_add(further.down_bytes);
    sum.contacts_of_unknown_volume += further.contacts_of_unknown_volume;
    sum.contacts_allowed += further.contacts_allowed;
    sum.contacts_blocked += further.contacts_blocked;
    sum.distinct_blocked += further.distinct_blocked;
    sum.events += further.events;
}

/// The time between the first and the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Seen {
    /// Of the first event.
    pub(crate) fn at(at: Timestamp) -> Self {
        Self { first: at, last: at }
    }

    /// Includes a further event, which may be out of order.
    pub(crate) fn include(&mut self, at: Timestamp) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}
