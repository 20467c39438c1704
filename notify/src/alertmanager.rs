//! Alerts to Prometheus Alertmanager, by its API v2.
//!
//! Source: Alertmanager 0.25, `api/v2/openapi.yaml`, and "Alerting", "Client behavior" of the Prometheus
//! documentation. Labels are what an alert is, annotations what is known of it: an incident that grows is the same
//! alert. Its severity is a label all the same, because routes go by that; where it may have changed, the alerts with
//! the other severities are resolved in the same request.
//!
//! Alertmanager forgets an alert that nobody posts any more, and all of them when it starts without what it had on
//! disk. So what is not closed is posted again from time to time.

use std::path::PathBuf;
use std::time::Duration;

use egret_analyzer::{Severity, Signal};
use egret_event::{HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::alert::{Alert, host, rule, rule_name};
use crate::config::Wrong;
use crate::fields::{Field, Fields, Named, Source, words};
use crate::heartbeat::{Beat, WORDS};
use crate::http::{HttpClient, below, check_url};
use crate::link::Failure;
use crate::target::raw_target;
use crate::text::{bounded, visible};

/// Longest label and annotation, in bytes.
const MAX_LABEL_BYTES: usize = 256;
const MAX_ANNOTATION_BYTES: usize = 4000;

/// The alert is wrong.
const NEVER: [u16; 1] = [400];

/// How often what is not closed is posted again, and for how long it counts without that.
pub(crate) const POST_AGAIN: Duration = Duration::from_secs(5 * 60);
const COUNTS_FOR: Duration = Duration::from_secs(4 * 5 * 60);

/// Alertmanager takes an end that its own clock has not reached for a mere time limit, of which it keeps the later:
/// what is over ended so long ago.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// Most alerts in a request.
const AT_ONCE: usize = 100;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "alertmanager"`.
    pub struct RawAlertmanager {
        /// Where Alertmanager is, such as `http://alertmanager.example:9093`.
        pub url: String,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// An Alertmanager target, checked.
#[derive(Debug, Clone)]
pub(crate) struct AlertmanagerConfig {
    alerts: Url,
    client: HttpClient,
}

impl AlertmanagerConfig {
    pub(crate) fn check(raw: &RawAlertmanager) -> Result<Self, Wrong> {
        let base = check_url(&raw.url, true).map_err(|wrong| Wrong::new("url", wrong))?;
        let alerts = below(&base, "api/v2/alerts").map_err(|wrong| Wrong::new("url", wrong))?;
        Ok(Self { alerts, client: HttpClient::build(raw.timeout, raw.ca.as_deref(), true)? })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        let change = &alert.change;
        let own = change.incident.severity;
        let is_over = change.kind.signal() == Some(Signal::Over);
        let all = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
        let alerts = all.into_iter().map(|severity| {
            let ends =
                if severity == own && !is_over { now + COUNTS_FOR } else { now - CLOCKS_DIFFER };
            stated(alert, severity, ends)
        });
        self.post(alerts.collect(), now).await
    }

    /// Says again what still counts.
    pub(crate) async fn post_again(
        &self,
        standing: &[Alert],
        now: Timestamp,
    ) -> Result<(), Failure> {
        for some in standing.chunks(AT_ONCE) {
            let alerts = some
                .iter()
                .map(|alert| stated(alert, alert.change.incident.severity, now + COUNTS_FOR));
            self.post(alerts.collect(), now).await?;
        }
        Ok(())
    }

    /// An alert that is always there: a route sends it to whoever calls when it is not ("dead man's switch").
    pub(crate) async fn beat(&self, beat: &Beat) -> Result<(), Failure> {
        let mut alert = json!({
            "labels": { "alertname": "EgretHeartbeat", "severity": "none" },
            "annotations": { "summary": WORDS },
            "startsAt": beat.at,
            "endsAt": beat.at + beat.every * 3,
        });
        put_fields(&beat.constants, &mut alert);
        self.post(vec![alert], beat.at).await
    }

    async fn post(&self, alerts: Vec<Value>, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .client
            .post(self.alerts.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Value::from(alerts).to_string());
        self.client.send(request, None, now).await?.judge(&NEVER).map(drop)
    }
}

/// What an alert states about an incident, as one of this severity, until `ends`.
fn stated(alert: &Alert, severity: Severity, ends: Timestamp) -> Value {
    let change = &alert.change;
    let incident = &change.incident;
    let origin = &incident.origin;
    let mut labels = Map::new();
    let mut label = |name: &str, text: &str| {
        // An empty label is none.
        if !text.is_empty() {
            labels.insert(name.to_owned(), bounded(text, MAX_LABEL_BYTES, visible).into());
        }
    };
    label("alertname", "EgretIncident");
    label("incident", &incident.id.to_string());
    label("severity", severity.word());
    label("executor", &origin.executor);
    label("destination", &incident.destination);
    label("segment", &origin.segment);
    label("template", origin.template.as_deref().unwrap_or_default());
    label("tenant", origin.tenant.as_deref().unwrap_or_default());
    let text = |text: &str| bounded(text, MAX_ANNOTATION_BYTES, visible);
    let explanation = &incident.explanation;
    let annotations = json!({
        "summary": text(&incident.title),
        "description": text(&explanation.summary),
        "next_steps": text(&explanation.next_steps.join(" ")),
        "rule": rule(incident),
        "rule_name": rule_name(incident),
        "score": format!("{:.2}", incident.score.clamp(0.0, 1.0)),
        "host": text(host(incident).unwrap_or_default()),
        "session": text(&incident.session),
        "change": change.kind.word(),
        "sent_bytes": incident.observed.up_bytes.to_string(),
    });
    // Nothing may end before it starts.
    let starts = incident.opened_at.min(ends);
    let mut stated = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": starts,
        "endsAt": ends,
    });
    if let Some(page) = &alert.page {
        stated["generatorURL"] = page.as_str().into();
    }
    put_fields(&alert.fields, &mut stated);
    stated
}

/// Puts labels and annotations of somebody's own where they belong.
fn put_fields(fields: &Named, stated: &mut Value) {
    fields.put_with(stated, |name, value| {
        let is_label = name.starts_with("labels.");
        let most = if is_label { MAX_LABEL_BYTES } else { MAX_ANNOTATION_BYTES };
        bounded(&words(value), most, visible).into()
    });
}

/// Labels are what an alert is: what may change makes another one of it, and Egret's own three tell it apart.
pub(crate) fn check_fields(fields: &Fields) -> Result<(), Wrong> {
    let is_word = |text: &str| {
        !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_own = |label: &str| matches!(label, "alertname" | "incident" | "severity");
    let is_name = |name: &str| match name.split_once('.') {
        Some(("labels", label)) => is_word(label) && !is_own(label),
        Some(("annotations", annotation)) => is_word(annotation),
        _ => false,
    };
    let what =
        "a name is \"labels.x\" or \"annotations.x\", and alertname, incident and severity stay";
    fields.check_names(is_name, what)?;
    let stays = |field: &Field| match &field.value {
        Source::Constant(_) => true,
        Source::At(path) => {
            path.starts_with("incident.origin.")
                || matches!(
                    path.as_str(),
                    "incident.id" | "incident.session" | "incident.destination"
                )
        }
    };
    let is_forgotten = |field: &Field| match &field.value {
        Source::Constant(_) => false,
        Source::At(path) => path.starts_with("roll_up") || path.starts_with("gathered"),
    };
    for field in fields.iter() {
        if field.name.starts_with("labels.") && !stays(field) {
            let problem = "would change with the incident, and be another alert then: make it an annotation, or take \
                           incident.origin.…, incident.session or incident.destination";
            return Err(field.wrong(problem));
        }
        if is_forgotten(field) {
            return Err(field.wrong("is not known any more when Alertmanager is told again"));
        }
    }
    Ok(())
}
