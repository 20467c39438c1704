//! DNS messages in datagrams and streams: questions wait for their answers, answers give names.

use egret_event::{Protocol, Resolution};

use super::{Decoder, MAX_PARTIALS, Sink};
use crate::names::number;
use crate::packets::dns::{self, Answer, Asked, Message};
use crate::packets::link::{Packet, TCP};
use crate::packets::partial::{MAX_DNS, Partial};
use crate::packets::questions::{Question, QuestionKey};
use crate::packets::stream::{Continued, Stream, is_cut};
use crate::packets::tell::{client_of, server_of};

impl Decoder {
    /// A segment of a DNS flow over TCP: messages with their length in front.
    pub(super) fn dns_stream(
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

    pub(super) fn dns_message(
        &mut self,
        place: u32,
        from_client: bool,
        bytes: &[u8],
        out: &mut Sink<'_>,
    ) {
        let Some(mut message) = dns::message(bytes) else { return };
        self.table[place].recognition.settle(Protocol::Dns);
        match (message.answer.take(), from_client) {
            (None, true) => self.question(place, message, out),
            (Some(answer), false) => self.answer(place, message, answer, bytes.len(), out),
            _ => {}
        }
    }

    fn question(&mut self, place: u32, message: Message, out: &mut Sink<'_>) {
        let Message { id, edns_bytes, question, further, .. } = message;
        for asked in std::iter::once(question).chain(further) {
            let key = self.question_key(place, id, asked.clone());
            if !self.questions.is_waiting(&key) {
                self.ask(place, key, edns_bytes, out);
            }
        }
    }

    fn ask(&mut self, place: u32, key: QuestionKey, edns_bytes: Option<u16>, out: &mut Sink<'_>) {
        self.identify(place);
        let flow = &mut self.table[place];
        let number = flow.next_event();
        let (Some(origin), Some(reported)) = (&flow.origin, &flow.reported) else { return };
        let question = Question {
            event: reported.scope.id(number),
            origin: origin.clone(),
            client: client_of(flow),
            server: server_of(flow),
            asked: key.asked.clone(),
            edns_bytes,
            over_tcp: flow.key.protocol() == TCP,
            asked_at: self.now,
        };
        if let Some(evicted) = self.questions.ask(key, question) {
            self.tell_question(evicted, None, self.now, out);
        }
    }

    fn answer(
        &mut self,
        place: u32,
        message: Message,
        answer: Answer,
        length: usize,
        out: &mut Sink<'_>,
    ) {
        let code = answer.code;
        for asked in message.further {
            let key = self.question_key(place, message.id, asked);
            if let Some(question) = self.questions.answer(&key) {
                // What the records say, they say of the first question.
                let said = resolution(Answer { code, ..Answer::default() }, length);
                self.tell_question(question, Some(said), self.now, out);
            }
        }
        let key = self.question_key(place, message.id, message.question);
        // Only what was asked for is believed: anybody can send an answer.
        let Some(question) = self.questions.answer(&key) else { return };
        for address in answer.addresses.iter().chain(&answer.hints) {
            let pair = (key.client.0, number(*address));
            self.names.learn(pair, &question.asked.name, answer.ttl_s, self.now);
        }
        self.tell_question(question, Some(resolution(answer, length)), self.now, out);
    }

    fn question_key(&self, place: u32, id: u16, asked: Asked) -> QuestionKey {
        let flow = &self.table[place];
        QuestionKey {
            client: flow.key.end(flow.client),
            server: flow.key.end(flow.client.other()).0,
            id,
            asked,
        }
    }
}

/// What is told of an answer of `length` bytes.
fn resolution(answer: Answer, length: usize) -> Resolution {
    Resolution {
        code: answer.code,
        addresses: answer.addresses,
        aliases: answer.aliases,
        services: answer.services,
        answer_bytes: u16::try_from(length).unwrap_or(u16::MAX),
    }
}
