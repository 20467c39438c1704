//! Squid's access log: the native format and Egret's own.
//!
//! Native (`logformat squid`) names neither the client's port nor what was sent, so the upload is
//! unknown, not zero:
//!
//! ```text
//! %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt
//! ```
//!
//! Egret's (`deploy/squid`) has both, and ends in `key=value` fields, of which each may be absent
//! and unknown ones are skipped. Their values are percent-encoded (`%#…`):
//!
//! ```text
//! %ts.%03tu %tr %>a:%>p %Ss/%03>Hs up=%>st down=%<st %rm %ru %<a:%<p \
//!     hier=%Sh user=%#un sni=%#ssl::>sni bump=%ssl::bump_mode ua=%#{User-Agent}>h
//! ```
//!
//! What the lines mean here:
//! - The time is the transaction's end; a tunnel is logged when it closes.
//! - `TCP_DENIED` is a refusal by rule. Not so with status 407, by which Squid asks for a login,
//!   nor `TCP_DENIED_REPLY`, where the request had gone out and only the answer was withheld.
//! - An upstream that could not be reached (500, 502, 503, 504 without a server) was allowed: no
//!   rule refused it.
//! - `error:…`, a relative URL or one without a host is a request that Squid could not act on:
//!   [`LineProblem::NoDestination`].
//! - Where Squid intercepts TLS, CONNECT names an address and `sni=` the host.
//! - Where Squid looks into tunnels (`ssl_bump`), it logs each twice: `NONE_NONE/200` when it has
//!   looked, and what became of it when it ends. `bump=` tells what the first line is worth. After
//!   `splice` another one is sure to come, with all that went through: the first is a
//!   [`LineProblem::Duplicate`]. `terminate` is a refusal, and the only line there is. Without
//!   `bump=` the two cannot be told apart, and a tunnel counts as two contacts, with its bytes once.
//! - A tunnel with something else than TLS inside is logged without a method.
//! - Status 403 without a server is a refusal too: of a request inside a tunnel that was refused.
//! - Squid cuts lines at 8 KiB. A request for a URL that long must not escape notice, so what is
//!   there of the line counts, without the fields after the URL, which may be cut too.

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::{BlockReason, NameSource, SeenBy, Timestamp, Verdict};

use super::digits::{eight_digits, formed, number, pairs};
use super::entry::Entry;
use super::piece::Piece;
use super::record::{Coding, FORBIDDEN, LineProblem, LogRecord, PROXY_LOGIN, Written};
use super::scan::{Places, find2};
use super::text::{literal, percent_decoded};

/// Length of a line that Squid has cut: its log writer's buffer of 8 KiB less the terminator.
pub(super) const CUT_BYTES: usize = 8_191;

const CONNECT: &[u8] = b"CONNECT";

const WRONG_VOLUME: LineProblem = LineProblem::Malformed("volume");

/// The status of a tunnel that was opened.
const ESTABLISHED: u16 = 200;

/// Reads a line of the native format, without its line end.
///
/// # Errors
/// See [`LineProblem`].
#[inline]
pub fn parse_native(line: &[u8]) -> Result<Entry<'_>, LineProblem> {
    let mut fields = Fields::of(line);
    let at = fields.timestamp()?;
    let duration_ms = fields.next()?.number();
    let client = fields.next()?.address().ok_or(LineProblem::Malformed("client address"))?;
    let outcome = fields.outcome()?;
    let down_bytes = fields.next()?.number();
    let method = fields.next()?.bytes();
    let target = Target::parse(method, fields.next()?);
    let end = match line.len() {
        CUT_BYTES.. => NativeEnd::default(),
        _ => NativeEnd::parse(fields)?,
    };
    let target = target?;
    Ok(Entry::Request(LogRecord {
        at,
        client: (client, 0),
        host: Cow::Borrowed(target.host),
        named_by: target.named_by,
        port: target.port,
        address: end.address,
        verdict: outcome.verdict,
        up_bytes: outcome.nothing_passed_on(),
        down_bytes,
        method: Cow::Borrowed(target.method),
        target: target.path.map(Cow::Borrowed),
        user_agent: None,
        status: outcome.status,
        duration_ms,
        user: given(end.user).map(percent_decoded),
        sni: None,
        content_type: None,
        body_bytes: None,
        client_certificate: None,
        seen_by: SeenBy::Proxy,
    }))
}

/// Reads a line of Egret's own format, without its line end.
///
/// # Errors
/// See [`LineProblem`].
#[inline]
pub fn parse_egret(line: &[u8]) -> Result<Entry<'_>, LineProblem> {
    let mut fields = Fields::of(line);
    let at = fields.timestamp()?;
    let duration_ms = fields.next()?.number();
    let client =
        fields.next()?.address_and_port().ok_or(LineProblem::Malformed("client address"))?;
    let outcome = fields.outcome()?;
    let up_bytes = fields.volume(b"up=")?;
    let down_bytes = fields.volume(b"down=")?;
    let method = fields.next()?.bytes();
    let target = Target::parse(method, fields.next()?)?;
    let (server, extra) = match line.len() {
        CUT_BYTES.. => (None, Extra::default()),
        _ => (fields.next()?.address_and_port(), Extra::parse(fields)),
    };
    let server = server.map(|(address, _)| address);
    let verdict = match extra.bump.filter(|_| target.is_tunnel() && outcome.has_looked()) {
        Some(b"splice") => return Err(LineProblem::Duplicate),
        Some(b"terminate") => Verdict::Blocked(BlockReason::ProxyDenied),
        _ => outcome.verdict,
    };
    let (host, named_by, server) = target.behind(extra.sni, server);
    Ok(Entry::Request(LogRecord {
        at,
        client,
        host: Cow::Borrowed(host),
        named_by,
        port: target.port,
        address: server.filter(|_| extra.way.is_none_or(leads_to_the_destination)),
        verdict,
        up_bytes: outcome.nothing_passed_on().or(up_bytes),
        down_bytes,
        method: Cow::Borrowed(target.method),
        target: target.path.map(Cow::Borrowed),
        user_agent: extra.user_agent.map(written),
        status: outcome.status,
        duration_ms,
        user: extra.user.map(percent_decoded),
        sni: extra.sni.map(Cow::Borrowed),
        content_type: None,
        body_bytes: None,
        client_certificate: None,
        seen_by: SeenBy::Proxy,
    }))
}

/// Fields separated by one or more spaces.
struct Fields<'a> {
    line: &'a [u8],
    spaces: Places<'a>,
    /// Where what was not handed out yet begins.
    at: usize,
}

impl<'a> Fields<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self { line, spaces: Places::of(b' ', line), at: 0 }
    }

    #[inline(always)]
    fn next(&mut self) -> Result<Piece<'a>, LineProblem> {
        self.find_next().ok_or(LineProblem::Malformed("too few fields"))
    }

    #[inline(always)]
    fn find_next(&mut self) -> Option<Piece<'a>> {
        loop {
            let from = self.line.get(self.at..).filter(|rest| !rest.is_empty())?;
            let end = self.spaces.next().unwrap_or(self.line.len());
            let length = end - self.at;
            self.at = end + 1;
            if length > 0 {
                return Some(Piece::of(from, length));
            }
        }
    }

    /// All that was not handed out yet.
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// `SECONDS.MILLISECONDS`.
    #[inline(always)]
    fn timestamp(&mut self) -> Result<Timestamp, LineProblem> {
        let field = self.next()?;
        match field.exactly().and_then(usual_timestamp) {
            Some(timestamp) => Ok(timestamp),
            None => timestamp(field.bytes()).ok_or(LineProblem::Malformed("time")),
        }
    }

    /// `RESULT/STATUS`.
    #[inline(always)]
    fn outcome(&mut self) -> Result<Outcome, LineProblem> {
        let field = self.next()?;
        let slash = field.find(b'/').ok_or(LineProblem::Malformed("result"))?;
        let status = field.behind(slash + 1).port().filter(|status| *status > 0);
        Ok(Outcome::of(field.before(slash), status))
    }

    /// `KEY=BYTES`.
    #[inline(always)]
    fn volume<const N: usize>(&mut self, key: &[u8; N]) -> Result<Option<u64>, LineProblem> {
        let field = self.next()?;
        if field.bytes().starts_with(key) {
            Ok(field.behind(N).number())
        } else {
            Err(WRONG_VOLUME)
        }
    }
}

/// `SECONDS.MILLISECONDS` of the years 2001 to 2286, as [`timestamp`] reads it in 1.6 times as many
/// instructions.
#[inline]
fn usual_timestamp(field: &[u8; 14]) -> Option<Timestamp> {
    let (head, tail) = (field.first_chunk()?, field.last_chunk()?);
    let tail = formed(*tail, *b"0000.000")?;
    let [.., last_digit] = tail.to_le_bytes();
    let [_, _, ones, _, _, hundredths, _, _] = pairs(tail);
    let seconds = eight_digits(*head)? * 100 + u64::from(ones);
    let millis = i64::from(hundredths) * 10 + i64::from(last_digit);
    Some(Timestamp::from_parts(seconds as i64, millis * 1_000_000))
}

fn timestamp(field: &[u8]) -> Option<Timestamp> {
    let (seconds, millis) = field.split_last_chunk::<4>()?;
    let millis = millis.strip_prefix(b".").and_then(number)?;
    // Eleven digits reach the year 5138: more is no time.
    let seconds = number(seconds).filter(|_| seconds.len() <= 11)?;
    Some(Timestamp::from_parts(seconds as i64, millis as i64 * 1_000_000))
}

/// What Squid did with a request.
struct Outcome {
    verdict: Verdict,
    status: Option<u16>,
    /// Whether it neither fetched, nor found, nor passed on anything.
    is_nothing: bool,
}

impl Outcome {
    #[inline]
    fn of(result: &[u8], status: Option<u16>) -> Self {
        let denied =
            result.strip_prefix(b"TCP_DENIED").is_some_and(|rest| !rest.starts_with(b"_REPLY"));
        let is_nothing = matches!(result, b"NONE_NONE" | b"NONE");
        let denied_inside = is_nothing && status == Some(FORBIDDEN);
        let verdict = if (denied && status != Some(PROXY_LOGIN)) || denied_inside {
            Verdict::Blocked(BlockReason::ProxyDenied)
        } else {
            Verdict::Allowed
        };
        Self { verdict, status, is_nothing }
    }

    /// What was sent to the destination, where the client was only asked to log in: nothing.
    fn nothing_passed_on(&self) -> Option<u64> {
        (self.status == Some(PROXY_LOGIN)).then_some(0)
    }

    /// Whether Squid has looked into a tunnel, and done no more yet.
    fn has_looked(&self) -> bool {
        self.is_nothing && self.status == Some(ESTABLISHED)
    }
}

/// Where a request was to go.
struct Target<'a> {
    method: &'a [u8],
    host: &'a [u8],
    named_by: NameSource,
    port: u16,
    /// With its query.
    path: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    #[inline]
    fn parse(method: &'a [u8], url: Piece<'a>) -> Result<Self, LineProblem> {
        let target = match method {
            CONNECT => Self::of_tunnel(url),
            b"-" if url.host_and_port().1.is_some() => Self::of_tunnel(url),
            _ => Self::of_url(method, url)?,
        };
        if target.host.is_empty() || target.host == b"-" {
            return Err(LineProblem::NoDestination);
        }
        Ok(target)
    }

    /// `HOST:PORT`.
    #[inline]
    fn of_tunnel(url: Piece<'a>) -> Self {
        let (host, port) = url.host_and_port();
        Self {
            method: CONNECT,
            host: if url.bytes().starts_with(b"error:") { b"" } else { host },
            named_by: NameSource::Connect,
            port: port.unwrap_or(0),
            path: None,
        }
    }

    /// `SCHEME://[USER@]HOST[:PORT][/PATH][?QUERY]`.
    fn of_url(method: &'a [u8], url: Piece<'a>) -> Result<Self, LineProblem> {
        let colon = url.find(b':').ok_or(LineProblem::NoDestination)?;
        let scheme = url.before(colon);
        if !url.bytes()[colon..].starts_with(b"://") {
            return Err(LineProblem::NoDestination);
        }
        let rest = url.behind(colon + 3);
        let end = find2(b'/', b'?', rest.bytes()).unwrap_or(rest.bytes().len());
        let authority = rest.until(end);
        let user = authority.find(b'@').and_then(|_| memchr::memrchr(b'@', authority.bytes()));
        let host = user.map_or(authority, |at| authority.behind(at + 1));
        let (host, port) = host.host_and_port();
        Ok(Self {
            method,
            host,
            named_by: NameSource::ProxyLog,
            port: port.unwrap_or_else(|| default_port(scheme)),
            path: Some(&rest.bytes()[end..]),
        })
    }

    fn is_tunnel(&self) -> bool {
        self.method == CONNECT
    }

    /// The destination of an intercepted connection: its TLS server name, where the target
    /// itself is only an address.
    fn behind(
        &self,
        sni: Option<&'a [u8]>,
        server: Option<IpAddr>,
    ) -> (&'a [u8], NameSource, Option<IpAddr>) {
        match sni.and_then(|sni| Some((sni, literal(self.host)?))) {
            Some((sni, target)) => (sni, NameSource::Sni, server.or(Some(target))),
            None => (self.host, self.named_by, server),
        }
    }
}

/// The port of a URL without one; 0 for schemes that have none.
fn default_port(scheme: &[u8]) -> u16 {
    match scheme {
        b"http" | b"ws" => 80,
        b"https" | b"wss" => 443,
        b"ftp" => 21,
        _ => 0,
    }
}

/// Whether the server that Squid went to by this way (`%Sh`) is the destination, and not another
/// proxy.
fn leads_to_the_destination(way: &[u8]) -> bool {
    matches!(way, b"HIER_DIRECT" | b"DIRECT" | b"PINNED" | b"ORIGINAL_DST")
}

/// The address in `WAY/SERVER`, where it leads to the destination. `None`: there is no slash.
#[inline]
fn destination(hierarchy: Piece<'_>) -> Option<Option<IpAddr>> {
    let slash = hierarchy.find(b'/')?;
    let leads_there = leads_to_the_destination(hierarchy.before(slash));
    Some(if leads_there { hierarchy.behind(slash + 1).address() } else { None })
}

fn given(field: &[u8]) -> Option<&[u8]> {
    (!field.is_empty() && field != b"-").then_some(field)
}

/// The end of a native line: `USER WAY/SERVER TYPE`.
#[derive(Debug, Default, PartialEq)]
struct NativeEnd<'a> {
    user: &'a [u8],
    /// The server's address, where that is the destination.
    address: Option<IpAddr>,
}

impl<'a> NativeEnd<'a> {
    #[inline]
    fn parse(fields: Fields<'a>) -> Result<Self, LineProblem> {
        let rest = fields.rest();
        Self::of_three(rest, fields).map_or_else(|| Self::from_behind(rest), Ok)
    }

    /// The end as it nearly always is: three fields in the `rest` of a line, with a space between
    /// them. `None`: it is not so, or may not be. Where the spaces are is known already, so this
    /// takes half the time of a search from behind.
    #[inline]
    fn of_three(rest: &[u8], mut fields: Fields<'a>) -> Option<Self> {
        let (user, hierarchy, kind) =
            (fields.find_next()?.bytes(), fields.find_next()?, fields.find_next()?.bytes());
        let is_all = user.len() + hierarchy.bytes().len() + kind.len() + 2 == rest.len();
        let is_bare = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
        let are_bare = is_bare(user.first()) && is_bare(user.last()) && is_bare(kind.last());
        if !is_all || !are_bare || kind.ends_with(b"]") {
            return None;
        }
        Some(Self { user, address: destination(hierarchy)? })
    }

    /// Reads from the end, because a user name may hold spaces; way and type cannot.
    fn from_behind(rest: &'a [u8]) -> Result<Self, LineProblem> {
        const WRONG: LineProblem = LineProblem::Malformed("too few fields");
        let rest = rest.trim_ascii_end();
        // `log_mime_hdrs on` adds the headers in brackets, which users and types never hold.
        let headers = rest.ends_with(b"]").then(|| memchr::memmem::find(rest, b" [")).flatten();
        let rest = headers.map_or(rest, |start| &rest[..start]);
        let rest = &rest[..memchr::memrchr(b' ', rest).ok_or(WRONG)?];
        let split = memchr::memrchr(b' ', rest).ok_or(WRONG)?;
        let (user, hierarchy) = (rest[..split].trim_ascii(), &rest[split + 1..]);
        let address = destination(Piece::of(hierarchy, hierarchy.len()));
        let address = address.ok_or(LineProblem::Malformed("hierarchy"))?;
        if user.is_empty() {
            return Err(WRONG);
        }
        Ok(Self { user, address })
    }
}

/// The `key=value` fields at the end of a line in Egret's format.
#[derive(Default)]
struct Extra<'a> {
    way: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    sni: Option<&'a [u8]>,
    bump: Option<&'a [u8]>,
    user_agent: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// Of a key that occurs twice the last counts: what comes before Squid's own fields may be
    /// part of a URL with spaces, which the client wrote.
    fn parse(mut fields: Fields<'a>) -> Self {
        let mut extra = Self::default();
        while let Some(field) = fields.find_next() {
            let field = field.bytes();
            if let Some(value) = field.strip_prefix(b"hier=") {
                extra.way = given(value);
            } else if let Some(value) = field.strip_prefix(b"user=") {
                extra.user = given(value);
            } else if let Some(value) = field.strip_prefix(b"sni=") {
                extra.sni = given(value);
            } else if let Some(value) = field.strip_prefix(b"ua=") {
                extra.user_agent = given(value);
            } else if let Some(value) = field.strip_prefix(b"bump=") {
                extra.bump = given(value);
            }
        }
        extra
    }
}

fn written(raw: &[u8]) -> Written<'_> {
    Written { raw: Cow::Borrowed(raw), coding: Coding::Percent }
}

#[cfg(test)]
mod tests;
