//! What the proxies write down: Squid with `logformat egret` and its own, Envoy in JSON.

use std::net::SocketAddr;
use std::time::Duration;

use egret_event::Timestamp;
use serde::Serialize;

/// How far a proxy looked into TLS, and the server name that it saw there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Insight<'a> {
    /// Not at all, or there was none.
    None,
    /// It has looked into the hello, and opens the tunnel (`ssl_bump bump`).
    Tunnel(&'a str),
    /// This is a request inside an opened tunnel.
    Request(&'a str),
}

/// One request or tunnel, as a proxy accounts for it.
#[derive(Debug, Clone)]
pub(crate) struct Access<'a> {
    /// When it ended, which is when it is logged.
    pub(crate) ended: Timestamp,
    pub(crate) lasted: Duration,
    pub(crate) client: SocketAddr,
    pub(crate) method: &'a str,
    /// The URL, or host:port of a tunnel.
    pub(crate) target: &'a str,
    pub(crate) host: &'a str,
    pub(crate) agent: &'a str,
    /// Where the proxy connected to. `None`: it refused.
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) status: u16,
    /// All that the executor sent, headers included.
    pub(crate) up_bytes: u64,
    /// Of these, the request's own line and headers.
    pub(crate) up_header_bytes: u64,
    /// All that came back, headers included.
    pub(crate) down_bytes: u64,
    pub(crate) insight: Insight<'a>,
}

/// With `strip_query_terms off`, as in `deploy/squid/egret.conf`, the line `%ts.%03tu %tr %>a:%>p %Ss/%03>Hs up=%>st down=%<st %rm %ru %<a:%<p hier=%Sh user=%#un
/// sni=%#ssl::>sni bump=%ssl::bump_mode ua=%#{User-Agent}>h`.
pub(crate) fn squid_line(access: &Access<'_>) -> String {
    let word = squid_word(access);
    let (seconds, millis) = (access.ended.as_secs(), millisecond(access.ended));
    let hierarchy = if access.upstream.is_some() { "HIER_DIRECT" } else { "HIER_NONE" };
    let upstream = access.upstream.map_or_else(|| "-:-".to_owned(), |end| end.to_string());
    let (sni, bump) = match access.insight {
        Insight::None => ("-", "-"),
        Insight::Tunnel(sni) => (sni, "bump"),
        Insight::Request(sni) => (sni, "-"),
    };
    format!(
        "{seconds}.{millis:03} {} {} {word}/{:03} up={} down={} {} {} {upstream} \
         hier={hierarchy} user=- sni={sni} bump={bump} ua={}",
        access.lasted.as_millis(),
        access.client,
        access.status,
        access.up_bytes,
        access.down_bytes,
        access.method,
        access.target,
        percent_encoded(access.agent),
    )
}

/// The line of `logformat squid`, which is `%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un
/// %Sh/%<a %mt`.
pub(crate) fn squid_native_line(access: &Access<'_>) -> String {
    let (seconds, millis) = (access.ended.as_secs(), millisecond(access.ended));
    let way = access.upstream.map_or_else(
        || "HIER_NONE/-".to_owned(),
        |upstream| format!("HIER_DIRECT/{}", upstream.ip()),
    );
    let media_type = match (access.upstream, access.method) {
        (None, _) => "text/html",
        (Some(_), "CONNECT") => "-",
        (Some(_), _) => "application/octet-stream",
    };
    format!(
        "{seconds}.{millis:03} {:6} {} {}/{:03} {} {} {} - {way} {media_type}",
        access.lasted.as_millis(),
        access.client.ip(),
        squid_word(access),
        access.status,
        access.down_bytes,
        access.method,
        without_query(access.target),
    )
}

/// By itself Squid strips what comes after the question mark (`strip_query_terms`); the configuration
/// that Egret ships does not.
fn without_query(url: &str) -> &str {
    url.find('?').map_or(url, |mark| &url[..=mark])
}

/// What Squid calls what became of a request.
fn squid_word(access: &Access<'_>) -> &'static str {
    match (access.upstream, access.method, access.insight) {
        (_, _, Insight::Tunnel(_)) => "NONE_NONE",
        (None, _, _) => "TCP_DENIED",
        (Some(_), "CONNECT", _) => "TCP_TUNNEL",
        (Some(_), _, _) => "TCP_MISS",
    }
}

/// As Squid's `#` modifier does: all but what a URL may hold becomes `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/()+,:;=*".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The keys of Envoy's JSON log, each one of its command operators.
#[derive(Serialize)]
struct EnvoyLine<'a> {
    start_time: String,
    method: &'a str,
    path: Option<&'a str>,
    protocol: &'a str,
    response_code: u16,
    response_flags: &'a str,
    bytes_received: u64,
    bytes_sent: u64,
    duration: u64,
    authority: &'a str,
    user_agent: &'a str,
    upstream_host: Option<String>,
    downstream_direct_remote_address: String,
    downstream_remote_address: String,
    requested_server_name: Option<&'a str>,
}

/// One JSON object without its newline. Envoy counts bodies only.
pub(crate) fn envoy_line(access: &Access<'_>) -> String {
    let began = access.ended - access.lasted;
    let line = EnvoyLine {
        start_time: iso_millis(began),
        method: access.method,
        path: (access.method != "CONNECT").then_some(access.target),
        protocol: "HTTP/1.1",
        response_code: access.status,
        response_flags: if access.upstream.is_some() { "-" } else { "UAEX" },
        bytes_received: access.up_bytes.saturating_sub(access.up_header_bytes),
        bytes_sent: access.down_bytes,
        duration: access.lasted.as_millis() as u64,
        authority: if access.method == "CONNECT" { access.target } else { access.host },
        user_agent: access.agent,
        upstream_host: access.upstream.map(|end| end.to_string()),
        downstream_direct_remote_address: access.client.to_string(),
        downstream_remote_address: access.client.to_string(),
        requested_server_name: None,
    };
    serde_json::to_string(&line).expect("text and numbers are always JSON")
}

/// A time with exactly three decimals, as Envoy writes it.
fn iso_millis(at: Timestamp) -> String {
    let whole = Timestamp::from_secs(at.as_secs()).to_string();
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), millisecond(at))
}

fn millisecond(at: Timestamp) -> i64 {
    at.as_nanos().rem_euclid(1_000_000_000) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access<'static> {
        Access {
            ended: Timestamp::from_parts(1_700_000_000, 123_999_999),
            lasted: Duration::from_millis(4_012),
            client: ([10, 20, 0, 17], 40_022).into(),
            method: "CONNECT",
            target: "pypi.org:443",
            host: "pypi.org",
            agent: "pip/24.2 {\"ci\":null}",
            upstream: Some(([198, 18, 0, 7], 443).into()),
            status: 200,
            up_bytes: 1500,
            up_header_bytes: 100,
            down_bytes: 90_000,
            insight: Insight::None,
        }
    }

    #[test]
    fn squid_lines_follow_the_egret_format() {
        assert_eq!(
            squid_line(&access()),
            "1700000000.123 4012 10.20.0.17:40022 TCP_TUNNEL/200 up=1500 down=90000 \
             CONNECT pypi.org:443 198.18.0.7:443 \
             hier=HIER_DIRECT user=- sni=- bump=- ua=pip/24.2%20%7B%22ci%22:null%7D"
        );
        let denied = Access { upstream: None, status: 403, ..access() };
        assert!(squid_line(&denied).contains(" TCP_DENIED/403 "));
        assert!(squid_line(&denied).contains(" CONNECT pypi.org:443 -:- hier=HIER_NONE "));
    }

    #[test]
    fn native_squid_lines_have_no_port_and_no_upload() {
        assert_eq!(
            squid_native_line(&access()),
            "1700000000.123   4012 10.20.0.17 TCP_TUNNEL/200 90000 \
             CONNECT pypi.org:443 - HIER_DIRECT/198.18.0.7 -"
        );
    }

    #[test]
    fn envoy_lines_tell_the_start_and_count_bodies() {
        let line: serde_json::Value = serde_json::from_str(&envoy_line(&access())).unwrap();
        assert_eq!(line["start_time"], "2023-11-14T22:13:16.111Z");
        assert_eq!(line["bytes_received"], 1400);
        assert_eq!(line["authority"], "pypi.org:443");
        assert_eq!(line["path"], serde_json::Value::Null);
    }
}
