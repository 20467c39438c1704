//! Alerts to PagerDuty, by its Events API v2.
//!
//! Source: PagerDuty, "Send an alert event" and "Events API v2 overview". An incident of ours is one of theirs: its id
//! is the `dedup_key`. What opens or grows triggers it, what a person takes on acknowledges it, and what is closed
//! resolves it.

use std::path::PathBuf;

use egret_analyzer::{Severity, Signal};
use egret_event::{HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::alert::{Alert, PRODUCT, host, rule, rule_name, sentence, subject};
use crate::config::Wrong;
use crate::fields::{Fields, words};
use crate::http::{HttpClient, check_url};
use crate::link::Failure;
use crate::pagerduty_webhook::Webhook;
use crate::secret::{SecretSource, Token};
use crate::target::raw_target;
use crate::text::{bounded, visible};

const MAX_SUMMARY_BYTES: usize = 1024;
const MAX_DETAIL_BYTES: usize = 2000;

/// "Do not retry": the event is wrong.
const NEVER: [u16; 1] = [400];

const EVENTS: &str = "https://events.pagerduty.com/v2/enqueue";

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "pagerduty"`.
    pub struct RawPagerDuty {
        /// A file that holds the integration key of the service. This or `routing_key_env` is required.
        pub routing_key_file: Option<PathBuf>,
        /// The environment variable that holds the integration key.
        pub routing_key_env: Option<String>,
        /// A file that holds the secret of the webhook subscription which tells Egret what is done there. Without
        /// it, nothing is heard of that.
        pub webhook_secret_file: Option<PathBuf>,
        /// The environment variable that holds it.
        pub webhook_secret_env: Option<String>,
        /// A file that holds a REST API key, read-only. It is needed beside the webhook where the service creates
        /// alerts, as new ones do: then PagerDuty does not say which incident of ours its incident is.
        pub api_token_file: Option<PathBuf>,
        /// The environment variable that holds it.
        pub api_token_env: Option<String>,
        /// The REST API. Default `https://api.pagerduty.com`; the EU has its own.
        pub api_url: Option<String>,
        /// Where to POST. Default `https://events.pagerduty.com/v2/enqueue`; the EU has its own.
        pub url: Option<String>,
        /// Whether `url` may lead to an address of a private network. Default `false`.
        pub allow_private: Option<bool>,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// A PagerDuty target, checked.
#[derive(Debug, Clone)]
pub(crate) struct PagerDutyConfig {
    url: Url,
    routing_key: Token,
    webhook: Option<Webhook>,
    client: HttpClient,
}

impl PagerDutyConfig {
    pub(crate) fn check(raw: &RawPagerDuty) -> Result<Self, Wrong> {
        let allow_private = raw.allow_private.unwrap_or(false);
        let url = check_url(raw.url.as_deref().unwrap_or(EVENTS), allow_private)
            .map_err(|wrong| Wrong::new("url", wrong))?;
        let source = SecretSource {
            file: ("routing_key_file", raw.routing_key_file.as_deref()),
            env: ("routing_key_env", raw.routing_key_env.as_deref()),
            what: "the service's integration key",
        };
        let routing_key = source.read_as(Token::parse)?;
        Ok(Self {
            url,
            routing_key,
            webhook: Webhook::check(raw, allow_private)?,
            client: HttpClient::build(raw.timeout, raw.ca.as_deref(), allow_private)?,
        })
    }

    /// The webhook by which PagerDuty tells back, and the way to ask what it means.
    pub(crate) fn webhook(&self) -> Option<(&Webhook, &HttpClient)> {
        self.webhook.as_ref().map(|webhook| (webhook, &self.client))
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        let mut event = event(alert);
        event["routing_key"] = json!(self.routing_key.reveal());
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(event.to_string());
        self.client.send(request, Some(&self.routing_key), now).await?.judge(&NEVER).map(drop)
    }
}

/// What PagerDuty is to do with its incident.
const fn action(signal: Option<Signal>) -> &'static str {
    match signal {
        Some(Signal::TakenOn) => "acknowledge",
        Some(Signal::Over) => "resolve",
        Some(Signal::Raise) | None => "trigger",
    }
}

/// The event, without the key.
fn event(alert: &Alert) -> Value {
    let change = &alert.change;
    let incident = &change.incident;
    let text = |text: &str| bounded(text, MAX_DETAIL_BYTES, visible);
    let explanation = &incident.explanation;
    let steps: Vec<_> = explanation.next_steps.iter().map(|step| text(step)).collect();
    let techniques: Vec<_> = explanation.techniques.iter().map(|technique| &technique.id).collect();
    let mut event = json!({
        "event_action": action(change.kind.signal()),
        "dedup_key": incident.id.to_string(),
        "client": PRODUCT,
        "payload": {
            "summary": bounded(&sentence(alert), MAX_SUMMARY_BYTES, visible),
            "severity": severity(incident.severity),
            "timestamp": change.at,
            "component": text(&incident.destination),
            "group": incident.origin.template.as_deref().map(text),
            "class": rule_name(incident),
            "custom_details": {
                "alert": alert.alert.to_string(),
                "rule": rule(incident),
                "score": incident.score,
                "summary": text(&explanation.summary),
                "next_steps": steps,
                "techniques": techniques,
                "session": text(&incident.session),
                "tenant": incident.origin.tenant.as_deref().map(text),
                "host": host(incident).map(text),
                "sent_bytes": incident.observed.up_bytes,
                "roll_up": alert.roll_up,
                "told_with_it": alert.gathered_words().as_deref().map(text),
            },
        },
    });
    if let Some(page) = &alert.page {
        event["client_url"] = page.as_str().into();
        event["links"] = json!([{ "href": page, "text": "Open the incident in Egret" }]);
    }
    alert.fields.put_with(&mut event["payload"], |_, value| match value {
        Value::Bool(_) | Value::Number(_) => value.clone(),
        other => text(&words(other)).into(),
    });
    // Behind the fields, of which one may be it: an event with a blank source is refused, and nobody is called.
    let source = &mut event["payload"]["source"];
    if source.as_str().is_none_or(|source| source.trim().is_empty()) {
        *source = text(subject(incident)).into();
    }
    event
}

/// What routes and people go by; what is done about an event stays ours.
pub(crate) fn check_fields(fields: &Fields) -> Result<(), Wrong> {
    let is_name = |name: &str| {
        matches!(name, "component" | "group" | "class" | "source")
            || name.strip_prefix("custom_details.").is_some_and(|rest| !rest.contains('.'))
    };
    let what = "a name is component, group, class, source or \"custom_details.x\"";
    fields.check_names(is_name, what)
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "info",
        Severity::Medium => "warning",
        Severity::High => "error",
        Severity::Critical => "critical",
    }
}
