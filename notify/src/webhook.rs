//! Alerts to a web address, signed and confirmed as Standard Webhooks 1.0.0 has it.

use std::fmt;
use std::path::PathBuf;

use egret_event::{HumanDuration, Timestamp};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use crate::alert::Alert;
use crate::config::Wrong;
use crate::format::{Format, JsonFormat};
use crate::heartbeat::Beat;
use crate::http::{HttpClient, check_url};
use crate::link::Failure;
use crate::secret::{SecretSource, SigningKeys};
use crate::target::raw_target;

/// By this status a receiver says that it wants no more.
const GONE: u16 = 410;

raw_target! {
    /// A `[[notify.targets]]` entry with `kind = "webhook"`.
    pub struct RawWebhook {
        /// Where to POST, `https://…`. It may be `http://…` where the way there is trusted.
        pub url: String,
        /// Whether `url` may lead to an address of a private network. Default `false`.
        pub allow_private: Option<bool>,
        /// How the body tells of an alert. Default `egret`.
        pub format: Option<JsonFormat>,
        /// The version of OCSF that the body claims (format `ocsf`): `1.1.0` to `1.8.0`. Default `1.5.0`.
        pub ocsf_version: Option<String>,
        /// A file that holds the secret, `whsec_…`. Two of them, one per line, sign together while
        /// the secret is rotated. This or `secret_env` is required; the secret itself has no key, so
        /// that it is not in a file which is shown, copied and versioned.
        pub secret_file: Option<PathBuf>,
        /// The environment variable that holds the secret.
        pub secret_env: Option<String>,
        /// How long to wait for the answer, connecting included. Default `10s`, at most `5m`.
        pub timeout: Option<HumanDuration>,
        /// A PEM file with the certificates to trust. Default: the system's store.
        pub ca: Option<PathBuf>,
    }
}

/// A webhook target, checked, with its own pool of connections.
#[derive(Clone)]
pub(crate) struct WebhookConfig {
    url: Url,
    pub(crate) format: Format,
    keys: SigningKeys,
    client: HttpClient,
}

/// The path of a webhook's address is often a secret too, so only its origin is shown.
impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("keys", &self.keys)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl WebhookConfig {
    pub(crate) fn check(raw: &RawWebhook) -> Result<Self, Wrong> {
        let allow_private = raw.allow_private.unwrap_or(false);
        let url = check_url(&raw.url, allow_private).map_err(|wrong| Wrong::new("url", wrong))?;
        let format = Format::check(raw.format, raw.ocsf_version.as_deref())?;
        let source = SecretSource {
            file: ("secret_file", raw.secret_file.as_deref()),
            env: ("secret_env", raw.secret_env.as_deref()),
            what: "the secret (whsec_ and 24 to 64 random bytes in base64)",
        };
        let keys = source.read_as(SigningKeys::parse)?;
        Ok(Self {
            url,
            format,
            keys,
            client: HttpClient::build(raw.timeout, raw.ca.as_deref(), allow_private)?,
        })
    }

    /// Makes one attempt, signed for the time `now`.
    pub(crate) async fn send(&self, alert: &Alert, now: Timestamp) -> Result<(), Failure> {
        self.post(&format!("msg_{}", alert.alert), self.format.text(alert), now).await
    }

    pub(crate) async fn beat(&self, beat: &Beat) -> Result<(), Failure> {
        let id = format!("msg_heartbeat_{}", beat.at.as_nanos());
        self.post(&id, self.format.heartbeat(beat).to_string(), beat.at).await
    }

    async fn post(&self, id: &str, body: String, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_secs())
            .header("webhook-signature", self.keys.sign(id, now.as_secs(), &body))
            .body(body);
        let answer = self.client.send(request, None, now).await?;
        match answer.status() {
            GONE => Err(answer.gone()),
            _ => answer.judge(&[]).map(drop),
        }
    }
}
