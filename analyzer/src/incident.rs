//! Incidents: what the engine reports, with everything an analyst needs to judge it.
//!
//! These types are the contract with the store, the outputs, the API and the page. They are
//! written as JSON in all of them.

mod detector;

use std::net::IpAddr;

use egret_event::{Attribution, EventId, GapReason, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::explain::rule_score;
use crate::priors::THRESHOLD;
use crate::words::missed_words;

pub use detector::Detector;

/// The destination of incidents about many places, and the session of those about many sessions.
pub(crate) const MANY: &str = "*";

/// Findings joined by (session, destination).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Incident {
    /// A hash of executor, session (its name and start) and destination, or of what else it is about.
    pub id: EventId,
    /// One sentence that says what happened.
    pub title: String,
    /// How urgent it is.
    pub severity: Severity,
    /// 0 to 1: how far beyond the threshold the combined evidence is (see `explanation`).
    pub score: f64,
    /// How much the engine knew when it judged.
    pub stage: Stage,
    /// Who did it.
    pub origin: Attribution,
    /// The session: its given id, or the executor and the time of its first event; where later sessions of an
    /// executor without given ones have part in it, the first of them. `"*"` for many
    /// sessions together (a fleet drip, a template drift); for a blind source its name; for Egret itself what it is
    /// about, such as `"target pager"`.
    pub session: SmolStr,
    /// The registrable domain, or the address where there is no name. For findings about many
    /// destinations together (rate bursts, blocked probes): `"*"`.
    pub destination: SmolStr,
    /// Full host names seen, at most 8.
    pub hosts: Vec<SmolStr>,
    /// Addresses contacted, at most 8; never a proxy's, where a tunnel through it was asked for by name.
    pub addresses: Vec<IpAddr>,
    /// Ports contacted, at most 8.
    pub ports: Vec<u16>,
    /// When the incident opened.
    pub opened_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The first event of this session and destination.
    pub first_seen: Timestamp,
    /// The last event of this session and destination.
    pub last_seen: Timestamp,
    /// What was seen.
    pub observed: Observed,
    /// Why it is an incident.
    pub explanation: Explanation,
}

impl Incident {
    /// One about Egret itself or one of its sources, which opens now: nobody did anything, anywhere. It
    /// has no title yet.
    pub(crate) fn about_egret(
        id: EventId,
        about: SmolStr,
        severity: Severity,
        now: Timestamp,
        explanation: Explanation,
    ) -> Self {
        Self {
            id,
            title: String::new(),
            severity,
            score: rule_score(severity),
            stage: Stage::Rules,
            origin: Attribution::nobody(),
            session: about,
            destination: SmolStr::new_static(MANY),
            hosts: Vec::new(),
            addresses: Vec::new(),
            ports: Vec::new(),
            opened_at: now,
            updated_at: now,
            first_seen: now,
            last_seen: now,
            observed: Observed::default(),
            explanation,
        }
    }

    /// The detector with the strongest evidence.
    pub fn strongest(&self) -> Option<Detector> {
        self.explanation.findings.first().map(|finding| finding.detector)
    }

    /// Whether it is about Egret itself or one of its sources, and not about what executors did.
    pub fn is_about_egret(&self) -> bool {
        matches!(self.strongest(), Some(Detector::Blind | Detector::Health))
    }
}

/// What was seen of a session at a destination.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Observed {
    /// Payload bytes sent, as far as known.
    pub up_bytes: u64,
    /// Payload bytes that came back, as far as known.
    pub down_bytes: u64,
    /// Contacts whose volume no source reported. Above zero, `up_bytes` is a lower bound.
    pub contacts_of_unknown_volume: u64,
    /// Contacts let through.
    pub contacts_allowed: u64,
    /// Contacts stopped.
    pub contacts_blocked: u64,
    /// Distinct destinations that were stopped (for `"*"`; otherwise 0 or 1).
    pub distinct_blocked: u64,
    /// Events of any kind.
    pub events: u64,
}

/// Why something is an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// Two or three plain sentences: what was seen, what is normal, how unlikely.
    pub summary: String,
    /// Combined tail probability over all detectors (Cauchy combination). For rules: 0.
    pub p_combined: f64,
    /// The combined probability below which an incident opens in this stage.
    pub threshold: f64,
    /// What each detector contributed, strongest first. Shares add up to 1.
    pub findings: Vec<Finding>,
    /// Id of the frozen baseline that was scored against.
    pub baseline: EventId,
    /// When that baseline was frozen. `None`: the shipped priors, nothing was learned yet.
    pub baseline_frozen_at: Option<Timestamp>,
    /// Sessions that baseline had learned from, for this template; for the fleet, where an incident is about
    /// many sessions together.
    pub baseline_sessions: u64,
    /// The five strongest events.
    pub evidence: Vec<Evidence>,
    /// What could not be seen in the time of the incident.
    pub gaps: Vec<GapSeen>,
    /// ATT&CK techniques.
    pub techniques: Vec<Technique>,
    /// What to do next, most useful first.
    pub next_steps: Vec<String>,
}

impl Explanation {
    /// By a rule, which takes no baseline and has no more to show than its finding.
    pub(crate) fn by_rule(summary: String, finding: Finding, next_steps: Vec<String>) -> Self {
        Self {
            summary,
            p_combined: 0.0,
            threshold: THRESHOLD,
            findings: vec![finding],
            baseline: EventId::from_bits(0),
            baseline_frozen_at: None,
            baseline_sessions: 0,
            evidence: Vec::new(),
            gaps: Vec::new(),
            techniques: Vec::new(),
            next_steps,
        }
    }
}

/// One detector's evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Which detector.
    pub detector: Detector,
    /// Tail probability after the correction for the number of looks, and with what analysts judged
    /// (see `judged_benign`). For rules: 0.
    pub p: f64,
    /// How that probability was got.
    pub tail: Tail,
    /// The part of the combined evidence that is this detector's, 0 to 1.
    pub share: f64,
    /// The tenant's place on a shared service that it is about, such as `"gist.github.com/acme"`. `None`: it
    /// is about no such place.
    #[serde(default)]
    pub place: Option<SmolStr>,
    /// That analysts judged the like benign. `None`: nobody did, or it is more than what they judged.
    #[serde(default)]
    pub judged_benign: Option<JudgedBenign>,
    /// What was measured.
    pub observed: Quantity,
    /// What is normal. `None` for rules.
    pub normal: Option<Normal>,
    /// One sentence.
    pub words: String,
}

impl Finding {
    /// What a rule found, and all that there is.
    pub fn by_rule(detector: Detector, observed: Quantity, words: String) -> Self {
        Self {
            detector,
            p: 0.0,
            tail: Tail::Rule,
            share: 1.0,
            place: None,
            judged_benign: None,
            observed,
            normal: None,
            words,
        }
    }
}

/// What analysts judged benign, where a finding is like it: it counts as sessions that behaved so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JudgedBenign {
    /// The tail probability without it.
    pub p: f64,
    /// As how many sessions it counts.
    pub sessions: u64,
    /// When the last of it was judged.
    pub judged_at: Timestamp,
    /// Until when the last of it counts.
    pub expires_at: Timestamp,
}

/// A measured value with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quantity {
    /// The value.
    pub value: f64,
    /// What it counts: `"bytes"`, `"contacts in 10 s"`, `"distinct blocked destinations"`.
    pub unit: SmolStr,
}

/// What is normal at the level that was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Normal {
    /// The level of the ladder that carried most weight.
    pub level: Level,
    /// The name at that level (the template's, the tenant's …); empty for the fleet.
    pub name: SmolStr,
    /// Sessions that this level learned from. 0: the shipped prior.
    pub sessions: u64,
    /// The median of what is normal, in the unit of `observed`.
    pub median: f64,
    /// Its 98 % quantile, in the unit of `observed`.
    pub p98: f64,
}

/// A level of the baseline ladder, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Executors of one kind.
    Template,
    /// Executors that work for one customer.
    Tenant,
    /// Executors in one network segment.
    Segment,
    /// All executors.
    Fleet,
    /// What Egret ships with, before it learned anything.
    Prior,
}

/// How a tail probability was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// A rule: nothing was estimated.
    Rule,
    /// From the shipped prior.
    Prior,
    /// Within what was observed before.
    Empirical,
    /// Beyond everything observed before: from a fitted tail.
    Extrapolated,
}

/// How urgent an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// The word used in outputs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How much the engine knew when it judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A rule said so; nothing needs to have been learned.
    Rules,
    /// Few sessions were seen: the shipped priors, with strict thresholds.
    Priors,
    /// Thresholds come from the sessions seen here.
    Calibrated,
}

/// An event that carried much of the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// The event.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// The source that saw it.
    pub source: SmolStr,
    /// One line that says what it was.
    pub words: String,
    /// Payload bytes it sent, where known.
    pub up_bytes: Option<u64>,
    /// Whether it was blocked.
    pub blocked: bool,
}

/// A gap in what was seen, during an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GapSeen {
    /// The source with the gap.
    pub source: SmolStr,
    /// Why.
    pub reason: GapReason,
    /// How many packets, lines or bytes (by reason) were missed.
    pub count: u64,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// A technique of MITRE ATT&CK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Technique {
    /// Such as `"T1048"`.
    pub id: SmolStr,
    /// Such as `"Exfiltration Over Alternative Protocol"`.
    pub name: SmolStr,
}

/// A step in an incident's life: what the store keeps as history and what alerts are made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentChange {
    /// What happened to it.
    pub kind: ChangeKind,
    /// When.
    pub at: Timestamp,
    /// Who changed it.
    pub by: ChangeBy,
    /// Counts the changes that `by` made to this incident, from 0.
    pub number: u32,
    /// The incident after the change.
    pub incident: Incident,
}

/// Where an incident stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// Nobody has taken it on.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is done.
    Closed,
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It opened.
    Opened,
    /// It became notably worse: a higher severity, a further detector, or twice the bytes.
    Grew,
    /// Something in its time could not be seen, and that became known after its last change: its
    /// gaps say what. Nothing was found that is worse, so nobody is alerted.
    Obscured,
    /// Its session ended: it grows no more, unless a later session of the executor goes on with it.
    Ended,
    /// A later session of the executor does the same again, no worse than was told. Only where executors give
    /// their sessions no names, and within a day.
    Resumed,
    /// A person took it on.
    Acknowledged,
    /// A person closed it; or the engine did, because a source sees again.
    Closed,
    /// A person opened it again.
    Reopened,
    /// A person wrote something.
    Commented,
}

impl ChangeKind {
    /// The word used in outputs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Grew => "grew",
            Self::Obscured => "obscured",
            Self::Ended => "ended",
            Self::Resumed => "resumed",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
            Self::Commented => "commented",
        }
    }
}

/// Who changed an incident.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChangeBy {
    /// The engine.
    Engine,
    /// A person, by the name of their token.
    Analyst(SmolStr),
}

impl Explanation {
    /// What could not be seen, in a few words. Nothing, when there were no gaps.
    pub fn missed(&self) -> Option<String> {
        (!self.gaps.is_empty()).then(|| missed_words(&self.gaps))
    }
}

/// Identifies an alert: a change that is sent outward. Receivers can recognize a repeat by it.
pub type AlertId = EventId;

impl IncidentChange {
    /// The alert's id: a hash of incident, author and number, so that a replay gives the same.
    pub fn alert_id(&self) -> AlertId {
        let author: &[u8] = match &self.by {
            ChangeBy::Engine => b"engine",
            ChangeBy::Analyst(_) => b"analyst",
        };
        EventId::of(&[&self.incident.id.to_bytes(), author, &self.number.to_le_bytes()])
    }
}
