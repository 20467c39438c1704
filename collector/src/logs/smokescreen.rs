//! Smokescreen's log: JSON, one object per decision and one per closed connection.
//!
//! What the lines mean here:
//! - `CANONICAL-PROXY-CN-CLOSE` is the contact: it has what was sent (`bytes_out`, by Smokescreen
//!   to the destination) and what came back. So a decision to allow is a note only: counted too,
//!   each connection would be two. One whose connection failed is counted, as nothing closes.
//! - `CANONICAL-PROXY-DECISION` with `allow` false is a refusal by rule.
//! - Plain HTTP requests share the proxy's connections: their bytes are told when the connection
//!   closes, for the client that made it begin.
//! - `role` is what the rules know the client by. It stands for the user.
//! - Versions that do not log `inbound_remote_addr` do not say who it was: their lines cannot be
//!   read.

use std::borrow::Cow;

use egret_event::{BlockReason, NameSource, SeenBy, Timestamp, Verdict};
use serde::Deserialize;

use super::record::{LineProblem, LogRecord};
use super::text::{address_and_port, host_and_port};

/// Reads a line, without its line end.
///
/// # Errors
/// See [`LineProblem`].
pub fn parse(line: &[u8]) -> Result<LogRecord<'_>, LineProblem> {
    let entry: Entry<'_> =
        serde_json::from_slice(line).map_err(|_| LineProblem::Malformed("JSON"))?;
    match &*entry.msg {
        "CANONICAL-PROXY-CN-CLOSE" => entry.record(Verdict::Allowed),
        "CANONICAL-PROXY-DECISION" if entry.allow == Some(false) => {
            entry.record(Verdict::Blocked(BlockReason::ProxyDenied))
        }
        "CANONICAL-PROXY-DECISION" if entry.has_failed() => entry.record(Verdict::Allowed),
        "" => Err(LineProblem::Malformed("msg")),
        _ => Err(LineProblem::Note),
    }
}

/// The fields that are read.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    msg: Cow<'a, str>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    end_time: Option<Cow<'a, str>>,
    allow: Option<bool>,
    #[serde(borrow)]
    inbound_remote_addr: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outbound_remote_addr: Option<Cow<'a, str>>,
    #[serde(borrow)]
    requested_host: Option<Cow<'a, str>>,
    #[serde(borrow)]
    proxy_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    bytes_in: Option<u64>,
    bytes_out: Option<u64>,
    /// In seconds.
    duration: Option<f64>,
}

impl<'a> Entry<'a> {
    fn has_failed(&self) -> bool {
        self.error.as_deref().is_some_and(|error| !error.is_empty())
    }

    fn record(self, verdict: Verdict) -> Result<LogRecord<'a>, LineProblem> {
        let at = self.end_time.as_deref().and_then(time).or(self.time.as_deref().and_then(time));
        let client = self.inbound_remote_addr.as_deref().map(str::as_bytes);
        let client = client.and_then(address_and_port);
        let server = self.outbound_remote_addr.as_deref().map(str::as_bytes);
        let (host, port) = host(self.requested_host.ok_or(LineProblem::NoDestination)?);
        if host.is_empty() {
            return Err(LineProblem::NoDestination);
        }
        let is_plain = self.proxy_type.as_deref() == Some("http");
        let duration = self.duration.filter(|seconds| (0.0..1e12).contains(seconds));
        Ok(LogRecord {
            at: at.ok_or(LineProblem::Malformed("time"))?,
            client: client.ok_or(LineProblem::Malformed("client address"))?,
            host,
            named_by: if is_plain { NameSource::ProxyLog } else { NameSource::Connect },
            port: port.unwrap_or(if is_plain { 80 } else { 443 }),
            address: server.and_then(address_and_port).map(|(address, _)| address),
            verdict,
            up_bytes: self.bytes_out,
            down_bytes: self.bytes_in,
            // Of plain requests the method is not logged.
            method: Cow::Borrowed(if is_plain { b"" } else { b"CONNECT" }),
            target: None,
            user_agent: None,
            status: None,
            duration_ms: duration.map(|seconds| (seconds * 1e3) as u64),
            user: self.role.filter(|role| !role.is_empty()).map(bytes),
            sni: None,
            content_type: None,
            body_bytes: None,
            client_certificate: None,
            seen_by: SeenBy::Proxy,
        })
    }
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn host(written: Cow<'_, str>) -> (Cow<'_, [u8]>, Option<u16>) {
    match bytes(written) {
        Cow::Borrowed(text) => {
            let (host, port) = host_and_port(text);
            (Cow::Borrowed(host), port)
        }
        Cow::Owned(text) => {
            let (host, port) = host_and_port(&text);
            (Cow::Owned(host.to_vec()), port)
        }
    }
}

#[cfg(test)]
mod tests {
    //! Lines in the form that Smokescreen's source gives them.

    use super::*;

    const CLOSE: &str = r#"{"bytes_in":3044,"bytes_out":1050878,"conn_establish_time_ms":1,"duration":0.25,"end_time":"2026-01-31T09:30:00.5Z","error":"","id":"c1","inbound_remote_addr":"10.20.0.17:45266","last_activity":"2026-01-31T09:30:00.4Z","level":"info","msg":"CANONICAL-PROXY-CN-CLOSE","outbound_remote_addr":"192.0.2.7:8443","proxy_type":"connect","requested_host":"up.example:8443","role":"python","start_time":"2026-01-31T09:30:00.25Z","time":"2026-01-31T09:30:00Z"}"#;

    fn decision(rest: &str) -> String {
        format!(
            r#"{{"decision_reason":"x","id":"c2","inbound_remote_addr":"[fd00::17]:9","level":"info","msg":"CANONICAL-PROXY-DECISION","proxy_type":"http","requested_host":"x.example","role":"","time":"2026-01-31T09:30:00Z",{rest}}}"#
        )
    }

    #[test]
    fn a_closed_connection_tells_what_was_sent() {
        let record = parse(CLOSE.as_bytes()).unwrap();
        assert_eq!(record.at.to_string(), "2026-01-31T09:30:00.5Z");
        assert_eq!(record.client, ("10.20.0.17".parse().unwrap(), 45266));
        assert_eq!((&*record.host, record.port), (&b"up.example"[..], 8443));
        assert_eq!((record.up_bytes, record.down_bytes), (Some(1_050_878), Some(3044)));
        assert_eq!((record.duration_ms, record.user.as_deref()), (Some(250), Some(&b"python"[..])));
        assert_eq!(record.address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(record.verdict, Verdict::Allowed);
    }

    #[test]
    fn a_connection_is_counted_once_and_a_refusal_too() {
        let refused = decision(r#""allow":false"#);
        let refused = parse(refused.as_bytes()).unwrap();
        assert!(refused.verdict.is_blocked());
        assert_eq!((refused.port, refused.up_bytes), (80, None));
        assert_eq!(parse(decision(r#""allow":true"#).as_bytes()), Err(LineProblem::Note));
        let failed = decision(r#""allow":true,"error":"dial tcp: timeout""#);
        assert_eq!(parse(failed.as_bytes()).unwrap().verdict, Verdict::Allowed);
    }

    #[test]
    fn other_lines_are_told_apart() {
        for (line, problem) in [
            (
                r#"{"level":"info","msg":"starting","time":"2026-01-31T09:30:00Z"}"#,
                LineProblem::Note,
            ),
            ("{}", LineProblem::Malformed("msg")),
            ("{\"msg\":", LineProblem::Malformed("JSON")),
            (
                r#"{"msg":"CANONICAL-PROXY-CN-CLOSE","requested_host":"a:1","time":"2026-01-31T09:30:00Z"}"#,
                LineProblem::Malformed("client address"),
            ),
            (r#"{"msg":"CANONICAL-PROXY-CN-CLOSE"}"#, LineProblem::NoDestination),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(problem), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..200), duration in proptest::num::f64::ANY) {
            let _ = parse(&raw);
            let _ = parse(CLOSE.replace("0.25", &duration.to_string()).as_bytes());
        }
    }
}
