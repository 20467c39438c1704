//! What a client says over TCP: a TLS hello or the head of an HTTP request, wherever in its stream
//! a segment starts one.

use super::{Decoder, Sink};
use crate::packets::http::{Head, head, may_start_request};
use crate::packets::link::Packet;
use crate::packets::partial::{MAX_SAID, Partial};
use crate::packets::proxied;
use crate::packets::stream::{Continued, Stream, sequence_of};
use crate::packets::tls::{Hello, client_hello, may_become_hello, may_start_hello};

/// Most hellos of one flow: a second one follows a HelloRetryRequest (RFC 8446, section 4.1.4).
pub(super) const MOST_HELLOS: u8 = 2;

/// What there is of what a client says.
enum Said {
    /// All of it, and it was told.
    All,
    /// More is to come.
    Part,
    /// It is nothing that is read here.
    Other,
}

impl Decoder {
    /// A segment from the client of a flow that is in the middle of nothing.
    #[inline]
    pub(super) fn client_segment(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let flow = &self.table[place];
        if !flow.is_new(packet) {
            return;
        }
        let packet = &packet.beyond(proxied::header_bytes(packet.payload));
        let seeks_hello = flow.hellos < MOST_HELLOS;
        if (seeks_hello && may_start_hello(packet.payload)) || may_start_request(packet.payload) {
            self.start_said(place, packet, out);
        } else if seeks_hello {
            self.wait_for_start(place, packet, out);
        }
    }

    fn start_said(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let said = (packet.payload, sequence_of(packet));
        if let Said::Part = self.read_said(place, said, packet, out) {
            let stream = Stream::starting_with(packet, packet.payload.len());
            self.hold(place, packet, Partial::Said(stream), out);
        }
    }

    /// Keeps a segment that may be part of a hello though it does not show it: its first few bytes,
    /// or what came before them.
    fn wait_for_start(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        // Behind a gap a single byte says nothing: it is more likely what follows than a start.
        if let Some(start) = self.table[place].early_gap_before(packet) {
            let mut stream = Stream::starting_at(start);
            stream.extend(packet, MAX_SAID);
            if !stream.is_empty() {
                self.hold(place, packet, Partial::Said(stream), out);
            }
        } else if may_become_hello(packet.payload) {
            let stream = Stream::starting_with(packet, packet.payload.len());
            self.hold(place, packet, Partial::Said(stream), out);
        }
    }

    /// More from the client, in the middle of something. Returns whether it goes on.
    pub(super) fn more_said(
        &mut self,
        place: u32,
        stream: &mut Stream,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) -> bool {
        let outcome = stream.extend(packet, MAX_SAID);
        if outcome == Continued::NotYet {
            // What was missing may have been lost to the capture: another start is as good.
            let is_start = stream.bytes().is_empty()
                && (may_start_hello(packet.payload) || may_start_request(packet.payload))
                && self.table[place].is_new(packet);
            if is_start {
                self.start_said(place, packet, out);
            }
            return !is_start;
        }
        match self.read_said(place, (stream.bytes(), stream.first()), packet, out) {
            Said::Part if outcome == Continued::Yes => true,
            Said::Part => {
                self.said_so_far(place, stream, out);
                false
            }
            Said::All | Said::Other => false,
        }
    }

    /// Reads what a client says: bytes, and the sequence number of the first. `packet` brought the
    /// last of it.
    fn read_said(
        &mut self,
        place: u32,
        (bytes, first): (&[u8], u32),
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) -> Said {
        match client_hello(bytes) {
            Hello::Complete(hello) => {
                self.await_answer(place, &hello, packet);
                self.hello(place, hello, out);
                return Said::All;
            }
            Hello::Incomplete => return Said::Part,
            Hello::No => {}
        }
        match head(bytes) {
            Head::Complete(_) => {
                if let Some(next) = self.requests(place, bytes, first, out) {
                    let mut stream = Stream::starting_at(first.wrapping_add(next as u32));
                    stream.insert(0, &bytes[next..], MAX_SAID);
                    self.hold(place, packet, Partial::Said(stream), out);
                }
                Said::All
            }
            Head::Partial(_) => Said::Part,
            Head::No => Said::Other,
        }
    }

    /// Makes the best of a request of which no more comes.
    pub(super) fn said_so_far(&mut self, place: u32, stream: &Stream, out: &mut Sink<'_>) {
        if let Head::Complete(request) | Head::Partial(Some(request)) = head(stream.bytes()) {
            self.request(place, &request, (None, &[]), out);
        }
    }
}
