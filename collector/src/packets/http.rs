//! The head of an HTTP/1 request.
//!
//! Owns the request line and the few headers that say where a request goes and who sends it. It
//! buffers nothing: the caller brings the bytes of the stream so far.

use std::net::IpAddr;

use egret_event::SmolStr;
use memchr::{memchr, memmem};
use smol_str::SmolStrBuilder;

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
}

/// The target of a request line (RFC 9112, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// A path on the server that is spoken to, and the bytes of its query string.
    Path(&'a [u8], Option<u32>),
    /// A whole URL: the server spoken to is a proxy.
    Url(Authority<'a>, &'a [u8], Option<u32>),
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
        let request = |target| Request { method, target, host: None, user_agent: None };
        return Head::Partial(target.map(request));
    };
    let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    let Some(version) = line.iter().rposition(|b| *b == b' ') else { return Head::No };
    if !line[version + 1..].starts_with(b"HTTP/1.") {
        return Head::No;
    }
    let Some(target) = target(method, &line[..version]) else { return Head::No };
    let mut request = Request { method, target, host: None, user_agent: None };
    match headers(&rest[end + 1..], &mut request) {
        Ended::Yes => Head::Complete(request),
        Ended::No => Head::Partial(Some(request)),
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

fn split_query(target: &[u8]) -> (&[u8], Option<u32>) {
    match memchr(b'?', target) {
        Some(at) => (&target[..at], Some((target.len() - at - 1) as u32)),
        None => (target, None),
    }
}

/// Whether the empty line after the headers was seen.
enum Ended {
    Yes,
    No,
}

fn headers<'a>(mut rest: &'a [u8], request: &mut Request<'a>) -> Ended {
    for _ in 0..MAX_HEADERS {
        let Some(end) = memchr(b'\n', rest) else { return Ended::No };
        let line = rest[..end].trim_ascii();
        rest = &rest[end + 1..];
        if line.is_empty() {
            return Ended::Yes;
        }
        let Some(colon) = memchr(b':', line) else { continue };
        let value = line[colon + 1..].trim_ascii();
        match &line[..colon] {
            name if name.eq_ignore_ascii_case(b"host") => {
                request.host = request.host.or_else(|| Authority::read(value));
            }
            name if name.eq_ignore_ascii_case(b"user-agent") => {
                request.user_agent = request.user_agent.or(Some(value));
            }
            _ => {}
        }
    }
    Ended::Yes
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

/// Text from the wire as it is kept: at most 256 bytes, every byte that is not printable ASCII
/// written as `\xNN`.
pub(super) fn printable(raw: &[u8]) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    let mut length = 0;
    for &byte in raw {
        let is_plain = (byte.is_ascii_graphic() && byte != b'\\') || byte == b' ';
        length += if is_plain { 1 } else { 4 };
        if length > MAX_TEXT_BYTES {
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
mod tests {
    use super::*;

    fn complete(bytes: &[u8]) -> Request<'_> {
        match head(bytes) {
            Head::Complete(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_says_where_it_goes_and_keeps_no_query() {
        let seen = complete(
            b"POST /a/b?token=secret HTTP/1.1\r\nhost: Files.Example:8080\r\n\
              User-Agent:  curl/8 \r\n\r\nbody",
        );
        assert_eq!(seen.method, "POST");
        assert_eq!(seen.target, Target::Path(b"/a/b", Some(12)));
        let host = Authority { host: b"Files.Example", port: Some(8080) };
        assert_eq!(seen.host, Some(host));
        assert_eq!(seen.user_agent, Some(&b"curl/8"[..]));
    }

    #[test]
    fn proxies_are_asked_by_url_or_by_connect() {
        let seen = complete(b"GET http://user:pw@a.example:81?q HTTP/1.0\n\n");
        let there = Authority { host: b"a.example", port: Some(81) };
        assert_eq!(seen.target, Target::Url(there, b"/", Some(1)));
        let seen = complete(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n");
        let there = Authority { host: b"2001:db8::1", port: Some(443) };
        assert_eq!(seen.target, Target::Tunnel(there));
        assert_eq!(there.address(), Some("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_long_query_counts_before_its_line_has_ended() {
        let Head::Partial(Some(seen)) = head(b"GET /q?aaaaaaaa") else { panic!("not seen") };
        assert_eq!(seen.target, Target::Path(b"/q", Some(8)));
        let Head::Partial(Some(seen)) = head(b"GET / HTTP/1.1\r\nHost: a.exa") else {
            panic!("not seen")
        };
        assert_eq!(seen.host, None, "half a name is no name");
    }

    #[test]
    fn what_only_resembles_a_request_is_none() {
        for bytes in [
            &b"GET"[..],
            b"GETTING / HTTP/1.1",
            b"get / HTTP/1.1\r\n\r\n",
            b"SSH-2.0-x y\r\n",
            b"GET / SIP/2.0\r\n\r\n",
            b"FOO / HTTP/2.0\r\n\r\n",
            b"",
        ] {
            assert_eq!(head(bytes), Head::No, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn kept_text_is_printable_and_short() {
        assert_eq!(printable(b"a\x1b[31m\\ \xff"), "a\\x1b[31m\\x5c \\xff");
        assert!(printable(&[b'\n'; 1000]).len() <= MAX_TEXT_BYTES);
    }
}
