//! The way to receivers that speak HTTP: one client per target, and what their answers mean.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use egret_analyzer::is_private_address;
use egret_event::{HumanDuration, Timestamp};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Body, Client, Request, RequestBuilder, Response, StatusCode, Url, redirect};

use crate::config::Wrong;
use crate::link::Failure;
use crate::secret::Token;
use crate::text::{bounded, visible};
use crate::tls;
use crate::transcript::note;

/// Most bytes read of an answer. It is read at all so that the connection can be used again, and
/// to show why an alert was refused.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Most bytes of a request that are shown.
const MAX_SHOWN_BYTES: usize = 64 * 1024;

/// Most bytes of an answer that are kept with the delivery.
const MAX_QUOTED_BYTES: usize = 200;

/// How long to wait for an answer, connecting included, where nothing else is configured.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time to wait, so that a receiver which hangs still gets every alert tried.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A client with its own pool of connections.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    client: Client,
    timeout: Duration,
}

/// What a receiver said.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    /// The begin of its body.
    pub(crate) body: String,
    is_redirect: bool,
    retry_after: Option<Duration>,
}

/// How long to wait for an answer: what is configured, or else the usual time.
pub(crate) fn check_timeout(
    timeout: Option<HumanDuration>,
    usual: Duration,
) -> Result<Duration, Wrong> {
    let timeout = timeout.map_or(usual, |timeout| timeout.0);
    if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
        return Err(Wrong::new("timeout", "is not above zero and at most 5m".to_owned()));
    }
    Ok(timeout)
}

/// An address below that of a receiver, which may itself be below a proxy's.
pub(crate) fn below(base: &Url, path: &str) -> Result<Url, String> {
    let mut base = base.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base.join(path).map_err(|error| error.to_string())
}

/// The address of a receiver. The error says what is wrong without quoting it: addresses are secrets too.
pub(crate) fn check_url(text: &str, allow_private: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err("is not an https:// or http:// URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password: remove it, there are keys for that".to_owned());
    }
    let literal = url.host_str().map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>());
    if !allow_private && matches!(literal, Some(Ok(address)) if is_inside(address)) {
        return Err(format!("leads to a private address: {PRIVATE_CURE}"));
    }
    Ok(url)
}

const PRIVATE_CURE: &str = "set allow_private = true if the receiver is meant to be there";

/// Whether an address is of no public network, or of this machine.
fn is_inside(address: IpAddr) -> bool {
    let address = address.to_canonical();
    is_private_address(address) || address.is_unspecified() || address.is_multicast()
}

impl HttpClient {
    /// A client that waits so long for an answer, trusts the certificates in `ca`, and goes to addresses of private
    /// networks only where that is allowed. The error names the key that is wrong, and what is.
    pub(crate) fn build(
        timeout: Option<HumanDuration>,
        ca: Option<&Path>,
        allow_private: bool,
    ) -> Result<Self, Wrong> {
        let timeout = check_timeout(timeout, USUAL_TIMEOUT)?;
        let tls = tls::client_config(ca, None)?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(redirect::Policy::none())
            // Where alerts go is decided by the configuration, not by the environment.
            .no_proxy()
            .timeout(timeout)
            .user_agent(concat!("egret/", env!("CARGO_PKG_VERSION")));
        if !allow_private {
            builder = builder.dns_resolver(PublicOnly);
        }
        let client = builder.build().map_err(|error| {
            Wrong::new("ca", format!("no HTTP client can be made: {}", causes(&error)))
        })?;
        Ok(Self { client, timeout })
    }

    /// Begins a request that tells something.
    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Begins one that asks for something.
    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// Sends a request and reads the answer, in bounded time and room. An error is one of the way there. `secret` is
    /// what must not be shown of the request's body.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
        secret: Option<&Token>,
        now: Timestamp,
    ) -> Result<Answer, Failure> {
        let request = request.build().map_err(|error| self.no_answer(error))?;
        note(|| said(&request, secret));
        match self.client.execute(request).await {
            Ok(response) => {
                let answer = Answer::read(response, now).await;
                note(|| format!("< {}", answer.words()));
                Ok(answer)
            }
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

/// A request as it may be shown: the path of an address is often a secret too.
fn said(request: &Request, secret: Option<&Token>) -> String {
    let origin = request.url().origin().ascii_serialization();
    let bytes = request.body().and_then(Body::as_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(bytes);
    let body = match secret {
        Some(secret) => body.replace(secret.reveal(), "(hidden)"),
        None => body.into_owned(),
    };
    let body = bounded(&body, MAX_SHOWN_BYTES, visible);
    format!("> {} {origin}, {} bytes: {body}", request.method(), bytes.len())
}

/// Finds no addresses but those of public networks: a name that leads inside would let whoever owns it have
/// alerts sent to what only this machine can reach.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let all: Vec<SocketAddr> = found.collect();
            let public: Vec<_> =
                all.iter().filter(|found| !is_inside(found.ip())).copied().collect();
            if public.is_empty() && !all.is_empty() {
                return Err(format!("the name leads to a private address: {PRIVATE_CURE}").into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl Answer {
    async fn read(mut response: Response, now: Timestamp) -> Self {
        let status = response.status();
        let headers = response.headers();
        let is_redirect = status.is_redirection() && headers.contains_key(LOCATION);
        let is_busy =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let retry_after = headers
            .get(RETRY_AFTER)
            .filter(|_| is_busy)
            .and_then(|value| retry_after(value.to_str().ok()?, now));
        let body = read_bounded(&mut response).await;
        Self { status, body, is_redirect, retry_after }
    }

    /// What it means: only 2xx is yes, and one of `never` says that no repetition will be.
    pub(crate) fn judge(self, never: &[u16]) -> Result<Self, Failure> {
        if self.status.is_success() { Ok(self) } else { Err(self.refusal(never)) }
    }

    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The receiver wants no more.
    pub(crate) fn gone(&self) -> Failure {
        Failure::Gone(self.words())
    }

    /// Why the alert was not taken.
    fn refusal(&self, never: &[u16]) -> Failure {
        let error = self.words();
        if never.contains(&self.status()) {
            return Failure::Rejected(error);
        }
        Failure::Refused { error, retry_after: self.retry_after }
    }

    fn words(&self) -> String {
        let mut error = format!("answered {}", self.status);
        if self.is_redirect {
            error.push_str(", a redirect, which is not followed: set url to the final address");
        }
        let quoted = bounded(self.body.trim(), MAX_QUOTED_BYTES, visible);
        if !quoted.is_empty() {
            error.push_str(": ");
            error.push_str(&quoted);
        }
        error
    }
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
            assert!(!check_url(wrong, true).unwrap_err().contains("hunter2"));
        }
        assert!(check_url("https://hooks.example/egret", false).is_ok());
    }

    #[test]
    fn what_is_below_a_proxys_path_stays_below_it() {
        for (base, expected) in [
            ("http://a.example", "http://a.example/api/v2/alerts"),
            ("http://a.example/", "http://a.example/api/v2/alerts"),
            ("http://a.example/am", "http://a.example/am/api/v2/alerts"),
            ("http://a.example/am/", "http://a.example/am/api/v2/alerts"),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(below(&base, "api/v2/alerts").unwrap().as_str(), expected);
        }
    }

    #[test]
    fn addresses_inside_are_for_those_who_ask_for_them() {
        for inside in [
            "http://127.0.0.1:8/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::ffff:192.168.0.1]/",
            "http://[fd00::1]/",
        ] {
            assert!(check_url(inside, false).unwrap_err().contains("allow_private"), "{inside}");
            assert!(check_url(inside, true).is_ok());
        }
        assert!(check_url("http://198.51.100.1/", false).is_ok());
    }
}
