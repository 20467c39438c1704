//! An alert as a document in the Elastic Common Schema.
//!
//! Source: the ECS field reference, 8.17. What that has no field for stands below `egret`, with the names that
//! the incident has there.

use serde_json::{Value, json};

use crate::alert::{
    Alert, PRODUCT, VENDOR, VERSION, host, of_ten, outcome, rule, rule_name, sentence,
    source_address, whole,
};
use crate::heartbeat::{Beat, RULE, WORDS};

/// The version of the schema whose fields are used.
const ECS_VERSION: &str = "8.17.0";

/// The document.
pub(crate) fn ecs(alert: &Alert) -> Value {
    let change = &alert.change;
    let incident = &change.incident;
    let (origin, observed) = (&incident.origin, &incident.observed);
    let source = source_address(incident);
    let destination = incident.addresses.first();
    let techniques = &incident.explanation.techniques;
    let is_blocked = outcome(incident) == "blocked";
    let mut document = json!({
        "@timestamp": change.at,
        "ecs": { "version": ECS_VERSION },
        "message": sentence(alert),
        "event": {
            "kind": "alert",
            "category": ["network", "intrusion_detection"],
            "type": if is_blocked { ["info", "denied"] } else { ["info", "allowed"] },
            "action": format!("incident-{}", change.kind.word()),
            "provider": PRODUCT,
            "module": PRODUCT,
            "dataset": "egret.alert",
            "id": alert.alert.to_string(),
            "severity": of_ten(incident.severity),
            "risk_score": risk(incident.score),
            "reason": incident.explanation.summary,
            "created": incident.opened_at,
            "start": incident.first_seen,
            "end": incident.last_seen,
        },
        "observer": { "vendor": VENDOR, "product": PRODUCT, "version": VERSION, "type": "ids" },
        "rule": { "id": rule(incident), "name": rule_name(incident), "ruleset": PRODUCT },
        "egret": whole(alert),
    });
    set(&mut document, "event", "url", alert.page.as_ref());
    if incident.is_about_egret() {
        // Nobody sent anything: for rules about the network there is nothing to see.
        document["event"]["category"] = json!(["host"]);
        document["event"]["type"] = json!(["info"]);
        return document;
    }
    document["network"] = json!({
        "direction": "egress",
        "bytes": observed.up_bytes.saturating_add(observed.down_bytes),
    });
    document["source"] = json!({ "address": origin.executor, "bytes": observed.up_bytes });
    document["destination"] = json!({
        "address": host(incident).unwrap_or(&incident.destination),
        "bytes": observed.down_bytes,
    });
    document["related"] = json!({
        "ip": source.iter().chain(&incident.addresses).collect::<Vec<_>>(),
        "hosts": incident.hosts,
    });
    set(&mut document, "source", "ip", source);
    set(&mut document, "destination", "ip", destination);
    set(&mut document, "destination", "port", incident.ports.first());
    set(&mut document, "destination", "domain", host(incident));
    if !techniques.is_empty() {
        let ids: Vec<_> = techniques.iter().map(|technique| &technique.id).collect();
        let names: Vec<_> = techniques.iter().map(|technique| &technique.name).collect();
        document["threat"] = json!({
            "framework": "MITRE ATT&CK",
            "technique": { "id": ids, "name": names },
        });
    }
    document
}

/// That Egret is well.
pub(crate) fn ecs_heartbeat(beat: &Beat) -> Value {
    json!({
        "@timestamp": beat.at,
        "ecs": { "version": ECS_VERSION },
        "message": WORDS,
        "event": {
            "kind": "state",
            "category": ["host"],
            "type": ["info"],
            "action": "heartbeat",
            "provider": PRODUCT,
            "module": PRODUCT,
            "dataset": "egret.heartbeat",
        },
        "observer": { "vendor": VENDOR, "product": PRODUCT, "version": VERSION, "type": "ids" },
        "rule": { "id": RULE, "name": "heartbeat", "ruleset": PRODUCT },
        "egret": { "every_seconds": beat.every.as_secs() },
    })
}

/// A score of 0 to 1 as one of 0 to 100, with one digit.
pub(crate) fn risk(score: f64) -> f64 {
    (score.clamp(0.0, 1.0) * 1000.0).round() / 10.0
}

/// Sets a field of an object in a document, where there is a value.
fn set(document: &mut Value, object: &str, field: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value {
        document[object][field] = json!(value);
    }
}
