//! `http`: requests as a sensor sees them. `length` is that of the answer's body; how much was
//! sent is not logged, so the volume is unknown (the flow's line has it).

use serde::Deserialize;

use super::Common;
use crate::logs::entry::Entry;
use crate::logs::json::Raw;
use crate::logs::record::LineProblem;
use crate::logs::target::Request;

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
    let request = Request {
        ends: common.ends()?,
        method: http.http_method.text().unwrap_or_default(),
        host: http.hostname.text().unwrap_or_default(),
        uri: http.url.text().unwrap_or_default(),
        status: http.status.count(),
        sent_bytes: None,
        received_bytes: http.length.count(),
        user_agent: http.http_user_agent.text(),
        content_type: None,
    };
    Ok(Entry::Request(request.into_record()))
}
