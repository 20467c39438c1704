//! From records, which count one direction for a while, to flows that somebody began.
//!
//! NetFlow does not say who began a flow. Here it is, in this order: whoever the exporter names
//! (biflows), whoever was taken for it before, whoever is watched where only one end is (unless
//! TCP flags or times show that the other one began), and else the end with the higher port. An
//! end outside that began makes the flow none of ours.
//!
//! A flow that is exported in pieces is one contact: pieces and directions share a flow id, and
//! only the first has number 0.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use egret_event::{BlockReason, FlowPhase, Timestamp, Transport, Verdict, Volume};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::decoder::Export;
use super::record::{Counts, Record};
use crate::AttributionTable;
use crate::logs::{Ends, FlowRecord};

/// Flows that are remembered, in each of two generations; about 250 bytes each.
const MAX_REMEMBERED: usize = 65_536;

/// Silence after which the same ends begin a new flow: as for flows in captures.
const TCP_IDLE: Duration = Duration::from_secs(300);
const DATAGRAM_IDLE: Duration = Duration::from_secs(60);

/// How many records further the other direction is looked for.
const PAIR_WINDOW: usize = 32;

/// How far two exporters' times of the same packets may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(1);

/// Bytes of headers in a packet. TCP with timestamps (RFC 7323), as all current systems send
/// them: payload is rather said too low by 12 bytes a packet than too high.
const IPV4_HEADER: u64 = 20;
const IPV6_HEADER: u64 = 40;
const TCP_HEADER: u64 = 32;
const UDP_HEADER: u64 = 8;

const TCP: u8 = 6;
const UDP: u8 = 17;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Makes flows of records.
pub(super) struct Flows {
    attribution: Arc<AttributionTable>,
    recent: HashMap<Tuple, Known, FixedState>,
    older: HashMap<Tuple, Known, FixedState>,
}

/// What became of a record.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, never kept")]
pub(super) enum Outcome {
    Flow(FlowRecord<'static>),
    /// It cannot leave its link.
    NotEgress,
    /// Another exporter, or another interface, told of the same packets.
    Duplicate,
}

/// The ends of a flow, whoever began it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tuple {
    client: (IpAddr, u16),
    server: (IpAddr, u16),
    protocol: u8,
}

/// What is remembered of a flow.
#[derive(Debug, Clone, Copy)]
struct Known {
    began: Timestamp,
    until: Timestamp,
    next_number: u32,
    has_ended: bool,
    server_flags: u8,
    /// The latest record of either direction: of the client, and of the server.
    latest: [Option<Latest>; 2],
}

/// What tells a record of the same packets again.
#[derive(Debug, Clone, Copy)]
struct Latest {
    observer: Observer,
    first: Timestamp,
    last: Timestamp,
    counts: Counts,
}

/// Who counted: the exporter, its observation domain, and whether it was on the way in or out.
type Observer = (Option<SocketAddr>, u32, Option<u8>);

/// One or two records as one flow.
struct Piece {
    tuple: Tuple,
    first: Timestamp,
    last: Timestamp,
    up: Option<Counts>,
    down: Option<Counts>,
    flags: [Option<u8>; 2],
}

impl Flows {
    pub(super) fn new(attribution: Arc<AttributionTable>) -> Self {
        Self { attribution, recent: HashMap::default(), older: HashMap::default() }
    }

    /// Makes flows of the records of a datagram from `exporter`. Each record is taken once, by
    /// itself or with the other direction of its flow.
    pub(super) fn take(
        &mut self,
        exporter: Option<SocketAddr>,
        records: &[(Record, Export)],
        mut out: impl FnMut(&Record, &Export, u64, Outcome),
    ) {
        let mut is_taken = vec![false; records.len()];
        for (n, (record, export)) in records.iter().enumerate() {
            if is_taken[n] {
                continue;
            }
            let window = records.iter().enumerate().skip(n + 1).take(PAIR_WINDOW);
            let answer = window
                .filter(|(m, (other, _))| !is_taken[*m] && is_answer(record, other))
                .map(|(m, (other, _))| (m, other))
                .next();
            if let Some((m, _)) = answer {
                is_taken[m] = true;
            }
            let observer = (exporter, export.domain, record.direction);
            let outcome = self.flow(observer, record, answer.map(|(_, answer)| answer));
            out(record, export, 1 + u64::from(answer.is_some()), outcome);
        }
    }

    fn flow(&mut self, observer: Observer, record: &Record, answer: Option<&Record>) -> Outcome {
        if stays_on_link(record.destination.0) {
            return Outcome::NotEgress;
        }
        let source_is_client = self.source_is_client(record, answer);
        let mut piece = Piece::of(record, answer, source_is_client);
        let mut known = self.recall(piece.tuple).filter(|known| !piece.is_new(known, record));
        if known.as_ref().is_some_and(|known| piece.is_repeat(known, observer)) {
            return Outcome::Duplicate;
        }
        if record.is_total {
            piece.deduct(known.as_ref());
        }
        let known = known.get_or_insert_with(|| Known::begin(&piece));
        let number = known.next_number;
        let began = known.began;
        piece.remember(known, observer, record);
        let server_flags = known.server_flags;
        let known = *known;
        self.keep(piece.tuple, known);
        Outcome::Flow(piece.told(record, number, began, server_flags))
    }

    fn source_is_client(&self, record: &Record, answer: Option<&Record>) -> bool {
        let forward = Tuple::of(record, true);
        let backward = Tuple::of(record, false);
        if record.source_began || self.knows(&forward) {
            return true;
        }
        if self.knows(&backward) {
            return false;
        }
        let watched = |end: (IpAddr, u16)| self.attribution.is_watched(end.0);
        match (watched(record.source), watched(record.destination)) {
            (true, false) => {
                !answers_only(record) && !answer.is_some_and(|a| a.began_before(record))
            }
            (false, true) => {
                asks_only(record) || answer.is_some_and(|answer| record.began_before(answer))
            }
            _ => match answer {
                Some(answer) if record.began_before(answer) => true,
                Some(answer) if answer.began_before(record) => false,
                _ => record.source.1 >= record.destination.1,
            },
        }
    }

    fn knows(&self, tuple: &Tuple) -> bool {
        self.recent.contains_key(tuple) || self.older.contains_key(tuple)
    }

    fn recall(&mut self, tuple: Tuple) -> Option<Known> {
        self.recent.get(&tuple).or_else(|| self.older.get(&tuple)).copied()
    }

    /// Keeps a flow; when there are too many, the older half is forgotten.
    fn keep(&mut self, tuple: Tuple, known: Known) {
        if self.recent.len() >= MAX_REMEMBERED && !self.recent.contains_key(&tuple) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(tuple, known);
    }
}

impl Tuple {
    fn of(record: &Record, source_is_client: bool) -> Self {
        let (client, server) = match source_is_client {
            true => (record.source, record.destination),
            false => (record.destination, record.source),
        };
        Self { client, server, protocol: record.protocol }
    }

    /// What the flow is called: its ends and its begin.
    fn name(&self, began: Timestamp) -> Vec<u8> {
        let mut name = Vec::with_capacity(45);
        for (address, port) in [self.client, self.server] {
            match address.to_canonical() {
                IpAddr::V4(v4) => name.extend_from_slice(&v4.octets()),
                IpAddr::V6(v6) => name.extend_from_slice(&v6.octets()),
            }
            name.extend_from_slice(&port.to_be_bytes());
        }
        name.push(self.protocol);
        name.extend_from_slice(&began.as_nanos().to_be_bytes());
        name
    }
}

impl Record {
    fn began_before(&self, other: &Self) -> bool {
        self.first < other.first && self.sampling == 1
    }
}

impl Known {
    fn begin(piece: &Piece) -> Self {
        Self {
            began: piece.first,
            until: piece.last,
            next_number: 0,
            has_ended: false,
            server_flags: 0,
            latest: [None; 2],
        }
    }
}

impl Piece {
    fn of(record: &Record, answer: Option<&Record>, source_is_client: bool) -> Self {
        let answered = record.answered.or(answer.map(|answer| answer.sent));
        let answer_flags = record.answer_flags.or(answer.and_then(|answer| answer.tcp_flags));
        let sent = (Some(record.sent), record.tcp_flags);
        let answered = (answered, answer_flags);
        let (up, down) = if source_is_client { (sent, answered) } else { (answered, sent) };
        Self {
            tuple: Tuple::of(record, source_is_client),
            first: answer.map_or(record.first, |answer| record.first.min(answer.first)),
            last: answer.map_or(record.last, |answer| record.last.max(answer.last)),
            up: up.0,
            down: down.0,
            flags: [up.1, down.1],
        }
    }

    /// Whether it begins a new flow between ends that are known.
    fn is_new(&self, known: &Known, record: &Record) -> bool {
        let idle = if self.tuple.protocol == TCP { TCP_IDLE } else { DATAGRAM_IDLE };
        let is_later = self.first > known.until;
        let reopens = self.flags[0].is_some_and(|flags| flags & SYN != 0) && record.sampling == 1;
        self.first.since(known.until) > idle || (is_later && (known.has_ended || reopens))
    }

    /// Whether somebody else told of the same packets.
    fn is_repeat(&self, known: &Known, observer: Observer) -> bool {
        let counts = [self.up, self.down];
        counts.into_iter().zip(known.latest).all(|(counts, latest)| match (counts, latest) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(counts), Some(latest)) => {
                latest.observer != observer
                    && latest.counts == counts
                    && apart(latest.first, self.first) <= CLOCKS_APART
                    && apart(latest.last, self.last) <= CLOCKS_APART
            }
        })
    }

    /// Takes off what was told before, where counts are of the whole flow so far.
    fn deduct(&mut self, known: Option<&Known>) {
        let Some(known) = known else { return };
        for (counts, latest) in [&mut self.up, &mut self.down].into_iter().zip(known.latest) {
            if let (Some(counts), Some(latest)) = (counts, latest)
                && latest.first == self.first
            {
                *counts = counts.less(latest.counts);
            }
        }
    }

    fn remember(&self, known: &mut Known, observer: Observer, record: &Record) {
        known.until = known.until.max(self.last);
        known.next_number = known.next_number.saturating_add(1);
        known.has_ended |= self.flags.iter().flatten().any(|flags| flags & (FIN | RST) != 0);
        known.server_flags |= self.flags[1].unwrap_or(0);
        let (first, last) = (self.first, self.last);
        for (slot, counts) in known.latest.iter_mut().zip([self.up, self.down]) {
            let Some(counts) = counts else { continue };
            let counts = match slot {
                Some(before) if record.is_total && before.first == first => {
                    before.counts.plus(counts)
                }
                _ => counts,
            };
            *slot = Some(Latest { observer, first, last, counts });
        }
    }

    fn told(
        &self,
        record: &Record,
        number: u32,
        began: Timestamp,
        server_flags: u8,
    ) -> FlowRecord<'static> {
        let Tuple { client, server, protocol } = self.tuple;
        let header = self.header_bytes();
        let up = match self.up {
            Some(up) => volume(up, header),
            // What the client sent is in another record, if it was told before this one.
            None if number > 0 => NOTHING,
            None => Volume::UNKNOWN,
        };
        FlowRecord {
            ends: Ends { at: self.last, client, server },
            from: self.first,
            transport: transport(protocol),
            protocol: None,
            host: record.host.clone().map(|(host, by)| (Cow::Owned(host.into_vec()), by)),
            up,
            down: self.down.map_or(Volume::UNKNOWN, |down| volume(down, header)),
            verdict: self.verdict(record, server_flags),
            phase: self.phase(record.end_reason),
            id: Some(Cow::Owned(self.tuple.name(began))),
            number,
        }
    }

    /// Bytes of headers in each packet; `None` where payload cannot be told from headers.
    fn header_bytes(&self) -> Option<u64> {
        let network = if self.tuple.client.0.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
        match self.tuple.protocol {
            TCP => Some(network + TCP_HEADER),
            UDP | 1 | 58 => Some(network + UDP_HEADER),
            _ => Some(network),
        }
    }

    fn verdict(&self, record: &Record, server_flags: u8) -> Verdict {
        if record.is_denied {
            return Verdict::Blocked(BlockReason::ProxyDenied);
        }
        // Flags of sampled packets are not those of all packets.
        if self.tuple.protocol != TCP || record.sampling > 1 {
            return Verdict::Allowed;
        }
        let answered_by_reset = server_flags & (RST | SYN) == RST;
        match self.flags[0] {
            Some(flags) if flags & (SYN | ACK) == SYN && answered_by_reset => {
                Verdict::Blocked(BlockReason::Reset)
            }
            Some(flags) if flags & (SYN | ACK) == SYN && server_flags & SYN == 0 => {
                Verdict::Blocked(BlockReason::NoAnswer)
            }
            None if answers_by_reset_only(self.flags[1]) => Verdict::Blocked(BlockReason::Reset),
            _ => Verdict::Allowed,
        }
    }

    fn phase(&self, end_reason: Option<u8>) -> FlowPhase {
        let flags = self.flags.iter().flatten().fold(0, |all, flags| all | flags);
        // RFC 7011's registry, "flowEndReason".
        match end_reason {
            Some(2) => FlowPhase::Open,
            Some(4) => FlowPhase::InputEnded,
            Some(5) => FlowPhase::Evicted,
            _ if self.tuple.protocol == TCP && flags & RST != 0 => FlowPhase::Reset,
            _ if self.tuple.protocol == TCP && flags & FIN != 0 => FlowPhase::Finished,
            Some(3) => FlowPhase::Finished,
            _ => FlowPhase::Idle,
        }
    }
}

impl Counts {
    fn less(self, other: Self) -> Self {
        let less = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_sub(b.unwrap_or(0)));
        Self {
            octets: less(self.octets, other.octets),
            packets: less(self.packets, other.packets),
            payload: less(self.payload, other.payload),
        }
    }

    fn plus(self, other: Self) -> Self {
        let plus = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_add(b.unwrap_or(0)));
        Self {
            octets: plus(self.octets, other.octets),
            packets: plus(self.packets, other.packets),
            payload: plus(self.payload, other.payload),
        }
    }
}

const NOTHING: Volume = Volume { bytes: Some(0), wire_bytes: Some(0), packets: Some(0) };

/// What was counted. Payload is what the headers of that many packets leave.
fn volume(counts: Counts, header: Option<u64>) -> Volume {
    let headers = counts.packets.zip(header).map(|(n, header)| n.saturating_mul(header));
    let left = counts.octets.zip(headers).map(|(octets, headers)| octets.saturating_sub(headers));
    Volume {
        bytes: counts.payload.or(left),
        wire_bytes: counts.octets,
        packets: counts.packets.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
    }
}

/// Whether `other` is the other direction of `record`'s flow, in the same time.
fn is_answer(record: &Record, other: &Record) -> bool {
    record.source == other.destination
        && record.destination == other.source
        && record.protocol == other.protocol
        && record.answered.is_none()
        && other.answered.is_none()
        && record.first <= other.last
        && other.first <= record.last
}

/// Whether the source did nothing but answer somebody's SYN.
fn answers_only(record: &Record) -> bool {
    record.protocol == TCP
        && record.sampling == 1
        && (record.tcp_flags == Some(SYN | ACK) || answers_by_reset_only(record.tcp_flags))
}

fn answers_by_reset_only(flags: Option<u8>) -> bool {
    matches!(flags, Some(flags) if flags == RST || flags == RST | ACK)
}

/// Whether the source did nothing but ask for a connection.
fn asks_only(record: &Record) -> bool {
    record.protocol == TCP && record.sampling == 1 && record.tcp_flags == Some(SYN)
}

fn transport(protocol: u8) -> Transport {
    match protocol {
        TCP => Transport::Tcp,
        UDP => Transport::Udp,
        1 | 58 => Transport::Icmp,
        other => Transport::Other(other),
    }
}

fn apart(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

/// Whether what goes to `address` cannot leave its link: broadcast, link-local multicast.
fn stays_on_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_broadcast() || matches!(v4.octets(), [224, 0, 0, _]),
        // Scopes 1 and 2: interface-local and link-local (RFC 4291, section 2.7).
        IpAddr::V6(v6) => matches!(v6.octets(), [0xff, scope, ..] if scope & 15 <= 2),
    }
}
