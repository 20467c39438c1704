//! What is inside payloads: names, fingerprints, requests, questions.
//!
//! Owns which bytes are shown to which parser, and what is made of their answer. It counts
//! nothing: [`super::decoder`] does, for all payload alike.

mod dns;
mod http;
mod protocol;
mod tls;

use egret_event::{Destination, Event};

use super::decoder::{Decoder, Sink};
use super::flow::End;
use super::http::{Head, head, may_start_request};
use super::link::{Packet, TCP, UDP};
use super::partial::{Continued, MAX_HEAD, MAX_HELLO, Partial, Stream, is_cut};
use super::protocol::Side;
use super::tls::{Hello, client_hello, may_start_hello};

/// Most hellos of one flow: a second one follows a HelloRetryRequest (RFC 8446, section 4.1.4).
const MOST_HELLOS: u8 = 2;

/// Most flows that may hold an incomplete message at once; with 16 KiB each, 64 MiB.
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
        let from_client = sender == flow.client;
        let is_dns = flow.speaks_dns();
        match packet.protocol {
            UDP if is_dns => self.dns_message(place, from_client, packet.payload, out),
            TCP if is_dns => self.dns_stream(place, from_client, packet, out),
            TCP if flow.partial.is_some() => {
                if from_client {
                    self.continue_partial(place, packet, out);
                } else {
                    // The server answers: what the client had to say, it has said.
                    self.close_partial(place, out);
                }
            }
            TCP if from_client => {
                let may_be_hello = flow.hellos < MOST_HELLOS && may_start_hello(packet.payload);
                let may_start = may_be_hello || may_start_request(packet.payload);
                if may_start && flow.is_new(packet) {
                    self.start_message(place, packet, out);
                }
            }
            _ => {}
        }
        if self.table[place].recognition.is_open(Side::of(from_client)) {
            self.recognize(place, sender, packet, out);
        }
    }

    /// A segment from the client that may start a hello or a request.
    fn start_message(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        if may_start_hello(packet.payload) {
            match client_hello(packet.payload) {
                Hello::Complete(hello) => self.hello(place, hello, out),
                Hello::Incomplete => {
                    let stream = Stream::starting_with(packet, packet.payload.len());
                    self.hold(place, packet, Partial::Hello(stream), out);
                }
                Hello::No => {}
            }
            return;
        }
        match head(packet.payload) {
            Head::Complete(request) => self.request(place, &request, out),
            Head::Partial(_) => {
                let stream = Stream::starting_with(packet, packet.payload.len());
                self.hold(place, packet, Partial::Head(stream), out);
            }
            Head::No => {}
        }
    }

    /// Keeps an incomplete message until more of it comes, if more can come.
    fn hold(&mut self, place: u32, packet: &Packet<'_>, partial: Partial, out: &mut Sink<'_>) {
        self.table[place].partial = Some(Box::new(partial));
        self.partials += 1;
        if self.partials > MAX_PARTIALS {
            self.account.messages_cut += 1;
            self.close_partial(place, out);
        } else if is_cut(packet) {
            self.close_partial(place, out);
        }
    }

    fn continue_partial(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        let Some(mut partial) = self.take_partial(place) else { return };
        let is_over = match &mut *partial {
            Partial::Hello(stream) => match stream.extend(packet, MAX_HELLO) {
                Continued::Yes => self.hello_so_far(place, stream, out),
                Continued::NotYet => false,
                Continued::Never => true,
            },
            Partial::Head(stream) => match stream.extend(packet, MAX_HEAD) {
                Continued::Yes => match head(stream.bytes()) {
                    Head::Partial(_) => false,
                    Head::Complete(_) | Head::No => {
                        self.head_so_far(place, stream, out);
                        true
                    }
                },
                Continued::NotYet => false,
                Continued::Never => {
                    self.head_so_far(place, stream, out);
                    true
                }
            },
            Partial::Dns { .. } => true,
        };
        if !is_over {
            self.table[place].partial = Some(partial);
            self.partials += 1;
        }
    }

    /// Whether a hello has been read or given up.
    fn hello_so_far(&mut self, place: u32, stream: &Stream, out: &mut Sink<'_>) -> bool {
        match client_hello(stream.bytes()) {
            Hello::Complete(hello) => {
                self.hello(place, hello, out);
                true
            }
            Hello::Incomplete => false,
            Hello::No => true,
        }
    }

    fn head_so_far(&mut self, place: u32, stream: &Stream, out: &mut Sink<'_>) {
        if let Head::Complete(request) | Head::Partial(Some(request)) = head(stream.bytes()) {
            self.request(place, &request, out);
        }
    }

    /// Gives up waiting for the rest of a message, and uses what there is of it.
    pub(super) fn close_partial(&mut self, place: u32, out: &mut Sink<'_>) {
        if let Some(partial) = self.take_partial(place)
            && let Partial::Head(stream) = *partial
        {
            self.head_so_far(place, &stream, out);
        }
    }

    fn take_partial(&mut self, place: u32) -> Option<Box<Partial>> {
        let partial = self.table[place].partial.take()?;
        self.partials -= 1;
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
