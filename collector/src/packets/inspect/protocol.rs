//! What a flow speaks, by its first bytes.

use egret_event::{Destination, NameSource, Protocol, TlsHello, clean_name_bytes};

use super::{Decoder, Sink};
use crate::packets::link::{Packet, TCP};
use crate::packets::protocol::{self, Carrier, First, Side, SocksHost};
use crate::packets::tell::server_of;

impl Decoder {
    /// Looks at one of the first payloads of a flow that no parser has claimed.
    pub(super) fn recognize(
        &mut self,
        place: u32,
        from_client: bool,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) {
        let flow = &mut self.table[place];
        if from_client && packet.protocol == TCP && !flow.is_new(packet) {
            return;
        }
        let carrier = if packet.protocol == TCP { Carrier::Stream } else { Carrier::Datagram };
        let server_port = flow.server_port();
        let side = Side::of(from_client);
        flow.recognition.look(First { bytes: packet.payload, side, carrier, server_port });
        if flow.recognition.protocol() == Some(Protocol::Dns) {
            // Not on its port: the first to be read is this one.
            match carrier {
                Carrier::Datagram => self.dns_message(place, from_client, packet.payload, out),
                Carrier::Stream => self.dns_stream(place, from_client, packet, out),
            }
        }
    }

    /// Notes what is spoken where a client begins TLS, in whatever carries it.
    pub(super) fn spoken_in(&mut self, place: u32, hello: &TlsHello) {
        let flow = &self.table[place];
        let ends = (flow.key.end(flow.client).0, flow.key.end(flow.client.other()).0);
        let is_named = || self.names.find(ends.0, ends.1, self.now).is_some();
        let spoken = protocol::of_hello(hello, server_of(flow).0, is_named);
        self.table[place].recognition.secure(spoken);
    }

    /// A SOCKS client says where its bytes are to go: there, and not to the SOCKS server.
    pub(super) fn socks(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let Some(target) = protocol::socks_request(packet.payload) else { return };
        let (server, _) = server_of(&self.table[place]);
        let by = NameSource::Connect;
        let destination = match target.host {
            SocksHost::Address(address) => {
                Destination { named_by: Some(by), ..Destination::address(address, target.port) }
            }
            SocksHost::Name(name) => {
                Destination::of_host(clean_name_bytes(name), by, Some(server), target.port)
            }
        };
        self.rename(place, destination, out);
    }
}
