//! A request as a sensor beside the traffic sees it. It goes to the host that it names, at the address
//! that it was sent to; or, if it is sent to a proxy, where its URL says.

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::{BlockReason, NameSource, SeenBy, Verdict};

use super::entry::Ends;
use super::record::{FORBIDDEN, LogRecord, Written};
use super::text::host_and_port;

/// Port of `http` URLs and of `https` ones (RFC 9110, section 4.2).
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What a sensor logs of a request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// When, from whom, and to whom it was sent.
    pub(super) ends: Ends,
    /// The method; empty where the request was not seen.
    pub(super) method: Cow<'a, [u8]>,
    /// The Host header; empty where there is none.
    pub(super) host: Cow<'a, [u8]>,
    /// The request's target.
    pub(super) uri: Cow<'a, [u8]>,
    pub(super) status: Option<u64>,
    /// Bytes of its body and of the answer's. What is in a tunnel, they do not say.
    pub(super) sent_bytes: Option<u64>,
    pub(super) received_bytes: Option<u64>,
    pub(super) user_agent: Option<Cow<'a, [u8]>>,
    pub(super) content_type: Option<Cow<'a, [u8]>>,
}

/// Where a request goes to.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    host: Vec<u8>,
    named_by: NameSource,
    port: u16,
    /// The destination's own address; that of a proxy is not.
    address: Option<IpAddr>,
    /// Path and query. `None` for tunnels and where the request was not seen.
    path: Option<Vec<u8>>,
}

impl<'a> Request<'a> {
    /// What is made of it. A refused tunnel is blocked by the proxy; any other refusal may be the
    /// site's own.
    pub(super) fn into_record(self) -> LogRecord<'a> {
        let is_tunnel = self.is_tunnel();
        let status = self.status.and_then(|code| u16::try_from(code).ok());
        let target = self.target();
        let sent_bytes = self.sent_bytes.filter(|_| !self.method.is_empty() && !is_tunnel);
        LogRecord {
            at: self.ends.at,
            client: self.ends.client,
            named_by: target.named_by,
            port: target.port,
            address: target.address,
            verdict: match status {
                Some(FORBIDDEN) if is_tunnel => Verdict::Blocked(BlockReason::ProxyDenied),
                _ => Verdict::Allowed,
            },
            up_bytes: sent_bytes,
            down_bytes: self.received_bytes.filter(|_| !is_tunnel),
            method: self.method,
            target: target.path.map(Cow::Owned),
            host: Cow::Owned(target.host),
            user_agent: self.user_agent.map(Written::from),
            status,
            duration_ms: None,
            user: None,
            sni: None,
            content_type: self.content_type,
            body_bytes: sent_bytes,
            client_certificate: None,
            seen_by: SeenBy::Sensor,
        }
    }

    /// Whether it asks a proxy for a tunnel.
    fn is_tunnel(&self) -> bool {
        &*self.method == b"CONNECT"
    }

    fn target(&self) -> Target {
        if self.is_tunnel() {
            return self.tunnel();
        }
        whole_url(&self.uri).unwrap_or_else(|| self.direct())
    }

    fn tunnel(&self) -> Target {
        let (asked, port) = host_and_port(&self.uri);
        Target {
            host: if asked.is_empty() { &self.host } else { asked }.to_vec(),
            named_by: NameSource::Connect,
            port: port.unwrap_or(HTTPS_PORT),
            address: None,
            path: None,
        }
    }

    fn direct(&self) -> Target {
        let (address, port) = self.ends.server;
        let (named, _) = host_and_port(&self.host);
        Target {
            host: if named.is_empty() { address.to_string().into() } else { named.to_vec() },
            named_by: NameSource::HttpHost,
            port,
            address: Some(address),
            path: (!self.uri.is_empty()).then(|| self.uri.to_vec()),
        }
    }
}

/// Takes `SCHEME://[USER@]HOST[:PORT][/PATH]` apart. `None`: it is no such URL.
fn whole_url(uri: &[u8]) -> Option<Target> {
    let colon = memchr::memmem::find(uri, b"://")?;
    let scheme = &uri[..colon];
    if scheme.is_empty() || !scheme.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    let rest = &uri[colon + 3..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = memchr::memrchr(b'@', authority).map_or(authority, |at| &authority[at + 1..]);
    let (host, port) = host_and_port(host);
    let usual = if scheme.eq_ignore_ascii_case(b"https") { HTTPS_PORT } else { HTTP_PORT };
    (!host.is_empty()).then(|| Target {
        host: host.to_vec(),
        named_by: NameSource::HttpHost,
        port: port.unwrap_or(usual),
        address: None,
        path: Some(rest[end..].to_vec()),
    })
}
