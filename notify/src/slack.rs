//! Alerts to a Slack channel, by an incoming webhook.
//!
//! Source: Slack, "Sending messages using incoming webhooks" and "Reference: blocks". Every text is plain text, which
//! Slack does not search for mark-up, mentions or links: what an executor did may be called anything.

use std::path::PathBuf;

use egret_analyzer::{ChangeKind, Severity, Signal};
use egret_event::{HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::alert::{Alert, rule_name, sentence, who_and_where};
use crate::config::Wrong;
use crate::fields::Fields;
use crate::http::{HttpClient, check_url};
use crate::link::Failure;
use crate::secret::{SecretSource, Token};
use crate::target::raw_target;
use crate::text::{bounded, visible};

/// Slack counts characters, and one of ours has at most that many bytes.
const MAX_HEADER_BYTES: usize = 150;
const MAX_SUMMARY_BYTES: usize = 1400;
const MAX_STEP_BYTES: usize = 500;
const MAX_FIELD_BYTES: usize = 300;

/// Longest name of a field of somebody's own.
const MAX_NAME_BYTES: usize = 64;

/// Slack takes no more.
const FIELDS_OF_A_SECTION: usize = 10;

/// Most next steps shown; the incident has all.
const MAX_STEPS: usize = 3;

/// The payload is wrong, or the webhook may not post: nothing that passes.
const NEVER: [u16; 1] = [400];

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "slack"`.
    pub struct RawSlack {
        /// A file that holds the incoming webhook's URL, which is a secret. This or `url_env` is required.
        pub url_file: Option<PathBuf>,
        /// The environment variable that holds the URL.
        pub url_env: Option<String>,
        /// Whether the URL may lead to an address of a private network. Default `false`.
        pub allow_private: Option<bool>,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// A Slack target, checked.
#[derive(Debug, Clone)]
pub(crate) struct SlackConfig {
    url: Token,
    client: HttpClient,
}

impl SlackConfig {
    pub(crate) fn check(raw: &RawSlack) -> Result<Self, Wrong> {
        let allow_private = raw.allow_private.unwrap_or(false);
        let source = SecretSource {
            file: ("url_file", raw.url_file.as_deref()),
            env: ("url_env", raw.url_env.as_deref()),
            what: "the incoming webhook's URL",
        };
        let url = source.read_as(|text| {
            let url = Token::parse(text)?;
            check_url(url.reveal(), allow_private)?;
            Ok(url)
        })?;
        Ok(Self { url, client: HttpClient::build(raw.timeout, raw.ca.as_deref(), allow_private)? })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        let url = Url::parse(self.url.reveal());
        let url = url.map_err(|error| Failure::Rejected(error.to_string()))?;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(message(alert).to_string());
        self.client.send(request, None, now).await?.judge(&NEVER).map(drop)
    }
}

/// The message.
fn message(alert: &Alert) -> Value {
    let change = &alert.change;
    let incident = &change.incident;
    let sentence = sentence(alert);
    let others = match alert.others() {
        0 => String::new(),
        others => format!("{others} more, and "),
    };
    let header = format!("{} {others}{}", mark(alert), incident.title);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&header, MAX_HEADER_BYTES) })];
    let origin = &incident.origin;
    let named = |name: &str, value: &str| {
        let value = bounded(value, MAX_FIELD_BYTES, visible);
        plain_text(&format!("{name}\n{value}"))
    };
    let mut fields = vec![
        named("What happened", change.kind.word()),
        named("Severity", incident.severity.word()),
        named("Why", rule_name(incident)),
    ];
    fields.extend(who_and_where(incident).into_iter().map(|(name, value)| named(name, value)));
    fields.extend(origin.template.as_deref().map(|template| named("Template", template)));
    fields.extend(origin.tenant.as_deref().map(|tenant| named("Tenant", tenant)));
    if let Some(roll_up) = alert.roll_up.as_ref().filter(|roll_up| roll_up.incidents > 1) {
        let story = format!("{} incidents, {} sessions", roll_up.incidents, roll_up.sessions);
        fields.push(named("Of one story", &story));
    }
    if let Some(words) = alert.gathered_words() {
        fields.push(named("Told with it", &words));
    }
    blocks.push(json!({ "type": "section", "fields": fields }));
    let own: Vec<_> = alert.fields.words().map(|(name, value)| named(name, &value)).collect();
    blocks.extend(
        own.chunks(FIELDS_OF_A_SECTION).map(|some| json!({ "type": "section", "fields": some })),
    );
    if matches!(change.kind, ChangeKind::Opened | ChangeKind::Grew | ChangeKind::Reopened) {
        let summary = &incident.explanation.summary;
        let steps = incident.explanation.next_steps.iter().take(MAX_STEPS);
        let lines = steps.map(|step| format!("\n• {}", bounded(step, MAX_STEP_BYTES, visible)));
        let mut text = bounded(summary, MAX_SUMMARY_BYTES, visible);
        text.extend(lines);
        blocks.push(json!({ "type": "section", "text": plain_text(&text) }));
    }
    let ids = format!("incident {} · alert {}", incident.id, alert.alert);
    blocks.push(json!({ "type": "context", "elements": [plain(&ids, MAX_FIELD_BYTES)] }));
    if let Some(page) = &alert.page {
        let link = format!("<{}|Open the incident in Egret>", escaped(page));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": link } }));
    }
    // Shown in notifications, where there are no blocks; it is the one text that Slack looks into.
    json!({ "text": escaped(&bounded(&sentence, MAX_SUMMARY_BYTES, visible)), "blocks": blocks })
}

/// Each is a short text with its name above it.
pub(crate) fn check_fields(fields: &Fields) -> Result<(), Wrong> {
    fields.check_names(|name| name.len() <= MAX_NAME_BYTES, "a name has at most 64 bytes")
}

/// How urgent it is, at a glance.
fn mark(alert: &Alert) -> &'static str {
    match (alert.change.kind.signal(), alert.change.incident.severity) {
        (Some(Signal::Over), _) => "✅",
        (_, Severity::Critical) => "🔴",
        (_, Severity::High) => "🟠",
        (_, Severity::Medium) => "🟡",
        (_, Severity::Low) => "⚪",
    }
}

/// A text from outside.
fn plain(text: &str, max_bytes: usize) -> Value {
    plain_text(&bounded(text, max_bytes, visible))
}

/// A text in which only line ends of our own are left.
fn plain_text(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// The three characters that mark-up is made of.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
