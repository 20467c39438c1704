//! One trial: a scenario is written, analyzed by `egret`, and judged.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use egret::simulate::{
    Attack, Contact, Manner, Plan, Scenario, SessionTruth, Truth, Written, write,
};
use egret_analyzer::{Detector, Finding, Incident};
use egret_event::Timestamp;
use serde::Deserialize;

use crate::binary::egret;

/// When simulated traffic starts: any time will do.
pub(super) const START: Timestamp = Timestamp::from_secs(1_767_600_000);

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The attack, or none.
    pub scenario: Scenario,
    /// How it is gone about.
    pub manner: Manner,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Sessions without an attack.
    pub benign_sessions: u32,
    /// Stolen bytes after which an attack ends. `None`: as many as its manner says.
    pub most_bytes: Option<usize>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was tried.
    pub scenario: Scenario,
    /// In which manner.
    pub manner: Manner,
    /// Every attacker, with what came of its attack.
    pub attacks: Vec<Attempt>,
    /// Sessions without an attack.
    pub benign: u64,
    /// How many of them raised an alert.
    pub benign_alerted: u64,
    /// Sessions with an attack in which there was an alert about something else.
    pub mistaken: u64,
    /// Alerts about no session and no attack: a source that is blind, a destination of many sessions.
    pub others: u64,
}

/// An attack, and whether it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The attacker's way out.
    pub route: String,
    /// What it had cost until then. `None`: it was not found.
    pub found: Option<Price>,
}

/// What had happened until an attack was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Seconds since its first packet.
    pub seconds: f64,
    /// Connections or questions begun.
    pub contacts: f64,
    /// Stolen bytes that had left.
    pub bytes: f64,
}

/// What `egret analyze` prints.
#[derive(Deserialize)]
struct Printed {
    incidents: Vec<Incident>,
}

impl Trial {
    /// Runs it with each of the baselines in turn; `None` is none.
    pub(super) fn run(&self, baselines: &[Option<&Path>]) -> Result<Vec<Outcome>> {
        let folder = tempfile::tempdir().context("no folder for a trial")?;
        let story = self.write(folder.path())?;
        let outcome = |&baseline| Ok(judge(&story.truth, &story.incidents(baseline)?));
        baselines.iter().map(outcome).collect()
    }

    /// Writes it down.
    pub(super) fn write(&self, folder: &Path) -> Result<Story> {
        let plan = Plan {
            scenario: self.scenario,
            manner: self.manner,
            seed: self.seed,
            start: START,
            benign_sessions: self.benign_sessions,
            most_bytes: self.most_bytes,
        };
        Story::of(write(&plan, folder)?)
    }
}

/// What was written, and the truth about it.
pub(super) struct Story {
    written: Written,
    pub(super) truth: Truth,
}

impl Story {
    pub(super) fn of(written: Written) -> Result<Self> {
        let truth = std::fs::read(&written.truth).context("cannot read what was written")?;
        let truth = serde_json::from_slice(&truth)?;
        Ok(Self { written, truth })
    }

    /// What `egret analyze` finds in it, with a baseline or without.
    pub(super) fn incidents(&self, baseline: Option<&Path>) -> Result<Vec<Incident>> {
        let mut options = self.options();
        if let Some(baseline) = baseline {
            let key = format!("analyzer.baseline={}", baseline.display());
            options.extend(["--set".into(), key.into()]);
        }
        analyze(&options, self.inputs())
    }

    /// Options for `egret analyze` that say who is who.
    pub(super) fn options(&self) -> Vec<OsString> {
        let Written { configuration, registrations, .. } = &self.written;
        let files = [configuration, registrations].map(|path| OsString::from(path.clone()));
        let [configuration, registrations] = files;
        vec!["--config".into(), configuration, "--executors".into(), registrations]
    }

    /// The capture and the logs.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.written.inputs()
    }
}

/// The incidents that `egret analyze` finds in files.
pub(super) fn analyze<'a>(
    options: &[OsString],
    files: impl IntoIterator<Item = &'a Path>,
) -> Result<Vec<Incident>> {
    let mut command = Command::new(egret());
    command.args(["analyze", "--format", "json"]).args(options);
    let output = command.args(files).output().context("egret cannot be started")?;
    if !output.status.success() {
        bail!("egret failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let printed: Printed = serde_json::from_slice(&output.stdout)?;
    Ok(printed.incidents)
}

/// Holds incidents against the truth. Every incident is an alert, whatever its severity.
fn judge(truth: &Truth, incidents: &[Incident]) -> Outcome {
    let about = |session: &SessionTruth| -> Vec<&Incident> {
        incidents.iter().filter(|incident| is_about(incident, session)).collect()
    };
    let about_none = incidents.iter().filter(|incident| {
        !truth.sessions.iter().any(|session| is_about(incident, session))
            && !is_change_of_attackers(incident, truth)
    });
    let about_none: Vec<&Incident> = about_none.collect();
    let mut campaigns: BTreeMap<u32, Campaign<'_>> = BTreeMap::new();
    let (mut benign, mut benign_alerted, mut mistaken) = (0, 0, 0);
    for session in &truth.sessions {
        let Some(attack) = &session.attack else {
            benign += 1;
            benign_alerted += u64::from(!about(session).is_empty());
            continue;
        };
        let (right, wrong): (Vec<_>, Vec<_>) =
            about(session).into_iter().partition(|incident| is_at(incident, attack));
        mistaken += u64::from(!wrong.is_empty());
        let campaign = campaigns.entry(attack.campaign).or_default();
        campaign.attacks.push(attack);
        campaign.alerts.extend(right);
        campaign.alerts.extend(about_none.iter().filter(|incident| is_at(incident, attack)));
    }
    let counted = campaigns.values().flat_map(|campaign| &campaign.alerts);
    let of_attacks = counted.filter(|alert| about_none.iter().any(|other| other.id == alert.id));
    let others = about_none.len().saturating_sub(of_attacks.count()) as u64;
    Outcome {
        scenario: truth.scenario,
        manner: truth.manner,
        attacks: campaigns.values().map(Campaign::judge).collect(),
        benign,
        benign_alerted,
        mistaken,
        others,
    }
}

/// Whether it says that sessions of a template have changed, where attackers are among them: that is so, and
/// finds none of them.
fn is_change_of_attackers(incident: &Incident, truth: &Truth) -> bool {
    let is_change = |finding: &Finding| matches!(finding.detector, Detector::TemplateDrift);
    let is_attacker = |session: &SessionTruth| {
        session.attack.is_some()
            && incident.origin.template.as_deref() == session.executor.template.as_deref()
    };
    incident.explanation.findings.iter().any(is_change) && truth.sessions.iter().any(is_attacker)
}

/// The sessions of one attacker, and the alerts that are about what it does.
#[derive(Default)]
struct Campaign<'a> {
    attacks: Vec<&'a Attack>,
    alerts: Vec<&'a Incident>,
}

impl Campaign<'_> {
    fn judge(&self) -> Attempt {
        let route = self.attacks.first().map_or_else(String::new, |attack| attack.route.clone());
        let first_alert = self.alerts.iter().map(|incident| incident.opened_at).min();
        Attempt { route, found: first_alert.map(|at| self.price(at)) }
    }

    /// What had happened until `at`.
    fn price(&self, at: Timestamp) -> Price {
        let start = self.attacks.iter().map(|attack| attack.start).min().unwrap_or(at);
        let begun = || {
            let contacts = self.attacks.iter().flat_map(|attack| &attack.contacts);
            contacts.filter(move |contact| contact.began <= at)
        };
        Price {
            seconds: at.since(start).as_secs_f64(),
            contacts: begun().count() as f64,
            bytes: begun().map(|contact| sent_by(contact, at)).sum(),
        }
    }
}

/// The stolen bytes of a contact that had left by `at`, as if they left evenly.
fn sent_by(contact: &Contact, at: Timestamp) -> f64 {
    let whole = contact.ended.since(contact.began).as_secs_f64();
    let share = if whole > 0.0 { at.since(contact.began).as_secs_f64() / whole } else { 1.0 };
    contact.stolen_bytes as f64 * share.min(1.0)
}

/// Whether an incident is about a session. An address that several executors had one after the
/// other stands for whoever had it then.
pub(super) fn is_about(incident: &Incident, session: &SessionTruth) -> bool {
    let executor = &session.executor;
    let origin = &incident.origin.executor;
    let is_then = incident.first_seen >= executor.from
        && executor.until.is_none_or(|until| incident.first_seen <= until);
    *origin == executor.id || (is_then && *origin == executor.address.to_string())
}

/// Whether an incident is about where an attack goes, and not older than it.
pub(super) fn is_at(incident: &Incident, attack: &Attack) -> bool {
    is_place(attack, &incident.destination) && incident.opened_at >= attack.start
}

/// Whether an attack goes to `place`: a registrable domain or an address.
pub(super) fn is_place(attack: &Attack, place: &str) -> bool {
    attack.destination == "*"
        || attack.destination == place
        || attack.seen_as.iter().any(|other| other == place)
        || attack.addresses.iter().any(|address| address.to_string() == place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_evenly_until_a_contact_ends() {
        let at = |seconds| Timestamp::from_secs(START.as_secs() + seconds);
        let contact = Contact { began: at(10), ended: at(14), stolen_bytes: 1_000 };
        assert_eq!(
            [10, 11, 14, 99].map(|second| sent_by(&contact, at(second))),
            [0.0, 250.0, 1_000.0, 1_000.0]
        );
        let question = Contact { ended: at(10), ..contact };
        assert_eq!(sent_by(&question, at(10)), 1_000.0);
    }
}
