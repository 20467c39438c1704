//! Alerts to Microsoft Sentinel: records for a table, by the Logs Ingestion API.
//!
//! Source: Azure Monitor, "Logs Ingestion API overview" (API version 2023-01-01), and Microsoft identity
//! platform, "OAuth 2.0 client credentials flow". `deploy/siem/sentinel` has the table.

use std::path::PathBuf;
use std::time::Duration;

use egret_event::{HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::alert::{Alert, host, of_ten, rule, rule_name, sentence, source_address};
use crate::config::Wrong;
use crate::fields::Fields;
use crate::heartbeat::{Beat, RULE, WORDS};
use crate::http::{HttpClient, below, check_url};
use crate::link::Failure;
use crate::secret::{SecretSource, Token};
use crate::target::raw_target;

/// A record that the rule does not know, or one that is too large.
const NEVER: [u16; 2] = [400, 413];

/// Longest name of a column, in bytes ("Azure Monitor service limits", Log Analytics workspaces).
const MAX_COLUMN_BYTES: usize = 45;

const UNAUTHORIZED: u16 = 401;

/// A token is not used any more when so little of its life is left.
const BEFORE_ITS_END: Duration = Duration::from_secs(120);

const LOGIN: &str = "https://login.microsoftonline.com";
const SCOPE: &str = "https://monitor.azure.com/.default";

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "sentinel"`.
    pub struct RawSentinel {
        /// The logs ingestion endpoint of the data collection rule or endpoint,
        /// such as `https://egret-x1y2.westeurope-1.ingest.monitor.azure.com`.
        pub url: String,
        /// The data collection rule's immutable id, `dcr-…`.
        pub rule_id: String,
        /// The rule's stream. Default `Custom-EgretAlerts_CL`.
        pub stream: Option<String>,
        /// The directory (tenant) id of the application that may send.
        pub directory_id: String,
        /// The application's (client) id.
        pub client_id: String,
        /// A file that holds the application's client secret. This or `client_secret_env` is required.
        pub client_secret_file: Option<PathBuf>,
        /// The environment variable that holds the client secret.
        pub client_secret_env: Option<String>,
        /// Where tokens come from. Default `https://login.microsoftonline.com`; other clouds have their own.
        pub login_url: Option<String>,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// A Sentinel target, checked.
#[derive(Debug, Clone)]
pub(crate) struct SentinelConfig {
    records: Url,
    login: Url,
    client_id: String,
    client_secret: Token,
    client: HttpClient,
}

impl SentinelConfig {
    pub(crate) fn check(raw: &RawSentinel) -> Result<Self, Wrong> {
        let base = check_url(&raw.url, true).map_err(|wrong| Wrong::new("url", wrong))?;
        let stream = raw.stream.as_deref().unwrap_or("Custom-EgretAlerts_CL");
        for (key, id) in [
            ("rule_id", raw.rule_id.as_str()),
            ("stream", stream),
            ("directory_id", raw.directory_id.as_str()),
        ] {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if id.is_empty() || !id.bytes().all(is_plain) {
                return Err(Wrong::new(key, format!("{id:?} is not letters, digits, -, _ and .")));
            }
        }
        let path = format!("dataCollectionRules/{}/streams/{stream}", raw.rule_id);
        let mut records = below(&base, &path).map_err(|wrong| Wrong::new("url", wrong))?;
        records.query_pairs_mut().append_pair("api-version", "2023-01-01");
        let login = check_url(raw.login_url.as_deref().unwrap_or(LOGIN), true)
            .and_then(|login| below(&login, &format!("{}/oauth2/v2.0/token", raw.directory_id)))
            .map_err(|wrong| Wrong::new("login_url", wrong))?;
        let source = SecretSource {
            file: ("client_secret_file", raw.client_secret_file.as_deref()),
            env: ("client_secret_env", raw.client_secret_env.as_deref()),
            what: "the application's client secret",
        };
        Ok(Self {
            records,
            login,
            client_id: raw.client_id.clone(),
            client_secret: source.read_as(Token::parse)?,
            client: HttpClient::build(raw.timeout, raw.ca.as_deref(), true)?,
        })
    }
}

/// The way to Sentinel, with the token that is good for an hour.
pub(crate) struct SentinelLink {
    config: SentinelConfig,
    token: Option<(Token, Timestamp)>,
}

impl SentinelLink {
    pub(crate) fn new(config: SentinelConfig) -> Self {
        Self { config, token: None }
    }

    /// Makes one attempt.
    pub(crate) async fn send(&mut self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        self.tell(record(alert), now).await
    }

    pub(crate) async fn beat(&mut self, beat: &Beat) -> Result<(), Failure> {
        let mut record = json!({
            "TimeGenerated": beat.at, "Change": "heartbeat", "RuleId": RULE, "Message": WORDS,
        });
        beat.constants.put_into(&mut record);
        self.tell(record, beat.at).await
    }

    async fn tell(&mut self, record: Value, now: Timestamp) -> Result<(), Failure> {
        let token = match self.token.take().filter(|(_, until)| now < *until) {
            Some(token) => token,
            None => self.config.fetch_token(now).await?,
        };
        let request = self
            .config
            .client
            .post(self.config.records.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, token.0.header("Bearer "))
            .body(json!([record]).to_string());
        let answer = self.config.client.send(request, None, now).await?;
        if answer.status() != UNAUTHORIZED {
            self.token = Some(token);
        }
        answer.judge(&NEVER).map(drop)
    }
}

impl SentinelConfig {
    async fn fetch_token(&self, now: Timestamp) -> Result<(Token, Timestamp), Failure> {
        let secret = form_encoded(&self.login, &[("client_secret", self.client_secret.reveal())]);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("scope", SCOPE),
        ];
        let request = self
            .client
            .post(self.login.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("{}&{secret}", form_encoded(&self.login, &form)));
        let secret = Token::parse(&secret).ok();
        // Whatever is wrong with the login, it is nothing about this alert, and may be put right.
        let answer = self.client.send(request, secret.as_ref(), now).await?.judge(&[])?;
        let given: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        let token = given["access_token"].as_str().and_then(|token| Token::parse(token).ok());
        let Some(token) = token else {
            let error = "the login answered no access_token".to_owned();
            return Err(Failure::Refused { error, retry_after: None });
        };
        let life = Duration::from_secs(given["expires_in"].as_u64().unwrap_or(0).min(86_400));
        Ok((token, now + life.saturating_sub(BEFORE_ITS_END)))
    }
}

/// A form as it is sent: a URL's query is encoded so too.
fn form_encoded(any: &Url, form: &[(&str, &str)]) -> String {
    let mut encoded = any.clone();
    encoded.query_pairs_mut().clear().extend_pairs(form);
    encoded.query().unwrap_or_default().to_owned()
}

/// The alert as a row of the table.
fn record(alert: &Alert) -> Value {
    let change = &alert.change;
    let incident = &change.incident;
    let techniques: Vec<_> =
        incident.explanation.techniques.iter().map(|technique| &technique.id).collect();
    let mut record = json!({
        "TimeGenerated": change.at,
        "AlertId": alert.alert.to_string(),
        "IncidentId": incident.id.to_string(),
        "Change": change.kind.word(),
        "Message": sentence(alert),
        "Severity": incident.severity.word(),
        "SeverityNumber": of_ten(incident.severity),
        "Score": incident.score,
        "RuleId": rule(incident),
        "RuleName": rule_name(incident),
        "Summary": incident.explanation.summary,
        "Executor": incident.origin.executor,
        "Session": incident.session,
        "Template": incident.origin.template,
        "Tenant": incident.origin.tenant,
        "Segment": incident.origin.segment,
        "SourceIp": source_address(incident),
        "DestinationIp": incident.addresses.first(),
        "DestinationPort": incident.ports.first(),
        "DestinationHost": host(incident),
        "Destination": incident.destination,
        "SentBytes": incident.observed.up_bytes,
        "ReceivedBytes": incident.observed.down_bytes,
        "FirstSeen": incident.first_seen,
        "LastSeen": incident.last_seen,
        "Techniques": techniques,
        "RollUpId": alert.roll_up.as_ref().map(|roll_up| roll_up.id.to_string()),
        "RollUpIncidents": alert.roll_up.as_ref().map(|roll_up| roll_up.incidents),
        "Repeats": alert.roll_up.as_ref().map(|roll_up| roll_up.repeats),
        "Incident": incident,
    });
    alert.fields.put_into(&mut record);
    record
}

/// Each is a column, which the table and the rule have to have too.
pub(crate) fn check_fields(fields: &Fields) -> Result<(), Wrong> {
    let is_column = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.len() <= MAX_COLUMN_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    fields.check_names(is_column, "a column is a letter, then letters, digits and _, 45 in all")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{change, delivery, incident};
    use egret_analyzer::ChangeKind;

    #[test]
    fn a_record_has_the_columns_of_the_shipped_table() {
        let table = include_str!("../../deploy/siem/sentinel/table.json");
        let table: Value = serde_json::from_str(table).unwrap();
        let columns = table["properties"]["schema"]["columns"].as_array().unwrap();
        let mut columns: Vec<_> = columns.iter().map(|one| one["name"].as_str().unwrap()).collect();
        columns.sort_unstable();
        let record = record(&delivery(&change(ChangeKind::Opened, 0, incident("a"))).into());
        let names: Vec<_> = record.as_object().unwrap().keys().collect();
        assert_eq!(names, columns);
    }
}
