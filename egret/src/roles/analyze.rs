//! Runs the engine on its own thread: batches in, writes out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use egret_analyzer::{Engine, Feedback, FrozenBaseline, IncidentChange, Joined, join_into};
use egret_event::{Event, EventBatch, EventId, Fact, InputPosition, Loss, SmolStr, Timestamp};
use tokio::sync::{mpsc, watch};

use super::board::Board;
use super::collect::ToEngine;

/// Longest time between snapshots of the engine while there is something new.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(10);

/// The same while there is nothing new: what a snapshot says then is that somebody watched.
const IDLE_SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// So many events make a snapshot due earlier: it is these that are read again after a crash.
const SNAPSHOT_EVENTS: u64 = 50_000;

/// Shortest time between snapshots: each costs as much as a few thousand events.
const SNAPSHOT_PAUSE: Duration = Duration::from_secs(1);

/// How far a source's clock may be ahead of ours.
const FUTURE_ALLOWED: Duration = Duration::from_secs(3600);

/// What the store's thread receives.
#[derive(Debug, Default)]
pub struct Write {
    /// Events.
    pub events: Vec<Event>,
    /// What they changed.
    pub changes: Vec<IncidentChange>,
    /// The baseline that was frozen after them.
    pub baseline: Option<FrozenBaseline>,
    /// The engine's state after them, and the input positions that go with it.
    pub snapshot: Option<(Vec<u8>, Vec<InputPosition>)>,
}

/// What the engine's thread needs.
pub struct Analyze {
    /// The engine, new or restored.
    pub engine: Engine,
    /// The positions it was restored with.
    pub positions: Vec<InputPosition>,
    /// Names of the sources that come to an end by themselves and have not been read yet.
    pub unread_files: BTreeSet<SmolStr>,
    /// What people judged benign, whenever that changes.
    pub feedback: watch::Receiver<Vec<Feedback>>,
    /// Where it tells how it is doing.
    pub board: Arc<Board>,
    /// Now, for the interval between snapshots.
    pub now: fn() -> Timestamp,
}

/// Runs until the input ends, then leaves a last snapshot.
pub fn run(analyze: Analyze, mut input: mpsc::Receiver<ToEngine>, out: &mpsc::Sender<Write>) {
    let mut state = State::new(analyze);
    while let Some(message) = input.blocking_recv() {
        state.hear_feedback();
        let write = match message {
            ToEngine::Batch(batch) => {
                let write = state.observe(batch);
                state.board.queued_batches.fetch_sub(1, Relaxed);
                write
            }
            ToEngine::Tick(now) => state.tick(now),
        };
        if let Some(write) = write
            && send(&state.board, out, write).is_break()
        {
            return;
        }
    }
    if let Some(snapshot) = state.snapshot() {
        let _ = send(&state.board, out, Write { snapshot: Some(snapshot), ..Write::default() });
    }
}

/// Breaks when the store's thread is gone.
fn send(board: &Board, out: &mpsc::Sender<Write>, write: Write) -> ControlFlow<()> {
    let events = write.events.len() as u64;
    board.stages.store.receive(events);
    board.queued_writes.fetch_add(1, Relaxed);
    if out.blocking_send(write).is_ok() {
        return ControlFlow::Continue(());
    }
    board.queued_writes.fetch_sub(1, Relaxed);
    board.stages.store.lose(Loss::Stopped, events);
    ControlFlow::Break(())
}

/// Each gap by its source and reason: how often there was one, and how much was missed in all
/// (packets, lines, bytes or seconds, by reason).
fn count_gaps(events: &[Event]) {
    for event in events {
        let Fact::Gap(gap) = &event.fact else { continue };
        let (source, reason) = (event.source.to_string(), gap.reason.word());
        metrics::counter!("egret_gaps_total", "source" => source.clone(), "reason" => reason)
            .increment(1);
        metrics::counter!("egret_gaps_missed_total", "source" => source, "reason" => reason)
            .increment(gap.count);
    }
}

struct State {
    engine: Engine,
    baseline: EventId,
    positions: BTreeMap<String, InputPosition>,
    unread_files: BTreeSet<SmolStr>,
    feedback: watch::Receiver<Vec<Feedback>>,
    board: Arc<Board>,
    now: fn() -> Timestamp,
    snapshot_at: Timestamp,
    changed_since_snapshot: bool,
    events_since_snapshot: u64,
    /// Whether there is a log whose place is in no snapshot.
    has_new_log: bool,
    idle: bool,
    warned_of_future: bool,
}

impl State {
    fn new(analyze: Analyze) -> Self {
        let positions =
            analyze.positions.into_iter().map(|place| (place.path.clone(), place)).collect();
        let mut state = Self {
            baseline: analyze.engine.baseline_id(),
            engine: analyze.engine,
            positions,
            unread_files: analyze.unread_files,
            feedback: analyze.feedback,
            board: analyze.board,
            snapshot_at: (analyze.now)(),
            now: analyze.now,
            changed_since_snapshot: false,
            events_since_snapshot: 0,
            has_new_log: false,
            idle: false,
            warned_of_future: false,
        };
        state.feedback.mark_changed();
        state.hear_feedback();
        state
    }

    /// Tells the engine what people judged benign, where that has changed.
    fn hear_feedback(&mut self) {
        // An error says that it will not change any more.
        if self.feedback.has_changed().unwrap_or(false) {
            let feedback = self.feedback.borrow_and_update().clone();
            self.engine.take_feedback(feedback);
        }
    }

    fn observe(&mut self, mut batch: EventBatch) -> Option<Write> {
        // Sources that are quiet send empty batches, to say how far their time has come.
        self.idle &= batch.events.is_empty();
        let mut changes = Vec::new();
        let received = batch.events.len() as u64;
        self.board.stages.queue.pass(received);
        self.board.stages.engine.receive(received);
        count_gaps(&batch.events);
        let joined = self.judge(&batch, &mut changes);
        join_into(&mut batch.events, joined);
        if let Some(position) = batch.position {
            self.unread_files.remove(&batch.source);
            // A log without a place is entered anew after a crash, whatever was rotated meanwhile:
            // so that it has one is written down at once.
            self.has_new_log |= self.positions.insert(position.path.clone(), position).is_none();
            self.changed_since_snapshot = true;
        }
        self.changed_since_snapshot |= !batch.events.is_empty();
        self.events_since_snapshot += batch.events.len() as u64;
        self.write(batch.events, changes)
    }

    /// Hands the events to the engine, but for those whose time cannot be right: one of them would
    /// carry the engine's time with it, and everything after it would be late. What joining
    /// observers showed is returned.
    fn judge(&mut self, batch: &EventBatch, changes: &mut Vec<IncidentChange>) -> Vec<Joined> {
        let mut joined = Vec::new();
        let latest = (self.now)() + FUTURE_ALLOWED;
        if batch.events.iter().all(|event| event.at <= latest) {
            self.engine.observe_and_join(&batch.events, changes, &mut joined);
            self.board.stages.engine.pass(batch.events.len() as u64);
            return joined;
        }
        let is_present = |event: &&Event| event.at <= latest;
        let present: Vec<Event> = batch.events.iter().filter(is_present).cloned().collect();
        let count = (batch.events.len() - present.len()) as u64;
        self.board.stages.engine.lose(Loss::FromFuture, count);
        self.board.stages.engine.pass(present.len() as u64);
        metrics::counter!("egret_engine_future_events_total", "source" => batch.source.to_string())
            .increment(count);
        if !self.warned_of_future {
            self.warned_of_future = true;
            tracing::warn!(
                source = %batch.source, count,
                "events from the future are stored but not judged: set the clock of their source"
            );
        }
        self.engine.observe_and_join(&present, changes, &mut joined);
        joined
    }

    /// A second has passed. Only when nothing came in it does the engine's time move by the
    /// clock: a log that is being caught up with would otherwise be late as a whole.
    fn tick(&mut self, now: Timestamp) -> Option<Write> {
        let mut changes = Vec::new();
        if self.idle {
            self.engine.tick(now, &mut changes);
        }
        self.idle = self.board.queued_batches.load(Relaxed) == 0;
        self.board.set_engine(self.engine.summary());
        self.changed_since_snapshot |= !changes.is_empty();
        self.write(Vec::new(), changes)
    }

    /// What is to be stored now. `None`: nothing.
    fn write(&mut self, events: Vec<Event>, changes: Vec<IncidentChange>) -> Option<Write> {
        let write = Write {
            events,
            changes,
            baseline: self.new_baseline(),
            snapshot: self.snapshot_if_due(),
        };
        let is_empty = write.events.is_empty()
            && write.changes.is_empty()
            && write.baseline.is_none()
            && write.snapshot.is_none();
        (!is_empty).then_some(write)
    }

    /// The baseline, if it was frozen since the last call.
    fn new_baseline(&mut self) -> Option<FrozenBaseline> {
        let id = self.engine.baseline_id();
        if id == self.baseline {
            return None;
        }
        self.baseline = id;
        self.engine.frozen_baseline()
    }

    fn snapshot_if_due(&mut self) -> Option<(Vec<u8>, Vec<InputPosition>)> {
        let now = (self.now)();
        let pause = match self.events_since_snapshot {
            _ if self.has_new_log => Duration::ZERO,
            _ if !self.changed_since_snapshot => IDLE_SNAPSHOT_EVERY,
            ..SNAPSHOT_EVENTS => SNAPSHOT_EVERY,
            _ => SNAPSHOT_PAUSE,
        };
        if now.since(self.snapshot_at) < pause {
            return None;
        }
        self.snapshot_at = now;
        self.snapshot()
    }

    /// The engine's state with the positions it goes with. `None` while a file is being read that
    /// cannot be entered in the middle: after a crash it is read from its start, by an engine
    /// that has seen nothing of it.
    fn snapshot(&mut self) -> Option<(Vec<u8>, Vec<InputPosition>)> {
        if !self.unread_files.is_empty() {
            return None;
        }
        self.changed_since_snapshot = false;
        self.events_since_snapshot = 0;
        self.has_new_log = false;
        Some((self.engine.snapshot(), self.positions.values().cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use egret_analyzer::AnalyzerConfig;

    use super::*;

    static SECOND: AtomicI64 = AtomicI64::new(0);

    fn now() -> Timestamp {
        Timestamp::from_secs(SECOND.load(Relaxed))
    }

    #[test]
    fn without_anything_new_a_snapshot_tells_once_a_minute_that_somebody_watched() {
        let engine = Engine::new(AnalyzerConfig::default());
        let board = Arc::new(Board::new(&[], engine.summary(), now()));
        let (positions, unread_files) = (Vec::new(), BTreeSet::new());
        let (_told, feedback) = watch::channel(Vec::new());
        let analyze = Analyze { engine, positions, unread_files, feedback, board, now };
        let mut state = State::new(analyze);
        let snapshots: Vec<i64> = (0..=150)
            .filter(|second| {
                SECOND.store(*second, Relaxed);
                state.tick(now()).is_some_and(|write| write.snapshot.is_some())
            })
            .collect();
        assert_eq!(snapshots, [60, 120]);
    }
}
