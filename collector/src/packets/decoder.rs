//! Packets in, events out.
//!
//! Owns the life of flows: who started one and whether it is egress, when something is reported
//! of it, and how it ends. What is inside payloads is [`super::inspect`]'s. All of it runs on
//! packet time; nothing here reads a clock or knows where packets come from.

use std::sync::Arc;

use egret_event::{
    Attribution, BlockReason, Event, FlowPhase, GapReason, Ledger, Loss, SmolStr, Timestamp,
    Verdict,
};

use super::flow::{End, Flow, FlowKey, State, Step, sender_starts};
use super::fragments::{Fragments, Pending};
use super::gaps::Tally;
use super::link::{self, Fragment, ICMP, ICMPV6, Link, Packet};
use super::questions::Questions;
use super::sequence::StreamEnd;
use super::table::{SLOT, Table};
use crate::attribution::Clients;
use crate::names::SharedNames;
use crate::{AttributionTable, Scanner};

/// Most flows that are kept at once, about 300 bytes each.
const MAX_FLOWS: usize = 1_000_000;

/// Payload bytes upward after which a flow is reported at once.
const PROMPT_BYTES: u64 = 1 << 20;

/// Where events go, one by one. Their times never go back.
pub type Sink<'a> = dyn FnMut(Event) + 'a;

/// Turns the packets of one source into events.
///
/// Time comes from the packets. Where their timestamps go back, the latest one holds.
pub struct Decoder {
    pub(super) source: SmolStr,
    pub(super) attribution: Arc<AttributionTable>,
    pub(super) scanner: Arc<Scanner>,
    clients: Clients,
    pub(super) table: Table,
    pub(super) names: SharedNames,
    pub(super) questions: Questions,
    /// Flows that hold an incomplete message.
    pub(super) partials: usize,
    /// Requests that wait for their answer.
    pub(super) asked: usize,
    /// Latest packet time.
    pub(super) now: Timestamp,
    /// Time of the latest event.
    pub(super) told: Timestamp,
    pub(super) evicted: Tally,
    pub(super) malformed: Tally,
    pub(super) truncated: Tally,
    pub(super) missed: Tally,
    pub(super) account: Account,
    link: Link,
    fragments: Fragments,
    next_chores: Timestamp,
    /// Flows in the table when the gauge was last set.
    gauged: usize,
}

/// What was counted since the last [`Decoder::settle`].
#[derive(Default)]
pub(super) struct Account {
    received: u64,
    passed: u64,
    lost: [u64; Loss::ALL.len()],
    flows_evicted: u64,
    /// Messages given up half-read, for want of buffers.
    pub(super) messages_cut: u64,
}

impl Decoder {
    /// A decoder of frames that begin as `link` says, for the source `name`.
    pub fn new(name: SmolStr, link: Link, attribution: Arc<AttributionTable>) -> Self {
        Self::with_max_flows(name, link, attribution, MAX_FLOWS)
    }

    /// As [`Self::new`], with another bound on the number of live flows than one million.
    pub fn with_max_flows(
        name: SmolStr,
        link: Link,
        attribution: Arc<AttributionTable>,
        max_flows: usize,
    ) -> Self {
        Self {
            source: name,
            clients: Clients::of(Arc::clone(&attribution)),
            attribution,
            scanner: Arc::default(),
            table: Table::new(max_flows),
            names: SharedNames::new(),
            questions: Questions::new(),
            partials: 0,
            asked: 0,
            now: Timestamp::MIN,
            told: Timestamp::MIN,
            evicted: Tally::new(GapReason::FlowTableFull),
            malformed: Tally::new(GapReason::Malformed),
            truncated: Tally::new(GapReason::Truncated),
            missed: Tally::new(GapReason::MissedBytes),
            account: Account::default(),
            link,
            fragments: Fragments::default(),
            next_chores: Timestamp::MIN,
            gauged: 0,
        }
    }

    /// Looks for secrets with this scanner, which may know some.
    #[must_use]
    pub fn with_scanner(self, scanner: Arc<Scanner>) -> Self {
        Self { scanner, ..self }
    }

    /// Shares what is learned of names with `other`, which sees other flows of the same clients.
    pub(super) fn share_names_with(&mut self, other: &Self) {
        self.names = other.names.clone();
    }

    /// Takes a frame that was `wire_len` bytes long, of which `bytes` were captured at `at`.
    pub fn packet(&mut self, at: Timestamp, wire_len: u32, bytes: &[u8], out: &mut Sink<'_>) {
        self.tick(at, out);
        self.account.received += 1;
        // Used where it lies, as in `link::ip`.
        match &link::dissect(self.link, wire_len, bytes) {
            Ok(packet) if packet.layers == 0 && packet.fragment == Fragment::Whole => {
                let outcome = self.dissected(packet, out);
                self.account_for(1, outcome);
            }
            Ok(packet) => {
                let outer = link::dissect_outer(self.link, wire_len, bytes);
                self.wrapped(packet, outer, out);
            }
            Err(loss) => self.account_for(1, Err(*loss)),
        }
    }

    /// From here on packets begin as `link` says.
    #[inline]
    pub fn read_as(&mut self, link: Link) {
        self.link = link;
    }

    /// A packet of which nothing can be understood, captured at `at`.
    pub fn not_understood(&mut self, at: Timestamp, out: &mut Sink<'_>) {
        self.tick(at, out);
        self.account.received += 1;
        self.account_for(1, Err(Loss::Malformed));
    }

    /// A packet that is in a tunnel or a fragment. `outer`: the same, without its tunnels opened.
    fn wrapped(
        &mut self,
        packet: &Packet<'_>,
        outer: Result<Packet<'_>, Loss>,
        out: &mut Sink<'_>,
    ) {
        let outer = outer.ok().filter(|_| packet.layers > 0);
        if let Some(outer) = &outer
            && self.leaves(outer)
        {
            // Who is watched built a tunnel to somewhere else: that is the egress, whatever it
            // makes of the addresses inside.
            return self.fragment_or_whole(outer, out);
        }
        if packet.fragment != Fragment::Whole {
            return self.fragment_or_whole(packet, out);
        }
        match (self.dissected(packet, out), outer) {
            (Err(Loss::NotEgress), Some(outer)) => self.fragment_or_whole(&outer, out),
            (outcome, _) => self.account_for(packet.packets, outcome),
        }
    }

    fn fragment_or_whole(&mut self, packet: &Packet<'_>, out: &mut Sink<'_>) {
        if packet.fragment == Fragment::Whole {
            let outcome = self.dissected(packet, out);
            return self.account_for(packet.packets, outcome);
        }
        match self.fragments.add(packet, self.now) {
            Ok(Some(pending)) => self.reassembled(&pending, out),
            Ok(None) => self.let_fragments_go(out),
            Err(loss) => self.account_for(packet.packets, Err(loss)),
        }
    }

    /// Takes what waited long enough for its other fragments as it is.
    fn let_fragments_go(&mut self, out: &mut Sink<'_>) {
        while let Some(pending) = self.fragments.next_due(self.now) {
            self.reassembled(&pending, out);
        }
    }

    /// A packet put together from its fragments, or as much of it as came.
    fn reassembled(&mut self, pending: &Pending, out: &mut Sink<'_>) {
        let Some(assembled) = pending.assembled() else {
            let outcome = self.dissected(&pending.headless(), out);
            return self.account_for(pending.packets(), outcome);
        };
        match assembled.dissect() {
            Ok(packet) => self.wrapped(&packet, assembled.dissect_outer(), out),
            Err(loss) => self.account_for(pending.packets(), Err(loss)),
        }
    }

    /// Whether a packet goes between an address that is watched and one that is not.
    fn leaves(&self, packet: &Packet<'_>) -> bool {
        let [source, destination] = [packet.source, packet.destination]
            .map(|number| self.attribution.is_watched(link::address(number)));
        source != destination
    }

    /// Lets time pass: ends what has been idle, tells what is due.
    #[inline]
    pub fn tick(&mut self, at: Timestamp, out: &mut Sink<'_>) {
        self.now = self.now.max(at);
        while let Some((place, fired_at)) = self.table.next_due(self.now) {
            self.wake(place, fired_at, out);
        }
        if self.now >= self.next_chores {
            self.next_chores = self.now + SLOT;
            self.let_fragments_go(out);
            self.tell_unanswered(out);
            self.tell_gaps(out);
        }
    }

    /// Ends the input: reports all that is left.
    pub fn finish(&mut self, out: &mut Sink<'_>) {
        while let Some(pending) = self.fragments.take_any() {
            self.reassembled(&pending, out);
        }
        for place in self.table.places() {
            if self.table.get(place).is_some() {
                self.retire(place, FlowPhase::InputEnded, self.now, out);
            }
        }
        self.tell_rest(out);
    }

    /// Flows in the table.
    pub fn flows(&self) -> usize {
        self.table.len()
    }

    /// Latest packet time; [`Timestamp::MIN`] before the first packet.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves what was counted since the last call to `ledger` and to metrics. To be called now
    /// and then, and at the end: it is not done per packet.
    pub fn settle(&mut self, ledger: &Ledger) {
        let account = std::mem::take(&mut self.account);
        ledger.receive(account.received);
        ledger.pass(account.passed);
        for (loss, count) in Loss::ALL.into_iter().zip(account.lost) {
            ledger.lose(loss, count);
        }
        let source = [("source", self.source.to_string())];
        // Several decoders of one source add up.
        let change = self.table.len() as f64 - self.gauged as f64;
        self.gauged = self.table.len();
        metrics::gauge!("egret_flows_live", &source).increment(change);
        for (name, count) in [
            ("egret_flows_evicted_total", account.flows_evicted),
            ("egret_names_evicted_total", self.names.take_evicted()),
            ("egret_dns_questions_evicted_total", self.questions.take_evicted()),
            ("egret_messages_cut_total", account.messages_cut),
            ("egret_fragment_overlaps_total", self.fragments.take_overlaps()),
        ] {
            if count > 0 {
                metrics::counter!(name, &source).increment(count);
            }
        }
    }

    /// Enters what became of `packets` packets.
    #[inline]
    fn account_for(&mut self, packets: u32, outcome: Result<(), Loss>) {
        let packets = u64::from(packets);
        let Err(loss) = outcome else {
            self.account.passed += packets;
            return;
        };
        self.account.lost[loss as usize] += packets;
        match loss {
            Loss::Malformed => self.malformed.add(packets, self.now),
            Loss::Truncated => self.truncated.add(packets, self.now),
            _ => {}
        }
    }

    /// A packet of which all is known that will be.
    fn dissected(&mut self, packet: &Packet<'_>, out: &mut Sink<'_>) -> Result<(), Loss> {
        if is_icmp_error(packet)
            && let Some(outcome) = self.icmp_error(packet, out)
        {
            return outcome;
        }
        let (key, sender) = FlowKey::of(packet);
        let hash = self.table.hash(&key);
        let mut place = match self.table.find(hash, &key) {
            Some(place) => place,
            None => self.admit(key, sender, packet, out),
        };
        let mut step = self.table[place].step(packet, sender);
        if step == Step::Anew {
            place = self.renew(place, sender, packet, out);
            step = self.table[place].step(packet, sender);
        }
        if self.table[place].origin.is_none() {
            self.follow_foreign(place, sender, packet, step);
            return Err(Loss::NotEgress);
        }
        if !packet.payload.is_empty() {
            self.inspect(place, sender, packet, out);
        }
        let flow = &mut self.table[place];
        flow.count(packet, sender, self.now);
        let is_prompt = flow.up.payload_bytes >= PROMPT_BYTES;
        match step {
            Step::Ends(phase) => self.end(place, phase, self.now, out),
            Step::Blocked(reason) => self.block(place, reason, self.now, out),
            Step::On | Step::Late | Step::Anew if is_prompt => {
                let phase = self.table[place].phase;
                self.tell_flow(place, phase, self.now, out);
            }
            Step::On | Step::Late | Step::Anew => {}
        }
        self.table.hasten_timer(place);
        Ok(())
    }

    /// Keeps up with a flow that is not egress, so that its later packets are not taken for it.
    fn follow_foreign(&mut self, place: u32, sender: End, packet: &Packet<'_>, step: Step) {
        let flow = &mut self.table[place];
        flow.count(packet, sender, self.now);
        match step {
            Step::Ends(_) => flow.state = State::Ended,
            Step::Blocked(_) => flow.state = State::Refused,
            Step::On | Step::Late | Step::Anew => {}
        }
        self.table.hasten_timer(place);
    }

    /// Makes a flow of its first packet.
    fn admit(&mut self, key: FlowKey, sender: End, packet: &Packet<'_>, out: &mut Sink<'_>) -> u32 {
        if self.table.is_full()
            && let Some(oldest) = self.table.longest_idle()
        {
            self.account.flows_evicted += 1;
            self.evicted.add(1, self.now);
            self.retire(oldest, FlowPhase::Evicted, self.now, out);
        }
        let client = if sender_starts(packet) { sender } else { sender.other() };
        let mut flow = Flow::new(key, client, packet, self.now);
        flow.origin_version = self.attribution.version();
        flow.origin = self.owner(&flow, packet);
        self.table.insert(flow)
    }

    /// Ends a flow whose ends have begun a new one, and makes that.
    fn renew(&mut self, place: u32, sender: End, packet: &Packet<'_>, out: &mut Sink<'_>) -> u32 {
        let Flow { key, started, .. } = self.table[place];
        self.retire(place, FlowPhase::Reset, self.now, out);
        let place = self.admit(key, sender, packet, out);
        // The start tells flows between the same ends apart.
        let flow = &mut self.table[place];
        flow.started =
            flow.started.max(Timestamp::from_nanos(started.as_nanos().saturating_add(1)));
        place
    }

    /// Who caused a flow. `None`: it is not egress.
    fn owner(&mut self, flow: &Flow, packet: &Packet<'_>) -> Option<Arc<Attribution>> {
        let client = link::address(flow.key.end(flow.client).0);
        let server = link::address(flow.key.end(flow.client.other()).0);
        if stays_on_link(packet, server) {
            return None;
        }
        let origin = self.clients.attribute(client, None, flow.started)?;
        let is_inbound =
            self.attribution.is_watched(server) && !self.attribution.is_watched(client);
        (!is_inbound).then_some(origin)
    }

    /// Takes an error message about a flow. `None`: it is about none that is known.
    fn icmp_error(&mut self, packet: &Packet<'_>, out: &mut Sink<'_>) -> Option<Result<(), Loss>> {
        let quoted = link::dissect_quoted(packet.payload)?;
        let (key, sender) = FlowKey::of(&quoted);
        let place = self.table.find(self.table.hash(&key), &key)?;
        let flow = &mut self.table[place];
        flow.count_error(packet, self.now)?;
        // An error goes to the sender of the packet that it quotes; anything else is made up.
        if sender == flow.client
            && quoted.source == packet.destination
            && flow.is_unanswered()
            && is_unreachable(packet)
        {
            self.block(place, BlockReason::Unreachable, self.now, out);
            self.table.hasten_timer(place);
        }
        Some(if self.table[place].origin.is_some() { Ok(()) } else { Err(Loss::NotEgress) })
    }

    /// A flow's timer fired.
    fn wake(&mut self, place: u32, fired_at: Timestamp, out: &mut Sink<'_>) {
        let flow = &self.table[place];
        if flow.idle_deadline() > fired_at {
            if flow.report_deadline() <= fired_at {
                self.tell_flow(place, FlowPhase::Open, fired_at, out);
            }
            self.table.set_timer(place);
            return;
        }
        match flow.state {
            State::Opening => self.block(place, BlockReason::NoAnswer, fired_at, out),
            State::Closing => self.end(place, FlowPhase::Finished, fired_at, out),
            State::Open | State::Ended | State::Refused => {
                self.retire(place, FlowPhase::Idle, fired_at, out);
                return;
            }
        }
        self.table.set_timer(place);
    }

    /// A flow ends in a way that stragglers may follow.
    fn end(&mut self, place: u32, phase: FlowPhase, at: Timestamp, out: &mut Sink<'_>) {
        self.close_messages(place, out);
        let flow = &mut self.table[place];
        flow.state = State::Ended;
        flow.phase = phase;
        self.tell_flow(place, phase, at, out);
    }

    /// An attempt turns out to be blocked.
    fn block(&mut self, place: u32, reason: BlockReason, at: Timestamp, out: &mut Sink<'_>) {
        let flow = &mut self.table[place];
        flow.state = State::Refused;
        flow.verdict = Verdict::Blocked(reason);
        flow.phase = match reason {
            BlockReason::Reset => FlowPhase::Reset,
            _ => FlowPhase::Idle,
        };
        let phase = flow.phase;
        self.tell_flow(place, phase, at, out);
    }

    /// Takes a flow out of the table, and tells what was not told of it.
    fn retire(&mut self, place: u32, phase: FlowPhase, at: Timestamp, out: &mut Sink<'_>) {
        self.close_messages(place, out);
        let flow = &self.table[place];
        let (phase, is_news) = match flow.state {
            State::Opening | State::Open | State::Closing => (phase, true),
            // Stragglers and repeated attempts.
            State::Ended | State::Refused => (flow.phase, !flow.is_all_reported()),
        };
        if is_news {
            self.tell_flow(place, phase, at, out);
        }
        self.note_missed(place, StreamEnd::Over);
        self.table.remove(place);
    }
}

impl Decoder {
    /// Adds up what was missed of the streams of a flow.
    pub(super) fn note_missed(&mut self, place: u32, end: StreamEnd) {
        let flow = &mut self.table[place];
        let missed = flow.take_missed(end);
        if missed > 0 && flow.origin.is_some() {
            self.missed.add(missed, self.now);
        }
    }
}

fn is_icmp_error(packet: &Packet<'_>) -> bool {
    matches!((packet.protocol, packet.flags), (ICMP, 3 | 4 | 5 | 11 | 12) | (ICMPV6, 1..=4))
}

/// Destination unreachable in any way but "fragmentation needed", which is about size.
fn is_unreachable(packet: &Packet<'_>) -> bool {
    match packet.protocol {
        ICMP => packet.flags == 3 && packet.code != 4,
        ICMPV6 => packet.flags == 1,
        _ => false,
    }
}

/// Whether a packet cannot leave its link: broadcast, link-local multicast, neighbour discovery.
fn stays_on_link(packet: &Packet<'_>, server: std::net::IpAddr) -> bool {
    let is_neighbour_discovery =
        packet.protocol == ICMPV6 && matches!(packet.flags, 130..=137 | 143);
    is_neighbour_discovery
        || match server {
            std::net::IpAddr::V4(v4) => v4.is_broadcast() || matches!(v4.octets(), [224, 0, 0, _]),
            // Scopes 1 and 2: interface-local and link-local (RFC 4291, section 2.7).
            std::net::IpAddr::V6(v6) => matches!(v6.octets(), [0xff, scope, ..] if scope & 15 <= 2),
        }
}
