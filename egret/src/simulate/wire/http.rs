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

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &[u8]) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        202 => "Accepted",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Unknown",
    };
    let mut bytes = format!(
        "HTTP/1.1 {status} {reason}\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
