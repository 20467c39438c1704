//! `http`: requests as a sensor sees them. `length` is that of the answer's body; how much was
//! sent is not logged, so the volume is unknown (the flow's line has it).

use std::borrow::Cow;

use egret_event::{BlockReason, SeenBy, Verdict};
use serde::Deserialize;

use super::Common;
use crate::logs::entry::Entry;
use crate::logs::json::Raw;
use crate::logs::record::{LineProblem, LogRecord, Written};
use crate::logs::target::Request;
use crate::logs::text::path_and_query;

/// The status of a refusal (RFC 9110, section 15.5.4).
const FORBIDDEN: u16 = 403;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http<'a> {
    #[serde(borrow)]
    hostname: Raw<'a>,
    url: Raw<'a>,
    http_user_agent: Raw<'a>,
    http_method: Raw<'a>,
    status: Raw<'a>,
    length: Raw<'a>,
}

pub(super) fn entry<'a>(common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
    let http: Http<'a> = common.http.read().ok_or(LineProblem::Malformed("http"))?;
    let ends = common.ends()?;
    let method = http.http_method.text().unwrap_or_default();
    let host = http.hostname.text().unwrap_or_default();
    let uri = http.url.text().unwrap_or_default();
    let request = Request { method: &method, host: &host, uri: &uri, server: ends.server };
    let (is_tunnel, target) = (request.is_tunnel(), request.target());
    let status = http.status.count().and_then(|code| u16::try_from(code).ok());
    let refused = is_tunnel && status == Some(FORBIDDEN);
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
        up_bytes: None,
        down_bytes: http.length.count().filter(|_| !is_tunnel),
        path: path.map(|path| Cow::Owned(path.to_vec())),
        query_bytes: query_bytes.flatten(),
        user_agent: http.http_user_agent.text().map(Written::from),
        status,
        duration_ms: None,
        user: None,
        sni: None,
        content_type: None,
        body_bytes: None,
        client_certificate: None,
        seen_by: SeenBy::Sensor,
        method,
    }))
}
