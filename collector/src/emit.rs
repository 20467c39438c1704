//! Handing events over in batches.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use egret_event::{
    Event, EventBatch, InputPosition, MAX_BATCH_AGE_MS, MAX_BATCH_EVENTS, SmolStr, Timestamp,
};

/// Where batches go. Called on the source's thread; it may block.
pub type Emit<'a> = dyn FnMut(EventBatch) -> Result<(), Refused> + 'a;

/// The batch was not taken.
#[derive(Debug)]
pub enum Refused {
    /// The queue is full and this source must not wait. The batch comes back.
    Full(EventBatch),
    /// Nobody listens any more: the source should end.
    Closed,
}

/// How long to wait before a batch is offered again to a full queue.
const OFFER_AGAIN: Duration = Duration::from_millis(5);

/// Hands a batch over, waiting while the queue is full, but not after `stop` was set.
///
/// # Errors
/// As `emit`; [`Refused::Full`] only when told to stop.
pub(crate) fn offer(
    mut batch: EventBatch,
    stop: &AtomicBool,
    emit: &mut Emit<'_>,
) -> Result<(), Refused> {
    loop {
        match emit(batch) {
            Err(Refused::Full(again)) if !stop.load(Relaxed) => {
                std::thread::sleep(OFFER_AGAIN);
                batch = again;
            }
            other => return other,
        }
    }
}

/// Collects events into batches of at most [`MAX_BATCH_EVENTS`] and [`MAX_BATCH_AGE_MS`].
#[derive(Debug)]
pub struct Batcher {
    batch: EventBatch,
    opened_at: Option<Timestamp>,
}

impl Batcher {
    /// An empty batch of the source `name`.
    pub fn new(name: SmolStr) -> Self {
        Self {
            batch: EventBatch {
                source: name,
                events: Vec::with_capacity(MAX_BATCH_EVENTS),
                position: None,
                seen_until: Timestamp::MIN,
            },
            opened_at: None,
        }
    }

    /// Adds an event; `true`: the batch is full and must be flushed before the next one.
    #[inline]
    pub fn push(&mut self, event: Event) -> bool {
        self.seen(event.at);
        self.batch.events.push(event);
        self.batch.events.len() >= MAX_BATCH_EVENTS
    }

    /// As [`Self::push`], of the event of `at` that `make` makes. It is called once, and what it
    /// makes is made in its place in the batch.
    #[inline]
    pub(crate) fn push_made(&mut self, at: Timestamp, make: impl FnMut() -> Event) -> bool {
        self.seen(at);
        let length = self.batch.events.len() + 1;
        self.batch.events.resize_with(length, make);
        length >= MAX_BATCH_EVENTS
    }

    /// Whether `events` more can be added.
    pub fn has_room_for(&self, events: usize) -> bool {
        self.batch.events.len() + events <= MAX_BATCH_EVENTS
    }

    /// Notes how far the source's own time has come.
    pub fn seen(&mut self, at: Timestamp) {
        self.batch.seen_until = self.batch.seen_until.max(at);
    }

    /// How far the source's own time has come.
    pub(crate) fn seen_until(&self) -> Timestamp {
        self.batch.seen_until
    }

    /// Notes where the source stands.
    pub fn stands_at(&mut self, position: InputPosition) {
        self.batch.position = Some(position);
    }

    /// Whether there is no event in the batch.
    pub fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
    }

    /// Whether the batch has waited long enough by the wall clock `now`.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        if self.batch.events.is_empty() {
            self.opened_at = None;
            return false;
        }
        let opened_at = *self.opened_at.get_or_insert(now);
        now.since(opened_at) >= Duration::from_millis(MAX_BATCH_AGE_MS)
    }

    /// Hands the batch over, even an empty one (it tells how far time has come).
    ///
    /// # Errors
    /// As `emit`. After [`Refused::Full`] the batch is gone from here; the caller has it.
    pub fn flush(&mut self, emit: &mut Emit<'_>) -> Result<(), Refused> {
        let next = Vec::with_capacity(MAX_BATCH_EVENTS);
        let events = std::mem::replace(&mut self.batch.events, next);
        self.opened_at = None;
        emit(EventBatch {
            source: self.batch.source.clone(),
            events,
            position: self.batch.position.clone(),
            seen_until: self.batch.seen_until,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(at: Timestamp) -> Event {
        use egret_event::{Attribution, Destination, EventId, Fact, Gap, GapReason};
        let nowhere = std::net::IpAddr::from([0, 0, 0, 0]);
        let nobody = Attribution::nobody();
        Event {
            id: EventId::from_bits(1),
            at,
            source: "s".into(),
            also_seen_by: None,
            origin: std::sync::Arc::new(nobody),
            client: (nowhere, 0),
            destination: Destination::address(nowhere, 0),
            verdict: egret_event::Verdict::Allowed,
            up: egret_event::Volume::UNKNOWN,
            down: egret_event::Volume::UNKNOWN,
            fact: Fact::Gap(Gap { reason: GapReason::Stopped, count: 1, from: at }),
        }
    }

    #[test]
    fn a_batch_is_full_at_its_limit_and_due_at_its_age() {
        let mut batcher = Batcher::new("s".into());
        let start = Timestamp::from_secs(1);
        assert!(!batcher.is_due(start), "an empty batch is never due");
        let full: Vec<_> = (0..MAX_BATCH_EVENTS).map(|_| batcher.push(gap(start))).collect();
        assert_eq!(full.iter().position(|full| *full), Some(MAX_BATCH_EVENTS - 1));
        assert!(!batcher.is_due(start));
        let age = Duration::from_millis(MAX_BATCH_AGE_MS);
        assert!(!batcher.is_due(start + age - Duration::from_nanos(1)));
        assert!(batcher.is_due(start + age));
    }

    #[test]
    fn a_flush_hands_over_everything_and_keeps_the_time() {
        let mut batcher = Batcher::new("s".into());
        batcher.push(gap(Timestamp::from_secs(2)));
        batcher.seen(Timestamp::from_secs(9));
        let mut taken = Vec::new();
        let mut emit = |batch: EventBatch| {
            taken.push((batch.events.len(), batch.seen_until));
            Ok(())
        };
        batcher.flush(&mut emit).unwrap();
        batcher.flush(&mut emit).unwrap();
        assert_eq!(taken, [(1, Timestamp::from_secs(9)), (0, Timestamp::from_secs(9))]);
    }
}
