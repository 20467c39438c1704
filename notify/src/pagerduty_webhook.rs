//! What PagerDuty tells back: whoever was called has taken the incident on, or resolved it there.
//!
//! Source: PagerDuty, "Webhooks V3 Overview", "Verifying Signatures". The subscription's secret signs the body as it
//! came; the incident's key there is the `dedup_key` that it was triggered with, which is our incident's id.

use egret_analyzer::ChangeKind;
use egret_event::{EventId, SmolStr};
use ring::hmac;
use serde::Deserialize;

use crate::Target;
use crate::link::Channel;
use crate::text::{bounded, visible};

/// Longest name of a person, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// The version of the signature that is known.
const VERSION: &str = "v1=";

/// What somebody did to an incident in PagerDuty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The incident.
    pub incident: EventId,
    /// `Acknowledged`, `Closed`, or `Reopened` where nobody has it any more.
    pub kind: ChangeKind,
    /// Who did it.
    pub by: SmolStr,
    /// The targets that it may have been told by: those with the secret that signed it.
    pub targets: Vec<String>,
}

/// Why a message is not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// No target has a secret for it.
    #[error("no target of kind \"pagerduty\" has a webhook_secret_file or webhook_secret_env")]
    NobodyListens,
    /// It was not signed with the secret of any target.
    #[error("the signature is not that of a webhook that a target knows the secret of")]
    NotSigned,
    /// It is signed, and not as documented.
    #[error("the message is not a webhook of version 3")]
    Malformed,
}

#[derive(Deserialize)]
struct Message {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    agent: Option<Agent>,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Agent {
    summary: Option<String>,
}

#[derive(Default, Deserialize)]
struct Data {
    incident_key: Option<String>,
}

/// Hears a webhook that came with `signature`, the header `X-PagerDuty-Signature`. `None`: it says nothing that
/// concerns an incident of ours.
///
/// # Errors
/// [`NotHeard`], where it must not be believed or cannot be read.
pub fn hear(targets: &[Target], signature: &str, body: &[u8]) -> Result<Option<Heard>, NotHeard> {
    let listening = targets.iter().filter_map(|target| Some((target, key(target)?)));
    let mut listening = listening.peekable();
    if listening.peek().is_none() {
        return Err(NotHeard::NobodyListens);
    }
    let told_by: Vec<_> = listening
        .filter(|(_, key)| is_signed(signature, body, key))
        .map(|(target, _)| target.name.clone())
        .collect();
    if told_by.is_empty() {
        return Err(NotHeard::NotSigned);
    }
    let Message { event } = serde_json::from_slice(body).map_err(|_| NotHeard::Malformed)?;
    let kind = match event.event_type.as_str() {
        "incident.acknowledged" => ChangeKind::Acknowledged,
        "incident.resolved" => ChangeKind::Closed,
        // The time in which whoever took it on was to deal with it is over.
        "incident.unacknowledged" | "incident.reopened" => ChangeKind::Reopened,
        _ => return Ok(None),
    };
    // Others than ours may be told of by the same webhook.
    let key = event.data.incident_key.as_deref();
    let Some(incident) = key.and_then(|key| key.parse().ok()) else { return Ok(None) };
    let name = event.agent.and_then(|agent| agent.summary).unwrap_or_default();
    let name = bounded(name.trim(), MAX_NAME_BYTES, visible);
    let by = if name.is_empty() { "PagerDuty".into() } else { format!("{name} (PagerDuty)") };
    Ok(Some(Heard { incident, kind, by: by.into(), targets: told_by }))
}

fn key(target: &Target) -> Option<&hmac::Key> {
    match &target.channel {
        Channel::PagerDuty(config) => config.webhook_key(),
        _ => None,
    }
}

/// Whether one of the signatures is that of the body: while a secret is rotated there are several.
fn is_signed(signatures: &str, body: &[u8], key: &hmac::Key) -> bool {
    let signatures = signatures.split(',').filter_map(|one| one.trim().strip_prefix(VERSION));
    signatures.filter_map(bytes_of_hex).any(|tag| hmac::verify(key, body, &tag).is_ok())
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    rest.is_empty().then(|| bytes.collect())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RawNotify;
    use serde_json::{Value, json};

    fn targets(lines: &str) -> (tempfile::TempDir, Vec<Target>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("key", "R0UTINGKEY"), ("one", "secret-one\n"), ("two", "secret-two")]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let pager = |name: &str, more: &str| {
            format!(
                "[[targets]]\nkind = 'pagerduty'\nname = '{name}'\nrouting_key_file = 'DIR/key'\n{more}\n"
            )
        };
        let toml = pager("silent", "") + &pager("pager", lines);
        let toml = toml.replace("DIR", dir.path().to_str().unwrap());
        let targets = toml::from_str::<RawNotify>(&toml).unwrap().check().unwrap();
        (dir, targets)
    }

    fn webhook(event_type: &str, agent: &Value, incident_key: &Value) -> String {
        json!({ "event": {
            "id": "01BZ8", "event_type": event_type, "resource_type": "incident",
            "occurred_at": "2026-11-30T18:45:22.169Z", "agent": agent, "client": null,
            "data": { "id": "PGR0VU2", "type": "incident", "incident_key": incident_key },
        }})
        .to_string()
    }

    fn sign(secret: &str, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("v1={hex}")
    }

    #[test]
    fn what_was_done_there_is_heard_with_who_did_it() {
        let (_dir, all) = targets("webhook_secret_file = 'DIR/one'");
        let id = EventId::of(&[b"a"]);
        let jo = json!({ "summary": "Jo \u{202e}Doe", "type": "user_reference" });
        for (event_type, agent, kind, by) in [
            ("acknowledged", jo.clone(), ChangeKind::Acknowledged, r"Jo \u{202e}Doe (PagerDuty)"),
            ("resolved", json!(null), ChangeKind::Closed, "PagerDuty"),
            ("unacknowledged", json!(null), ChangeKind::Reopened, "PagerDuty"),
            ("reopened", json!({}), ChangeKind::Reopened, "PagerDuty"),
        ] {
            let body = webhook(&format!("incident.{event_type}"), &agent, &json!(id.to_string()));
            let heard = hear(&all, &sign("secret-one", &body), body.as_bytes()).unwrap();
            let targets = vec!["pager".to_owned()];
            assert_eq!(heard, Some(Heard { incident: id, kind, by: by.into(), targets }));
        }
        for (event_type, key) in [
            ("incident.triggered", json!(id.to_string())),
            ("incident.acknowledged", json!("somebody else's")),
            ("incident.acknowledged", json!(null)),
            ("pagey.ping", json!(null)),
        ] {
            let body = webhook(event_type, &json!(null), &key);
            assert_eq!(hear(&all, &sign("secret-one", &body), body.as_bytes()), Ok(None));
        }
    }

    #[test]
    fn only_what_is_signed_is_believed() {
        let (_dir, targets_one) = targets("webhook_secret_file = 'DIR/one'");
        let body =
            webhook("incident.resolved", &json!(null), &json!(EventId::of(&[b"a"]).to_string()));
        let hears = |signature: &str, body: &str| hear(&targets_one, signature, body.as_bytes());
        let good = sign("secret-one", &body);
        let rotated = format!("{}, {good}", sign("secret-two", &body));
        assert!(hears(&rotated, &body).unwrap().is_some());
        let other = body.replace("resolved", "acknowledged");
        for (signature, body) in [
            ("", &body),
            (&sign("secret-two", &body)[..], &body),
            (&good, &other),
            (&good[..60], &body),
            (&good.replace("v1=", "v2="), &body),
            ("v1=zz", &body),
        ] {
            assert_eq!(hears(signature, body), Err(NotHeard::NotSigned), "{signature}");
        }
        let nonsense = "{}";
        assert_eq!(hears(&sign("secret-one", nonsense), nonsense), Err(NotHeard::Malformed));
        let (_dir, deaf) = targets("");
        assert_eq!(hear(&deaf, &good, body.as_bytes()), Err(NotHeard::NobodyListens));
    }
}
