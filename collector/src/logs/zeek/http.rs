//! `http.log`: requests as a sensor sees them.
//!
//! - The destination is the host that the request names, at the address it went to. A request
//!   with a whole URL, or CONNECT, goes to a proxy: then the URL says where to, and the address is
//!   not the destination's.
//! - `request_body_len` is what was sent. A tunnel's content is in no `http.log`, so of CONNECT
//!   the volume is unknown; so it is where only the answer was seen (no method).
//! - `username` is of whatever site asked for it, so it names no executor and is not taken.
//! - A refused CONNECT (403) is blocked by the proxy. A 403 from anywhere else may be the site's.

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::{BlockReason, NameSource, SeenBy, Verdict};

use super::field::Field;
use super::row::Row;
use crate::logs::entry::{Ends, Entry};
use crate::logs::record::{LineProblem, LogRecord, Written};
use crate::logs::text::{host_and_port, path_and_query};

/// Port of `http` URLs and of `https` ones (RFC 9110, section 4.2).
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// The status of a refusal (RFC 9110, section 15.5.4).
const FORBIDDEN: u16 = 403;

pub(super) fn entry<'a>(row: &Row<'a>) -> Result<Entry<'a>, LineProblem> {
    let ends = row.ends()?;
    let method = row.text(Field::Method);
    let is_tunnel = method.as_deref() == Some(b"CONNECT");
    let uri = row.text(Field::Uri).unwrap_or_default();
    let target = if is_tunnel { tunnel(row, &uri) } else { target(row, &uri, ends) };
    let status = row.count(Field::StatusCode).and_then(|code| u16::try_from(code).ok());
    let refused = is_tunnel && status == Some(FORBIDDEN);
    let body_bytes = row.count(Field::RequestBodyLen).filter(|_| method.is_some() && !is_tunnel);
    let (path, query_bytes) = target.path.as_deref().map(path_and_query).unzip();
    Ok(Entry::Request(LogRecord {
        at: ends.at,
        client: ends.client,
        host: Cow::Owned(target.host),
        named_by: if is_tunnel { NameSource::Connect } else { NameSource::HttpHost },
        port: target.port,
        address: target.address,
        verdict: if refused {
            Verdict::Blocked(BlockReason::ProxyDenied)
        } else {
            Verdict::Allowed
        },
        up_bytes: body_bytes,
        down_bytes: row.count(Field::ResponseBodyLen).filter(|_| !is_tunnel),
        method: method.unwrap_or_default(),
        path: path.map(|path| Cow::Owned(path.to_vec())),
        query_bytes: query_bytes.flatten(),
        user_agent: row.text(Field::UserAgent).map(Written::from),
        status,
        duration_ms: None,
        user: None,
        sni: None,
        content_type: row.list(Field::OrigMimeTypes).into_iter().next(),
        body_bytes,
        client_certificate: None,
        seen_by: SeenBy::Sensor,
    }))
}

/// Where a request goes to.
struct Target {
    host: Vec<u8>,
    port: u16,
    address: Option<IpAddr>,
    path: Option<Vec<u8>>,
}

fn tunnel(row: &Row<'_>, uri: &[u8]) -> Target {
    let (host, port) = host_and_port(uri);
    let named =
        if host.is_empty() { row.text(Field::Host).unwrap_or_default() } else { host.into() };
    Target { host: named.into_owned(), port: port.unwrap_or(HTTPS_PORT), address: None, path: None }
}

fn target(row: &Row<'_>, uri: &[u8], ends: Ends) -> Target {
    if let Some(proxied) = whole_url(uri) {
        return proxied;
    }
    let host = row.text(Field::Host).map(|host| host_and_port(&host).0.to_vec());
    let (address, port) = ends.server;
    Target {
        host: host.unwrap_or_else(|| address.to_string().into_bytes()),
        port,
        address: Some(address),
        path: (!uri.is_empty()).then(|| uri.to_vec()),
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
        port: port.unwrap_or(usual),
        address: None,
        path: Some(rest[end..].to_vec()),
    })
}
