//! What is made of an HTTP request: an event, and a name for where it goes.

use egret_event::{
    Destination, Event, Fact, HttpRequest, NameSource, Protocol, SeenBy, SmolStr, clean_name_bytes,
};

use super::{Decoder, Sink};
use crate::Visible;
use crate::packets::exchange::{Kind, Waiting};
use crate::packets::http::{self, Authority, Body, Head, Request, Target};
use crate::packets::tell::server_of;

impl Decoder {
    /// Tells the requests at the start of `bytes`, of which the first has the sequence number
    /// `first`. Returns where another one starts that is not all there.
    pub(super) fn requests(
        &mut self,
        place: u32,
        bytes: &[u8],
        first: u32,
        out: &mut Sink<'_>,
    ) -> Option<usize> {
        let mut at = 0;
        loop {
            let request = match http::head(&bytes[at..]) {
                Head::Complete(request) => request,
                Head::Partial(_) => return Some(at),
                Head::No => return None,
            };
            let start = at + request.head_bytes;
            let (body_bytes, length) = body_of(&request, &bytes[start..]);
            let next = length.and_then(|length| start.checked_add(length));
            let body = &bytes[start..next.unwrap_or(bytes.len()).min(bytes.len())];
            self.request(place, &request, (body_bytes, body), out);
            let next = next?;
            if next >= bytes.len() {
                self.expect_body(place, first, next, next - bytes.len());
                return None;
            }
            at = next;
        }
    }

    /// Tells a request. Of its body: how long it is, where that is known, and how it begins.
    pub(super) fn request(
        &mut self,
        place: u32,
        request: &Request<'_>,
        (body_bytes, body): (Option<u64>, &[u8]),
        out: &mut Sink<'_>,
    ) {
        let (path, query, target) = match &request.target {
            Target::Path(path, query) => (Some(*path), *query, request.host),
            Target::Url(there, path, query) => (Some(*path), *query, Some(*there)),
            Target::Tunnel(there) => (None, None, Some(*there)),
        };
        self.table[place].recognition.settle(spoken(request));
        let named = target.map(|there| self.place_of(place, request, &there));
        if let Some(destination) = &named {
            self.rename(place, destination.clone(), out);
        }
        let is_tunnel = matches!(request.target, Target::Tunnel(_));
        let sensitive = self.scanner.request(&Visible {
            host: target.map_or(&[], |there| there.host),
            path: path.unwrap_or_default(),
            query: query.unwrap_or_default(),
            headers: request.headers,
            body: if is_tunnel { &[] } else { body },
        });
        let fact = HttpRequest {
            seen_by: SeenBy::Wire,
            method: SmolStr::new(request.method),
            path: path.map(http::printable),
            query_bytes: query.map(|query| query.len() as u32),
            user_agent: request.user_agent.map(http::printable),
            status: None,
            duration_ms: None,
            user: None,
            sni: None,
            content_type: request.media_type().map(http::media_type),
            body_bytes,
            sensitive,
        };
        let event = self.event_of(place, self.now, |_| Fact::Http(Box::new(fact)));
        if let Some(event) = event {
            let destination = named.unwrap_or_else(|| event.destination.clone());
            let kind = match (&request.target, request.method) {
                (Target::Tunnel(_), _) => Kind::Tunnel,
                (_, "HEAD") => Kind::Head,
                _ => Kind::Plain,
            };
            let event = Event { destination, ..event };
            self.await_response(place, Waiting { event, since: self.now, kind }, out);
        }
    }

    /// Where a request goes. Behind a proxy the address is the proxy's, and the port that of the
    /// place behind it.
    fn place_of(&self, place: u32, request: &Request<'_>, there: &Authority<'_>) -> Destination {
        let (server, server_port) = server_of(&self.table[place]);
        let (by, port, is_proxied) = match request.target {
            Target::Path(..) => (NameSource::HttpHost, server_port, false),
            Target::Url(..) => (NameSource::HttpHost, there.port.unwrap_or(80), true),
            Target::Tunnel(_) => (NameSource::Connect, there.port.unwrap_or(443), true),
        };
        match there.address() {
            Some(written) if is_proxied => {
                Destination { named_by: Some(by), ..Destination::address(written, port) }
            }
            Some(_) => Destination::address(server, port),
            None => Destination::of_host(clean_name_bytes(there.host), by, Some(server), port),
        }
    }
}

/// DNS, where a request goes to the path that it has by custom (RFC 8484, section 4.1.1).
fn spoken(request: &Request<'_>) -> Protocol {
    match request.target {
        Target::Path(b"/dns-query", _) | Target::Url(_, b"/dns-query", _) => Protocol::DnsOverHttps,
        _ => Protocol::Http,
    }
}

/// How many bytes the body of a request has, and how many it takes, where that is known. `rest`:
/// what is there behind its head.
fn body_of(request: &Request<'_>, rest: &[u8]) -> (Option<u64>, Option<usize>) {
    match request.body {
        // What follows is not HTTP, or not to this server.
        _ if matches!(request.target, Target::Tunnel(_)) => (None, None),
        Body::Length(length) => (Some(length), usize::try_from(length).ok()),
        Body::Chunked => http::chunked(rest).unzip(),
        Body::Unknown => (None, None),
    }
}
