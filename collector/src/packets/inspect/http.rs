//! What is made of an HTTP request: an event, and a name for where it goes.

use egret_event::{
    Destination, Fact, HttpRequest, NameSource, Protocol, SeenBy, SmolStr, clean_name_bytes,
};

use super::{Decoder, Sink};
use crate::packets::http::{self, Authority, Request, Target};
use crate::packets::tell::server_of;

impl Decoder {
    pub(super) fn request(&mut self, place: u32, request: &Request<'_>, out: &mut Sink<'_>) {
        let (path, query_bytes, target) = match &request.target {
            Target::Path(path, query) => (Some(*path), *query, request.host),
            Target::Url(there, path, query) => (Some(*path), *query, Some(*there)),
            Target::Tunnel(there) => (None, None, Some(*there)),
        };
        self.table[place].recognition.settle(spoken(request));
        let named = target.map(|there| self.place_of(place, request, &there));
        if let Some(destination) = &named {
            self.rename(place, destination.clone(), out);
        }
        let fact = HttpRequest {
            seen_by: SeenBy::Wire,
            method: SmolStr::new(request.method),
            path: path.map(http::printable),
            query_bytes,
            user_agent: request.user_agent.map(http::printable),
            status: None,
            duration_ms: None,
            user: None,
            sni: None,
            content_type: None,
            body_bytes: None,
        };
        let event = self.event_of(place, self.now, |_| Fact::Http(Box::new(fact)));
        self.tell_detail(event, named, out);
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
