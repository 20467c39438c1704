//! `http.log`: requests as a sensor sees them.
//!
//! - The destination is the host that the request names, at the address it went to. A request
//!   with a whole URL, or CONNECT, goes to a proxy: then the URL says where to, and the address is
//!   not the destination's.
//! - `request_body_len` is what was sent. A tunnel's content is in no `http.log`, so of CONNECT
//!   the volume is unknown; so it is where only the answer was seen (no method).
//! - `username` is of whatever site asked for it, so it names no executor and is not taken.
//! - A refused CONNECT (403) is blocked by the proxy. A 403 from anywhere else may be the site's.

use super::field::Field;
use super::row::Row;
use crate::logs::entry::Entry;
use crate::logs::record::LineProblem;
use crate::logs::target::Request;

pub(super) fn entry<'a>(row: &Row<'a>) -> Result<Entry<'a>, LineProblem> {
    let request = Request {
        ends: row.ends()?,
        method: row.text(Field::Method).unwrap_or_default(),
        host: row.text(Field::Host).unwrap_or_default(),
        uri: row.text(Field::Uri).unwrap_or_default(),
        status: row.count(Field::StatusCode),
        sent_bytes: row.count(Field::RequestBodyLen),
        received_bytes: row.count(Field::ResponseBodyLen),
        user_agent: row.text(Field::UserAgent),
        content_type: row.list(Field::OrigMimeTypes).into_iter().next(),
    };
    Ok(Entry::Request(request.into_record()))
}
