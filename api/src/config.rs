//! The `[api]` section, and who may be listened for without a token.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::Uri;
use egret_event::HumanDuration;
use serde::{Deserialize, Serialize};

/// The `[api]` section as written: every key optional, unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawApi {
    /// Where to listen. Default `127.0.0.1:8787`.
    pub listen: Option<SocketAddr>,
    /// How long a request may take. Default `10s`. Live streams are not limited.
    pub request_timeout: Option<HumanDuration>,
    /// The address that browsers use, where a proxy stands before Egret: such as
    /// `https://egret.example.org`. With `https` the login cookie is sent over TLS only.
    pub public_url: Option<String>,
}

/// The `[api]` section, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long a request may take, more than zero.
    pub request_timeout: Duration,
    /// The origin (`https://egret.example.org`) that browsers use, where it was given.
    pub public_origin: Option<String>,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            request_timeout: Duration::from_secs(10),
            public_origin: None,
        }
    }
}

/// What can be wrong with the `[api]` section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiConfigError {
    /// Nothing could ever be answered.
    #[error("api.request_timeout must be more than zero")]
    ZeroTimeout,
    /// It is not an origin.
    #[error(
        "api.public_url {url:?} is not a URL such as \"https://egret.example.org\" without a path"
    )]
    BadPublicUrl {
        /// What was written.
        url: String,
    },
}

impl RawApi {
    /// The checked section, with defaults filled in.
    pub fn check(&self) -> Result<ApiConfig, ApiConfigError> {
        let default = ApiConfig::default();
        let request_timeout = self.request_timeout.map_or(default.request_timeout, |d| d.0);
        if request_timeout.is_zero() {
            return Err(ApiConfigError::ZeroTimeout);
        }
        Ok(ApiConfig {
            listen: self.listen.unwrap_or(default.listen),
            request_timeout,
            public_origin: self.public_url.as_deref().map(origin_of).transpose()?,
        })
    }
}

/// The origin of a URL that has no path: as a browser writes it in the Origin header.
fn origin_of(url: &str) -> Result<String, ApiConfigError> {
    let wrong = || ApiConfigError::BadPublicUrl { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    match (uri.scheme_str(), uri.authority(), uri.path(), uri.query()) {
        (Some(scheme @ ("http" | "https")), Some(authority), "/", None)
            if !authority.as_str().contains('@') =>
        {
            Ok(format!("{scheme}://{authority}").to_ascii_lowercase())
        }
        _ => Err(wrong()),
    }
}

/// Egret refuses to listen where others could reach it without a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot listen on {addr} without tokens: others could reach it; make one first with \
     `egret token create --role admin NAME`, or listen on 127.0.0.1"
)]
pub struct ListenError {
    /// The address asked for.
    pub addr: SocketAddr,
}

/// Whether requests at `addr` need a token.
///
/// On loopback they do as soon as there is one; elsewhere always.
///
/// # Errors
/// When `addr` is not loopback and there are no tokens.
pub fn check_listen(addr: SocketAddr, tokens_exist: bool) -> Result<bool, ListenError> {
    // `to_canonical`: ::ffff:127.0.0.1 is loopback as well.
    if tokens_exist || addr.ip().to_canonical().is_loopback() {
        Ok(tokens_exist)
    } else {
        Err(ListenError { addr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_may_go_without_tokens() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(check_listen(at("127.0.0.1:1"), false), Ok(false));
        assert_eq!(check_listen(at("[::1]:1"), false), Ok(false));
        assert_eq!(check_listen(at("[::ffff:127.0.0.1]:1"), false), Ok(false));
        assert_eq!(check_listen(at("127.0.0.1:1"), true), Ok(true));
        assert_eq!(check_listen(at("0.0.0.0:1"), true), Ok(true));
        for open in ["0.0.0.0:8787", "[::]:8787", "10.0.0.1:8787"] {
            let refusal = check_listen(at(open), false).unwrap_err().to_string();
            assert!(refusal.contains("egret token create --role admin NAME"), "{refusal}");
        }
    }

    #[test]
    fn a_public_url_is_an_origin() {
        let check =
            |url: &str| RawApi { public_url: Some(url.into()), ..RawApi::default() }.check();
        let origin = |url: &str| check(url).unwrap().public_origin.unwrap();
        assert_eq!(origin("https://Egret.example.org"), "https://egret.example.org");
        assert_eq!(origin("http://egret:8080/"), "http://egret:8080");
        for wrong in ["egret.example.org", "https://a.example/egret", "ftp://a", "https://u@a", ""]
        {
            assert!(check(wrong).is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_timeout_of_zero_is_refused() {
        let zero = Some(HumanDuration(Duration::ZERO));
        let raw = RawApi { request_timeout: zero, ..RawApi::default() };
        assert_eq!(raw.check(), Err(ApiConfigError::ZeroTimeout));
        assert_eq!(RawApi::default().check(), Ok(ApiConfig::default()));
    }
}
