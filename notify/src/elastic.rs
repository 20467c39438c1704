//! Alerts to Elasticsearch: ECS documents in a data stream, by the bulk API.
//!
//! Source: Elasticsearch 8, "Bulk API". A document's id is the alert's, so that a repetition is a conflict (409),
//! which says that the alert is there.

use std::path::PathBuf;

use egret_event::{HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::alert::Alert;
use crate::config::Wrong;
use crate::format::Format;
use crate::heartbeat::Beat;
use crate::http::{HttpClient, below, check_url};
use crate::link::Failure;
use crate::secret::{SecretSource, Token};
use crate::target::raw_target;
use crate::text::{bounded, visible};

/// No request of ours is refused so for a reason that passes.
const NEVER: [u16; 2] = [400, 413];

const CONFLICT: u64 = 409;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "elastic"`.
    pub struct RawElastic {
        /// The cluster, such as `https://elastic.example:9200`.
        pub url: String,
        /// A file that holds an API key, as Elasticsearch gives it out encoded. This or `api_key_env` is
        /// required.
        pub api_key_file: Option<PathBuf>,
        /// The environment variable that holds the API key.
        pub api_key_env: Option<String>,
        /// The data stream. Default `logs-egret.alert-default`.
        pub data_stream: Option<String>,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// An Elasticsearch target, checked.
#[derive(Debug, Clone)]
pub(crate) struct ElasticConfig {
    bulk: Url,
    api_key: Token,
    client: HttpClient,
}

impl ElasticConfig {
    pub(crate) fn check(raw: &RawElastic) -> Result<Self, Wrong> {
        let base = check_url(&raw.url, true).map_err(|wrong| Wrong::new("url", wrong))?;
        let stream = raw.data_stream.as_deref().unwrap_or("logs-egret.alert-default");
        let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if stream.is_empty() || stream.starts_with(['-', '_', '.']) || !stream.bytes().all(is_name)
        {
            let problem = format!("{stream:?} is not lower-case letters, digits, . _ and -");
            return Err(Wrong::new("data_stream", problem));
        }
        let bulk = below(&base, &format!("{stream}/_bulk"));
        let bulk = bulk.map_err(|wrong| Wrong::new("url", wrong))?;
        let source = SecretSource {
            file: ("api_key_file", raw.api_key_file.as_deref()),
            env: ("api_key_env", raw.api_key_env.as_deref()),
            what: "an API key",
        };
        let api_key = source.read_as(Token::parse)?;
        Ok(Self { bulk, api_key, client: HttpClient::build(raw.timeout, raw.ca.as_deref(), true)? })
    }

    /// Makes one attempt.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        let action = json!({ "create": { "_id": alert.alert.to_string() } });
        self.create(action, Format::Ecs.document(alert), now).await
    }

    pub(crate) async fn beat(&self, beat: &Beat) -> Result<(), Failure> {
        self.create(json!({ "create": {} }), Format::Ecs.heartbeat(beat), beat.at).await
    }

    async fn create(&self, action: Value, document: Value, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .client
            .post(self.bulk.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header(AUTHORIZATION, self.api_key.header("ApiKey "))
            .body(format!("{action}\n{document}\n"));
        let answer = self.client.send(request, None, now).await?.judge(&NEVER)?;
        judge_item(&answer.body)
    }
}

/// What became of the only document: the request as a whole succeeds even where that did not.
fn judge_item(body: &str) -> Result<(), Failure> {
    let answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let item = &answer["items"][0]["create"];
    let quoted = |text: &str| bounded(text, 200, visible);
    match item["status"].as_u64() {
        Some(200..=299 | CONFLICT) => Ok(()),
        Some(status) => {
            let error = format!("the document was refused with {status}: {}", item["error"]);
            // What the index does not take now it may take when its mapping was changed, but nobody waits.
            Err(if matches!(status, 400..=499) && status != 429 {
                Failure::Rejected(quoted(&error))
            } else {
                Failure::Refused { error: quoted(&error), retry_after: None }
            })
        }
        None => {
            let error = format!("answered no result of a bulk request: {}", body.trim());
            Err(Failure::Refused { error: quoted(&error), retry_after: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_says_what_became_of_it() {
        let item = |status: u16| {
            judge_item(&json!({ "items": [{ "create": { "status": status } }] }).to_string())
        };
        assert!(item(201).is_ok());
        assert!(item(409).is_ok(), "it is there already");
        assert!(matches!(item(400), Err(Failure::Rejected(_))));
        assert!(matches!(item(429), Err(Failure::Refused { .. })));
        assert!(matches!(item(503), Err(Failure::Refused { .. })));
        assert!(matches!(judge_item("<html>"), Err(Failure::Refused { .. })));
    }
}
