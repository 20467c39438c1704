//! `http`: requests as a sensor sees them. `length` is that of the answer's body; how much was
//! sent is not logged, so the volume is unknown (the flow's line has it).

use super::Common;
use crate::logs::entry::Entry;
use crate::logs::json::object;
use crate::logs::record::LineProblem;
use crate::logs::target::Request;

object! {
    struct Http {
        hostname,
        url,
        http_user_agent,
        http_method,
        status,
        length,
    }
}

pub(super) fn entry<'a>(common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
    let http: Http<'a> = common.http.object().ok_or(LineProblem::Malformed("http"))?;
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
