//! Looks after Egret itself: what keeps it from doing its work becomes an incident, and goes the way that all
//! incidents go. What makes it one, and when it is over, the analyzer's `health` decides.
//!
//! What nobody can be told of by this way, because the way itself is broken (the store cannot be written, the process
//! is dead), the heartbeat tells by staying away.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use egret_analyzer::{Complaint, Detector, Health, IncidentChange, Quantity, Severity};
use egret_api::{SourceState, Status};
use egret_event::{LedgerReading, Loss, SmolStr, Timestamp};
use egret_notify::{Standing, Target, about_target};
use egret_store::{Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::analyze::Write;
use super::board::Board;
use super::{ENGINE_QUEUE, WRITE_QUEUE};
use crate::clock;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What passes by itself within this time is nothing to tell: a restart of a receiver, a burst.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The same for what does not pass by itself.
const SHORT_PATIENCE: Duration = Duration::from_secs(60);

/// A step of the wall clock below this is none: clocks are corrected all the time.
const LEAST_STEP: Duration = Duration::from_secs(5);

/// The part of a disk, in percent, and the bytes, below which little is free.
const LITTLE: (u64, u64) = (5, 512 << 20);

/// The same, where nearly nothing is.
const NEARLY_NOTHING: (u64, u64) = (1, 64 << 20);

/// Changes that wait for room in the store's queue, at most.
const MOST_WAITING: usize = 256;

/// Who looks, and at what.
pub struct Watchdog {
    board: Arc<Board>,
    store: Store,
    /// The directory whose disk the store is on.
    disk: PathBuf,
    /// The names of the targets.
    targets: Vec<String>,
    to_store: mpsc::Sender<Write>,
}

/// Looks every ten seconds until `stop` turns true.
///
/// # Errors
/// Where what an earlier run told cannot be read.
pub async fn run(watchdog: Watchdog, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
    let mut health = watchdog.resume().await?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Look> = None;
    let mut waiting: VecDeque<IncidentChange> = VecDeque::new();
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
        }
        let look = watchdog.look().await;
        let complaints = complaints(&look, before.as_ref());
        waiting.extend(health.look(look.at, complaints));
        // While the store cannot be written its queue is full: they are told when it can be again.
        while waiting.len() > MOST_WAITING {
            waiting.pop_front();
        }
        if !waiting.is_empty() && watchdog.hand_over(&waiting) {
            waiting.clear();
        }
        before = Some(look);
    }
}

impl Watchdog {
    /// One that looks at the board, the store in `directory` and its outbox for these targets, and writes through the
    /// store's queue.
    pub fn new(
        board: &Arc<Board>,
        (store, directory): (&Store, &Path),
        targets: &[Target],
        to_store: mpsc::Sender<Write>,
    ) -> Self {
        let (board, store) = (Arc::clone(board), store.clone());
        let targets = targets.iter().map(|target| target.name.clone()).collect();
        Self { board, store, disk: directory.to_owned(), targets, to_store }
    }

    /// Goes on with what an earlier run told.
    async fn resume(&self) -> Result<Health, StoreError> {
        let store = self.store.clone();
        let asked = tokio::task::spawn_blocking(move || store.standing_incidents(Detector::Health));
        // An error says that the runtime ends.
        let told = asked.await.unwrap_or(Ok(Vec::new()))?;
        Ok(Health::resume(told, clock::now()))
    }

    async fn look(&self) -> Look {
        let store = self.store.clone();
        let counted = tokio::task::spawn_blocking(move || store.outbox_counts()).await;
        let counts = counted.ok().and_then(Result::ok).unwrap_or_default();
        // Others are no longer there.
        let mine = counts.into_iter().filter(|(target, _, _)| self.targets.contains(target));
        let dead = mine.map(|(target, _, dead)| (target, dead)).collect();
        let at = clock::now();
        Look {
            at,
            running_for: clock::running_for(),
            status: self.board.status(at, Vec::new()),
            disk: free(&self.disk),
            standings: self.board.standings.read(),
            dead,
        }
    }

    /// Hands changes over to the store. `false`: its queue is full.
    fn hand_over(&self, changes: &VecDeque<IncidentChange>) -> bool {
        self.board.queued_writes.fetch_add(1, Relaxed);
        let changes = changes.iter().cloned().collect();
        let is_taken = self.to_store.try_send(Write { changes, ..Write::default() }).is_ok();
        if !is_taken {
            self.board.queued_writes.fetch_sub(1, Relaxed);
        }
        is_taken
    }
}

/// What was seen at one moment.
#[derive(Debug, Clone)]
struct Look {
    at: Timestamp,
    /// By a clock that is never set.
    running_for: Duration,
    status: Status,
    /// Bytes that are free on the store's disk, of how many. `None`: it cannot be asked.
    disk: Option<(u64, u64)>,
    standings: BTreeMap<String, Standing>,
    /// Alerts given up, by target.
    dead: BTreeMap<String, u64>,
}

/// The bytes free for who is not root, and all, of the disk that a path is on.
fn free(path: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}

/// All that is wrong now, also by what was seen before.
fn complaints(now: &Look, before: Option<&Look>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    sources(now, &mut complaints);
    queues(now, &mut complaints);
    targets(now, &mut complaints);
    complaints.extend(now.disk.and_then(disk));
    if let Some(before) = before {
        clocks(now, before, &mut complaints);
        accounts(now, before, &mut complaints);
    }
    complaints
}

fn measured(value: u64, unit: &'static str) -> Quantity {
    Quantity { value: value as f64, unit: SmolStr::new_static(unit) }
}

fn sources(now: &Look, complaints: &mut Vec<Complaint>) {
    let sources = now.status.sources.iter();
    for source in sources.filter(|source| source.state == SourceState::Failed) {
        let (name, error) = (&source.name, source.error.as_deref().unwrap_or("it broke off"));
        complaints.push(Complaint {
            // As incidents about its silence are: they are one story.
            about: name.clone(),
            severity: Severity::High,
            patience: SHORT_PATIENCE,
            measured: measured(1, "sources failed"),
            words: format!("Source {name:?} has failed: {error}"),
            means: "What executors send there is not seen.",
            steps: vec![
                "Run `egret doctor` on the collector: it says what is needed.".to_owned(),
                "A live interface is opened again by itself; for other sources restart Egret."
                    .to_owned(),
            ],
        });
    }
}

fn queues(now: &Look, complaints: &mut Vec<Complaint>) {
    let status = &now.status;
    // Files and logs wait, and fill the queues as long as there is something to read: only who cannot wait loses.
    let mut running = status.sources.iter().filter(|one| one.state == SourceState::Running);
    if !running.any(|source| source.kind == "live") {
        return;
    }
    for (about, queued, room, steps) in [
        (
            "queue of the engine",
            status.queued_batches,
            ENGINE_QUEUE,
            "Narrow what sources capture (`filter`), or give the machine a faster processor.",
        ),
        (
            "queue of the store",
            status.queued_writes,
            WRITE_QUEUE,
            "Look at the speed of the disk and at what else writes to it.",
        ),
    ] {
        // Three quarters: it is filled and emptied all the time.
        if queued * 4 < room as u64 * 3 {
            continue;
        }
        complaints.push(Complaint {
            about: SmolStr::new_static(about),
            severity: Severity::Medium,
            patience: PATIENCE,
            measured: measured(queued, "batches waiting"),
            words: format!("The {about} has been full for minutes"),
            means: "Incidents open late, and live capture may have to drop what comes in meanwhile.",
            steps: vec![steps.to_owned()],
        });
    }
}

/// What it means that a target is not told.
const UNTOLD: &str = "Whoever is told by it does not hear of what happens.";

fn targets(now: &Look, complaints: &mut Vec<Complaint>) {
    let standings = now.standings.iter();
    complaints
        .extend(standings.filter_map(|(name, standing)| taking_nothing(name, standing, now.at)));
    // What a target that wants no more was not told is part of that story.
    let is_off = |name| now.standings.get(name).is_some_and(|standing| standing.is_off);
    let dead = now.dead.iter().filter(|(name, dead)| **dead > 0 && !is_off(*name));
    complaints.extend(dead.map(|(name, dead)| given_up(name, *dead)));
}

fn taking_nothing(name: &str, standing: &Standing, now: Timestamp) -> Option<Complaint> {
    let since = standing.failing_since?;
    let error = standing.error.as_deref().unwrap_or_default();
    let (patience, words, steps) = if standing.is_off {
        (
            Duration::ZERO,
            format!("Target {name:?} wants no more alerts: {error}"),
            [
                "Give it its new address or take it out of the configuration, and restart Egret."
                    .to_owned(),
                format!(
                    "Then run `egret dlq replay --target {name}`: what it was not told is sent."
                ),
            ],
        )
    } else {
        (
            PATIENCE,
            format!("Target {name:?} has taken nothing since {since}: {error}"),
            [
                format!("Run `egret notify test {name}`: it shows what is said and answered."),
                "What waits is delivered as soon as the target takes it, for three days."
                    .to_owned(),
            ],
        )
    };
    Some(Complaint {
        about: about_target(name).into(),
        severity: Severity::High,
        patience,
        measured: measured(now.since(since).as_secs(), "seconds without success"),
        words,
        means: UNTOLD,
        steps: steps.into(),
    })
}

fn given_up(name: &str, dead: u64) -> Complaint {
    Complaint {
        about: format!("{}: given up", about_target(name)).into(),
        severity: Severity::Medium,
        patience: Duration::ZERO,
        measured: measured(dead, "alerts given up"),
        words: format!("Alerts for target {name:?} were given up"),
        means: UNTOLD,
        steps: vec![
            "Run `egret dlq list`: it shows them, and why.".to_owned(),
            "Run `egret dlq replay` when the cause is gone: they are sent then.".to_owned(),
        ],
    }
}

fn disk((free, all): (u64, u64)) -> Option<Complaint> {
    let is_below = |(percent, bytes): (u64, u64)| {
        u128::from(free) * 100 < u128::from(all) * u128::from(percent) || free < bytes
    };
    let (about, severity, part) = if is_below(NEARLY_NOTHING) {
        ("full disk of the store", Severity::Critical, "nearly nothing")
    } else if is_below(LITTLE) {
        ("disk of the store", Severity::High, "little")
    } else {
        return None;
    };
    Some(Complaint {
        about: SmolStr::new_static(about),
        severity,
        patience: Duration::ZERO,
        measured: measured(free, "bytes free"),
        words: format!("There is {part} left on the disk of the store ({} MiB)", free >> 20),
        means: "When nothing is left, nothing is stored and nobody is told of anything; the heartbeat then stays \
                away.",
        steps: vec![
            "Free some, or move the store (`store.path`) to a larger disk.".to_owned(),
            "Lower `store.max_size` or `store.keep_events`: what is beyond is deleted.".to_owned(),
        ],
    })
}

fn clocks(now: &Look, before: &Look, complaints: &mut Vec<Complaint>) {
    let ran = now.running_for.saturating_sub(before.running_for);
    let expected = before.at + ran;
    let (step, way) = match now.at >= expected {
        true => (now.at.since(expected), "ahead"),
        false => (expected.since(now.at), "back"),
    };
    if step >= LEAST_STEP {
        complaints.push(Complaint {
            about: SmolStr::new_static("clock of this machine"),
            severity: Severity::Medium,
            patience: Duration::ZERO,
            measured: measured(step.as_secs(), "seconds"),
            words: format!("The clock of this machine jumped {} s {way}", step.as_secs()),
            means: "Times of what was seen before and after it do not fit, and beacons and bursts may be missed or \
                    made up. Or the machine was suspended, and saw nothing.",
            steps: vec!["Let the clock be kept by NTP (chrony, systemd-timesyncd).".to_owned()],
        });
    }
    let from_future = |look: &Look| {
        let stages = look.status.stages.iter();
        stages.map(|stage| lost(&stage.ledger, Loss::FromFuture)).sum::<u64>()
    };
    let more = from_future(now).saturating_sub(from_future(before));
    if more > 0 {
        complaints.push(Complaint {
            about: SmolStr::new_static("clock of a source"),
            severity: Severity::Medium,
            patience: Duration::ZERO,
            measured: measured(more, "events"),
            words: format!("Events came from the future, {more} within seconds"),
            means: "They are stored, but not judged: what they tell of opens no incident.",
            steps: vec![
                "The metric `egret_engine_future_events_total` names the source: set its clock."
                    .to_owned(),
            ],
        });
    }
}

fn lost(ledger: &LedgerReading, reason: Loss) -> u64 {
    ledger.lost.iter().filter(|(known, _)| *known == reason).map(|(_, count)| count).sum()
}

/// Accounts that rest, while nothing is under way, and still do not balance.
fn accounts(now: &Look, before: &Look, complaints: &mut Vec<Complaint>) {
    let rests = |look: &Look| look.status.queued_batches + look.status.queued_writes == 0;
    if !rests(now) || !rests(before) {
        return;
    }
    let all = |look: &Look| -> Vec<(String, LedgerReading)> {
        let sources = look.status.sources.iter();
        let sources = sources.map(|one| (format!("source {:?}", one.name), one.ledger.clone()));
        let stages = look.status.stages.iter();
        let stages = stages.map(|one| (format!("stage {:?}", one.name), one.ledger.clone()));
        sources.chain(stages).collect()
    };
    for ((name, ledger), (_, earlier)) in all(now).into_iter().zip(all(before)) {
        let accounted = ledger.passed + ledger.lost.iter().map(|(_, count)| count).sum::<u64>();
        if ledger != earlier || accounted == ledger.received {
            continue;
        }
        complaints.push(Complaint {
            about: format!("account of {name}").into(),
            severity: Severity::High,
            patience: SHORT_PATIENCE,
            measured: measured(ledger.received.abs_diff(accounted), "units"),
            words: format!(
                "The account of {name} does not balance: {} came in, {accounted} are accounted for",
                ledger.received
            ),
            means: "Something was lost and not noticed, which is a defect of Egret.",
            steps: vec!["Please report it, with what `GET /v1/status` answers.".to_owned()],
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egret_analyzer::{AnalyzerConfig, Engine};
    use egret_api::{SourceStatus, StageStatus};

    const MINUTE: Duration = Duration::from_secs(60);

    fn account(received: u64, passed: u64, lost: &[(Loss, u64)]) -> LedgerReading {
        LedgerReading { received, passed, lost: lost.to_vec() }
    }

    /// All is well, so long after the start.
    fn well(after: Duration) -> Look {
        let engine = Engine::new(AnalyzerConfig::default());
        let board = Board::new(&[], engine.summary(), Timestamp::from_secs(1000));
        let at = Timestamp::from_secs(1000) + after;
        let mut status = board.status(at, Vec::new());
        status.sources = vec![SourceStatus {
            name: "eth0".into(),
            kind: "live".into(),
            state: SourceState::Running,
            error: None,
            ledger: account(10, 8, &[(Loss::NotEgress, 2)]),
            seen_until: None,
            kernel_drops: 0,
        }];
        status.stages = vec![StageStatus { name: "engine".into(), ledger: account(8, 8, &[]) }];
        Look {
            at,
            running_for: after,
            status,
            disk: Some((50 << 30, 100 << 30)),
            standings: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    /// What is complained about a minute after all was well, where this has changed since.
    fn about(change: impl FnOnce(&mut Look)) -> Vec<String> {
        let mut now = well(2 * MINUTE);
        change(&mut now);
        let found = complaints(&now, Some(&well(MINUTE)));
        for complaint in &found {
            assert!(!complaint.words.ends_with('.') && complaint.means.ends_with('.'));
            assert!(!complaint.steps.is_empty() && complaint.words.starts_with(char::is_uppercase));
        }
        found.into_iter().map(|complaint| complaint.about.into()).collect()
    }

    #[test]
    fn nothing_is_wrong_when_all_is_well() {
        assert_eq!(about(|_| {}), [""; 0]);
        assert!(complaints(&well(MINUTE), None).is_empty());
    }

    #[test]
    fn each_trouble_is_told_by_what_it_is_about() {
        let failing = |since: i64, is_off: bool| Standing {
            failing_since: Some(Timestamp::from_secs(since)),
            error: Some("connection refused".into()),
            is_off,
        };
        assert_eq!(about(|look| look.status.sources[0].state = SourceState::Failed), ["eth0"]);
        assert_eq!(about(|look| look.status.queued_batches = 47), [""; 0]);
        assert_eq!(about(|look| look.status.queued_batches = 48), ["queue of the engine"]);
        assert_eq!(about(|look| look.status.queued_writes = 64), ["queue of the store"]);
        let pager = || "pager".to_owned();
        let standing = |standing| about(|look| _ = look.standings.insert(pager(), standing));
        assert_eq!(standing(failing(1000, false)), ["target pager"]);
        assert_eq!(standing(failing(1000, true)), ["target pager"]);
        assert_eq!(standing(Standing::default()), [""; 0]);
        assert_eq!(about(|look| _ = look.dead.insert(pager(), 3)), ["target pager: given up"]);
        assert_eq!(about(|look| _ = look.dead.insert(pager(), 0)), [""; 0]);
        let both = |is_off| {
            about(|look| {
                look.dead.insert(pager(), 3);
                look.standings.insert(pager(), failing(1000, is_off));
            })
        };
        assert_eq!(both(false), ["target pager", "target pager: given up"]);
        assert_eq!(both(true), ["target pager"]);
        assert_eq!(about(|look| look.disk = Some((4 << 30, 100 << 30))), ["disk of the store"]);
        let full = ["full disk of the store"];
        assert_eq!(about(|look| look.disk = Some((900 << 20, 100 << 30))), full);
        assert_eq!(about(|look| look.disk = Some((60 << 20, 100 << 20))), full);
        let clock = ["clock of this machine"];
        assert_eq!(about(|look| look.at = look.at + MINUTE), clock);
        assert_eq!(about(|look| look.at = look.at - MINUTE), clock);
        assert_eq!(about(|look| look.at = look.at + Duration::from_secs(2)), [""; 0]);
        let ahead = account(9, 8, &[(Loss::FromFuture, 1)]);
        assert_eq!(about(|look| look.status.stages[0].ledger = ahead), ["clock of a source"]);
    }

    #[test]
    fn an_account_is_complained_about_when_it_rests_and_does_not_balance() {
        let unbalanced = |look: &mut Look| look.status.stages[0].ledger = account(9, 8, &[]);
        let (mut before, mut now) = (well(MINUTE), well(2 * MINUTE));
        unbalanced(&mut now);
        assert!(complaints(&now, Some(&before)).is_empty(), "it does not rest");
        unbalanced(&mut before);
        let found = complaints(&now, Some(&before));
        assert_eq!(found[0].about, "account of stage \"engine\"");
        assert_eq!(found[0].measured.value.to_bits(), 1_f64.to_bits());
        now.status.queued_writes = 1;
        assert!(complaints(&now, Some(&before)).is_empty(), "something is under way");
    }

    #[test]
    fn the_disk_of_the_store_can_be_asked() {
        let (free, all) = free(&std::env::temp_dir()).unwrap();
        assert!(free <= all && all > 1 << 20);
        assert_eq!(super::free(Path::new("/nonexistent")), None);
    }
}
