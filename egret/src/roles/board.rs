//! What the parts of the process let each other, and the user, know of how they are doing.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use egret_analyzer::EngineSummary;
use egret_api::{SourceState, SourceStatus, StageStatus, Status, TargetStatus};
use egret_collector::{SourceConfig, Trouble};
use egret_event::{Ledger, SmolStr, Timestamp};
use egret_notify::Standings;

/// How the parts are doing. Written by each of them, read by the API and by `egret demo`.
#[derive(Debug)]
pub struct Board {
    started_at: Timestamp,
    sources: Vec<Arc<SourceBoard>>,
    engine: Mutex<EngineSummary>,
    store_error: Mutex<Option<String>>,
    /// The accounts of the stages behind the sources.
    pub stages: Stages,
    /// How the alert targets are doing.
    pub standings: Standings,
    /// Batches sent to the engine and not yet observed.
    pub queued_batches: AtomicU64,
    /// Messages sent to the store and not yet committed.
    pub queued_writes: AtomicU64,
}

/// The accounts of the stages behind the sources, in events.
#[derive(Debug, Default)]
pub struct Stages {
    /// From the sources to the engine.
    pub queue: Ledger,
    /// The engine: received from the queue, passed on when judged.
    pub engine: Ledger,
    /// The store: received from the engine (contradictions included), passed on when committed.
    pub store: Ledger,
}

impl Stages {
    /// All of them by name, in the order in which events pass them.
    pub fn all(&self) -> [(&'static str, &Ledger); 3] {
        [("queue", &self.queue), ("engine", &self.engine), ("store", &self.store)]
    }

    fn publish_metrics(&self) {
        for (stage, ledger) in self.all() {
            let ledger = ledger.read();
            metrics::counter!("egret_stage_received_total", "stage" => stage)
                .absolute(ledger.received);
            metrics::counter!("egret_stage_passed_total", "stage" => stage).absolute(ledger.passed);
            for (reason, count) in ledger.lost {
                metrics::counter!(
                    "egret_stage_lost_total", "stage" => stage, "reason" => reason.word()
                )
                .absolute(count);
            }
        }
    }

    fn status(&self) -> Vec<StageStatus> {
        let status = |(name, ledger): (&str, &Ledger)| StageStatus {
            name: name.into(),
            ledger: ledger.read(),
        };
        self.all().map(status).into()
    }
}

/// How one source is doing.
#[derive(Debug)]
pub struct SourceBoard {
    name: SmolStr,
    kind: &'static str,
    /// Its account.
    pub ledger: Arc<Ledger>,
    /// Bytes of input consumed.
    pub progress: Arc<AtomicU64>,
    /// Set to make it end.
    pub stop: Arc<AtomicBool>,
    /// Why it sees nothing at the moment, although it runs.
    pub trouble: Arc<Trouble>,
    kernel_drops: AtomicU64,
    seen_until: AtomicI64,
    state: Mutex<(SourceState, Option<String>)>,
}

/// The content of a mutex, also after a panic elsewhere: the values here are replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    /// A board for these sources, none of which has started.
    pub fn new(sources: &[SourceConfig], engine: EngineSummary, now: Timestamp) -> Self {
        Self {
            started_at: now,
            sources: sources.iter().map(|source| Arc::new(SourceBoard::new(source))).collect(),
            engine: Mutex::new(engine),
            store_error: Mutex::new(None),
            stages: Stages::default(),
            standings: Standings::default(),
            queued_batches: AtomicU64::new(0),
            queued_writes: AtomicU64::new(0),
        }
    }

    /// The board of the source at `index` in the configuration.
    pub fn source(&self, index: usize) -> Arc<SourceBoard> {
        Arc::clone(&self.sources[index])
    }

    /// All sources, in the order of the configuration.
    pub fn sources(&self) -> &[Arc<SourceBoard>] {
        &self.sources
    }

    /// The engine's last word about itself.
    pub fn set_engine(&self, summary: EngineSummary) {
        *locked(&self.engine) = summary;
    }

    /// Why the store cannot be written; `None` once it can.
    pub fn set_store_error(&self, error: Option<String>) {
        *locked(&self.store_error) = error;
    }

    /// Whether every source has ended and everything it gave is stored.
    pub fn is_drained(&self) -> bool {
        self.sources.iter().all(|source| source.state() != SourceState::Running)
            && self.queued_batches.load(Relaxed) == 0
            && self.queued_writes.load(Relaxed) == 0
    }

    /// Brings the metrics up to what is known now; called before they are read.
    pub fn publish_metrics(&self) {
        for source in &self.sources {
            source.publish_metrics();
        }
        self.stages.publish_metrics();
        let engine = locked(&self.engine);
        metrics::gauge!("egret_engine_live_sessions").set(engine.live_sessions as f64);
        metrics::counter!("egret_engine_late_events_total").absolute(engine.late_events);
        metrics::counter!("egret_engine_evicted_sessions_total").absolute(engine.evicted_sessions);
        metrics::counter!("egret_engine_evicted_pasts_total").absolute(engine.evicted_pasts);
        let waiting = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        metrics::gauge!("egret_queued_batches").set(waiting(&self.queued_batches));
        metrics::gauge!("egret_queued_writes").set(waiting(&self.queued_writes));
        let is_writable = locked(&self.store_error).is_none();
        metrics::gauge!("egret_store_writable").set(f64::from(u8::from(is_writable)));
    }

    /// Everything, for the API.
    pub fn status(&self, now: Timestamp, targets: Vec<TargetStatus>) -> Status {
        let engine = locked(&self.engine).clone();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            now,
            stage: engine.stage,
            baseline_sessions: engine.baseline_sessions,
            baseline_frozen_at: engine.baseline_frozen_at,
            live_sessions: engine.live_sessions,
            queued_batches: self.queued_batches.load(Relaxed),
            queued_writes: self.queued_writes.load(Relaxed),
            store_error: locked(&self.store_error).clone(),
            sources: self.sources.iter().map(|source| source.status()).collect(),
            stages: self.stages.status(),
            targets,
        }
    }
}

impl SourceBoard {
    fn new(source: &SourceConfig) -> Self {
        Self {
            name: source.name.clone(),
            kind: source.kind.word(),
            ledger: Arc::default(),
            progress: Arc::default(),
            stop: Arc::default(),
            trouble: Arc::default(),
            kernel_drops: AtomicU64::new(0),
            seen_until: AtomicI64::new(Timestamp::MIN.as_nanos()),
            state: Mutex::new((SourceState::Running, None)),
        }
    }

    /// Its configured name.
    pub fn name(&self) -> &SmolStr {
        &self.name
    }

    /// Notes how far its own time has come.
    pub fn seen(&self, until: Timestamp) {
        self.seen_until.fetch_max(until.as_nanos(), Relaxed);
    }

    /// Notes packets that the kernel dropped.
    pub fn add_kernel_drops(&self, packets: u64) {
        self.kernel_drops.fetch_add(packets, Relaxed);
    }

    /// Notes that it runs, has ended, or has failed and why.
    pub fn set_state(&self, state: SourceState, error: Option<String>) {
        *locked(&self.state) = (state, error);
    }

    /// Whether it runs.
    pub fn state(&self) -> SourceState {
        self.state_and_error().0
    }

    /// Whether it runs, and what is wrong. One that tries again by itself runs, but as long as it
    /// sees nothing it counts as failed.
    fn state_and_error(&self) -> (SourceState, Option<String>) {
        let told = locked(&self.state).clone();
        match self.trouble.get() {
            Some(trouble) if told.0 == SourceState::Running => (SourceState::Failed, Some(trouble)),
            _ => told,
        }
    }

    /// The account, by source: received = passed + the sum of lost over all reasons.
    fn publish_metrics(&self) {
        let source = || self.name.to_string();
        let ledger = self.ledger.read();
        metrics::counter!("egret_source_received_total", "source" => source())
            .absolute(ledger.received);
        metrics::counter!("egret_source_passed_total", "source" => source())
            .absolute(ledger.passed);
        for (reason, count) in ledger.lost {
            metrics::counter!(
                "egret_source_lost_total", "source" => source(), "reason" => reason.word()
            )
            .absolute(count);
        }
        let (state, _) = self.state_and_error();
        let gauge = |is: bool| f64::from(u8::from(is));
        metrics::gauge!("egret_source_up", "source" => source())
            .set(gauge(state == SourceState::Running));
        metrics::gauge!("egret_source_failed", "source" => source())
            .set(gauge(state == SourceState::Failed));
        let seen_until = self.seen_until.load(Relaxed);
        if seen_until > Timestamp::MIN.as_nanos() {
            metrics::gauge!("egret_source_seen_until_seconds", "source" => source())
                .set(seen_until as f64 / 1e9);
        }
    }

    fn status(&self) -> SourceStatus {
        let (state, error) = self.state_and_error();
        let seen_until = Timestamp::from_nanos(self.seen_until.load(Relaxed));
        SourceStatus {
            name: self.name.clone(),
            kind: self.kind.into(),
            state,
            error,
            ledger: self.ledger.read(),
            seen_until: (seen_until > Timestamp::MIN).then_some(seen_until),
            kernel_drops: self.kernel_drops.load(Relaxed),
        }
    }
}
