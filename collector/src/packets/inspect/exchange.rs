//! Requests and their answers: what became of a request, and where the next one starts.

use egret_event::{BlockReason, Event, Fact, FlowPhase, Timestamp, Verdict};

use super::{Decoder, Sink};
use crate::packets::exchange::{ANSWER_WAIT, Kind, Waiting};
use crate::packets::http::{self, Response};
use crate::packets::link::Packet;

/// Most requests that wait for their answer at once, about 600 bytes each.
const MAX_ASKED: usize = 32_768;

/// Longest body that is skipped, in bytes: sequence numbers tell no longer ones from shorter.
const MAX_SKIPPED: usize = 1 << 30;

/// What a flow is that a proxy refused to carry on.
const REFUSED: Verdict = Verdict::Blocked(BlockReason::ProxyDenied);

impl Decoder {
    /// Looks into a payload of a flow on which HTTP is open, or which was blocked.
    pub(super) fn inspect_exchange(
        &mut self,
        place: u32,
        from_client: bool,
        packet: &Packet<'_>,
        out: &mut Sink<'_>,
    ) {
        if !from_client {
            self.inspect_payload(place, from_client, packet, out);
            self.responses(place, packet, out);
            return;
        }
        if self.table[place].verdict == REFUSED && self.table[place].is_new(packet) {
            self.try_again(place, out);
        }
        if let Some(rest) = self.table[place].beyond_body(packet) {
            self.inspect_payload(place, from_client, &rest, out);
        }
        self.drop_exchange(place);
    }

    /// A client goes on after it was refused: what it sends from here on is another attempt.
    fn try_again(&mut self, place: u32, out: &mut Sink<'_>) {
        if self.table[place].has_unreported_payload() {
            self.tell_flow(place, FlowPhase::Open, self.now, out);
        }
        self.table[place].verdict = Verdict::Allowed;
    }

    /// Keeps a request until its answer comes, so that both are one event.
    pub(super) fn await_response(&mut self, place: u32, asked: Waiting, out: &mut Sink<'_>) {
        if self.asked >= MAX_ASKED {
            self.account.messages_cut += 1;
            self.tell_request(asked.event, out);
            return;
        }
        self.asked += 1;
        if let Some(oldest) = self.table[place].exchange.get_or_insert_default().ask(asked) {
            self.asked -= 1;
            self.tell_request(oldest.event, out);
        }
    }

    /// Notes that the body of a request goes on for `left` bytes, to offset `end` from the
    /// sequence number `first`.
    pub(super) fn expect_body(&mut self, place: u32, first: u32, end: usize, left: usize) {
        if (1..=MAX_SKIPPED).contains(&left) {
            let end = first.wrapping_add(end as u32);
            self.table[place].exchange.get_or_insert_default().expect_body(end);
        }
    }

    /// The answers at the start of a server's segment.
    fn responses(&mut self, place: u32, packet: &Packet<'_>, out: &mut Sink<'_>) {
        if !self.table[place].is_new_answer(packet) {
            return;
        }
        let mut rest = packet.payload;
        while let Some(kind) = self.table[place].exchange.as_ref().and_then(|e| e.next_kind())
            && let Some(response) = http::response(rest)
        {
            let length = match kind {
                Kind::Head => response.head_bytes,
                Kind::Tunnel | Kind::Plain => response.length,
            };
            if !response.is_interim() {
                self.answered_by(place, &response, out);
            }
            rest = length.and_then(|length| rest.get(length..)).unwrap_or_default();
        }
        self.drop_exchange(place);
    }

    fn answered_by(&mut self, place: u32, response: &Response, out: &mut Sink<'_>) {
        let flow = &mut self.table[place];
        let answered = flow.exchange.as_mut().and_then(|exchange| exchange.answer());
        let Some(Waiting { mut event, kind, .. }) = answered else { return };
        self.asked -= 1;
        if let Fact::Http(request) = &mut event.fact {
            request.status = Some(response.status);
        }
        if kind == Kind::Tunnel && response.refuses_tunnel() {
            event.verdict = REFUSED;
            flow.verdict = REFUSED;
        } else if kind == Kind::Tunnel && (200..300).contains(&response.status) {
            flow.recognition.start_over();
        }
        self.tell_request(event, out);
    }

    /// Tells the requests of a flow that have waited long enough; all of them where it ends.
    pub(in crate::packets) fn tell_overdue(
        &mut self,
        place: u32,
        phase: FlowPhase,
        out: &mut Sink<'_>,
    ) {
        if self.table[place].exchange.is_none() {
            return;
        }
        let limit = match phase {
            FlowPhase::Open => self.now - ANSWER_WAIT,
            _ => Timestamp::from_nanos(i64::MAX),
        };
        while let Some(exchange) = &mut self.table[place].exchange
            && let Some(overdue) = exchange.overdue(limit)
        {
            self.asked -= 1;
            self.tell_request(overdue.event, out);
        }
        self.drop_exchange(place);
    }

    /// Gives up waiting for more of any message of a flow, and for answers.
    pub(in crate::packets) fn close_messages(&mut self, place: u32, out: &mut Sink<'_>) {
        self.close_partial(place, out);
        self.tell_overdue(place, FlowPhase::InputEnded, out);
    }

    fn drop_exchange(&mut self, place: u32) {
        let exchange = &mut self.table[place].exchange;
        if exchange.as_ref().is_some_and(|exchange| exchange.is_over()) {
            *exchange = None;
        }
    }

    fn tell_request(&mut self, event: Event, out: &mut Sink<'_>) {
        let at = self.stamp(self.now);
        out(Event { at, ..event });
    }
}
