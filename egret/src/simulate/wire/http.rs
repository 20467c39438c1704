//! HTTP/1.1 requests and answers in clear.

/// What a request asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// The request target: a path, a URL (to a proxy) or host:port (CONNECT).
    pub(crate) target: &'a str,
    pub(crate) host: &'a str,
    pub(crate) agent: &'a str,
}

/// A request with a body of `body` bytes.
pub(crate) fn request(asked: Request<'_>, body: &[u8]) -> Vec<u8> {
    let Request { method, target, host, agent } = asked;
    let mut text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n"
    );
    if method == "CONNECT" {
        text.push_str("Proxy-Connection: Keep-Alive\r\n");
    }
    if !body.is_empty() {
        text.push_str("Content-Type: application/octet-stream\r\n");
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A request without a body, of `length` bytes if it can be: headers that are not known are filled
/// with white space (RFC 9110, section 5.6.3).
pub(crate) fn request_of(asked: Request<'_>, length: usize) -> Vec<u8> {
    let Request { method, target, host, agent } = asked;
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n");
    let left = length.saturating_sub(text.len() + ACCEPT.len() + 2);
    if text.len() + ACCEPT.len() + 2 + left == length {
        let (name, value) = ACCEPT.split_at(ACCEPT_NAME);
        text.push_str(&format!("{name}{}{value}", " ".repeat(left)));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The header that is filled, and where its name ends.
const ACCEPT: &str = "Accept: */*\r\n";
const ACCEPT_NAME: usize = 8;

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = answer_head(status, body.len());
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer whose body has `length` bytes.
pub(crate) fn answer_head(status: u16, length: usize) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        202 => "Accepted",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Unknown",
    };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    head.into_bytes()
}
