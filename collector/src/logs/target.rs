//! Where a request goes to, as a sensor beside the traffic sees it: to the host that it names, at
//! the address that it was sent to; or, if it is sent to a proxy, where its URL says.

use std::net::IpAddr;

use egret_event::NameSource;

use super::text::host_and_port;

/// Port of `http` URLs and of `https` ones (RFC 9110, section 4.2).
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// What a sensor logs of where a request goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// The method; empty where the request was not seen.
    pub(super) method: &'a [u8],
    /// The Host header; empty where there is none.
    pub(super) host: &'a [u8],
    /// The request's target.
    pub(super) uri: &'a [u8],
    /// Address and port that it was sent to.
    pub(super) server: (IpAddr, u16),
}

/// Where a request goes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Vec<u8>,
    pub(super) named_by: NameSource,
    pub(super) port: u16,
    /// The destination's own address; that of a proxy is not.
    pub(super) address: Option<IpAddr>,
    /// Path and query. `None` for tunnels and where the request was not seen.
    pub(super) path: Option<Vec<u8>>,
}

impl Request<'_> {
    /// Whether it asks a proxy for a tunnel.
    pub(super) fn is_tunnel(&self) -> bool {
        self.method == b"CONNECT"
    }

    pub(super) fn target(&self) -> Target {
        if self.is_tunnel() {
            return self.tunnel();
        }
        whole_url(self.uri).unwrap_or_else(|| self.direct())
    }

    fn tunnel(&self) -> Target {
        let (asked, port) = host_and_port(self.uri);
        Target {
            host: if asked.is_empty() { self.host } else { asked }.to_vec(),
            named_by: NameSource::Connect,
            port: port.unwrap_or(HTTPS_PORT),
            address: None,
            path: None,
        }
    }

    fn direct(&self) -> Target {
        let (address, port) = self.server;
        let (named, _) = host_and_port(self.host);
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
