//! HTTP/1: the head of a request, and what it says of its body and of the answer.
//!
//! Owns the request line, the status line, and the few headers that say where a request goes, who
//! sends it and what it carries. It buffers nothing: the caller brings the bytes of the stream so
//! far.

mod body;
mod response;

use std::net::IpAddr;

use egret_event::SmolStr;
use memchr::{memchr, memmem};
use smol_str::SmolStrBuilder;

pub use body::{Body, chunked};
pub use response::{Response, response};

/// Largest request head that is read, in bytes.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Most header lines that are looked at.
const MAX_HEADERS: usize = 128;

/// Longest method, in bytes.
const MAX_METHOD_BYTES: usize = 32;

/// Longest text kept of a path or a header, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// Methods that are believed before the rest of the line is seen.
const METHODS: [&[u8]; 9] =
    [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS", b"CONNECT", b"TRACE"];

/// A request, borrowed from the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// Where it is to go.
    pub target: Target<'a>,
    /// The Host header, if there is one.
    pub host: Option<Authority<'a>>,
    /// The User-Agent header.
    pub user_agent: Option<&'a [u8]>,
    /// The Content-Type header.
    pub content_type: Option<&'a [u8]>,
    /// How long the body is; certain only where the head was read to the end.
    pub body: Body,
    /// The headers as sent, as far as they were read.
    pub headers: &'a [u8],
    /// Bytes of the head, the empty line included, as far as they were read.
    pub head_bytes: usize,
}

/// The target of a request line (RFC 9112, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// A path on the server that is spoken to, and its query.
    Path(&'a [u8], Option<&'a [u8]>),
    /// A whole URL: the server spoken to is a proxy.
    Url(Authority<'a>, &'a [u8], Option<&'a [u8]>),
    /// `CONNECT`: the server spoken to is a proxy, and what follows is between the client and
    /// this place.
    Tunnel(Authority<'a>),
}

/// A host and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host, without the brackets of an IPv6 address.
    pub host: &'a [u8],
    /// The port, where one is written.
    pub port: Option<u16>,
}

/// What the first bytes of a segment are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head<'a> {
    /// A request, with its head read to the end.
    Complete(Request<'a>),
    /// The start of a request with a well-known method: more bytes would tell more. What is
    /// there may do.
    Partial(Option<Request<'a>>),
    /// Something else.
    No,
}

/// Whether a segment may start with a request. A cheap test, for the fast path.
#[inline]
pub fn may_start_request(bytes: &[u8]) -> bool {
    matches!(bytes, [first, second, third, ..]
        if first.is_ascii_uppercase() && second.is_ascii_uppercase() && third.is_ascii_uppercase())
}

/// Reads the head of a request from the start of a segment, or of the segments since then.
pub fn head(bytes: &[u8]) -> Head<'_> {
    let Some((method, rest)) = method(bytes) else { return Head::No };
    let is_known = METHODS.contains(&method.as_bytes());
    let Some(end) = memchr(b'\n', rest) else {
        // A long query may not end in this segment.
        if !is_known || !looks_like_target(method, rest) {
            return Head::No;
        }
        let target = target(method, rest.split(|b| *b == b' ').next().unwrap_or(rest));
        return Head::Partial(target.map(|target| Request::new(method, target)));
    };
    let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    let Some(version) = line.iter().rposition(|b| *b == b' ') else { return Head::No };
    if !line[version + 1..].starts_with(b"HTTP/1.") {
        return Head::No;
    }
    let Some(target) = target(method, &line[..version]) else { return Head::No };
    let mut request = Request::new(method, target);
    let start = method.len() + 1 + end + 1;
    let (read, ended) = headers(&bytes[start..], |name, value| request.header(name, value));
    request.headers = &bytes[start..start + read];
    request.head_bytes = start + read;
    match ended {
        Ended::Yes => Head::Complete(request),
        Ended::No => Head::Partial(Some(request)),
    }
}

/// Whether a segment starts with a request line, or with enough of one.
pub fn is_request(bytes: &[u8]) -> bool {
    let Some((method, rest)) = method(bytes) else { return false };
    match memchr(b'\n', rest) {
        Some(end) => {
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
        }
        None => METHODS.contains(&method.as_bytes()) && looks_like_target(method, rest),
    }
}

impl<'a> Request<'a> {
    fn new(method: &'a str, target: Target<'a>) -> Self {
        Self {
            method,
            target,
            host: None,
            user_agent: None,
            content_type: None,
            body: Body::Length(0),
            headers: &[],
            head_bytes: 0,
        }
    }

    fn header(&mut self, name: &[u8], value: &'a [u8]) {
        if name.eq_ignore_ascii_case(b"host") {
            self.host = self.host.or_else(|| Authority::read(value));
        } else if name.eq_ignore_ascii_case(b"user-agent") {
            self.user_agent = self.user_agent.or(Some(value));
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type = self.content_type.or(Some(value));
        } else {
            self.body.header(name, value);
        }
    }

    /// The media type of the body, without its parameters.
    pub fn media_type(&self) -> Option<&'a [u8]> {
        let end = |text: &[u8]| memchr(b';', text).unwrap_or(text.len());
        let media_type = self.content_type.map(|text| text[..end(text)].trim_ascii_end());
        media_type.filter(|text| !text.is_empty())
    }
}

/// The upper-case word before the first space, and what comes after that.
fn method(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let window = &bytes[..bytes.len().min(MAX_METHOD_BYTES + 1)];
    let end = memchr(b' ', window)?;
    let is_method = |b: &u8| b.is_ascii_uppercase() || matches!(b, b'-' | b'_');
    if end < 3 || !window[..end].iter().all(is_method) {
        return None;
    }
    Some((std::str::from_utf8(&window[..end]).ok()?, &bytes[end + 1..]))
}

fn looks_like_target(method: &str, rest: &[u8]) -> bool {
    method == "CONNECT" || rest.starts_with(b"/") || rest.starts_with(b"http://")
}

fn target<'a>(method: &str, text: &'a [u8]) -> Option<Target<'a>> {
    if method == "CONNECT" {
        return Some(Target::Tunnel(Authority::read(text)?));
    }
    let scheme = memmem::find(text, b"://").filter(|_| !text.starts_with(b"/"));
    let Some(scheme) = scheme else {
        let (path, query) = split_query(text);
        return Some(Target::Path(path, query));
    };
    let after = &text[scheme + 3..];
    let end = after.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    let host = authority.rsplit(|b| *b == b'@').next().unwrap_or(authority);
    let (path, query) = split_query(rest);
    Some(Target::Url(Authority::read(host)?, if path.is_empty() { b"/" } else { path }, query))
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

/// Whether the empty line after the headers was seen.
enum Ended {
    Yes,
    No,
}

/// Shows each header to `take`, by name and value; returns how many bytes they are.
fn headers<'a>(bytes: &'a [u8], mut take: impl FnMut(&[u8], &'a [u8])) -> (usize, Ended) {
    let mut rest = bytes;
    for _ in 0..MAX_HEADERS {
        let Some(end) = memchr(b'\n', rest) else { return (bytes.len() - rest.len(), Ended::No) };
        let line = rest[..end].trim_ascii();
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        if let Some(colon) = memchr(b':', line) {
            take(line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
        }
    }
    (bytes.len() - rest.len(), Ended::Yes)
}

impl<'a> Authority<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (host, port) = match text {
            [b'[', rest @ ..] => {
                let end = memchr(b']', rest)?;
                (&rest[..end], rest[end + 1..].strip_prefix(b":"))
            }
            _ => match memchr::memrchr(b':', text) {
                // More than one colon without brackets: an IPv6 address as some write it.
                Some(at) if memchr(b':', &text[..at]).is_none() => {
                    (&text[..at], Some(&text[at + 1..]))
                }
                _ => (text, None),
            },
        };
        let port = port.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// The host, where it is written as an address and not as a name.
    pub fn address(&self) -> Option<IpAddr> {
        std::str::from_utf8(self.host).ok()?.parse().ok()
    }
}

/// Longest media type kept, in bytes.
const MAX_MEDIA_TYPE_BYTES: usize = 128;

/// A media type as it is kept: as [`printable`], at most 128 bytes.
pub(super) fn media_type(raw: &[u8]) -> SmolStr {
    cleaned(raw, MAX_MEDIA_TYPE_BYTES)
}

/// Text from the wire as it is kept: at most 256 bytes, every byte that is not printable ASCII
/// written as `\xNN`.
pub(super) fn printable(raw: &[u8]) -> SmolStr {
    cleaned(raw, MAX_TEXT_BYTES)
}

fn cleaned(raw: &[u8], most: usize) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    let mut length = 0;
    for &byte in raw {
        let is_plain = (byte.is_ascii_graphic() && byte != b'\\') || byte == b' ';
        length += if is_plain { 1 } else { 4 };
        if length > most {
            break;
        }
        if is_plain {
            text.push(char::from(byte));
        } else {
            text.push_str("\\x");
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
    }
    text.finish()
}

#[cfg(test)]
mod tests;
