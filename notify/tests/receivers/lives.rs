//! The whole life of an incident, brought to a receiver, and what the receiver got.

use egret_analyzer::{ChangeBy, ChangeKind, Incident, IncidentChange, Severity, Technique};
use serde_json::{Value, json};

use crate::http::{Answer, Receiver, Request};
use crate::outbox::{Outbox, until};
use crate::sample::{change, hostile, incident};

/// What happens to an incident, and all of it once more where every text is hostile.
pub(crate) fn lives() -> Vec<IncidentChange> {
    let mut plain = incident("a");
    plain.explanation.techniques =
        vec![Technique { id: "T1567".into(), name: "Exfiltration Over Web Service".into() }];
    plain.explanation.next_steps = vec!["Ask the owner.".to_owned(); 5];
    let text = hostile();
    let mut nasty = Incident { id: incident("nasty").id, title: text.clone(), ..plain.clone() };
    nasty.origin.executor = text.as_str().into();
    nasty.origin.template = Some(text.as_str().into());
    nasty.origin.tenant = Some(text.as_str().into());
    nasty.session = text.as_str().into();
    nasty.destination = text.as_str().into();
    nasty.hosts = vec![text.as_str().into()];
    nasty.explanation.summary.clone_from(&text);
    nasty.explanation.next_steps = vec![text; 3];
    [plain, nasty].into_iter().flat_map(life).collect()
}

fn life(incident: Incident) -> Vec<IncidentChange> {
    let by_analyst =
        |change: IncidentChange| IncidentChange { by: ChangeBy::Analyst("ana".into()), ..change };
    let graver = Incident { severity: Severity::Critical, ..incident.clone() };
    vec![
        change(ChangeKind::Opened, 0, incident),
        change(ChangeKind::Grew, 1, graver.clone()),
        by_analyst(change(ChangeKind::Acknowledged, 0, graver.clone())),
        change(ChangeKind::Resumed, 2, graver.clone()),
        by_analyst(change(ChangeKind::Closed, 1, graver)),
    ]
}

/// Delivers all lives and waits until nothing waits.
pub(crate) async fn deliver(outbox: &Outbox) {
    let running = outbox.start();
    for change in lives() {
        outbox.put(&[change]);
    }
    let is_done = || outbox.targets.iter().all(|target| outbox.counts(&target.name) == (0, 0));
    until("all is delivered", is_done).await;
    running.stop().await;
}

/// The requests that came, and their bodies.
pub(crate) fn taken(receiver: &mut Receiver) -> Vec<(Request, Value)> {
    let mut all = Vec::new();
    while let Ok(request) = receiver.requests.try_recv() {
        let body = serde_json::from_str(&request.body).unwrap_or(Value::Null);
        all.push((request, body));
    }
    all
}

/// Alerts of different incidents come in any order; here those about the first come first.
pub(crate) fn plain_first<T>(mut all: Vec<T>, incident_of: impl Fn(&T) -> Value) -> Vec<T> {
    let plain = json!(incident("a").id.to_string());
    all.sort_by_key(|one| incident_of(one) != plain);
    all
}

pub(crate) fn answer(body: &Value) -> Answer {
    let body = body.to_string();
    Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

/// A file `secret` of another kind than a webhook's.
pub(crate) fn with_secret(outbox_toml: &str, secret: &str) -> Outbox {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, secret).unwrap();
    let toml = outbox_toml.replace("TOKEN", path.to_str().unwrap());
    // The file is read when the target is checked.
    Outbox::new(&toml)
}
