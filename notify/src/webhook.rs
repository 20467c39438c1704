//! Alerts to a web address, signed and confirmed as Standard Webhooks 1.0.0 has it.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use egret_analyzer::{ChangeBy, Incident};
use egret_event::{EventId, Timestamp};
use egret_store::{AlertRollUp, Delivery};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::Serialize;

use crate::link::Failure;
use crate::secret::SigningKeys;
use crate::text::{bounded, visible};
use crate::tls;

/// Most bytes read of an answer. It is read at all so that the connection can be used again, and
/// to show why an alert was refused.
const MAX_ANSWER_BYTES: usize = 4096;

/// Most bytes of an answer that are kept with the delivery.
const MAX_QUOTED_BYTES: usize = 200;

/// A webhook target, checked, with its own pool of connections.
#[derive(Clone)]
pub(crate) struct WebhookConfig {
    url: Url,
    keys: SigningKeys,
    timeout: Duration,
    client: Client,
}

/// The path of a webhook's address is often a secret too, so only its origin is shown.
impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("keys", &self.keys)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What a webhook's address must be. The error says what is wrong without quoting it.
pub(crate) fn check_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err("is not an https:// or http:// URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password: remove it, alerts are signed".to_owned());
    }
    Ok(url)
}

/// The body: what Standard Webhooks recommends ("Payload structure").
#[derive(Serialize)]
struct Payload<'a> {
    r#type: String,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    alert: EventId,
    by: &'a ChangeBy,
    number: u32,
    incident: &'a Incident,
    /// `None`: an older release queued it.
    roll_up: Option<&'a AlertRollUp>,
}

impl WebhookConfig {
    /// The error is about the certificates, the only thing that can be wrong here.
    pub(crate) fn build(
        url: Url,
        keys: SigningKeys,
        timeout: Duration,
        ca: Option<&Path>,
    ) -> Result<Self, String> {
        let tls = tls::client_config(ca)?;
        let client = Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(redirect::Policy::none())
            // Where alerts go is decided by the configuration, not by the environment.
            .no_proxy()
            .timeout(timeout)
            .user_agent(concat!("egret/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("no HTTP client can be made: {}", causes(&error)))?;
        Ok(Self { url, keys, timeout, client })
    }

    /// Makes one attempt, signed for the time `now`.
    pub(crate) async fn send(&self, delivery: &Delivery, now: Timestamp) -> Result<(), Failure> {
        let body = body(delivery);
        let id = format!("msg_{}", delivery.alert);
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.as_secs())
            .header("webhook-signature", self.keys.sign(&id, now.as_secs(), &body))
            .body(body);
        match request.send().await {
            Ok(response) => judge(response, now).await,
            Err(error) => Err(self.no_answer(error)),
        }
    }

    fn no_answer(&self, error: reqwest::Error) -> Failure {
        // Host names and certificates in these texts come from the network.
        let safe = |text: &str| bounded(text, 500, visible);
        if error.is_connect() {
            return Failure::Unreachable(safe(&causes(&error.without_url())));
        }
        let error = if error.is_timeout() {
            format!("no answer within {:?}", self.timeout)
        } else {
            safe(&causes(&error.without_url()))
        };
        Failure::Refused { error, retry_after: None }
    }
}

fn body(delivery: &Delivery) -> String {
    let change = &delivery.change;
    let payload = Payload {
        r#type: format!("incident.{}", change.kind.word()),
        timestamp: change.at,
        data: Data {
            alert: delivery.alert,
            by: &change.by,
            number: change.number,
            incident: &change.incident,
            roll_up: delivery.roll_up.as_ref(),
        },
    };
    serde_json::to_string(&payload).expect("the payload has string keys and no custom form")
}

/// What an answer means: only 2xx is yes.
async fn judge(mut response: Response, now: Timestamp) -> Result<(), Failure> {
    let status = response.status();
    let answer = read_bounded(&mut response).await;
    if status.is_success() {
        return Ok(());
    }
    let mut error = format!("answered {status}");
    if status.is_redirection() && response.headers().contains_key(LOCATION) {
        error.push_str(", a redirect, which is not followed: set url to the final address");
    }
    let quoted = bounded(answer.trim(), MAX_QUOTED_BYTES, visible);
    if !quoted.is_empty() {
        error.push_str(": ");
        error.push_str(&quoted);
    }
    if status == StatusCode::GONE {
        return Err(Failure::Gone(error));
    }
    let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .filter(|_| is_busy)
        .and_then(|value| retry_after(value.to_str().ok()?, now));
    Err(Failure::Refused { error, retry_after })
}

/// The beginning of an answer. One that breaks off, or hangs until the timeout, is what came.
async fn read_bounded(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER_BYTES {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - bytes.len())]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How long `Retry-After` asks to wait (RFC 9110, section 10.2.3): seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty() {
        // More seconds than fit are forever; the caller bounds it.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((Timestamp::default() + date).since(now))
}

/// An error and what caused it, outermost first.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        // 1994-11-06T08:49:37Z, the example of RFC 9110.
        let now = Timestamp::from_secs(784_111_777 - 90);
        for (value, seconds) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(90)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(90)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn unusable_addresses_are_refused_without_being_quoted() {
        for wrong in ["", "hunter2", "ftp://hunter2.example/", "https://a:hunter2@b.example/"] {
            assert!(!check_url(wrong).unwrap_err().contains("hunter2"));
        }
        assert!(check_url("https://hooks.example/egret").is_ok());
    }
}
