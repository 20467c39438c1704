//! How well Egret detects: simulated attacks among ordinary traffic go through the built `egret` as
//! captures and proxy logs, and its incidents are held against what really happened.
//!
//! Everything follows from seeds, so that the same program gives the same figures.

mod bounds;
mod exceptions;
mod figures;
mod history;
mod ordinary;
mod peers;
mod real;
mod report;
mod trial;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use anyhow::Result;
use egret::simulate::{FIRST_HELD_OUT_SEED, Manner, Scenario};

pub use bounds::{Interval, clopper_pearson};
pub use figures::{Figures, Found, Measured, Row};
pub use history::History;
pub use peers::{PeersExtent, compare};
pub use real::real;
pub use report::report;
pub use trial::{Attempt, Outcome, Price, Trial};

/// The first seed of an evaluation. Tests, demonstrations and whoever tunes a detector use smaller
/// ones: what these seeds give was not looked at before, and the recordings of real programs that they
/// replay are replayed by no smaller one.
const HELD_OUT: u64 = FIRST_HELD_OUT_SEED;

/// The first seed of those that detectors are tuned on.
const TO_TUNE_ON: u64 = 501;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// What is learned from before, for the figures that are not cold.
    pub history: History,
    /// The first seed of attacks and of ordinary traffic.
    pub first_seed: u64,
    /// The attacks. Empty: all of them.
    pub attacks: &'static [&'static str],
    /// Seeds of each attack in each manner.
    pub attack_seeds: u64,
    /// Ordinary sessions around each of these.
    pub sessions_beside: u32,
    /// Seeds of ordinary traffic without an attack.
    pub benign_seeds: u64,
    /// Ordinary sessions of each of these.
    pub benign_sessions: u32,
}

impl Extent {
    /// What the published figures stand on: 30,000 ordinary sessions.
    pub const WHOLE: Self = Self {
        history: History { seeds: 60, sessions: 500 },
        first_seed: HELD_OUT,
        attacks: &[],
        attack_seeds: 30,
        sessions_beside: 12,
        benign_seeds: 60,
        benign_sessions: 500,
    };

    /// For whoever tunes a detector: with seeds that are not held out, and fewer of them.
    pub const TUNING: Self =
        Self { first_seed: TO_TUNE_ON, attack_seeds: 6, benign_seeds: 16, ..Self::WHOLE };

    /// Enough to see that the evaluation works.
    pub const QUICK: Self = Self {
        history: History { seeds: 2, sessions: 60 },
        first_seed: HELD_OUT,
        attacks: &["bulk-upload", "slow-drip", "blocked-probes", "burst"],
        attack_seeds: 1,
        sessions_beside: 4,
        benign_seeds: 1,
        benign_sessions: 60,
    };

    fn trials(self) -> Vec<Trial> {
        let Self { attacks, sessions_beside, benign_sessions, first_seed, .. } = self;
        let benign = (0..self.benign_seeds).map(|n| Trial {
            scenario: Scenario::BENIGN,
            manner: Manner::Plain,
            seed: first_seed + n,
            benign_sessions,
            most_bytes: None,
        });
        let wanted = |s: &Scenario| attacks.is_empty() || attacks.contains(&s.word());
        let attacks = Scenario::attacks().filter(wanted).flat_map(|scenario| {
            Manner::ALL.into_iter().flat_map(move |manner| {
                (0..self.attack_seeds).map(move |n| Trial {
                    scenario,
                    manner,
                    seed: first_seed + n,
                    benign_sessions: sessions_beside,
                    most_bytes: None,
                })
            })
        });
        // The long ones first, so that all cores end about together.
        benign.chain(attacks).collect()
    }
}

/// Runs all trials, as many at once as there are cores: each cold, and with what was learned.
///
/// # Errors
/// When one cannot be written, analyzed or understood.
pub fn evaluate(extent: Extent) -> Result<Figures> {
    let learned = extent.history.learn(trial::START)?;
    let baseline = learned.path();
    let baselines = [None, Some(baseline.as_path())];
    let outcomes = Mutex::new(BTreeMap::new());
    run_all(&extent.trials(), |_, trial| {
        let both = trial.run(&baselines)?;
        let place = (trial.scenario, trial.manner, trial.seed);
        outcomes.lock().unwrap_or_else(|broken| broken.into_inner()).insert(place, both);
        Ok(())
    })?;
    let outcomes = outcomes.into_inner().unwrap_or_else(|broken| broken.into_inner());
    let of = |which: usize| Measured::of(outcomes.values().filter_map(|both| both.get(which)));
    Ok(Figures::of(extent, &learned.incidents, (of(0), of(1))))
}

/// Runs trials, each with its place among them, as many at once as there are cores.
fn run_all(trials: &[Trial], run: impl Fn(usize, &Trial) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let place = next.fetch_add(1, Relaxed);
            let Some(trial) = trials.get(place) else { return Ok(()) };
            run(place, trial)?;
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
