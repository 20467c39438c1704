//! The head of a response.

use memchr::memchr;

use super::{Body, Ended, headers};

/// A response, as far as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 999.
    pub status: u16,
    /// Bytes of head and body, where the head is there to its end and says how long the body is.
    pub length: Option<usize>,
    /// Bytes of the head, where it is there to its end.
    pub head_bytes: Option<usize>,
    /// Whether it asks for the credentials of a proxy's user.
    asks_who: bool,
}

impl Response {
    /// Whether more than this answers the request.
    pub fn is_interim(&self) -> bool {
        // 101 is the last word of HTTP on its connection.
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Whether this, in answer to CONNECT, says that a rule forbids it. A proxy that cannot reach
    /// the place says 502 to 504; one that asks for credentials says 407 and how to give them,
    /// and Smokescreen says 407 alone where its rules forbid.
    pub fn refuses_tunnel(&self) -> bool {
        match self.status {
            403 | 405 | 451 => true,
            407 => self.head_bytes.is_some() && !self.asks_who,
            _ => false,
        }
    }
}

/// Reads the response at the start of `bytes`. `None`: there is none.
pub fn response(bytes: &[u8]) -> Option<Response> {
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', status @ ..] = bytes else {
        return None;
    };
    let [hundreds @ b'1'..=b'9', tens, ones, b' ' | b'\r' | b'\n', ..] = status else {
        return None;
    };
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    let digit = |byte: &u8| u16::from(byte - b'0');
    let status = digit(hundreds) * 100 + digit(tens) * 10 + digit(ones);
    let mut seen = Response { status, length: None, head_bytes: None, asks_who: false };
    if let Some(end) = memchr(b'\n', bytes) {
        seen.read_headers(bytes, end + 1);
    }
    Some(seen)
}

impl Response {
    fn read_headers(&mut self, bytes: &[u8], start: usize) {
        let mut body = Body::Length(0);
        let mut says_length = false;
        let (read, ended) = headers(&bytes[start..], |name, value| {
            self.asks_who |= name.eq_ignore_ascii_case(b"proxy-authenticate");
            says_length |= name.eq_ignore_ascii_case(b"content-length");
            body.header(name, value);
        });
        let head_bytes = start + read;
        self.head_bytes = matches!(ended, Ended::Yes).then_some(head_bytes);
        let has_no_body = matches!(self.status, 100..200 | 204 | 304);
        let body_bytes = match body {
            _ if has_no_body => Some(0),
            Body::Length(length) if says_length => usize::try_from(length).ok(),
            Body::Chunked => super::chunked(&bytes[head_bytes..]).map(|(_, length)| length),
            Body::Length(_) | Body::Unknown => None,
        };
        self.length =
            self.head_bytes.zip(body_bytes).and_then(|(head, body)| head.checked_add(body));
    }
}
