//! What a log line says, whichever dialect it is written in.

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::{NameSource, SeenBy, Timestamp, Verdict};

use super::text::{json_decoded, path_and_query, percent_decoded};

/// What one log line says. Borrows from the line; nothing in it has been made printable yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// When the request or tunnel ended.
    pub at: Timestamp,
    /// The proxy's client: address and port, 0 where the log has no port.
    pub client: (IpAddr, u16),
    /// The host asked for, a name or an address in text, without brackets.
    pub host: Cow<'a, [u8]>,
    /// Where the log has `host` from.
    pub named_by: NameSource,
    /// The port asked for; 0 where nothing tells it.
    pub port: u16,
    /// The address that the proxy connected to, where it is the destination's own.
    pub address: Option<IpAddr>,
    /// Whether the proxy let it through.
    pub verdict: Verdict,
    /// Bytes that the proxy took from the client for the destination. `None`: not logged.
    pub up_bytes: Option<u64>,
    /// Bytes that the proxy gave to the client. `None`: not logged.
    pub down_bytes: Option<u64>,
    /// The request's method.
    pub method: Cow<'a, [u8]>,
    /// The path with its query. `None` for tunnels. A question mark at the end says that the log has
    /// removed the query.
    pub target: Option<Cow<'a, [u8]>>,
    /// The User-Agent header.
    pub user_agent: Option<Written<'a>>,
    /// The status answered.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The user that the proxy names.
    pub user: Option<Cow<'a, [u8]>>,
    /// The server name of the TLS session inside.
    pub sni: Option<Cow<'a, [u8]>>,
    /// The media type of the request's body.
    pub content_type: Option<Cow<'a, [u8]>>,
    /// Bytes of the request's body.
    pub body_bytes: Option<u64>,
    /// The subject of the client certificate that the proxy verified.
    pub client_certificate: Option<Cow<'a, [u8]>>,
    /// Who logged it: a proxy, or a sensor beside the traffic.
    pub seen_by: SeenBy,
}

/// Text as it stands in a line. It is decoded by whoever needs it: a user agent comes again and
/// again, and what it means is remembered by how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<'a> {
    /// How it stands there.
    pub raw: Cow<'a, [u8]>,
    /// What was done to it.
    pub coding: Coding,
}

/// What a log does to text before it writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Nothing.
    Plain,
    /// `%XX` stands for a byte.
    Percent,
    /// The escapes of JSON strings, of one character each (no `\u`).
    Json,
}

impl Coding {
    /// How many there are.
    pub(super) const COUNT: usize = 3;
}

impl Written<'_> {
    /// The text itself.
    pub fn decoded(&self) -> Cow<'_, [u8]> {
        match self.coding {
            Coding::Plain => Cow::Borrowed(&*self.raw),
            Coding::Percent => percent_decoded(&self.raw),
            Coding::Json => json_decoded(&self.raw),
        }
    }
}

impl<'a> From<Cow<'a, [u8]>> for Written<'a> {
    /// Text that is not encoded, or not any more.
    fn from(raw: Cow<'a, [u8]>) -> Self {
        Self { raw, coding: Coding::Plain }
    }
}

/// The status by which a proxy asks its client to log in first (RFC 9110, section 15.5.8).
pub(super) const PROXY_LOGIN: u16 = 407;

/// The status of a refusal (RFC 9110, section 15.5.4).
pub(super) const FORBIDDEN: u16 = 403;

impl LogRecord<'_> {
    /// Whether the proxy only asked its client to log in: no rule refused the destination, which
    /// was sent nothing, and the user that the line may name is not proven.
    pub fn is_login_challenge(&self) -> bool {
        self.status == Some(PROXY_LOGIN)
    }

    /// The path without its query, `None` for tunnels; and the query, `None` where the log has removed
    /// it too.
    pub fn path_and_query(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        let Some(target) = self.target.as_deref() else { return (None, None) };
        let (path, query) = path_and_query(target);
        (Some(path).filter(|path| !path.is_empty()), query)
    }
}

/// Why a line gives no [`LogRecord`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// The line is sound and tells of no destination: a connection that sent no request, or one
    /// that the proxy could not make sense of. Nothing left through it.
    #[error("no destination")]
    NoDestination,
    /// The line is sound and is about the log itself: a header, a comment.
    #[error("about the log itself")]
    Note,
    /// The line is sound, and another one tells the same and more.
    #[error("another line tells the same")]
    Duplicate,
    /// The line is not of the dialect, or was damaged.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}
