//! What is inside payloads: names, fingerprints, requests, questions.
//!
//! Owns which bytes are shown to which parser, and what is made of their answer. It counts
//! nothing: [`super::decoder`] does, for all payload alike.

mod datagrams;
mod dns;
mod exchange;
mod http;
mod protocol;
mod said;
mod tls;

use egret_event::{Destination, Event, Protocol};

use super::decoder::{Decoder, Sink};
use super::flow::End;
use super::link::{Packet, TCP, UDP};
use super::partial::Partial;
use super::protocol::Side;
use super::stream::is_cut;

/// Most flows that may hold bytes of an incomplete message at once; with 16 KiB each, 64 MiB, and
/// with the longest answers to TLS hellos, twice that.
const MAX_PARTIALS: usize = 4096;

impl Decoder {
    /// Looks into the payload of a packet that is about to be counted.
    #[inline]
    pub(super) fn inspect(
        &mut self,
        place: u32,
        sender: End,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) {
        let flow = &self.table[place];
        if flow.is_sealed {
            return;
        }
        let from_client = sender == flow.client;
        if flow.exchange.is_some() || flow.verdict.is_blocked() {
            self.inspect_exchange(place, from_client, packet, out);
            return;
        }
        self.inspect_payload(place, from_client, packet, out);
    }

    /// Shows a payload to the parsers.
    #[inline]
    fn inspect_payload(
        &mut self,
        place: u32,
        from_client: bool,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) {
        let flow = &self.table[place];
        let is_dns = flow.speaks_dns();
        match packet.protocol {
            UDP if is_dns => self.dns_message(place, from_client, packet.payload, out),
            TCP if is_dns => self.dns_stream(place, from_client, packet, out),
            TCP if flow.partial.is_some() => {
                self.continue_partial(place, from_client, packet, out);
            }
            TCP if from_client => {
                if flow.recognition.protocol() == Some(Protocol::Socks) {
                    self.socks(place, packet, out);
                }
                self.client_segment(place, packet, out);
            }
            TCP => self.server_segment(place, packet, out),
            UDP if from_client => self.client_datagram(place, packet, out),
            _ => {}
        }
        if self.table[place].recognition.is_open(Side::of(from_client)) {
            self.recognize(place, from_client, packet, out);
        }
    }

    /// A segment of a flow that is in the middle of something.
    fn continue_partial(
        &mut self,
        place: u32,
        from_client: bool,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) {
        let Some(mut partial) = self.take_partial(place) else { return };
        let goes_on = match (&mut *partial, from_client) {
            (Partial::Said(stream), true) => self.more_said(place, stream, packet, out),
            (Partial::Answer(answer), true) => self.said_before_answer(place, answer, packet, out),
            (Partial::Answer(answer), false) => self.more_answered(place, answer, packet, out),
            (Partial::Said(stream), false) => {
                // The server answers: what the client had to say, it has said.
                self.said_so_far(place, stream, out);
                false
            }
            (Partial::Dns { .. } | Partial::Quic(_) | Partial::Dtls(_), _) => false,
        };
        if goes_on {
            self.keep_partial(place, partial, out);
        }
    }

    /// Keeps an incomplete message until more of it comes, if more can come.
    fn hold(&mut self, place: u32, packet: &Packet<'_>, partial: Partial, out: &mut Sink<'_>) {
        self.keep_partial(place, Box::new(partial), out);
        if is_cut(packet) {
            self.close_partial(place, out);
        }
    }

    fn keep_partial(&mut self, place: u32, partial: Box<Partial>, out: &mut Sink<'_>) {
        self.partials += usize::from(partial.holds_bytes());
        self.table[place].partial = Some(partial);
        if self.partials > MAX_PARTIALS {
            self.account.messages_cut += 1;
            self.close_partial(place, out);
        }
    }

    /// Gives up waiting for the rest of a message, and uses what there is of it.
    pub(super) fn close_partial(&mut self, place: u32, out: &mut Sink<'_>) {
        let Some(partial) = self.take_partial(place) else { return };
        match &*partial {
            Partial::Said(stream) => self.said_so_far(place, stream, out),
            Partial::Answer(answer) => self.answered_so_far(place, answer, out),
            Partial::Quic(_) | Partial::Dtls(_) | Partial::Dns { .. } => {}
        }
    }

    fn take_partial(&mut self, place: u32) -> Option<Box<Partial>> {
        let partial = self.table[place].partial.take()?;
        self.partials -= usize::from(partial.holds_bytes());
        Some(partial)
    }

    /// Tells a detail of a flow, under its own name where it has one.
    fn tell_detail(&self, event: Option<Event>, named: Option<Destination>, out: &mut Sink<'_>) {
        if let Some(event) = event {
            let destination = named.unwrap_or_else(|| event.destination.clone());
            out(Event { destination, ..event });
        }
    }
}
