//! What every receiver is told of an alert, under the names that we give it.

use std::net::IpAddr;
use std::ops::Deref;

use egret_analyzer::{Detector, Incident, IncidentChange, Severity};
use egret_event::Timestamp;
use egret_store::{Delivery, Gathered};
use serde_json::{Value, json};

use crate::fields::{Fields, Named};

/// What is told: a delivery, in the way that its target is told of things.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    delivery: Delivery,
    /// The incident's page in the dashboard. `None`: nobody said where that is.
    pub(crate) page: Option<String>,
    /// What the target is told beside what all are told.
    pub(crate) fields: Named,
}

/// How a target is told of things.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling {
    /// Where the dashboard is, for links to it.
    pub(crate) dashboard: Option<String>,
    /// As at least so severe.
    pub(crate) raise_to: Option<Severity>,
    pub(crate) fields: Fields,
}

impl Telling {
    pub(crate) fn alert(&self, mut delivery: Delivery) -> Alert {
        let incident = &mut delivery.change.incident;
        incident.severity = incident.severity.max(self.raise_to.unwrap_or(incident.severity));
        let page = self.dashboard.as_ref();
        let page = page.map(|origin| format!("{origin}/incidents/{}", incident.id));
        let mut alert = Alert { delivery, page, fields: Named::default() };
        alert.fields = self.fields.of(&alert);
        alert
    }
}

/// A change that `target` is told of past the outbox, where nothing more is known of it.
pub(crate) fn past_the_outbox(change: IncidentChange, target: &str) -> Delivery {
    Delivery {
        alert: change.alert_id(),
        target: target.to_owned(),
        queued_at: change.at,
        change,
        attempts: 0,
        last_error: None,
        roll_up: None,
        gathered: None,
    }
}

impl Alert {
    /// How many incidents it tells of beside its own.
    pub(crate) fn others(&self) -> u64 {
        self.gathered.as_ref().map_or(0, |gathered| gathered.incidents.saturating_sub(1))
    }

    /// The same in words, with what is known of them all: `120 incidents since …: 3 critical, 117 high; most at …`.
    pub(crate) fn gathered_words(&self) -> Option<String> {
        let gathered = self.gathered.as_ref().filter(|gathered| gathered.incidents > 1)?;
        let severities = gathered.severities.iter();
        let severities: Vec<_> =
            severities.map(|(one, count)| format!("{count} {}", one.word())).collect();
        let destinations = gathered.destinations.iter();
        let destinations: Vec<_> =
            destinations.map(|(name, count)| format!("{name} ({count})")).collect();
        let (severities, destinations) = (severities.join(", "), destinations.join(", "));
        let Gathered { incidents, since, .. } = gathered;
        Some(format!("{incidents} incidents since {since}: {severities}; most at {destinations}"))
    }
}

impl Deref for Alert {
    type Target = Delivery;

    fn deref(&self) -> &Delivery {
        &self.delivery
    }
}

#[cfg(test)]
impl From<Delivery> for Alert {
    fn from(delivery: Delivery) -> Self {
        Telling::default().alert(delivery)
    }
}

/// The product, as receivers that ask for one are told.
pub(crate) const VENDOR: &str = "Egret";
pub(crate) const PRODUCT: &str = "egret";
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the alert is of: a code that stays, such as `EGR-D2`.
pub(crate) fn rule(incident: &Incident) -> String {
    incident.strongest().map_or_else(|| "EGR".to_owned(), |found| format!("EGR-{}", found.code()))
}

/// The name of that rule: the same for all its alerts.
pub(crate) fn rule_name(incident: &Incident) -> &'static str {
    incident.strongest().map_or("unusual egress", Detector::name)
}

/// What it is about, never blank: the executor, the source or the part of Egret, the template whose
/// sessions it is about together.
pub(crate) fn subject(incident: &Incident) -> &str {
    const MANY: &str = "many executors";
    let is_said = |name: &&str| !name.trim().is_empty();
    let about = incident.is_about_egret().then_some(incident.session.as_str());
    let names =
        [Some(incident.origin.executor.as_str()), about, incident.origin.template.as_deref()];
    names.into_iter().flatten().find(is_said).unwrap_or(MANY)
}

/// Who and where, for people: a name and its value each.
pub(crate) fn who_and_where(incident: &Incident) -> Vec<(&'static str, &str)> {
    if incident.is_about_egret() {
        return vec![("About", subject(incident))];
    }
    let name = |name| if matches!(name, "" | "*") { "many" } else { name };
    vec![
        ("Executor", name(incident.origin.executor.as_str())),
        ("Destination", name(&incident.destination)),
        ("Session", name(&incident.session)),
    ]
}

/// The executor's address, where it is known by that.
pub(crate) fn source_address(incident: &Incident) -> Option<IpAddr> {
    incident.origin.executor.parse().ok()
}

/// The first host name seen, or the destination where that is a name.
pub(crate) fn host(incident: &Incident) -> Option<&str> {
    let is_name = |name: &str| name != "*" && name.parse::<IpAddr>().is_err();
    match incident.hosts.first() {
        Some(host) => Some(host.as_str()),
        None => Some(incident.destination.as_str()).filter(|name| is_name(name)),
    }
}

/// The severity on a scale from 0 to 10, as CEF and LEEF have it.
pub(crate) const fn of_ten(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// What it is a case of, in a word.
pub(crate) fn category(incident: &Incident) -> &'static str {
    if incident.is_about_egret() { "monitoring" } else { "exfiltration" }
}

/// What became of the contacts: the word that SIEMs have for it.
pub(crate) const fn outcome(incident: &Incident) -> &'static str {
    match (incident.observed.contacts_allowed, incident.observed.contacts_blocked) {
        (0, 1..) => "blocked",
        (1.., 1..) => "partly blocked",
        _ => "allowed",
    }
}

/// What happened, in a sentence. What it tells of beside its incident comes first: titles are long.
pub(crate) fn sentence(alert: &Alert) -> String {
    let change = &alert.change;
    let (kind, title) = (change.kind.word(), &change.incident.title);
    match alert.others() {
        0 => format!("Incident {kind}: {title}"),
        others => {
            format!("{} incidents, the gravest of them: incident {kind}: {title}", others + 1)
        }
    }
}

/// Milliseconds since the epoch.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(1_000_000)
}

/// All of an alert, under our own names: for formats that have a place for what they do not know.
pub(crate) fn whole(alert: &Alert) -> Value {
    let change = &alert.change;
    json!({
        "alert": alert.alert,
        "change": change.kind,
        "by": change.by,
        "number": change.number,
        "incident": change.incident,
        "roll_up": alert.roll_up,
        "gathered": alert.gathered,
        "page": alert.page,
    })
}
