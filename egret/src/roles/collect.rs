//! Runs the sources: files together, merged by time; live interfaces and followed logs each on
//! their own thread.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use egret_api::SourceState;
use egret_collector::{
    AttributionTable, CollectError, ConnectionNames, Context, Refused, Scanner, SourceConfig,
    run as run_source, unwatched,
};
use egret_event::{
    EventBatch, Fact, GapReason, InputPosition, Loss, MAX_BATCH_EVENTS, SmolStr, Timestamp,
};
use tokio::sync::mpsc;

use super::board::{Board, SourceBoard};
use super::merge::{self, merge};
use crate::clock;

/// The source of events about who has which address.
const ATTRIBUTION: &str = "attribution";

/// How often disputes about executors are told.
const TELL_DISPUTES: Duration = Duration::from_secs(1);

/// Pause before a source that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// What the engine's thread receives.
#[derive(Debug)]
pub enum ToEngine {
    /// Events.
    Batch(EventBatch),
    /// A second has passed.
    Tick(Timestamp),
}

/// What the sources need.
pub struct Collect {
    /// The sources.
    pub sources: Vec<SourceConfig>,
    /// Who has which address when.
    pub attribution: Arc<AttributionTable>,
    /// Where followed logs go on.
    pub resume: Vec<InputPosition>,
    /// What looks for secrets.
    pub scanner: Arc<Scanner>,
    /// When an earlier run was last known to work. `None`: there was none.
    pub worked_until: Option<Timestamp>,
    /// The files that are still to be read (see [`unread_files`]).
    pub unread_files: BTreeSet<SmolStr>,
    /// Where they tell how they are doing.
    pub board: Arc<Board>,
}

/// Starts all sources. Their threads end when their input does, or after the board told them to.
pub fn run(collect: Collect, out: &mpsc::Sender<ToEngine>) -> Vec<JoinHandle<()>> {
    let resume: Arc<[InputPosition]> = collect.resume.into();
    let names = ConnectionNames::default();
    let mut files = Vec::new();
    let mut threads = Vec::new();
    for (index, source) in collect.sources.into_iter().enumerate() {
        let board = collect.board.source(index);
        let context = Context {
            attribution: Arc::clone(&collect.attribution),
            scanner: Arc::clone(&collect.scanner),
            ledger: Arc::clone(&board.ledger),
            stop: Arc::clone(&board.stop),
            now: clock::now,
            progress: Arc::clone(&board.progress),
            names: names.clone(),
            trouble: Arc::clone(&board.trouble),
        };
        let sender = Sender { out: out.clone(), overall: Arc::clone(&collect.board), board };
        if source.kind.is_finite() {
            if !collect.unread_files.contains(&source.name) {
                sender.board.set_state(SourceState::Ended, None);
            } else {
                files.push((merge::Input { source, context }, sender));
            }
        } else {
            let resume = Arc::clone(&resume);
            threads.push(thread::spawn(move || {
                let _watched = Watched(Arc::clone(&sender.board));
                if let Some(since) = collect.worked_until {
                    tell_unwatched(&source, since, &sender);
                }
                run_endless(&source, &resume, &context, &sender);
            }));
        }
    }
    threads.push({
        let (board, out) = (Arc::clone(&collect.board), out.clone());
        thread::spawn(move || tell_disputes(&collect.attribution, &board, &out))
    });
    if !files.is_empty() {
        threads.push(thread::spawn(move || {
            let _watched: Vec<Watched> =
                files.iter().map(|(_, sender)| Watched(Arc::clone(&sender.board))).collect();
            run_files(files);
        }));
    }
    threads
}

/// Tells what those who name executors do not agree on, until all sources were told to stop.
fn tell_disputes(table: &AttributionTable, board: &Board, out: &mpsc::Sender<ToEngine>) {
    let name = SmolStr::new_static(ATTRIBUTION);
    let has_stopped = || board.sources().iter().all(|source| source.stop.load(Relaxed));
    loop {
        let is_last = has_stopped();
        let disputes = table.take_disputes();
        for some in disputes.chunks(MAX_BATCH_EVENTS) {
            let events: Vec<_> = some.iter().map(|dispute| dispute.event(&name)).collect();
            let batch = EventBatch {
                source: name.clone(),
                events,
                position: None,
                // These come late and by the way: nobody waits for this source's time.
                seen_until: Timestamp::MIN,
            };
            if send(board, out, batch).is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
        wait_unless(TELL_DISPUTES, &has_stopped);
    }
}

/// Names of the sources that go on for ever: their silence means something.
pub fn endless(sources: &[SourceConfig]) -> Vec<SmolStr> {
    let endless = sources.iter().filter(|source| !source.kind.is_finite());
    endless.map(|source| source.name.clone()).collect()
}

/// Names of the sources that come to an end by themselves and were not read to it before.
pub fn unread_files(sources: &[SourceConfig], resume: &[InputPosition]) -> BTreeSet<SmolStr> {
    let was_read = |source: &SourceConfig| {
        source.kind.path().and_then(end_of_file).is_some_and(|end| resume.contains(&end))
    };
    let unread = sources.iter().filter(|source| source.kind.is_finite() && !was_read(source));
    unread.map(|source| source.name.clone()).collect()
}

/// Makes sure that a source whose thread panics does not look as if it were running.
struct Watched(Arc<SourceBoard>);

impl Drop for Watched {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = "its thread broke off: please report the message in the log".to_owned();
            self.0.set_state(SourceState::Failed, Some(error));
        }
    }
}

/// Waits for a place in the queue to the engine.
fn send(board: &Board, out: &mpsc::Sender<ToEngine>, batch: EventBatch) -> Result<(), Refused> {
    let events = batch.events.len() as u64;
    board.stages.queue.receive(events);
    board.queued_batches.fetch_add(1, Relaxed);
    out.blocking_send(ToEngine::Batch(batch)).map_err(|_| {
        board.queued_batches.fetch_sub(1, Relaxed);
        board.stages.queue.lose(Loss::Stopped, events);
        Refused::Closed
    })
}

/// The way from one source to the engine.
struct Sender {
    out: mpsc::Sender<ToEngine>,
    overall: Arc<Board>,
    board: Arc<SourceBoard>,
}

impl Sender {
    /// Waits for a place in the queue.
    fn block(&self, batch: EventBatch) -> Result<(), Refused> {
        self.board.seen(batch.seen_until);
        send(&self.overall, &self.out, batch)
    }

    /// Gives the batch back when there is no place.
    fn drop_newest(&self, batch: EventBatch) -> Result<(), Refused> {
        self.board.seen(batch.seen_until);
        let kernel_drops = kernel_drops(&batch);
        let (queue, events) = (&self.overall.stages.queue, batch.events.len() as u64);
        queue.receive(events);
        self.overall.queued_batches.fetch_add(1, Relaxed);
        let sent = self.out.try_send(ToEngine::Batch(batch));
        if sent.is_ok() {
            self.board.add_kernel_drops(kernel_drops);
        }
        sent.map_err(|refused| {
            self.overall.queued_batches.fetch_sub(1, Relaxed);
            match refused {
                mpsc::error::TrySendError::Full(ToEngine::Batch(batch)) => {
                    queue.lose(Loss::QueueFull, events);
                    Refused::Full(batch)
                }
                _ => {
                    queue.lose(Loss::Stopped, events);
                    Refused::Closed
                }
            }
        })
    }
}

fn kernel_drops(batch: &EventBatch) -> u64 {
    let drops = batch.events.iter().filter_map(|event| match &event.fact {
        Fact::Gap(gap) if gap.reason == GapReason::KernelDrop => Some(gap.count),
        _ => None,
    });
    drops.sum()
}

/// The position that says a file was read to its end.
fn end_of_file(path: &Path) -> Option<InputPosition> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().ok()?;
    Some(InputPosition {
        path: path.display().to_string(),
        device: metadata.dev(),
        inode: metadata.ino(),
        first_line: 0,
        offset: metadata.len(),
    })
}

/// Tells that nobody watched this source since then, unless what feeds it waits.
fn tell_unwatched(source: &SourceConfig, since: Timestamp, sender: &Sender) {
    let now = clock::now();
    if source.kind.can_wait() || since >= now {
        return;
    }
    let batch = EventBatch {
        source: source.name.clone(),
        events: vec![unwatched(&source.name, since, now)],
        position: None,
        seen_until: now,
    };
    // Nobody listening any more is a reason to end, which comes next.
    let _ = sender.block(batch);
}

/// Runs a live interface, a port or a followed log until it is told to stop; after a failure it is tried
/// again, since interfaces and files come and go.
fn run_endless(
    source: &SourceConfig,
    resume: &[InputPosition],
    context: &Context,
    sender: &Sender,
) {
    // Where it stands, so that after a failure nothing is read twice.
    let mut standing = resume.to_vec();
    let mut failed_at = None;
    while !context.stop.load(Relaxed) {
        if let Some(since) = failed_at.take() {
            tell_unwatched(source, since, sender);
        }
        sender.board.set_state(SourceState::Running, None);
        let mut handed_over = None;
        let mut emit = |batch: EventBatch| {
            let position = batch.position.clone();
            if source.kind.can_wait() { sender.block(batch) } else { sender.drop_newest(batch) }?;
            handed_over = position.or_else(|| handed_over.take());
            Ok(())
        };
        let ended = run_source(source, &standing, context, &mut emit);
        if let Some(position) = handed_over {
            standing = vec![position];
        }
        match ended {
            Ok(()) => break,
            Err(error) => report(&sender.board, &source.name, &error),
        }
        failed_at = Some(clock::now());
        wait(RETRY_PAUSE, &context.stop);
    }
    if sender.board.state() == SourceState::Running {
        sender.board.set_state(SourceState::Ended, None);
    }
}

/// Sleeps for `pause`, or until `stop`.
fn wait(pause: Duration, stop: &AtomicBool) {
    wait_unless(pause, &|| stop.load(Relaxed));
}

fn wait_unless(pause: Duration, is_over: &dyn Fn() -> bool) {
    let step = Duration::from_millis(100);
    let mut left = pause;
    while !left.is_zero() && !is_over() {
        thread::sleep(step.min(left));
        left = left.saturating_sub(step);
    }
}

fn report(board: &SourceBoard, name: &SmolStr, error: &CollectError) {
    tracing::error!(source = %name, %error, "source failed");
    metrics::counter!("egret_source_failures_total", "source" => name.to_string()).increment(1);
    board.set_state(SourceState::Failed, Some(error.to_string()));
}

fn run_files(files: Vec<(merge::Input, Sender)>) {
    let (inputs, senders): (Vec<merge::Input>, Vec<Sender>) = files.into_iter().unzip();
    // The sizes are read first: what is appended later has not been read.
    let ends: Vec<_> = inputs.iter().map(|i| i.source.kind.path().and_then(end_of_file)).collect();
    let names: Vec<_> = inputs.iter().map(|input| input.source.name.clone()).collect();
    let mut emit = |batch: EventBatch| {
        let index = names.iter().position(|name| *name == batch.source).unwrap_or(0);
        senders[index].block(batch)
    };
    for finished in merge(inputs, &mut emit) {
        let sender = &senders[finished.index];
        match finished.outcome {
            Ok(()) => sender.board.set_state(SourceState::Ended, None),
            Err(error) => report(&sender.board, &names[finished.index], &error),
        }
        // An empty batch with a position tells the engine that this file is done.
        let done = EventBatch {
            source: names[finished.index].clone(),
            events: Vec::new(),
            position: ends[finished.index].clone(),
            seen_until: Timestamp::MIN,
        };
        let _ = sender.block(done);
    }
}
