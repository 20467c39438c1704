//! One flow: what was counted, and where in its life it is.
//!
//! Owns the state machine. It stores no flows ([`super::table`]) and makes no events
//! ([`super::decoder`]).

use std::sync::Arc;
use std::time::Duration;

use egret_event::{
    Attribution, BlockReason, Destination, FlowPhase, Protocol, Scope, Timestamp, Verdict, Volume,
};

use super::exchange::{Exchange, Part};
pub(super) use super::key::{End, FlowKey};
use super::link::{ACK, FIN, Fragment, ICMP, ICMPV6, Packet, RST, SYN, TCP, UDP};
use super::partial::Partial;
use super::protocol::Recognition;
use super::sequence::{Progress, StreamEnd};
use super::table::{SLOT, Timer};

/// How long after the first unreported byte a flow is reported at the latest.
const INTERVAL: Duration = Duration::from_secs(10);

/// Idle time after which a TCP flow has ended.
const TCP_IDLE: Duration = Duration::from_secs(300);

/// Idle time after which any other flow has ended.
const DATAGRAM_IDLE: Duration = Duration::from_secs(60);

/// Idle time after which an answered DNS flow has ended. Clients take a port per question, so
/// these would else be most of the table.
const DNS_IDLE: Duration = Duration::from_secs(5);

/// How far into its stream a client may begin what is worth waiting for if a packet of it is late.
/// What comes before it (STARTTLS, CONNECT) takes a few hundred bytes.
const EARLY_BYTES: u32 = 16 * 1024;

/// How long after its last SYN an unanswered attempt is taken to be blocked.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How long after its first SYN it is, however often it is repeated.
const MAX_ANSWER_WAIT: Duration = Duration::from_millis(9_500);

/// How long the last acknowledgement of an orderly end is waited for.
const CLOSING_WAIT: Duration = Duration::from_secs(1);

/// How long an ended flow is remembered, so that stragglers do not open a new one.
const ENDED_MEMORY: Duration = Duration::from_secs(5);

/// How long a refused attempt is remembered: Linux waits up to 64 s between two SYNs.
const REFUSED_MEMORY: Duration = Duration::from_secs(70);

/// What went one way since the last report.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) payload_bytes: u64,
    wire_bytes: u64,
    packets: u32,
}

impl Traffic {
    /// Adds a packet of which `payload_bytes` are to be counted as payload.
    #[inline]
    fn add(&mut self, packet: &Packet<'_>, payload_bytes: u32) {
        self.payload_bytes += u64::from(payload_bytes);
        self.wire_bytes += u64::from(packet.wire_bytes);
        self.packets = self.packets.saturating_add(packet.packets);
    }

    pub(super) fn volume(self) -> Volume {
        Volume {
            bytes: Some(self.payload_bytes),
            wire_bytes: Some(self.wire_bytes),
            packets: Some(self.packets),
        }
    }
}

/// Where in its life a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A SYN was sent and nothing came back.
    Opening,
    /// It is in use.
    Open,
    /// Both ends sent their FIN.
    Closing,
    /// It has ended and was reported; remembered for stragglers.
    Ended,
    /// It was blocked and was reported; remembered for repeated attempts.
    Refused,
}

/// What a packet does to its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes on.
    On,
    /// It ends.
    Ends(FlowPhase),
    /// It turns out to be blocked.
    Blocked(BlockReason),
    /// It has ended before; this is a straggler.
    Late,
    /// The packet belongs to a new flow between the same ends.
    Anew,
}

/// What is known of a flow once something was reported of it.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) scope: Scope,
    pub(super) destination: Destination,
}

/// One flow, in four lines of the processor's cache.
///
/// Most packets find their flow in no cache that is near. So what every packet needs stands in the
/// first two lines, what TCP needs in the third, and what few packets need in the last.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Flow {
    pub(super) key: FlowKey,
    /// When something was last seen; while opening, the last SYN.
    pub(super) last_seen: Timestamp,
    /// When the first packet that is not yet reported was seen.
    pub(super) interval_from: Timestamp,
    /// Who caused it. `None`: it is not egress and nothing of it is reported.
    pub(super) origin: Option<Arc<Attribution>>,

    pub(super) up: Traffic,
    pub(super) down: Traffic,
    pub(super) client: End,
    pub(super) state: State,
    pub(super) phase: FlowPhase,
    pub(super) verdict: Verdict,
    pub(super) is_answered: bool,
    client_finished: bool,
    server_finished: bool,
    pub(super) hellos: u8,
    /// Datagrams of the client that were looked at for one.
    pub(super) datagrams: u8,
    /// What it speaks.
    pub(super) recognition: Recognition,
    /// What follows is encrypted, or of no interest for another reason: no payload is looked at.
    pub(super) is_sealed: bool,

    /// What the client sends, and what it is sent, where that is TCP.
    up_progress: Progress,
    down_progress: Progress,
    pub(super) timer: Timer,

    /// The HTTP that is open on it.
    pub(super) exchange: Option<Box<Exchange>>,
    pub(super) partial: Option<Box<Partial>>,
    pub(super) reported: Option<Box<Reported>>,
    pub(super) started: Timestamp,
    /// Of the attribution table when `origin` was looked up.
    pub(super) origin_version: u64,
    /// Intervals reported so far.
    pub(super) number: u32,
    /// Events made so far; counts their ids.
    pub(super) events: u32,
    /// The client's first sequence number, where its SYN was seen.
    first_sequence: Option<u32>,
}

/// A flow that grows into a fifth line is to be noticed.
const _: () = assert!(size_of::<Option<Flow>>() == 4 * 64);

impl Flow {
    /// A flow that starts with `packet`, sent by `sender` at `at`; nothing is counted yet.
    pub(super) fn new(key: FlowKey, client: End, packet: &Packet<'_>, at: Timestamp) -> Self {
        let is_syn = key.protocol() == TCP && packet.flags & (SYN | ACK) == SYN;
        Self {
            key,
            up: Traffic::default(),
            down: Traffic::default(),
            started: at,
            last_seen: at,
            interval_from: at,
            origin: None,
            origin_version: 0,
            reported: None,
            partial: None,
            exchange: None,
            timer: Timer::UNSET,
            number: 0,
            events: 0,
            first_sequence: None,
            up_progress: Progress::default(),
            down_progress: Progress::default(),
            client,
            state: if is_syn { State::Opening } else { State::Open },
            phase: FlowPhase::Open,
            verdict: Verdict::Allowed,
            is_answered: false,
            client_finished: false,
            server_finished: false,
            hellos: 0,
            datagrams: 0,
            recognition: Recognition::NEW,
            is_sealed: false,
        }
    }

    pub(super) fn server_port(&self) -> u16 {
        self.key.end(self.client.other()).1
    }

    /// What is spoken, as far as it is known. Where only the encryption shows, the port says
    /// whether it is that of DNS (RFC 7858, section 3.1; RFC 9250, section 4.1.1).
    pub(super) fn protocol(&self) -> Option<Protocol> {
        match (self.recognition.protocol(), self.server_port()) {
            (Some(Protocol::Tls), super::dns::TLS_PORT) => Some(Protocol::DnsOverTls),
            (Some(Protocol::Quic), super::dns::TLS_PORT) => Some(Protocol::DnsOverQuic),
            (known, _) => known,
        }
    }

    /// Whether its payload is to be read as DNS.
    #[inline]
    pub(super) fn speaks_dns(&self) -> bool {
        self.server_port() == super::dns::PORT || self.recognition.protocol() == Some(Protocol::Dns)
    }

    /// What `packet` does to the flow. Call [`Self::count`] afterwards, except for
    /// [`Step::Anew`].
    #[inline]
    pub(super) fn step(&mut self, packet: &Packet<'_>, sender: End) -> Step {
        let step =
            if self.key.protocol() == TCP { self.tcp_step(packet, sender) } else { Step::On };
        if sender != self.client && step == Step::On {
            self.is_answered = true;
            if self.state == State::Refused {
                self.reopen();
            }
        }
        step
    }

    fn tcp_step(&mut self, packet: &Packet<'_>, sender: End) -> Step {
        let from_client = sender == self.client;
        if packet.flags & (SYN | RST | FIN) == 0 {
            if self.state == State::Closing && packet.payload_bytes == 0 {
                return Step::Ends(FlowPhase::Finished);
            }
            if self.state == State::Opening && from_client && packet.flags & ACK != 0 {
                // The client acknowledges an answer that was not captured.
                self.state = State::Open;
            }
        } else if packet.flags & RST != 0 {
            return self.reset(from_client);
        } else if packet.flags & (SYN | ACK) == SYN {
            return self.syn(packet, from_client);
        } else if packet.flags & SYN != 0 && !from_client {
            self.first_sequence.get_or_insert(packet.acknowledged.wrapping_sub(1));
        } else if packet.flags & FIN != 0 {
            self.finish(from_client);
        }
        if !from_client && self.state == State::Opening {
            self.state = State::Open;
        }
        Step::On
    }

    fn reset(&mut self, from_client: bool) -> Step {
        match self.state {
            State::Opening if from_client => Step::Blocked(BlockReason::NoAnswer),
            State::Opening => Step::Blocked(BlockReason::Reset),
            State::Open | State::Closing => Step::Ends(FlowPhase::Reset),
            State::Ended | State::Refused => Step::Late,
        }
    }

    fn syn(&mut self, packet: &Packet<'_>, from_client: bool) -> Step {
        if !from_client {
            // The other end opens a connection between the same ports.
            return match self.state {
                State::Ended | State::Refused => Step::Anew,
                _ => Step::On,
            };
        }
        let is_repeated = self.first_sequence == Some(packet.sequence);
        match self.state {
            State::Opening | State::Refused => self.first_sequence = Some(packet.sequence),
            _ if is_repeated => {}
            State::Open | State::Closing | State::Ended => return Step::Anew,
        }
        Step::On
    }

    fn finish(&mut self, from_client: bool) {
        if from_client {
            self.client_finished = true;
        } else {
            self.server_finished = true;
        }
        if self.client_finished
            && self.server_finished
            && matches!(self.state, State::Open | State::Opening)
        {
            self.state = State::Closing;
        }
    }

    /// Something came back after all.
    fn reopen(&mut self) {
        self.state = State::Open;
        self.verdict = Verdict::Allowed;
        self.phase = FlowPhase::Open;
    }

    /// Counts `packet` at `now`.
    #[inline]
    pub(super) fn count(&mut self, packet: &Packet<'_>, sender: End, now: Timestamp) {
        if self.is_all_reported() {
            self.interval_from = now;
        }
        self.last_seen = now;
        let from_client = sender == self.client;
        let is_segment = self.key.protocol() == TCP && packet.fragment == Fragment::Whole;
        let payload_bytes =
            if is_segment { self.follow(packet, from_client) } else { packet.payload_bytes };
        let traffic = if from_client { &mut self.up } else { &mut self.down };
        traffic.add(packet, payload_bytes);
    }

    /// Counts an error message about the flow. One that comes back is no part of what the server
    /// sent; one that the client sends leaves with all that is in it. `None`: it goes to neither
    /// and comes from neither.
    pub(super) fn count_error(&mut self, packet: &Packet<'_>, now: Timestamp) -> Option<()> {
        let client = self.key.end(self.client).0;
        let is_first = self.is_all_reported();
        if packet.destination == client {
            self.down.add(packet, 0);
        } else if packet.source == client {
            self.up.add(packet, packet.payload_bytes);
        } else {
            return None;
        }
        if is_first {
            self.interval_from = now;
        }
        Some(())
    }

    /// Notes how far both streams have come. Returns how much of the payload counts: what a reset
    /// carries is outside of any stream (RFC 9293, section 3.5.3).
    #[inline]
    fn follow(&mut self, packet: &Packet<'_>, from_client: bool) -> u32 {
        let Packet { flags, sequence, acknowledged, payload_bytes, .. } = *packet;
        if flags & RST != 0 {
            return payload_bytes;
        }
        let (sent, other) = if from_client {
            (&mut self.up_progress, &mut self.down_progress)
        } else {
            (&mut self.down_progress, &mut self.up_progress)
        };
        if flags & SYN != 0 && from_client {
            self.first_sequence = Some(sequence);
        }
        if flags & ACK != 0 {
            other.acknowledge(acknowledged);
        }
        sent.advance(sequence, flags, payload_bytes)
    }

    /// Whether the payload of a client's packet was not seen before.
    #[inline]
    pub(super) fn is_new(&self, packet: &Packet<'_>) -> bool {
        self.up_progress.is_new(packet.sequence)
    }

    /// Whether the payload of a server's packet was not seen before.
    pub(super) fn is_new_answer(&self, packet: &Packet<'_>) -> bool {
        self.down_progress.is_new(packet.sequence)
    }

    /// What a client's segment holds behind the body of a request. `None`: it is all body.
    #[inline]
    pub(super) fn beyond_body<'a>(&mut self, packet: &Packet<'a>) -> Option<Packet<'a>> {
        let Some(exchange) = &mut self.exchange else { return Some(*packet) };
        match exchange.part(packet.sequence, packet.payload_bytes) {
            Part::Body => None,
            Part::From(at) => Some(packet.beyond(at as usize)),
        }
    }

    /// Bytes of both streams that were acknowledged and never seen, since the last call.
    pub(super) fn take_missed(&mut self, end: StreamEnd) -> u64 {
        self.up_progress.take_missed(end) + self.down_progress.take_missed(end)
    }

    /// Where the client's stream should go on, if a packet of its leaves a gap there, early in the
    /// stream.
    pub(super) fn early_gap_before(&self, packet: &Packet<'_>) -> Option<u32> {
        let gap = self.up_progress.gap_before(packet.sequence)?;
        self.first_sequence.filter(|first| gap.wrapping_sub(*first) <= EARLY_BYTES).map(|_| gap)
    }

    /// Whether nothing came back that shows that the attempt was let through.
    pub(super) fn is_unanswered(&self) -> bool {
        match self.state {
            State::Opening => true,
            State::Open => self.key.protocol() != TCP && !self.is_answered,
            State::Closing | State::Ended | State::Refused => false,
        }
    }

    /// Whether payload was counted that is not reported yet.
    pub(super) fn has_unreported_payload(&self) -> bool {
        self.up.payload_bytes > 0 || self.down.payload_bytes > 0
    }

    /// Whether nothing was counted since the last report.
    pub(super) fn is_all_reported(&self) -> bool {
        self.up.packets == 0 && self.down.packets == 0
    }

    /// When the flow must be looked at next.
    #[inline]
    pub(super) fn due(&self) -> Timestamp {
        self.idle_deadline().min(self.report_deadline())
    }

    /// When the flow changes its state if nothing more is seen.
    pub(super) fn idle_deadline(&self) -> Timestamp {
        match self.state {
            State::Opening => (self.last_seen + ANSWER_WAIT).min(self.started + MAX_ANSWER_WAIT),
            State::Open if self.key.protocol() == TCP => self.last_seen + TCP_IDLE,
            State::Open if self.is_answered_dns() => self.last_seen + DNS_IDLE,
            State::Open => self.last_seen + DATAGRAM_IDLE,
            State::Closing => self.last_seen + CLOSING_WAIT,
            State::Ended => self.last_seen + ENDED_MEMORY,
            State::Refused => self.last_seen + REFUSED_MEMORY,
        }
    }

    /// When what was counted must be reported at the latest. Never, where there is
    /// nothing to report.
    pub(super) fn report_deadline(&self) -> Timestamp {
        let is_news = self.has_unreported_payload() || self.number == 0;
        let has_news = is_news && self.origin.is_some();
        if has_news && matches!(self.state, State::Open | State::Closing) {
            // The wheel is up to one slot late.
            self.interval_from + INTERVAL - SLOT
        } else {
            Timestamp::from_nanos(i64::MAX)
        }
    }

    fn is_answered_dns(&self) -> bool {
        self.is_answered && self.key.protocol() == UDP && self.server_port() == super::dns::PORT
    }

    /// Takes what was counted, and starts the next interval at `at`.
    pub(super) fn take_interval(&mut self, at: Timestamp) -> (Volume, Volume, u32) {
        let (up, down) = (std::mem::take(&mut self.up), std::mem::take(&mut self.down));
        let number = self.number;
        self.number = number.saturating_add(1);
        self.interval_from = at;
        (up.volume(), down.volume(), number)
    }

    /// Number of the next event's id.
    pub(super) fn next_event(&mut self) -> u64 {
        let number = self.events;
        self.events = number.saturating_add(1);
        u64::from(number)
    }
}

/// Whether the sender of the first packet seen of a flow is the one who started it.
pub(super) fn sender_starts(packet: &Packet<'_>) -> bool {
    match packet.protocol {
        TCP if packet.flags & SYN != 0 => packet.flags & ACK == 0,
        TCP => !looks_like_server(packet.source_port, packet.destination_port, FIRST_EPHEMERAL),
        UDP => !looks_like_server(packet.source_port, packet.destination_port, u16::MAX),
        // An echo reply.
        ICMP => packet.flags != 0,
        ICMPV6 => packet.flags != 129,
        _ => true,
    }
}

/// First of the ports that Linux gives to clients (`ip_local_port_range`).
const FIRST_EPHEMERAL: u16 = 32_768;

/// Whether the ports say that a packet comes from the server. `first_ephemeral`: from here on a
/// port is a client's.
fn looks_like_server(source: u16, destination: u16, first_ephemeral: u16) -> bool {
    let is_service = |port| matches!(port, 53 | 80 | 443);
    match (is_service(source), is_service(destination)) {
        (true, false) => return true,
        (false, true) => return false,
        _ => {}
    }
    match (source < 1024, destination < 1024) {
        (true, false) => true,
        (false, true) => false,
        _ => source < first_ephemeral && destination >= first_ephemeral,
    }
}
