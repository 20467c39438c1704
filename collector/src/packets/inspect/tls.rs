//! What is made of TLS: a hello names its flow, and up to TLS 1.2 the server's certificate follows.

use std::net::IpAddr;

use egret_event::{Destination, Fact, NameSource, SmolStr, TlsHello};

use super::said::MOST_HELLOS;
use super::{Decoder, Sink};
use crate::packets::certificate;
use crate::packets::flow::Flow;
use crate::packets::link::{ACK, Packet};
use crate::packets::partial::{Answer, Partial};
use crate::packets::stream::{Continued, Stream, sequence_of};
use crate::packets::tell::server_of;
use crate::packets::tls::{self, Chain, MAX_ANSWER_BYTES};

/// Where what the client of a flow says goes: through a tunnel to its target, whose address only the
/// proxy knows where it has a name, and else to the server.
fn said_to(flow: &Flow) -> (Option<IpAddr>, u16) {
    let reported = flow.reported.as_ref().map(|reported| &reported.destination);
    match reported.filter(|to| to.named_by == Some(NameSource::Connect)) {
        Some(target) => (target.address.filter(|_| target.host.is_none()), target.port),
        None => {
            let (server, port) = server_of(flow);
            (Some(server), port)
        }
    }
}

impl Decoder {
    pub(super) fn hello(&mut self, place: u32, hello: Box<TlsHello>, out: &mut Sink<'_>) {
        self.spoken_in(place, &hello);
        let flow = &mut self.table[place];
        flow.hellos += 1;
        let (server, port) = said_to(flow);
        let named = hello.sni.as_ref().and_then(|sni| match sni.parse::<IpAddr>() {
            Err(_) => Some(Destination::of_host(sni.clone(), NameSource::Sni, server, port)),
            // An address is no name; that of a tunnel says more.
            Ok(_) => server.map(|server| Destination::address(server, port)),
        });
        if let Some(destination) = &named {
            self.rename(place, destination.clone(), out);
        }
        let event = self.event_of(place, self.now, |_| Fact::Tls(hello));
        self.tell_detail(event, named, out);
    }

    /// Waits for the server to answer a hello that ended with `packet`. The flow has nothing else
    /// in hand.
    pub(super) fn await_answer(&mut self, place: u32, hello: &TlsHello, packet: &Packet<'_>) {
        // What the client has received so far is acknowledged: what comes next is the answer.
        let stream = (packet.flags & ACK != 0).then(|| Stream::starting_at(packet.acknowledged));
        let answer = Answer { sni: hello.sni.clone(), stream };
        self.table[place].partial = Some(Box::new(Partial::Answer(answer)));
    }

    /// The client goes on before the server's answer was seen. Returns whether that is waited for.
    pub(super) fn said_before_answer(
        &mut self,
        place: u32,
        answer: &Answer,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) -> bool {
        let flow = &mut self.table[place];
        if !flow.is_new(packet) {
            return true;
        }
        if tls::starts_sealed(packet.payload) {
            flow.is_sealed = true;
            self.answered_so_far(place, answer, out);
            return false;
        }
        let is_hello = flow.hellos < MOST_HELLOS
            && (tls::may_start_hello(packet.payload) || tls::may_become_hello(packet.payload));
        if is_hello {
            self.client_segment(place, packet, out);
        }
        !is_hello
    }

    /// A segment from the server of a flow that is in the middle of nothing. It may be the answer
    /// to a hello that the capture does not have.
    #[inline]
    pub(super) fn server_segment(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        if self.table[place].hellos == 0 && tls::may_start_answer(packet.payload) {
            let mut answer = Answer { sni: None, stream: None };
            if self.more_answered(place, &mut answer, packet, out) {
                self.hold(place, packet, Partial::Answer(answer), out);
            }
        }
    }

    /// More of the server's answer to a hello. Returns whether still more is waited for.
    pub(super) fn more_answered(
        &mut self,
        place: u32,
        answer: &mut Answer,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) -> bool {
        let stream = answer.stream.get_or_insert_with(|| Stream::starting_at(sequence_of(packet)));
        if stream.is_empty() && stream.is_next(packet) {
            // From TLS 1.3 on the first segment says it all, and nothing need be kept.
            let read = tls::server_answer(packet.payload);
            if !matches!(read, tls::Answer::Incomplete | tls::Answer::Part(_)) {
                return self.answered(place, &read, answer.sni.as_ref(), out);
            }
        }
        match stream.extend(packet, MAX_ANSWER_BYTES) {
            Continued::NotYet => true,
            Continued::Yes => {
                let read = tls::server_answer(stream.bytes());
                self.answered(place, &read, answer.sni.as_ref(), out)
            }
            Continued::Never => {
                self.table[place].is_sealed = true;
                self.answered_so_far(place, answer, out);
                false
            }
        }
    }

    /// Makes the best of an answer of which no more comes: the server's own certificate is the
    /// first of its chain.
    pub(super) fn answered_so_far(&mut self, place: u32, answer: &Answer, out: &mut Sink<'_>) {
        if let Some(stream) = &answer.stream
            && let tls::Answer::Part(message) = tls::server_answer(stream.bytes())
            && let Some(chain) = Chain::of(&message)
        {
            self.certificate(place, chain, answer.sni.as_ref(), out);
        }
    }

    /// What becomes of an answer. Returns whether more of it is waited for.
    fn answered(
        &mut self,
        place: u32,
        read: &tls::Answer<'_>,
        sni: Option<&SmolStr>,
        out: &mut Sink<'_>,
    ) -> bool {
        match read {
            tls::Answer::Incomplete | tls::Answer::Part(_) => return true,
            tls::Answer::Certificates(message) => {
                self.table[place].is_sealed = true;
                if let Some(chain) = Chain::of(message) {
                    self.certificate(place, chain, sni, out);
                }
            }
            tls::Answer::Sealed => self.table[place].is_sealed = true,
            tls::Answer::Retry | tls::Answer::Other => {}
        }
        false
    }

    /// Tells of a server's certificate. It does not name the destination: anybody can show a
    /// certificate for any name, and without a server name asked for there is nothing to hold it
    /// against.
    fn certificate(
        &mut self,
        place: u32,
        chain: Chain<'_>,
        sni: Option<&SmolStr>,
        out: &mut Sink<'_>,
    ) {
        let Some(shown) = certificate::read(chain.leaf, sni, chain.length) else { return };
        let event = self.event_of(place, self.now, |_| Fact::Certificate(Box::new(shown)));
        self.tell_detail(event, None, out);
    }
}
