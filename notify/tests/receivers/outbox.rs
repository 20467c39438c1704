//! An outbox on disk, the delivery that empties it, and the clock both go by.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egret_analyzer::IncidentChange;
use egret_event::Timestamp;
use egret_notify::{Deliveries, NotifyError, RawNotify, Standings, Target, route, run};
use egret_store::{RawStore, Store, WriteUnit};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::sample::AT;

/// Keeps tokio's paused clock from running ahead while this is alive: without it, time jumps to
/// the next timeout whenever all tasks wait for a socket.
pub(crate) struct HeldClock(
    #[expect(dead_code, reason = "it is dropped")] std::sync::mpsc::Sender<()>,
);

impl HeldClock {
    /// Needs a runtime whose time is paused; sets the virtual time to [`AT`].
    pub(crate) fn hold() -> Self {
        let (held, released) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || released.recv());
        START.with(|start| start.set(Some(Instant::now())));
        Self(held)
    }

    /// Moves the time on.
    pub(crate) async fn advance(&self, by: Duration) {
        tokio::time::advance(by).await;
    }

    /// Lets time pass, ten minutes at most, until `holds`.
    pub(crate) async fn pass_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..6000 {
            if holds() {
                return;
            }
            breathe().await;
            self.advance(Duration::from_millis(100)).await;
        }
        panic!("not so after ten virtual minutes: {what}");
    }
}

thread_local! {
    static START: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

/// The virtual time.
pub(crate) fn now() -> Timestamp {
    let start = START.get().expect("the test holds the clock");
    AT + Instant::now().duration_since(start)
}

/// An outbox, and the targets it is for.
pub(crate) struct Outbox {
    pub(crate) store: Store,
    pub(crate) targets: Vec<Target>,
    wake: Arc<Notify>,
    /// Why Egret is not well.
    pub(crate) reasons: Arc<Mutex<Vec<String>>>,
    /// How the targets are doing.
    pub(crate) standings: Standings,
    dir: TempDir,
}

/// Where the incidents' pages are said to be.
pub(crate) const DASHBOARD: &str = "https://egret.example.org";

fn targets(toml: &str) -> Vec<Target> {
    let targets = toml::from_str::<RawNotify>(toml).unwrap().check().unwrap();
    targets.into_iter().map(|target| target.linking_to(Some(DASHBOARD))).collect()
}

/// A delivery that runs.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), NotifyError>>,
}

impl Outbox {
    /// An empty outbox for the targets in `toml`, where `DIR` is a directory that holds a
    /// webhook secret in the file `secret`.
    pub(crate) fn new(toml: &str) -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("secret"), crate::http::SECRET).unwrap();
        let path = Some(dir.path().join("egret.db"));
        let store = Store::open(&RawStore { path, ..RawStore::default() }.check()).unwrap();
        let toml = toml.replace("DIR", dir.path().to_str().unwrap());
        let targets = targets(&toml);
        let (wake, reasons, standings) = Default::default();
        Self { store, targets, wake, reasons, standings, dir }
    }

    /// The same outbox after a restart, with its targets as `toml` has them now.
    pub(crate) fn with_targets(mut self, toml: &str) -> Self {
        self.configure(toml);
        self
    }

    /// Gives it other targets, for the next start.
    pub(crate) fn configure(&mut self, toml: &str) {
        let toml = toml.replace("DIR", self.dir.path().to_str().unwrap());
        self.targets = targets(&toml);
    }

    /// Puts alerts about changes into the outbox, as the pipeline does, and wakes the delivery.
    pub(crate) fn put(&self, changes: &[IncidentChange]) {
        let alerts = route(&self.targets, changes, now());
        let unit = WriteUnit { changes, alerts: &alerts, now: now(), ..WriteUnit::default() };
        let written = self.store.commit(&unit).unwrap();
        let fates = written.alerts + written.repeats + written.unneeded;
        assert_eq!(fates, alerts.len() as u64, "an alert was there before");
        self.wake.notify_one();
    }

    /// Tells the delivery that there is something new.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn start(&self) -> Running {
        self.start_by(now)
    }

    /// With another clock; what is put has the virtual time.
    pub(crate) fn start_by(&self, clock: fn() -> Timestamp) -> Running {
        let (stop, stopped) = watch::channel(false);
        let (store, targets, wake) = (self.store.clone(), self.targets.clone(), self.wake.clone());
        let reasons = Arc::clone(&self.reasons);
        let wellness = Arc::new(move || reasons.lock().unwrap().clone());
        let standings = self.standings.clone();
        let deliveries = Deliveries { store, targets, wake, wellness, standings, now: clock };
        Running { stop, task: tokio::spawn(run(deliveries, stopped)) }
    }

    /// Path of the store's file.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("egret.db")
    }

    /// How many alerts wait for `target`, and how many are dead.
    pub(crate) fn counts(&self, target: &str) -> (u64, u64) {
        let counts = self.store.outbox_counts().unwrap();
        let own = counts.into_iter().find(|(name, _, _)| name == target);
        own.map_or((0, 0), |(_, waiting, dead)| (waiting, dead))
    }

    /// What became of the only dead letter.
    pub(crate) fn dead_error(&self) -> String {
        let [dead] = &self.store.dead_letters(None).unwrap()[..] else { panic!("one dead letter") };
        dead.last_error.clone().unwrap()
    }

    /// Waits until the next attempt for `target` lies ahead, and says how far.
    pub(crate) async fn next_wait(&self, target: &str) -> Duration {
        let mut wait = Duration::ZERO;
        until("an attempt is put off", || {
            wait = self.store.outbox_next(target).unwrap().map_or(wait, |next| next.since(now()));
            !wait.is_zero()
        })
        .await;
        wait
    }

    /// What the last attempt for `target` ended with, of the alert that is due after `wait`.
    pub(crate) fn last_error(&self, target: &str, wait: Duration) -> String {
        let due = self.store.outbox_due(target, now() + wait, 1).unwrap();
        due[0].last_error.clone().unwrap()
    }
}

impl Running {
    /// Ends the delivery; what is under way is finished and written down.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }

    /// Ends the delivery while an attempt hangs, so that time must pass.
    pub(crate) async fn stop_hanging(self, clock: &HeldClock) {
        self.stop.send_replace(true);
        clock.pass_until("the delivery has ended", || self.task.is_finished()).await;
        self.stop().await;
    }
}

/// Waits until `holds`, in real time and at most half a minute, while virtual time stands still.
/// For what happens elsewhere: in another process, or in the store.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        breathe().await;
    }
    panic!("not so after 30 s: {what}");
}

/// Gives all tasks, and other processes, some real time.
pub(crate) async fn breathe() {
    let pause = || std::thread::sleep(Duration::from_millis(5));
    tokio::task::spawn_blocking(pause).await.unwrap();
}
