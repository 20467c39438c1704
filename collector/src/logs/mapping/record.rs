//! From the fields of a line to the record of a request.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use egret_event::{NameSource, SeenBy, Timestamp};

use super::field::{Field, Slots};
use crate::logs::record::{LineProblem, LogRecord, PROXY_LOGIN};
use crate::logs::text::{address, address_and_port, host_and_port, literal, path_and_query};

/// When it ended, and how long it took, in nanoseconds.
pub(super) struct When {
    pub(super) at: Timestamp,
    pub(super) duration: Option<u64>,
}

impl When {
    /// From the end, or from the begin and how long it took.
    pub(super) fn of(
        end: Option<Timestamp>,
        start: Option<Timestamp>,
        duration: Option<u64>,
    ) -> Result<Self, LineProblem> {
        let after_start = start.map(|start| start + Duration::from_nanos(duration.unwrap_or(0)));
        let at = end.or(after_start).ok_or(LineProblem::Malformed("time"))?;
        Ok(Self { at, duration })
    }
}

/// Makes the record.
pub(super) fn record<'a>(
    mut slots: Slots<'a>,
    when: &When,
    verdict: egret_event::Verdict,
) -> Result<LogRecord<'a>, LineProblem> {
    let client = client(&slots);
    let server = server(&slots);
    let status = slots.count(Field::Status).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| *status > 0);
    let up = slots.count(Field::Up).or_else(|| slots.count(Field::Body));
    let (down, body) = (slots.count(Field::Down), slots.count(Field::Body));
    // Of what was no request, some proxies know not even the client.
    let target = Target::of(&mut slots, server)?;
    let client = client.ok_or(LineProblem::Malformed("client address"))?;
    Ok(LogRecord {
        at: when.at,
        client,
        host: target.host,
        named_by: target.named_by,
        port: target.port,
        address: server.map(|(address, _)| address),
        verdict,
        // Nothing was passed on where the client was only asked to log in.
        up_bytes: if status == Some(PROXY_LOGIN) { Some(0) } else { up },
        down_bytes: down,
        method: target.method,
        target: target.path,
        user_agent: slots.take(Field::UserAgent).map(Into::into),
        status,
        duration_ms: when.duration.map(|nanos| nanos / 1_000_000),
        user: slots.take(Field::User),
        sni: target.sni,
        content_type: slots.take(Field::ContentType),
        body_bytes: body,
        client_certificate: slots.take(Field::Certificate),
        seen_by: SeenBy::Proxy,
    })
}

fn client(slots: &Slots<'_>) -> Option<(IpAddr, u16)> {
    let text = slots.bytes(Field::Client)?;
    let nearest = text.rsplit(|byte| *byte == b',').next().unwrap_or(text).trim_ascii();
    let (address, port) = ends(nearest)?;
    Some((address, slots.port(Field::ClientPort).unwrap_or(port)))
}

fn server(slots: &Slots<'_>) -> Option<(IpAddr, u16)> {
    if let Some(text) = slots.bytes(Field::ServerAndPort) {
        return address_and_port(text);
    }
    let text = slots.bytes(Field::Server)?;
    // nginx lists all servers that it tried; the last is the one that answered.
    let last = text.rsplit(|byte| *byte == b',').next().unwrap_or(text).trim_ascii();
    let (address, port) = ends(last)?;
    Some((address, slots.port(Field::ServerPort).unwrap_or(port)))
}

/// An address with or without a port, then 0. An IPv6 address with a port has brackets.
fn ends(text: &[u8]) -> Option<(IpAddr, u16)> {
    address(text).map(|address| (address, 0)).or_else(|| address_and_port(text))
}

type OptText<'a> = Option<Cow<'a, [u8]>>;

/// Where a request was to go.
struct Target<'a> {
    host: Cow<'a, [u8]>,
    named_by: NameSource,
    port: u16,
    method: Cow<'a, [u8]>,
    /// With its query.
    path: OptText<'a>,
    sni: OptText<'a>,
}

impl<'a> Target<'a> {
    fn of(slots: &mut Slots<'a>, server: Option<(IpAddr, u16)>) -> Result<Self, LineProblem> {
        let (method, url) = asked(slots)?;
        let is_tunnel = method.as_deref().is_none_or(|method| method == b"CONNECT");
        let mut url = url.map_or_else(Url::default, |url| Url::of(&url, is_tunnel));
        if url.authority.is_none() {
            url.take_host(slots);
        }
        let (host, port) = url.authority.as_ref().map(host_of).unzip();
        let (host, port) = (host.filter(|host| !host.is_empty()), port.flatten());
        let sni = slots.take(Field::Sni);
        let by =
            if is_tunnel && method.is_some() { NameSource::Connect } else { NameSource::ProxyLog };
        let (host, named_by) = match (host, &sni) {
            (Some(host), Some(sni)) if literal(&host).is_some() => (sni.clone(), NameSource::Sni),
            (Some(host), _) => (host, by),
            (None, Some(sni)) => (sni.clone(), NameSource::Sni),
            (None, None) => (of_address(server)?, NameSource::ProxyLog),
        };
        let scheme = url.scheme.or_else(|| slots.take(Field::Scheme));
        let usual = if is_tunnel || named_by == NameSource::Sni { 443 } else { 80 };
        let port = port
            .or_else(|| slots.port(Field::Port))
            .or_else(|| scheme.as_deref().and_then(usual_port))
            .or_else(|| server.map(|(_, port)| port).filter(|port| *port > 0));
        let beside = slots.take(Field::Query);
        let path = url.path.filter(|path| !path.is_empty());
        let path = if is_tunnel { None } else { with_query(path, beside) };
        Ok(Self {
            host,
            named_by,
            port: port.unwrap_or(usual),
            method: method.unwrap_or(Cow::Borrowed(b"CONNECT")),
            path,
            sni,
        })
    }
}

/// The method and the URL, by themselves or from the request line.
fn asked<'a>(slots: &mut Slots<'a>) -> Result<(OptText<'a>, OptText<'a>), LineProblem> {
    let (method, url) = (slots.take(Field::Method), slots.take(Field::Url));
    // Squid's word for what it could make nothing of.
    if url.as_deref().is_some_and(|url| url.starts_with(b"error:")) {
        return Err(LineProblem::NoDestination);
    }
    let Some(line) = slots.take(Field::Request) else { return Ok((method, url)) };
    // What has no two words was no HTTP, and nothing was done with it.
    let space = memchr::memchr(b' ', &line).filter(|space| *space > 0);
    let space = space.ok_or(LineProblem::NoDestination)?;
    // The URL may hold spaces, the others do not.
    let end = memchr::memmem::rfind(&line, b" HTTP/").filter(|end| *end > space);
    let asked = cut(&line, space + 1..end.unwrap_or(line.len()));
    Ok((method.or_else(|| Some(cut(&line, 0..space))), url.or(Some(asked))))
}

fn of_address<'a>(server: Option<(IpAddr, u16)>) -> Result<Cow<'a, [u8]>, LineProblem> {
    let (address, _) = server.ok_or(LineProblem::NoDestination)?;
    Ok(Cow::Owned(address.to_string().into_bytes()))
}

/// The parts of a URL.
#[derive(Default)]
struct Url<'a> {
    scheme: OptText<'a>,
    /// Host and port, without the user.
    authority: OptText<'a>,
    path: OptText<'a>,
}

impl<'a> Url<'a> {
    fn of(url: &Cow<'a, [u8]>, is_tunnel: bool) -> Self {
        let absolute = memchr::memmem::find(url, b"://").filter(|at| {
            url[..*at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        });
        let Some(at) = absolute else {
            let url = Some(url.clone());
            return match is_tunnel {
                true => Self { authority: url, ..Self::default() },
                false => Self { path: url, ..Self::default() },
            };
        };
        let begin = at + 3;
        let end = memchr::memchr2(b'/', b'?', &url[begin..]).map_or(url.len(), |end| begin + end);
        let user = memchr::memrchr(b'@', &url[begin..end]).map_or(begin, |user| begin + user + 1);
        Self {
            scheme: Some(cut(url, 0..at)),
            authority: Some(cut(url, user..end)),
            path: Some(cut(url, end..url.len())),
        }
    }

    /// Takes over the host that stands by itself, where it may be a URL too.
    fn take_host(&mut self, slots: &mut Slots<'a>) {
        let Some(host) = slots.take(Field::Host) else { return };
        let of_host = Self::of(&host, true);
        self.authority = of_host.authority;
        self.scheme = self.scheme.take().or(of_host.scheme);
    }
}

fn host_of<'a>(written: &Cow<'a, [u8]>) -> (Cow<'a, [u8]>, Option<u16>) {
    let (host, port) = host_and_port(written);
    // Brackets are left out of it.
    let from = usize::from(host.first() != written.first());
    let range = from..from + host.len();
    (cut(written, range), port)
}

/// The path with the query that stands beside it, where there is one.
fn with_query<'a>(path: OptText<'a>, query: OptText<'a>) -> OptText<'a> {
    let Some(query) = query else { return path };
    let query = query.strip_prefix(b"?").unwrap_or(&query);
    let (path, _) = path_and_query(path.as_deref().unwrap_or_default());
    let mark: &[u8] = if query.is_empty() { b"" } else { b"?" };
    Some(Cow::Owned([path, mark, query].concat()))
}

fn usual_port(scheme: &[u8]) -> Option<u16> {
    match scheme {
        b"http" | b"ws" => Some(80),
        b"https" | b"wss" => Some(443),
        b"ftp" => Some(21),
        _ => None,
    }
}

/// A part of a text, without copying what is borrowed.
fn cut<'a>(text: &Cow<'a, [u8]>, range: Range<usize>) -> Cow<'a, [u8]> {
    match text {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[range]),
        Cow::Owned(bytes) => Cow::Owned(bytes[range].to_vec()),
    }
}
