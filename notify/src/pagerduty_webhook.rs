//! What PagerDuty tells back: whoever was called has taken the incident on, or resolved it there.
//!
//! Source: PagerDuty, "Webhooks V3 Overview", "Verifying Signatures"; REST API v2, "List alerts for an incident". The
//! subscription's secret signs the body as it came. Which incident of ours it is about is told by the key that alerts
//! were triggered with: where a service creates alerts, their incident has none of its own, and they are asked for.

use egret_analyzer::ChangeKind;
use egret_event::{EventId, Timestamp};
use egret_store::{Heard, NotHeard};
use metrics::counter;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use ring::digest::SHA256_OUTPUT_LEN;
use ring::hmac;
use serde::Deserialize;

use crate::Target;
use crate::config::Wrong;
use crate::http::{HttpClient, below, check_url};
use crate::link::Channel;
use crate::pagerduty::RawPagerDuty;
use crate::secret::{SecretSource, Token};
use crate::text::{bounded, visible};

/// Longest name of a person, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// The version of the signature that is known.
const VERSION: &str = "v1=";

/// Signatures that are looked at: a secret that is rotated makes two.
const MOST_SIGNATURES: usize = 4;

const REST: &str = "https://api.pagerduty.com";

/// Alerts asked for at once, and how often at most: an incident there holds up to 1,000.
const PAGE: usize = 25;
const MOST_PAGES: usize = 40;

/// How PagerDuty tells back.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    key: hmac::Key,
    /// Where to ask which alerts an incident has, and with which key.
    rest: Option<(Url, Token)>,
}

impl Webhook {
    /// `None`: nothing is told back.
    pub(crate) fn check(raw: &RawPagerDuty, allow_private: bool) -> Result<Option<Self>, Wrong> {
        let secret = SecretSource {
            file: ("webhook_secret_file", raw.webhook_secret_file.as_deref()),
            env: ("webhook_secret_env", raw.webhook_secret_env.as_deref()),
            what: "the secret of the webhook subscription",
        };
        let token = SecretSource {
            file: ("api_token_file", raw.api_token_file.as_deref()),
            env: ("api_token_env", raw.api_token_env.as_deref()),
            what: "a REST API key",
        };
        if !secret.is_given() && !token.is_given() {
            return Ok(None);
        }
        let secret = secret.read_as(Token::parse)?;
        let url = check_url(raw.api_url.as_deref().unwrap_or(REST), allow_private)
            .map_err(|wrong| Wrong::new("api_url", wrong))?;
        let token = token.is_given().then(|| token.read_as(Token::parse)).transpose()?;
        Ok(Some(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()),
            rest: token.map(|token| (url, token)),
        }))
    }

    /// Whether one of the signatures is that of the body: while a secret is rotated there are several.
    fn has_signed(&self, signatures: &str, body: &[u8]) -> bool {
        let signatures = signatures.split(',').take(MOST_SIGNATURES);
        let signatures = signatures.filter_map(|one| one.trim().strip_prefix(VERSION));
        let whole = signatures.filter(|hex| hex.len() == 2 * SHA256_OUTPUT_LEN);
        // Each costs as much as the body is long.
        whole.filter_map(bytes_of_hex).any(|tag| hmac::verify(&self.key, body, &tag).is_ok())
    }

    /// The keys that the alerts of an incident there were triggered with.
    async fn alert_keys(
        &self,
        client: &HttpClient,
        incident: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, String> {
        let Some((rest, token)) = &self.rest else {
            counter!("egret_notify_webhooks_unknown_total").increment(1);
            tracing::warn!(
                incident,
                "PagerDuty tells of an incident that has no key: give the target an api_token_file"
            );
            return Ok(Vec::new());
        };
        // It becomes part of an address.
        if incident.is_empty() || !incident.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Vec::new());
        }
        let mut keys = Vec::new();
        for page in 0..MOST_PAGES {
            let mut url = below(rest, &format!("incidents/{incident}/alerts"))?;
            url.set_query(Some(&format!("limit={PAGE}&offset={}", page * PAGE)));
            let request = client
                .get(url)
                .header(AUTHORIZATION, token.header("Token token="))
                .header(ACCEPT, "application/vnd.pagerduty+json;version=2");
            let answer = client.send(request, None, now).await.and_then(|answer| answer.judge(&[]));
            let answer = answer.map_err(|failure| failure.error().to_owned())?;
            let alerts: Alerts = serde_json::from_str(&answer.body)
                .map_err(|error| format!("its answer cannot be read: {error}"))?;
            keys.extend(alerts.alerts.into_iter().filter_map(|alert| alert.alert_key));
            if !alerts.more {
                break;
            }
        }
        Ok(keys)
    }
}

/// What the REST API answers.
#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<Alert>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct Alert {
    alert_key: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    occurred_at: Timestamp,
    agent: Option<Agent>,
    #[serde(default)]
    data: Data,
}

#[derive(Deserialize)]
struct Agent {
    summary: Option<String>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    id: String,
    incident_key: Option<String>,
}

/// Hears a webhook that came with `signature`, the header `X-PagerDuty-Signature`. `None`: it says nothing that
/// concerns an incident of ours.
///
/// # Errors
/// [`NotHeard`], where it must not be believed, or cannot be read or understood.
pub async fn hear(
    targets: &[Target],
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Heard>, NotHeard> {
    let told_by = believed(targets, signature, body)?;
    // One that can ask is asked.
    let asked = told_by.iter().max_by_key(|(_, webhook, _)| webhook.rest.is_some());
    let (_, webhook, client) = *asked.ok_or(NotHeard::NotSigned)?;
    let Message { event } = serde_json::from_slice(body).map_err(|_| NotHeard::Malformed)?;
    let kind = match event.event_type.as_str() {
        "incident.acknowledged" => ChangeKind::Acknowledged,
        "incident.resolved" => ChangeKind::Closed,
        // The time in which whoever took it on was to deal with it is over.
        "incident.unacknowledged" | "incident.reopened" => ChangeKind::Reopened,
        // Others may be added at any time.
        _ => return Ok(None),
    };
    let Data { id, incident_key } = event.data;
    let keys = match incident_key {
        Some(key) => vec![key],
        None => webhook.alert_keys(client, &id, now).await.map_err(NotHeard::NotAnswered)?,
    };
    // Others than ours may be told of by the same webhook.
    let incidents: Vec<EventId> = keys.iter().filter_map(|key| key.parse().ok()).collect();
    if incidents.is_empty() {
        return Ok(None);
    }
    // Others are integrations, as Egret is one itself: what it told comes back.
    let by_person = event.agent.as_ref().is_some_and(|agent| agent.kind == "user_reference");
    let name = event.agent.and_then(|agent| agent.summary).unwrap_or_default();
    let name = bounded(name.trim(), MAX_NAME_BYTES, visible);
    let by = if name.is_empty() { "PagerDuty".into() } else { format!("{name} (PagerDuty)") };
    let targets = told_by.into_iter().map(|(name, ..)| name.to_owned()).collect();
    Ok(Some(Heard { incidents, kind, at: event.occurred_at, by: by.into(), by_person, targets }))
}

/// The targets whose webhook has signed a message, with the way to ask what it means.
fn believed<'a>(
    targets: &'a [Target],
    signature: &str,
    body: &[u8],
) -> Result<Vec<(&'a str, &'a Webhook, &'a HttpClient)>, NotHeard> {
    let listening = targets.iter().filter_map(|target| match &target.channel {
        Channel::PagerDuty(config) => {
            config.webhook().map(|(webhook, client)| (target.name.as_str(), webhook, client))
        }
        _ => None,
    });
    let mut listening = listening.peekable();
    if listening.peek().is_none() {
        return Err(NotHeard::NobodyListens);
    }
    Ok(listening.filter(|(_, webhook, _)| webhook.has_signed(signature, body)).collect())
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
    use crate::sample::AT;
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

    #[tokio::test]
    async fn what_was_done_there_is_heard_with_who_did_it() {
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
            let signature = sign("secret-one", &body);
            let heard = hear(&all, &signature, body.as_bytes(), AT).await.unwrap();
            let targets = vec!["pager".to_owned()];
            let at = "2026-11-30T18:45:22.169Z".parse().unwrap();
            let (incidents, by, by_person) =
                (vec![id], by.into(), agent["type"] == "user_reference");
            assert_eq!(heard, Some(Heard { incidents, kind, at, by, by_person, targets }));
        }
        for (event_type, key) in [
            ("incident.triggered", json!(id.to_string())),
            ("incident.acknowledged", json!("somebody else's")),
            ("incident.acknowledged", json!(null)),
            ("pagey.ping", json!(null)),
        ] {
            let body = webhook(event_type, &json!(null), &key);
            let heard = hear(&all, &sign("secret-one", &body), body.as_bytes(), AT).await;
            assert_eq!(heard, Ok(None), "{event_type}");
        }
    }

    #[tokio::test]
    async fn only_what_is_signed_is_believed() {
        let (_dir, targets_one) = targets("webhook_secret_file = 'DIR/one'");
        let body =
            webhook("incident.resolved", &json!(null), &json!(EventId::of(&[b"a"]).to_string()));
        let hears = async |signature: &str, body: &str| {
            hear(&targets_one, signature, body.as_bytes(), AT).await
        };
        let good = sign("secret-one", &body);
        let rotated = format!("{}, {good}", sign("secret-two", &body));
        assert!(hears(&rotated, &body).await.unwrap().is_some());
        let other = body.replace("resolved", "acknowledged");
        for (signature, body) in [
            ("", &body),
            (&sign("secret-two", &body)[..], &body),
            (&good, &other),
            (&good[..60], &body),
            (&good.replace("v1=", "v2="), &body),
            ("v1=zz", &body),
        ] {
            assert_eq!(hears(signature, body).await, Err(NotHeard::NotSigned), "{signature}");
        }
        let nonsense = "{}";
        let malformed = hears(&sign("secret-one", nonsense), nonsense).await;
        assert_eq!(malformed, Err(NotHeard::Malformed));
        let (_dir, deaf) = targets("");
        let heard = hear(&deaf, &good, body.as_bytes(), AT).await;
        assert_eq!(heard, Err(NotHeard::NobodyListens));
    }
}
