//! One trial: a scenario is written, analyzed by `egret`, and judged.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use egret::simulate::{Attack, Plan, Scenario, SessionTruth, Truth, write};
use egret_analyzer::Incident;
use egret_event::Timestamp;
use serde::Deserialize;

use crate::binary::egret;

/// When simulated traffic starts: any time will do.
const START: Timestamp = Timestamp::from_secs(1_767_600_000);

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The attack, or none.
    pub scenario: Scenario,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Sessions without an attack.
    pub benign_sessions: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was tried.
    pub scenario: Scenario,
    /// Of each attack the seconds from its first packet to the alert. `None`: it was not found.
    pub found_after_s: Vec<Option<f64>>,
    /// Sessions without an attack, and how many of them raised an alert.
    pub benign: u64,
    /// How many of them raised an alert.
    pub benign_alerted: u64,
    /// Alerts about no session: a source that is blind.
    pub others: u64,
}

/// What `egret analyze` prints.
#[derive(Deserialize)]
struct Printed {
    incidents: Vec<Incident>,
}

impl Trial {
    pub(super) fn run(&self) -> Result<Outcome> {
        let folder = tempfile::tempdir().context("no folder for a trial")?;
        let plan = Plan {
            scenario: self.scenario,
            seed: self.seed,
            start: START,
            benign_sessions: self.benign_sessions,
        };
        let written = write(&plan, folder.path())?;
        let truth = std::fs::read(&written.truth).context("cannot read what was written")?;
        let truth: Truth = serde_json::from_slice(&truth)?;
        let files = [&written.capture, &written.squid_log, &written.envoy_log];
        let incidents = analyze(&written.configuration, &files.map(|file| file.as_path()))?;
        Ok(judge(&truth, &incidents))
    }
}

fn analyze(configuration: &Path, files: &[&Path]) -> Result<Vec<Incident>> {
    let mut command = Command::new(egret());
    command.arg("analyze").arg("--config").arg(configuration).args(["--format", "json"]);
    let output = command.args(files).output().context("egret cannot be started")?;
    if !output.status.success() {
        bail!("egret failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let printed: Printed = serde_json::from_slice(&output.stdout)?;
    Ok(printed.incidents)
}

/// Holds incidents against the truth. Every incident is an alert, whatever its severity.
fn judge(truth: &Truth, incidents: &[Incident]) -> Outcome {
    let mut outcome = Outcome {
        scenario: truth.scenario,
        found_after_s: Vec::new(),
        benign: 0,
        benign_alerted: 0,
        others: 0,
    };
    for session in &truth.sessions {
        let mut about = incidents.iter().filter(|incident| is_about(incident, session));
        match &session.attack {
            Some(attack) => outcome.found_after_s.push(found_after_s(about, attack)),
            None => {
                outcome.benign += 1;
                outcome.benign_alerted += u64::from(about.next().is_some());
            }
        }
    }
    let is_about_none =
        |incident: &&Incident| !truth.sessions.iter().any(|session| is_about(incident, session));
    outcome.others = incidents.iter().filter(is_about_none).count() as u64;
    outcome
}

/// Whether an incident is about a session. An address that several executors had one after the
/// other stands for whoever had it then.
fn is_about(incident: &Incident, session: &SessionTruth) -> bool {
    let executor = &session.executor;
    let origin = &incident.origin.executor;
    let is_then = incident.first_seen >= executor.from
        && executor.until.is_none_or(|until| incident.first_seen <= until);
    *origin == executor.id || (is_then && *origin == executor.address.to_string())
}

/// The seconds from the first packet of an attack to the first alert after it.
fn found_after_s<'a>(about: impl Iterator<Item = &'a Incident>, attack: &Attack) -> Option<f64> {
    let after = about.map(|incident| incident.opened_at).filter(|opened| *opened >= attack.start);
    after.min().map(|opened| opened.since(attack.start).as_secs_f64())
}
