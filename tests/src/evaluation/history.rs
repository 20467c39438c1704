//! What is learned before an evaluation: weeks of ordinary traffic become a baseline.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use egret::simulate::{Manner, Plan, Scenario, Written, write};
use egret_event::Timestamp;
use serde::Deserialize;
use tempfile::TempDir;

use crate::binary::egret;

/// One day of history for each seed.
const DAY: Duration = Duration::from_secs(86_400);

/// Days between the history and what is judged by it: what unlikely sessions taught waits for a week.
const DAYS_BETWEEN: u32 = 9;

/// Ordinary traffic before what is tried, by other seeds than that.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// Seeds, from 1 on: as many days.
    pub seeds: u32,
    /// Sessions of each.
    pub sessions: u32,
}

/// A baseline in a file, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Learned {
    folder: TempDir,
    /// Incidents that were opened on the way, day by day.
    pub(super) incidents: Vec<u64>,
}

/// What `egret learn` says.
#[derive(Deserialize)]
struct Lesson {
    incidents: u64,
}

impl Learned {
    /// Where it stands.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("baseline")
    }
}

impl History {
    /// Writes and learns it, so that it ends [`DAYS_BETWEEN`] days before `start`.
    ///
    /// # Errors
    /// When a day cannot be written or read.
    pub(super) fn learn(self, start: Timestamp) -> Result<Learned> {
        self.learn_and(start, |_| Ok(()))
    }

    /// The same, and gives each day to `take` as well.
    pub(super) fn learn_and(
        self,
        start: Timestamp,
        mut take: impl FnMut(Written) -> Result<()>,
    ) -> Result<Learned> {
        let folder = tempfile::tempdir().context("no folder for a baseline")?;
        let mut learned = Learned { folder, incidents: Vec::new() };
        let path = learned.path();
        // The next day is written while one is learned.
        let (days, written) = sync_channel(1);
        thread::scope(|scope| {
            scope.spawn(move || {
                for seed in 1..=self.seeds {
                    let at = start - DAY * (self.seeds - seed + DAYS_BETWEEN);
                    if days.send(self.write(seed, at)).is_err() {
                        return;
                    }
                }
            });
            written.into_iter().try_for_each(|day| {
                let (_folder, day) = day?;
                learned.incidents.push(learn(&day, &path)?.incidents);
                take(day)
            })
        })?;
        Ok(learned)
    }

    fn write(self, seed: u32, start: Timestamp) -> Result<(TempDir, Written)> {
        let folder = tempfile::tempdir().context("no folder for a day")?;
        let plan = Plan {
            scenario: Scenario::BENIGN,
            manner: Manner::Plain,
            seed: u64::from(seed),
            start,
            benign_sessions: self.sessions,
            most_bytes: None,
        };
        let written = write(&plan, folder.path())?;
        Ok((folder, written))
    }
}

/// Learns a day on top of what is in `baseline`, if there is something.
fn learn(day: &Written, baseline: &Path) -> Result<Lesson> {
    let mut command = Command::new(egret());
    command.args(["learn", "--format", "json"]).arg("--config").arg(&day.configuration);
    command.arg("--executors").arg(&day.registrations).arg("--out").arg(baseline);
    if baseline.exists() {
        command.arg("--set").arg(format!("analyzer.baseline={}", baseline.display()));
    }
    let output = command.args(day.inputs()).output().context("egret cannot be started")?;
    if !output.status.success() {
        bail!("egret failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("egret learn does not say what it learned")
}
