//! What could not be seen, added up and told from time to time.
//!
//! Owns the event that says so. A gap belongs to a source and not to an executor: its origin is
//! empty and its addresses are unspecified.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use egret_event::{
    Attribution, Destination, Event, EventId, Fact, Gap, GapReason, SmolStr, Timestamp, Verdict,
    Volume,
};

/// How often a gap is told while it lasts.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Nobody has listened since `from`. How much was missed, nobody knows: the count is 1.
pub(crate) fn blind_since(from: Timestamp) -> Gap {
    Gap { reason: GapReason::Stopped, count: 1, from }
}

/// The event that tells of a gap in what `source` saw until `at`.
pub(crate) fn event(source: &SmolStr, gap: Gap, at: Timestamp) -> Event {
    let nobody = Attribution::nobody();
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let reason = [gap.reason as u8];
    let (from, until) = (gap.from.as_nanos().to_be_bytes(), at.as_nanos().to_be_bytes());
    Event {
        id: EventId::of(&[b"gap", source.as_bytes(), &reason, &from, &until]),
        at,
        source: source.clone(),
        also_seen_by: None,
        origin: Arc::new(nobody),
        client: (nowhere, 0),
        destination: Destination::address(nowhere, 0),
        verdict: Verdict::Allowed,
        up: Volume::UNKNOWN,
        down: Volume::UNKNOWN,
        fact: Fact::Gap(gap),
    }
}

/// A gap of one kind that is being added up.
#[derive(Debug)]
pub(crate) struct Tally {
    reason: GapReason,
    count: u64,
    from: Timestamp,
}

impl Tally {
    pub(crate) fn new(reason: GapReason) -> Self {
        Self { reason, count: 0, from: Timestamp::MIN }
    }

    /// Adds something missed at `at`.
    pub(crate) fn add(&mut self, count: u64, at: Timestamp) {
        if self.count == 0 {
            self.from = at;
        }
        self.count = self.count.saturating_add(count);
    }

    /// Takes off what came late after all.
    pub(crate) fn take_back(&mut self, count: u64) {
        self.count = self.count.saturating_sub(count);
    }

    /// The gap, if there is one that has lasted long enough at `now`.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Gap> {
        let is_due = self.count > 0 && now.since(self.from) >= TELL_EVERY;
        if is_due { self.take() } else { None }
    }

    /// The gap, if there is one.
    pub(crate) fn take(&mut self) -> Option<Gap> {
        let count = std::mem::take(&mut self.count);
        (count > 0).then_some(Gap { reason: self.reason, count, from: self.from })
    }
}
