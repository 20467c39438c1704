//! From single events to batches that are handed over.
//!
//! Owns what happens when they are not taken.

use std::sync::Arc;

use egret_event::{Event, Fact, GapReason, Ledger, Loss, MAX_BATCH_EVENTS, SmolStr, Timestamp};

use super::gaps::{self, Tally};
use crate::{Batcher, Emit, Refused};

/// Most gaps of a batch that was not taken which are offered again: half of the next one.
const MAX_KEPT_GAPS: usize = MAX_BATCH_EVENTS / 2;

/// Hands events over in batches.
pub(crate) struct Outlet<'a, 'b> {
    source: SmolStr,
    batcher: Batcher,
    emit: &'a mut Emit<'b>,
    ledger: Arc<Ledger>,
    dropped: Tally,
    seen_until: Timestamp,
    is_closed: bool,
}

impl<'a, 'b> Outlet<'a, 'b> {
    pub(crate) fn new(source: &SmolStr, ledger: &Arc<Ledger>, emit: &'a mut Emit<'b>) -> Self {
        Self {
            source: source.clone(),
            batcher: Batcher::new(source.clone()),
            emit,
            ledger: Arc::clone(ledger),
            dropped: Tally::new(GapReason::QueueFull),
            seen_until: Timestamp::MIN,
            is_closed: false,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, event: Event) {
        self.seen_until = self.seen_until.max(event.at);
        if self.batcher.push(event) {
            self.flush();
        }
    }

    /// Hands `write` the batch to add at most one event to. Whether it did.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Batcher) -> bool) -> bool {
        let is_written = write(&mut self.batcher);
        self.seen_until = self.seen_until.max(self.batcher.seen_until());
        if !self.batcher.has_room_for(1) {
            self.flush();
        }
        is_written
    }

    /// Notes how far time has come.
    pub(crate) fn seen(&mut self, at: Timestamp) {
        self.seen_until = self.seen_until.max(at);
        self.batcher.seen(at);
    }

    /// Hands over what there is if it has waited long enough by the wall clock.
    pub(crate) fn flush_if_due(&mut self, now: Timestamp) {
        if self.batcher.is_due(now) {
            self.flush();
        }
    }

    /// Hands over what there is, if there is anything.
    pub(crate) fn flush_any(&mut self) {
        if !self.batcher.is_empty() {
            self.flush();
        }
    }

    /// Hands over what there is, even nothing: it tells how far time has come.
    pub(crate) fn flush(&mut self) {
        if self.is_closed {
            return;
        }
        match self.batcher.flush(self.emit) {
            Ok(()) => self.tell_dropped(),
            Err(Refused::Closed) => self.is_closed = true,
            Err(Refused::Full(batch)) => self.drop_events(batch.events),
        }
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Drops what was not taken, but for what tells of gaps: that is offered again.
    fn drop_events(&mut self, events: Vec<Event>) {
        let total = events.len();
        let is_gap = |event: &Event| matches!(event.fact, Fact::Gap(_));
        let mut kept = 0;
        for gap in events.into_iter().filter(is_gap).take(MAX_KEPT_GAPS) {
            // A fresh batch has room for them.
            self.batcher.push(gap);
            kept += 1;
        }
        let count = (total - kept) as u64;
        self.dropped.add(count, self.seen_until);
        // The packets behind these events are accounted for. The events are units of their own.
        self.ledger.receive(count);
        self.ledger.lose(Loss::QueueFull, count);
        let source = self.source.to_string();
        metrics::counter!("egret_events_dropped_total", "source" => source).increment(count);
    }

    fn tell_dropped(&mut self) {
        if let Some(gap) = self.dropped.take() {
            // A fresh batch has room for one.
            self.batcher.push(gaps::event(&self.source, gap, self.seen_until));
        }
    }
}
