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

use egret_event::{BlockReason, SeenBy, Verdict};

use super::field::Field;
use super::row::Row;
use crate::logs::entry::Entry;
use crate::logs::record::{LineProblem, LogRecord, Written};
use crate::logs::target::Request;
use crate::logs::text::path_and_query;

/// The status of a refusal (RFC 9110, section 15.5.4).
const FORBIDDEN: u16 = 403;

pub(super) fn entry<'a>(row: &Row<'a>) -> Result<Entry<'a>, LineProblem> {
    let ends = row.ends()?;
    let method = row.text(Field::Method).unwrap_or_default();
    let host = row.text(Field::Host).unwrap_or_default();
    let uri = row.text(Field::Uri).unwrap_or_default();
    let request = Request { method: &method, host: &host, uri: &uri, server: ends.server };
    let (is_tunnel, target) = (request.is_tunnel(), request.target());
    let status = row.count(Field::StatusCode).and_then(|code| u16::try_from(code).ok());
    let refused = is_tunnel && status == Some(FORBIDDEN);
    let body_bytes = row.count(Field::RequestBodyLen).filter(|_| !method.is_empty() && !is_tunnel);
    let (path, query_bytes) = target.path.as_deref().map(path_and_query).unzip();
    Ok(Entry::Request(LogRecord {
        at: ends.at,
        client: ends.client,
        host: Cow::Owned(target.host),
        named_by: target.named_by,
        port: target.port,
        address: target.address,
        verdict: if refused {
            Verdict::Blocked(BlockReason::ProxyDenied)
        } else {
            Verdict::Allowed
        },
        up_bytes: body_bytes,
        down_bytes: row.count(Field::ResponseBodyLen).filter(|_| !is_tunnel),
        method,
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
