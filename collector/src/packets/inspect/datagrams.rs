//! Hellos in datagrams: QUIC and DTLS.

use egret_event::{TlsCarrier, TlsHello};

use super::{Decoder, Sink};
use crate::packets::link::Packet;
use crate::packets::partial::{DtlsHello, MAX_SAID, Partial, QuicHello};
use crate::packets::stream::Stream;
use crate::packets::{dtls, quic, tls};

/// Datagrams of a client after which a flow is taken to bring no hello. Those of a call come after
/// the search for a way through (ICE), which takes some dozens.
const MOST_DATAGRAMS: u8 = 100;

impl Decoder {
    /// A datagram from the client.
    #[inline]
    pub(super) fn client_datagram(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let flow = &mut self.table[place];
        flow.datagrams = flow.datagrams.saturating_add(1);
        if flow.datagrams > MOST_DATAGRAMS {
            flow.is_sealed = true;
            self.close_partial(place, out);
            return;
        }
        let bytes = packet.payload;
        if quic::may_start_initial(bytes) {
            self.quic_datagram(place, packet, out);
        } else if dtls::may_start_hello(bytes) {
            self.dtls_datagram(place, packet, out);
        } else if let Some(hello) = quic::google_hello(bytes) {
            self.last_hello(place, hello, out);
        }
    }

    fn quic_datagram(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let mut hello = match self.take_partial(place).map(|partial| *partial) {
            Some(Partial::Quic(hello)) => Some(hello),
            _ => None,
        };
        for initial in quic::initials(packet.payload) {
            // The client goes on with the id that the server chose, but keeps its first keys.
            let kept = hello.as_ref().and_then(|hello| initial.open(&hello.origin));
            let frames = kept.or_else(|| {
                let frames = initial.open(&initial.origin)?;
                hello = Some(QuicHello { origin: initial.origin, stream: Stream::default() });
                Some(frames)
            });
            if let (Some(frames), Some(hello)) = (frames, &mut hello) {
                quic::handshake_pieces(&frames, |at, piece| {
                    hello.stream.insert(at, piece, MAX_SAID);
                });
            }
        }
        let Some(hello) = hello else { return };
        match read_quic(hello.stream.bytes()) {
            Some(hello) => self.last_hello(place, hello, out),
            None => self.hold(place, packet, Partial::Quic(hello), out),
        }
    }

    fn dtls_datagram(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let mut held = match self.take_partial(place).map(|partial| *partial) {
            Some(Partial::Dtls(hello)) => Some(hello),
            _ => None,
        };
        for fragment in dtls::hello_fragments(packet.payload) {
            let hello = match &mut held {
                Some(hello) if hello.message == fragment.message => hello,
                _ => held.insert(DtlsHello::of(&fragment)),
            };
            hello.stream.insert(fragment.at, fragment.bytes, MAX_SAID);
            if hello.stream.bytes().len() >= hello.length {
                if let Some(hello) = dtls::client_hello(hello.stream.bytes()) {
                    self.last_hello(place, hello, out);
                }
                return;
            }
        }
        if let Some(hello) = held {
            self.hold(place, packet, Partial::Dtls(hello), out);
        }
    }

    /// Tells of a hello after which nothing more can be read.
    fn last_hello(&mut self, place: u32, hello: Box<TlsHello>, out: &mut Sink<'_>) {
        self.close_partial(place, out);
        self.hello(place, hello, out);
        self.table[place].is_sealed = true;
    }
}

/// The hello that the handshake of a QUIC connection starts with. `None`: it is not whole.
fn read_quic(handshake: &[u8]) -> Option<Box<TlsHello>> {
    if handshake.starts_with(b"CHLO") {
        return quic::google_values(handshake);
    }
    match tls::message(handshake)? {
        (tls::CLIENT_HELLO, body) => tls::read_hello(body, TlsCarrier::Quic),
        _ => None,
    }
}
