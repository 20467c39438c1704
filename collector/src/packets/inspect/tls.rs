//! What is made of a TLS hello: an event, and a name for its flow.

use egret_event::{Destination, Fact, NameSource, TlsHello};

use super::{Decoder, Sink};
use crate::packets::tell::server_of;

impl Decoder {
    pub(super) fn hello(&mut self, place: u32, hello: Box<TlsHello>, out: &mut Sink<'_>) {
        self.spoken_in(place, &hello);
        let flow = &mut self.table[place];
        flow.hellos += 1;
        let (server, port) = server_of(flow);
        let named = hello.sni.as_ref().map(|sni| {
            if sni.parse::<std::net::IpAddr>().is_ok() {
                Destination::address(server, port)
            } else {
                Destination::of_host(sni.clone(), NameSource::Sni, Some(server), port)
            }
        });
        if let Some(destination) = &named {
            self.rename(place, destination.clone(), out);
        }
        let event = self.event_of(place, self.now, |_| Fact::Tls(hello));
        self.tell_detail(event, named, out);
    }
}
