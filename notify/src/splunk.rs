//! Alerts to Splunk's HTTP Event Collector.
//!
//! Source: Splunk Enterprise 9, "Format events for HTTP Event Collector" and "About HTTP Event Collector Indexer
//! Acknowledgment". Where a token has acknowledgement on, the answer names an id, and an alert counts as
//! delivered once the indexer has confirmed that.

use std::path::PathBuf;
use std::time::Duration;

use egret_event::{EventId, HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::alert::Alert;
use crate::config::Wrong;
use crate::format::{Format, JsonFormat};
use crate::heartbeat::Beat;
use crate::http::{HttpClient, below, check_url};
use crate::link::Failure;
use crate::secret::{SecretSource, Token};
use crate::syslog::own_hostname;
use crate::target::raw_target;

/// The wrong data format, an index that is not there: no repetition helps.
const NEVER: [u16; 1] = [400];

/// How often, and how many times, the indexer is asked whether it has an alert. It may take some seconds.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASK_TIMES: u32 = 30;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "splunk"`.
    pub struct RawSplunk {
        /// The collector, such as `https://splunk.example:8088`.
        pub url: String,
        /// A file that holds the collector's token. This or `token_env` is required.
        pub token_file: Option<PathBuf>,
        /// The environment variable that holds the token.
        pub token_env: Option<String>,
        /// How the event tells of an alert. Default `egret`.
        pub format: Option<JsonFormat>,
        /// The version of OCSF that the event claims (format `ocsf`): `1.1.0` to `1.8.0`. Default `1.5.0`.
        pub ocsf_version: Option<String>,
        /// The index. Default: the token's own.
        pub index: Option<String>,
        /// The source type. Default `egret:alert`.
        pub sourcetype: Option<String>,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// A Splunk target, checked.
#[derive(Debug, Clone)]
pub(crate) struct SplunkConfig {
    events: Url,
    acks: Url,
    token: Token,
    pub(crate) format: Format,
    index: Option<String>,
    sourcetype: String,
    /// Acknowledgements are kept for each sender: a name of its own, the same after a restart.
    channel: String,
    client: HttpClient,
}

impl SplunkConfig {
    pub(crate) fn check(raw: &RawSplunk) -> Result<Self, Wrong> {
        let base = check_url(&raw.url, true).map_err(|wrong| Wrong::new("url", wrong))?;
        let below = |path| below(&base, path).map_err(|wrong| Wrong::new("url", wrong));
        let channel = channel(&raw.name);
        let mut acks = below("services/collector/ack")?;
        acks.query_pairs_mut().append_pair("channel", &channel);
        let source = SecretSource {
            file: ("token_file", raw.token_file.as_deref()),
            env: ("token_env", raw.token_env.as_deref()),
            what: "the collector's token",
        };
        Ok(Self {
            events: below("services/collector/event")?,
            acks,
            token: source.read_as(Token::parse)?,
            format: Format::check(raw.format, raw.ocsf_version.as_deref())?,
            index: raw.index.clone(),
            sourcetype: raw.sourcetype.clone().unwrap_or_else(|| "egret:alert".to_owned()),
            channel,
            client: HttpClient::build(raw.timeout, raw.ca.as_deref(), true)?,
        })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        let change = &alert.change;
        let document = self.format.document(alert);
        let executor = &change.incident.origin.executor;
        self.tell(self.event(change.at, executor, &document), now).await
    }

    pub(crate) async fn beat(&self, beat: &Beat) -> Result<(), Failure> {
        let document = self.format.heartbeat(beat);
        self.tell(self.event(beat.at, &own_hostname(), &document), beat.at).await
    }

    async fn tell(&self, event: Value, now: Timestamp) -> Result<(), Failure> {
        let answer = self.ask(self.events.clone(), &event, now).await?;
        match answer.get("ackId").and_then(Value::as_u64) {
            Some(id) => self.await_acknowledgement(id, now).await,
            None => Ok(()),
        }
    }

    fn event(&self, at: Timestamp, host: &str, document: &Value) -> Value {
        let millis = crate::alert::millis(at);
        let mut event = json!({
            "time": format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000)),
            "host": host,
            "source": "egret",
            "sourcetype": self.sourcetype,
            "event": document,
        });
        if let Some(index) = &self.index {
            event["index"] = json!(index);
        }
        event
    }

    async fn ask(&self, url: Url, body: &Value, now: Timestamp) -> Result<Value, Failure> {
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.token.header("Splunk "))
            .header("X-Splunk-Request-Channel", &self.channel)
            .body(body.to_string());
        let answer = self.client.send(request, None, now).await?.judge(&NEVER)?;
        Ok(serde_json::from_str(&answer.body).unwrap_or(Value::Null))
    }

    async fn await_acknowledgement(&self, id: u64, now: Timestamp) -> Result<(), Failure> {
        for _ in 0..ASK_TIMES {
            let answer = self.ask(self.acks.clone(), &json!({ "acks": [id] }), now).await?;
            if answer["acks"][id.to_string()] == true {
                return Ok(());
            }
            sleep(ASK_EVERY).await;
        }
        let error = format!("took the alert, but did not index it within {ASK_TIMES} s");
        Err(Failure::Refused { error, retry_after: None })
    }
}

/// A GUID made of a target's name.
fn channel(name: &str) -> String {
    let hash = EventId::of(&[b"splunk channel", name.as_bytes()]).to_string();
    let parts = [&hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32]];
    parts.join("-")
}
