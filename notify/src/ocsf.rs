//! An alert as an event of the Open Cybersecurity Schema Framework: a Detection Finding.
//!
//! Source: the OCSF schema, class 2004. Only attributes that versions 1.1 to 1.8 have alike are used, so that a
//! receiver may be told any of these. What the class has no attribute for stands in `unmapped`.

use egret_analyzer::{ChangeKind, Severity, Tail};
use serde_json::{Value, json};

use crate::alert::{
    Alert, PRODUCT, VENDOR, VERSION, category, host, millis, rule, rule_name, sentence,
    source_address, whole,
};
use crate::ecs::risk;
use crate::heartbeat::{Beat, WORDS};
use crate::text::bounded;

const CATEGORY: u32 = 2;
const CLASS: u32 = 2004;

/// What an address, and a host's name, are as observables.
const IP_ADDRESS: u8 = 2;
const HOSTNAME: u8 = 1;

/// Longest string of version 1.1, in bytes; its characters are at least as long.
const MAX_STRING_BYTES: usize = 65_535;

/// The event, as version `version` of the schema has it.
pub(crate) fn ocsf(alert: &Alert, version: &str) -> Value {
    let change = &alert.change;
    let incident = &change.incident;
    let explanation = &incident.explanation;
    let (activity, status) = standing(change.kind);
    let mut event = json!({
        "activity_id": activity,
        "category_uid": CATEGORY,
        "class_uid": CLASS,
        "type_uid": CLASS * 100 + activity,
        "severity_id": severity(incident.severity),
        "status_id": status,
        "time": millis(change.at),
        "start_time": millis(incident.first_seen),
        "end_time": millis(incident.last_seen),
        "message": text(&sentence(alert)),
        "confidence_score": risk(incident.score).round() as i64,
        "metadata": {
            "version": version,
            "uid": alert.alert.to_string(),
            "log_name": "egret alert",
            "product": { "vendor_name": VENDOR, "name": PRODUCT, "version": VERSION },
        },
        "finding_info": {
            "uid": incident.id.to_string(),
            "title": text(&incident.title),
            "desc": text(&explanation.summary),
            "created_time": millis(incident.opened_at),
            "modified_time": millis(incident.updated_at),
            "first_seen_time": millis(incident.first_seen),
            "last_seen_time": millis(incident.last_seen),
            "types": [category(incident)],
            "analytic": {
                "uid": rule(incident),
                "name": rule_name(incident),
                "type_id": analytic(alert),
            },
        },
        "unmapped": whole(alert),
    });
    if let Some(page) = &alert.page {
        event["finding_info"]["src_url"] = page.as_str().into();
    }
    if !incident.is_about_egret() {
        event["evidences"] = json!([{
            "src_endpoint": source(alert),
            "dst_endpoint": destination(alert),
            "connection_info": { "direction_id": 2 },
        }]);
        event["observables"] = observables(alert).into();
    }
    if !explanation.techniques.is_empty() {
        let attack = |technique: &egret_analyzer::Technique| {
            json!({
                "version": "16",
                "technique": { "uid": technique.id, "name": technique.name },
            })
        };
        let attacks: Vec<_> = explanation.techniques.iter().map(attack).collect();
        event["finding_info"]["attacks"] = attacks.into();
    }
    event
}

/// That Egret is well: a Base Event (class 0) of another activity than those that have a number.
pub(crate) fn ocsf_heartbeat(beat: &Beat, version: &str) -> Value {
    json!({
        "activity_id": 99,
        "activity_name": "Heartbeat",
        "category_uid": 0,
        "class_uid": 0,
        "type_uid": 99,
        "severity_id": 1,
        "time": millis(beat.at),
        "message": WORDS,
        "metadata": {
            "version": version,
            "log_name": "egret heartbeat",
            "product": { "vendor_name": VENDOR, "name": PRODUCT, "version": VERSION },
        },
        "unmapped": { "every_seconds": beat.every.as_secs() },
    })
}

fn text(text: &str) -> String {
    bounded(text, MAX_STRING_BYTES, |character, out| out.push(character))
}

/// Whether version 1.1 takes a name for that of a host (`hostname_t`): the others take any.
fn is_hostname(name: &str) -> bool {
    name.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inner)
    })
}

/// Activity (create, update, close) and status (new, in progress, resolved) of the finding.
const fn standing(kind: ChangeKind) -> (u32, u8) {
    match kind {
        ChangeKind::Opened => (1, 1),
        ChangeKind::Acknowledged => (2, 2),
        ChangeKind::Closed => (3, 4),
        ChangeKind::Grew
        | ChangeKind::Reopened
        | ChangeKind::Resumed
        | ChangeKind::Obscured
        | ChangeKind::Ended
        | ChangeKind::Commented => (2, 1),
    }
}

const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// The kind of analytic: a rule, or statistics.
fn analytic(alert: &Alert) -> u8 {
    let strongest = alert.change.incident.explanation.findings.first();
    match strongest.map(|finding| finding.tail) {
        Some(Tail::Rule) => 1,
        _ => 3,
    }
}

fn source(alert: &Alert) -> Value {
    let incident = &alert.change.incident;
    let mut source = json!({ "name": text(&incident.origin.executor) });
    if let Some(address) = source_address(incident) {
        source["ip"] = json!(address);
    }
    source
}

fn destination(alert: &Alert) -> Value {
    let incident = &alert.change.incident;
    let mut destination = json!({ "name": text(&incident.destination) });
    if let Some(address) = incident.addresses.first() {
        destination["ip"] = json!(address);
    }
    if let Some(port) = incident.ports.first() {
        destination["port"] = json!(port);
    }
    if let Some(host) = host(incident).filter(|host| is_hostname(host)) {
        destination["hostname"] = json!(host);
    }
    destination
}

fn observables(alert: &Alert) -> Vec<Value> {
    let incident = &alert.change.incident;
    let address = |name: &str, address: &std::net::IpAddr| json!({ "name": name, "type_id": IP_ADDRESS, "value": address });
    let own = source_address(incident);
    let own = own.iter().map(|own| address("evidences.src_endpoint.ip", own));
    let others = incident.addresses.iter();
    let others = others.map(|other| address("evidences.dst_endpoint.ip", other));
    let names = incident.hosts.iter().filter(|name| is_hostname(name)).map(|name| {
        json!({ "name": "evidences.dst_endpoint.hostname", "type_id": HOSTNAME, "value": name })
    });
    own.chain(others).chain(names).collect()
}
