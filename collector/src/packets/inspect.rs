//! What is inside payloads: names, fingerprints, requests, questions.
//!
//! Owns which bytes are shown to which parser, and what is made of their answer. It counts
//! nothing: [`super::decoder`] does, for all payload alike.

use egret_event::{
    Destination, Event, Fact, HttpRequest, NameSource, Resolution, SeenBy, SmolStr, TlsHello,
    clean_name_bytes,
};

use super::decoder::{Decoder, Sink};
use super::dns::{self, Message};
use super::flow::End;
use super::http::{self, Authority, Head, Request, Target};
use super::link::{self, Packet, TCP, UDP};
use super::partial::{Continued, MAX_DNS, MAX_HEAD, MAX_HELLO, Partial, Stream, is_cut};
use super::questions::{Question, QuestionKey};
use super::tell::{client_of, server_of};
use super::tls::{self, Hello};

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
        let is_dns = flow.server_port() == dns::PORT;
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
                let may_be_hello =
                    flow.hellos < MOST_HELLOS && tls::may_start_hello(packet.payload);
                let may_start = may_be_hello || http::may_start_request(packet.payload);
                if may_start && flow.is_new(packet) {
                    self.start_message(place, packet, out);
                }
            }
            _ => {}
        }
    }

    /// A segment from the client that may start a hello or a request.
    fn start_message(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        if tls::may_start_hello(packet.payload) {
            match tls::client_hello(packet.payload) {
                Hello::Complete(hello) => self.hello(place, hello, out),
                Hello::Incomplete => {
                    let stream = Stream::starting_with(packet, packet.payload.len());
                    self.hold(place, packet, Partial::Hello(stream), out);
                }
                Hello::No => {}
            }
            return;
        }
        match http::head(packet.payload) {
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
                Continued::Yes => match http::head(stream.bytes()) {
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
        match tls::client_hello(stream.bytes()) {
            Hello::Complete(hello) => {
                self.hello(place, hello, out);
                true
            }
            Hello::Incomplete => false,
            Hello::No => true,
        }
    }

    fn head_so_far(&mut self, place: u32, stream: &Stream, out: &mut Sink<'_>) {
        if let Head::Complete(request) | Head::Partial(Some(request)) = http::head(stream.bytes()) {
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

    fn hello(&mut self, place: u32, hello: Box<TlsHello>, out: &mut Sink<'_>) {
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

    fn request(&mut self, place: u32, request: &Request<'_>, out: &mut Sink<'_>) {
        let (path, query_bytes, target) = match &request.target {
            Target::Path(path, query) => (Some(*path), *query, request.host),
            Target::Url(there, path, query) => (Some(*path), *query, Some(*there)),
            Target::Tunnel(there) => (None, None, Some(*there)),
        };
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

    /// Tells a detail of a flow, under its own name where it has one.
    fn tell_detail(&self, event: Option<Event>, named: Option<Destination>, out: &mut Sink<'_>) {
        if let Some(event) = event {
            let destination = named.unwrap_or_else(|| event.destination.clone());
            out(Event { destination, ..event });
        }
    }

    /// A segment of a DNS flow over TCP: messages with their length in front.
    fn dns_stream(
        &mut self,
        place: u32,
        from_client: bool,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) {
        let (mut up, mut down) = match self.take_partial(place).map(|partial| *partial) {
            Some(Partial::Dns { up, down }) => (up, down),
            _ => (Stream::default(), Stream::default()),
        };
        let stream = if from_client { &mut up } else { &mut down };
        if stream.is_empty() {
            if !from_client || self.table[place].is_new(packet) {
                let used = self.framed_messages(place, from_client, packet.payload, out);
                let left = packet.payload.len() - used;
                if left > 0 && left <= MAX_DNS && !is_cut(packet) {
                    *stream = Stream::starting_with(packet, left);
                }
            }
        } else {
            match stream.extend(packet, MAX_DNS) {
                Continued::Yes => {
                    let used = self.framed_messages(place, from_client, stream.bytes(), out);
                    stream.consume(used);
                }
                Continued::NotYet => {}
                Continued::Never => *stream = Stream::default(),
            }
        }
        if up.is_empty() && down.is_empty() {
            return;
        }
        if self.partials < MAX_PARTIALS {
            self.partials += 1;
            self.table[place].partial = Some(Box::new(Partial::Dns { up, down }));
        } else {
            self.account.messages_cut += 1;
        }
    }

    /// Reads the whole messages at the start of `bytes`; returns how many bytes they took.
    fn framed_messages(
        &mut self,
        place: u32,
        from_client: bool,
        bytes: &[u8],
        out: &mut Sink<'_>,
    ) -> usize {
        let mut used = 0;
        while let Some([high, low, rest @ ..]) = bytes.get(used..) {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(message) = rest.get(..length) else { break };
            self.dns_message(place, from_client, message, out);
            used += 2 + length;
        }
        used
    }

    fn dns_message(&mut self, place: u32, from_client: bool, bytes: &[u8], out: &mut Sink<'_>) {
        let Some(message) = dns::message(bytes) else { return };
        match (&message.answer, from_client) {
            (None, true) => self.question(place, message, out),
            (Some(_), false) => self.answer(place, message, bytes.len(), out),
            _ => {}
        }
    }

    fn question(&mut self, place: u32, message: Message, out: &mut Sink<'_>) {
        let key = self.question_key(place, &message);
        if self.questions.is_waiting(&key) {
            return;
        }
        self.identify(place);
        let flow = &mut self.table[place];
        let number = flow.next_event();
        let (Some(origin), Some(reported)) = (&flow.origin, &flow.reported) else { return };
        let question = Question {
            event: reported.scope.id(number),
            origin: origin.clone(),
            client: client_of(flow),
            server: server_of(flow).0,
            name: message.name,
            query_type: message.query_type,
            over_tcp: flow.key.protocol() == TCP,
            asked_at: self.now,
        };
        if let Some(evicted) = self.questions.ask(key, question) {
            self.tell_question(evicted, None, self.now, out);
        }
    }

    fn answer(&mut self, place: u32, message: Message, length: usize, out: &mut Sink<'_>) {
        let key = self.question_key(place, &message);
        // Only what was asked for is believed: anybody can send an answer.
        let (Some(question), Some(answer)) = (self.questions.answer(&key), message.answer) else {
            return;
        };
        for address in &answer.addresses {
            let pair = (key.client.0, link::number(*address));
            self.names.learn(pair, &question.name, answer.ttl_s, self.now);
        }
        let resolution = Resolution {
            code: answer.code,
            addresses: answer.addresses,
            aliases: answer.aliases,
            services: Vec::new(),
            answer_bytes: u16::try_from(length).unwrap_or(u16::MAX),
        };
        self.tell_question(question, Some(resolution), self.now, out);
    }

    fn question_key(&self, place: u32, message: &Message) -> QuestionKey {
        let flow = &self.table[place];
        QuestionKey {
            client: flow.key.end(flow.client),
            server: flow.key.end(flow.client.other()).0,
            id: message.id,
            name: message.name.clone(),
        }
    }
}
