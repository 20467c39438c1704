//! A marked alert to one target, to see whether it arrives.

use egret_analyzer::{
    ChangeBy, ChangeKind, Detector, Explanation, Finding, Incident, IncidentChange, Observed,
    Quantity, Severity, Stage,
};
use egret_event::{Attribution, EventId, NamedBy, SmolStr, Timestamp};
use egret_store::{AlertRollUp, Delivery, Gathered};

use crate::Target;
use crate::alert::{Alert, Telling, past_the_outbox};
use crate::link::{Failure, Link};
use crate::transcript;

/// An alert that was sent to try a target out, and what became of it.
#[derive(Debug)]
pub struct Tried {
    /// What it told of: `"opened"`, then `"closed"`.
    pub change: &'static str,
    /// What was said and answered, a line each, without secrets.
    pub conversation: Vec<String>,
    /// Whether the receiver took it, or why not.
    pub outcome: Result<(), String>,
}

/// Sends a marked incident that opens and, where that was taken, is closed again, past the outbox and with one
/// attempt each. It is as severe as the target wants alerts to be.
pub async fn try_out(target: Target, now: fn() -> Timestamp) -> Vec<Tried> {
    let incident = incident(&target.name, target.min_severity, now());
    let mut link = Link::new(target.channel);
    let mut tried: Vec<Tried> = Vec::new();
    for (number, kind) in [(0, ChangeKind::Opened), (1, ChangeKind::Closed)] {
        if tried.iter().any(|tried| tried.outcome.is_err()) {
            break;
        }
        let change = IncidentChange {
            kind,
            at: now(),
            by: ChangeBy::Engine,
            number,
            incident: incident.clone(),
        };
        let alert = target.telling.alert(past_the_outbox(change, &target.name));
        let (sent, conversation) = transcript::of(link.send(&alert, now())).await;
        let outcome = sent.map_err(|failure| match failure {
            Failure::Unreachable(error) => format!("the target cannot be reached: {error}"),
            Failure::Refused { error, .. } => {
                format!("it was not taken, and would be tried again: {error}")
            }
            Failure::Rejected(error) => format!("it was rejected for good: {error}"),
            Failure::Gone(error) => format!("the target wants no alerts any more: {error}"),
        });
        tried.push(Tried { change: kind.word(), conversation, outcome });
    }
    link.close().await;
    tried
}

/// An alert that has all that alerts can have, as far as that can be made up.
pub(crate) fn specimen() -> Alert {
    let at = Timestamp::default();
    let incident = incident("specimen", Severity::Low, at);
    let kind = ChangeKind::Opened;
    let change = IncidentChange { kind, at, by: ChangeBy::Engine, number: 0, incident };
    let roll_up = AlertRollUp {
        id: change.incident.id,
        incidents: 1,
        sessions: 1,
        tenants: 1,
        first_opened_at: at,
        repeats: false,
    };
    let gathered =
        Gathered { incidents: 1, severities: Vec::new(), destinations: Vec::new(), since: at };
    let (roll_up, gathered) = (Some(roll_up), Some(gathered));
    let delivery = Delivery { roll_up, gathered, ..past_the_outbox(change, "specimen") };
    Telling::default().alert(delivery)
}

/// Nothing happened: every text says so.
fn incident(target: &str, severity: Severity, now: Timestamp) -> Incident {
    const NOTHING: &str = "This is a test of the way alerts take. Nothing happened.";
    let at = now.as_nanos().to_le_bytes();
    let observed = Quantity { value: 0.0, unit: SmolStr::new_static("bytes") };
    let finding = Finding::by_rule(Detector::Policy, observed, NOTHING.to_owned());
    Incident {
        id: EventId::of(&[b"notify test", target.as_bytes(), &at]),
        title: format!("TEST by `egret notify test {target}`: nothing happened"),
        severity,
        score: 0.5,
        stage: Stage::Rules,
        origin: Attribution {
            executor: SmolStr::new_static("egret-notify-test"),
            session: None,
            template: None,
            tenant: None,
            segment: SmolStr::new_static("test"),
            named_by: NamedBy::Address,
        },
        session: SmolStr::new_static("test"),
        // RFC 6761: a name that is nobody's.
        destination: SmolStr::new_static("test.invalid"),
        hosts: Vec::new(),
        addresses: Vec::new(),
        ports: Vec::new(),
        opened_at: now,
        updated_at: now,
        first_seen: now,
        last_seen: now,
        observed: Observed::default(),
        explanation: Explanation {
            summary: NOTHING.to_owned(),
            p_combined: 0.0,
            threshold: 0.0,
            findings: vec![finding],
            baseline: EventId::of(&[]),
            baseline_frozen_at: None,
            baseline_sessions: 0,
            evidence: Vec::new(),
            gaps: Vec::new(),
            techniques: Vec::new(),
            next_steps: vec!["Nothing is to be done.".to_owned()],
        },
    }
}
