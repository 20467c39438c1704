//! Writes what the engine gives into the store, in few large transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use egret_analyzer::IncidentChange;
use egret_event::{Loss, Timestamp};
use egret_notify::Target;
use egret_store::{OutboxEntry, Store, WriteUnit};
use tokio::sync::{Notify, broadcast, mpsc};

use super::analyze::Write;
use super::board::Board;

/// Events that are gathered for one transaction, if they are there already.
const MAX_EVENTS_PER_COMMIT: usize = 8192;

/// Pause before a write that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What the store's thread needs.
pub struct Writer {
    /// The store.
    pub store: Store,
    /// Who is told of which change.
    pub targets: Arc<[Target]>,
    /// Where it tells how it is doing.
    pub board: Arc<Board>,
    /// Everything that happens to incidents, for the live stream.
    pub stream: broadcast::Sender<Arc<IncidentChange>>,
    /// Told when the outbox got something new.
    pub wake_outbox: Arc<Notify>,
    /// Set when the process must end although the store cannot be written.
    pub give_up: Arc<AtomicBool>,
    /// Now.
    pub now: fn() -> Timestamp,
}

/// Runs until the input ends and everything is written.
pub fn run(writer: &Writer, mut input: mpsc::Receiver<Write>) {
    while let Some(first) = input.blocking_recv() {
        let mut messages = 1;
        let mut unit = first;
        while unit.events.len() < MAX_EVENTS_PER_COMMIT
            && unit.baseline.is_none()
            && unit.snapshot.is_none()
        {
            let Ok(next) = input.try_recv() else { break };
            messages += 1;
            unit.events.extend(next.events);
            unit.changes.extend(next.changes);
            unit.baseline = next.baseline;
            unit.snapshot = next.snapshot;
        }
        let written = writer.write(&unit);
        writer.board.queued_writes.fetch_sub(messages, Relaxed);
        if !written {
            return;
        }
    }
}

impl Writer {
    /// Writes until it succeeds: the queues behind fill up meanwhile, files and logs wait, and
    /// live capture counts what it drops. `false`: told to give up.
    fn write(&self, unit: &Write) -> bool {
        let alerts = egret_notify::route(&self.targets, &unit.changes, (self.now)());
        let mut reported = None;
        loop {
            match self.try_write(unit, &alerts) {
                Ok(()) => {
                    if reported.is_some() {
                        tracing::info!("the store can be written again");
                        self.board.set_store_error(None);
                    }
                    self.announce(unit);
                    return true;
                }
                Err(error) => {
                    let text = error.to_string();
                    metrics::counter!("egret_store_write_failures_total").increment(1);
                    if reported.as_ref() != Some(&text) {
                        tracing::error!(error = %text, "cannot write to the store; trying again");
                        self.board.set_store_error(Some(text.clone()));
                        reported = Some(text);
                    }
                }
            }
            if self.give_up.load(Relaxed) {
                self.board.stages.store.lose(Loss::Stopped, unit.events.len() as u64);
                tracing::error!(
                    events = unit.events.len(),
                    "ending without having written; followed logs will be read again from the \
                     last snapshot"
                );
                return false;
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    fn try_write(
        &self,
        unit: &Write,
        alerts: &[OutboxEntry],
    ) -> Result<(), egret_store::StoreError> {
        let snapshot = unit.snapshot.as_ref().map(|(bytes, places)| (&bytes[..], &places[..]));
        let committed = self.store.commit(&WriteUnit {
            events: &unit.events,
            changes: &unit.changes,
            alerts,
            baseline: unit.baseline.as_ref(),
            snapshot,
            now: (self.now)(),
        })?;
        self.board.stages.store.pass(committed.events);
        self.board.stages.store.lose(Loss::Duplicate, committed.repeated_events);
        metrics::counter!("egret_store_events_total").increment(committed.events);
        metrics::counter!("egret_store_repeated_events_total").increment(committed.repeated_events);
        metrics::counter!("egret_alerts_queued_total").increment(committed.alerts);
        metrics::counter!("egret_alerts_repeats_total").increment(committed.repeats);
        metrics::counter!("egret_alerts_unneeded_total").increment(committed.unneeded);
        Ok(())
    }

    fn announce(&self, unit: &Write) {
        for change in &unit.changes {
            // Nobody may be watching.
            let _ = self.stream.send(Arc::new(change.clone()));
        }
        if !unit.changes.is_empty() {
            self.wake_outbox.notify_one();
        }
    }
}
