//! What every receiver is told of an alert, under the names that we give it.

use std::net::IpAddr;

use egret_analyzer::{Detector, Incident, IncidentChange, Severity};
use egret_event::Timestamp;
use egret_store::Delivery;
use serde_json::{Value, json};

/// The product, as receivers that ask for one are told.
pub(crate) const VENDOR: &str = "Egret";
pub(crate) const PRODUCT: &str = "egret";
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The detector with the strongest evidence.
pub(crate) fn strongest(incident: &Incident) -> Option<Detector> {
    incident.explanation.findings.first().map(|finding| finding.detector)
}

/// What the alert is of: a code that stays, such as `EGR-D2`.
pub(crate) fn rule(incident: &Incident) -> String {
    strongest(incident).map_or_else(|| "EGR".to_owned(), |found| format!("EGR-{}", found.code()))
}

/// The name of that rule: the same for all its alerts.
pub(crate) fn rule_name(incident: &Incident) -> &'static str {
    strongest(incident).map_or("unusual egress", Detector::name)
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

/// What became of the contacts: the word that SIEMs have for it.
pub(crate) const fn outcome(incident: &Incident) -> &'static str {
    match (incident.observed.contacts_allowed, incident.observed.contacts_blocked) {
        (0, 1..) => "blocked",
        (1.., 1..) => "partly blocked",
        _ => "allowed",
    }
}

/// What happened, in a sentence.
pub(crate) fn sentence(change: &IncidentChange) -> String {
    format!("Incident {}: {}", change.kind.word(), change.incident.title)
}

/// Milliseconds since the epoch.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(1_000_000)
}

/// All of an alert, under our own names: for formats that have a place for what they do not know.
pub(crate) fn whole(delivery: &Delivery) -> Value {
    let change = &delivery.change;
    json!({
        "alert": delivery.alert,
        "change": change.kind,
        "by": change.by,
        "number": change.number,
        "incident": change.incident,
        "roll_up": delivery.roll_up,
    })
}
