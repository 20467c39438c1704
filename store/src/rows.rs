//! What goes into the store and what comes out of it.

use std::net::IpAddr;

use egret_analyzer::{
    ChangeBy, ChangeKind, Feedback, FrozenBaseline, Incident, IncidentChange, IncidentStatus,
    RollUp, Severity, Signal,
};
use egret_event::{Event, EventId, InputPosition, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

/// What one transaction writes.
#[derive(Debug, Default)]
pub struct WriteUnit<'a> {
    /// Events, in any order.
    pub events: &'a [Event],
    /// Changes of incidents, in their order.
    pub changes: &'a [IncidentChange],
    /// Alerts about those changes.
    pub alerts: &'a [OutboxEntry],
    /// The baseline that was frozen after those events.
    pub baseline: Option<&'a FrozenBaseline>,
    /// The engine's state after those events, with the positions of all inputs.
    pub snapshot: Option<(&'a [u8], &'a [InputPosition])>,
    /// Now, for the times that the store itself notes.
    pub now: Timestamp,
}

/// What a commit changed; repeats are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Events that were new.
    pub events: u64,
    /// Events that were there already.
    pub repeated_events: u64,
    /// Incident changes that were new.
    pub changes: u64,
    /// Alerts that were new and were queued.
    pub alerts: u64,
    /// Alerts that were new and were not queued, because a suppression or a verdict covers their
    /// incident.
    pub suppressed: u64,
    /// Alerts that were new and were not queued, because they repeat what was told of their roll-up and
    /// their target wants no repeats.
    pub repeats: u64,
    /// Alerts that were new and were not queued, because their target need not know: of the end of what it was
    /// not told of, or of what somebody has taken on.
    pub unneeded: u64,
}

/// Where to go on after a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// The engine's snapshot.
    pub snapshot: Vec<u8>,
    /// The input positions it goes with.
    pub positions: Vec<InputPosition>,
    /// When it was written.
    pub written_at: Timestamp,
}

/// What retention deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: u64,
    /// Rows of the sums per minute and hour.
    pub sum_rows: u64,
    /// Incidents (closed ones only; open incidents are kept).
    pub incidents: u64,
    /// Delivered alerts.
    pub alerts: u64,
}

/// An incident and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentRow {
    /// The incident.
    #[serde(flatten)]
    pub incident: Incident,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Whether its session is over.
    pub ended: bool,
    /// The suppression that silenced its alerts, if one did.
    pub suppressed_by: Option<EventId>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<SmolStr>,
    /// Number of comments.
    pub comments: u32,
    /// What people judged it to be, if they did. One that grew after that may be open again.
    pub verdict: Option<VerdictRow>,
    /// The incident that it is like, which was judged benign: with that verdict it would not have opened.
    pub judged_like: Option<EventId>,
}

/// What an incident turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IncidentVerdict {
    /// What it says happened, and should not have.
    TruePositive,
    /// What it says is benign: the like of it is not to be reported for 30 days.
    FalsePositive,
}

/// A person's verdict on an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerdictRow {
    /// What it is.
    pub verdict: IncidentVerdict,
    /// Who judged, by the name of their token.
    pub by: SmolStr,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    pub note: Option<String>,
}

/// What it would do to judge an incident benign, before it is saved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeedbackMatches {
    /// What would count as benign.
    pub feedback: Vec<Feedback>,
    /// Other incidents that would not have opened, but for those that were judged themselves.
    pub incidents: IncidentMatches,
}

/// The incidents that a suppression or a verdict would silence, before it is saved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IncidentMatches {
    /// Those of the time asked for, closed ones too.
    pub recent: u64,
    /// Those of any time that are not closed: saving it hides these.
    pub open: u64,
    /// The newest of `recent`, at most five: enough to see what kind they are.
    pub newest: Vec<IncidentRow>,
}

impl IncidentMatches {
    /// Most of `newest`.
    const MOST_NEWEST: usize = 5;

    /// Counts one, when what changed at or after `since` is asked for. The newest comes first.
    pub(crate) fn count(&mut self, row: IncidentRow, since: Timestamp) {
        self.open += u64::from(row.status != IncidentStatus::Closed);
        if row.incident.updated_at >= since {
            self.recent += 1;
            if self.newest.len() < Self::MOST_NEWEST {
                self.newest.push(row);
            }
        }
    }
}

/// An incident with its history, oldest entry first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IncidentDetail {
    /// The incident and where it stands.
    #[serde(flatten)]
    pub row: IncidentRow,
    /// Everything that happened to it.
    pub history: Vec<HistoryEntry>,
    /// The incidents that are one story with it; hidden ones are left out.
    pub roll_up: RollUp,
}

/// Something that happened to an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// By whom.
    pub by: ChangeBy,
    /// The comment, or what the engine said of the change.
    pub words: Option<String>,
    /// The verdict that came with it.
    pub verdict: Option<IncidentVerdict>,
}

/// What a person wants done with an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The person, by the name of their token.
    pub by: SmolStr,
    /// `Acknowledged`, `Closed`, `Reopened` or `Commented`.
    pub kind: ChangeKind,
    /// A comment; required for `Commented`.
    pub comment: Option<String>,
    /// What the incident is; only with `Closed`. What is closed may be judged anew.
    pub verdict: Option<IncidentVerdict>,
}

/// A destination with its totals over the time asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DestinationRow {
    /// The registrable domain, or the address.
    pub destination: SmolStr,
    /// Payload bytes sent, as far as known.
    pub up_bytes: u64,
    /// Payload bytes that came back, as far as known.
    pub down_bytes: u64,
    /// Contacts let through.
    pub allowed: u64,
    /// Contacts stopped.
    pub blocked: u64,
    /// Distinct executors.
    pub executors: u64,
    /// First event ever seen (not only in the time asked for).
    pub first_seen: Timestamp,
    /// Last event in the time asked for.
    pub last_seen: Timestamp,
}

/// An executor seen or registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutorRow {
    /// Its id, or its address where nothing named it.
    pub id: SmolStr,
    /// Its registered or last seen address.
    pub address: Option<IpAddr>,
    /// The kind of executor.
    pub template: Option<SmolStr>,
    /// Who it works for.
    pub tenant: Option<SmolStr>,
    /// The task it runs.
    pub session: Option<SmolStr>,
    /// Registered from. `None`: never registered.
    pub from: Option<Timestamp>,
    /// Registered until.
    pub until: Option<Timestamp>,
    /// Last event seen.
    pub last_seen: Option<Timestamp>,
    /// Payload bytes sent over the time asked for.
    pub up_bytes: u64,
    /// Contacts let through over the time asked for.
    pub allowed: u64,
    /// Contacts stopped over the time asked for.
    pub blocked: u64,
}

/// Sums over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Series {
    /// Length of a step, in seconds.
    pub step_s: u64,
    /// Points in order of time, then group. Steps without traffic are left out.
    pub points: Vec<SeriesPoint>,
}

/// Sums over one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeriesPoint {
    /// The step's start.
    pub at: Timestamp,
    /// The destination or executor, when grouped; empty otherwise.
    pub group: SmolStr,
    /// Payload bytes sent, as far as known.
    pub up_bytes: u64,
    /// Payload bytes that came back, as far as known.
    pub down_bytes: u64,
    /// Contacts let through.
    pub allowed: u64,
    /// Contacts stopped.
    pub blocked: u64,
    /// Packets or lines that are known to be missed (gaps).
    pub missed: u64,
}

/// Who is told of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The target's configured name.
    pub target: String,
    /// Whether it is also told of what repeats another incident of the same roll-up
    /// ([`AlertRollUp::repeats`]).
    pub repeats: bool,
    /// It is left alone until then: quiet hours, maintenance.
    pub not_before: Option<Timestamp>,
    /// It is told only of what nobody has taken on by then, and from then on of all that happens to it.
    pub if_untaken_at: Option<Timestamp>,
    /// Whether there is anything that it is not told of by itself: it hears of the end of an incident only
    /// where it was told of it before.
    pub is_selective: bool,
}

impl Addressee {
    /// One that is told of everything at once.
    pub fn of_all(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            repeats: true,
            not_before: None,
            if_untaken_at: None,
            is_selective: false,
        }
    }
}

/// What an alert says of its incident's roll-up, as it was then; of more than a thousand incidents at least
/// what the five hundred before and after it come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRollUp {
    /// The roll-up's id.
    pub id: EventId,
    /// How many incidents it has.
    pub incidents: u64,
    /// Their distinct sessions.
    pub sessions: u64,
    /// Their distinct tenants.
    pub tenants: u64,
    /// When the first of them opened.
    pub first_opened_at: Timestamp,
    /// Whether another of them was told by itself before, is at least as severe as this one, and was not
    /// closed; or this one was told, is not closed, and goes on in a later session. Whoever was called about
    /// that need not be called again.
    pub repeats: bool,
}

/// An alert to be delivered to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The alert's id.
    pub alert: EventId,
    /// The incident it is about: alerts of one incident are delivered in order.
    pub incident: EventId,
    /// Who is told.
    pub to: Addressee,
    /// What they are to hear.
    pub signal: Signal,
    /// The incident's severity.
    pub severity: Severity,
    /// The [`IncidentChange`] as JSON.
    pub body: String,
}

/// An alert on its way to one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The alert's id.
    pub alert: EventId,
    /// The target's configured name.
    pub target: String,
    /// The change to tell of.
    pub change: IncidentChange,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Attempts made so far.
    pub attempts: u32,
    /// What the last attempt ended with.
    pub last_error: Option<String>,
    /// The incident's roll-up. `None`: an older release queued it.
    pub roll_up: Option<AlertRollUp>,
    /// What it stands for beside itself. `None`: nothing.
    pub gathered: Option<Gathered>,
}

/// What one alert tells of, where there were more than its target is to be told of one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// How many incidents, that of the alert itself included: it is of the gravest.
    pub incidents: u64,
    /// How many of them are of each severity that there is, gravest first.
    pub severities: Vec<(Severity, u64)>,
    /// The destinations of most of them, at most five.
    pub destinations: Vec<(SmolStr, u64)>,
    /// When the first of them was to be told.
    pub since: Timestamp,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// It was accepted.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It was not; try again.
    Retry {
        /// When it was tried.
        tried_at: Timestamp,
        /// When to try again.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// It was not, and will not be tried again.
    Dead {
        /// When it was given up.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
}

/// What a token allows, weakest first; each role may do what the ones before it may, but for
/// `Collector`, which may only register executors and send events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Register executors.
    Collector,
    /// Read.
    Viewer,
    /// Read, and work on incidents.
    Analyst,
    /// Everything.
    Admin,
}

/// A token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its name: who uses it.
    pub name: SmolStr,
    /// BLAKE3 of the token. The token itself (256 random bits) is never stored.
    pub hash: [u8; 32],
    /// What it allows.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to work. `None`: never.
    pub expires_at: Option<Timestamp>,
}
