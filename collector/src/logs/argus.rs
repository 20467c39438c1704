//! Argus flows as `ra` writes them with commas (`binetflow` files, exports of flow tools).
//!
//! The header names the columns; read are those below, under the names that `ra` and the CTU
//! exports give them, in any order. Labels and whatever else are skipped. Times have no zone and
//! are taken as UTC; seconds since the epoch are read too.
//!
//! `SrcBytes` and `TotBytes` are bytes of whole frames: payload is worked out by usual header
//! sizes, unless the application bytes (`SAppBytes`, `DAppBytes`) are there. Argus writes a long
//! flow in parts; each is a line, and they are one contact as long as the same ends go on.

use std::time::Duration;

use egret_event::{BlockReason, FlowPhase, Timestamp, Transport, Verdict, Volume};

use super::digits::number;
use super::entry::{Ends, Entry, FlowRecord};
use super::recent::Recent;
use super::record::LineProblem;
use super::text::address;

/// The names of columns that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Start,
    Duration,
    Proto,
    SrcAddr,
    SrcPort,
    Direction,
    DstAddr,
    DstPort,
    State,
    TotPkts,
    TotBytes,
    SrcBytes,
    SrcPkts,
    DstBytes,
    DstPkts,
    SrcAppBytes,
    DstAppBytes,
}

/// How many there are.
const FIELDS: usize = Field::DstAppBytes as usize + 1;

/// Silence after which the same ends begin a new flow: as for flows in captures.
const TCP_IDLE: Duration = Duration::from_secs(300);
const OTHER_IDLE: Duration = Duration::from_secs(60);

/// Bytes of an Ethernet header.
const LINK_BYTES: u64 = 14;

/// What has to be remembered from line to line: which column is which, and which flows go on.
#[derive(Debug, Default)]
pub(super) struct Argus {
    columns: Vec<Option<Field>>,
    recent: Recent,
}

/// Whether a line is the header.
pub(super) fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"StartTime,") || line.starts_with(b"stime,")
}

impl Argus {
    /// What follows is another file, with a header of its own.
    pub(super) fn next_file(&mut self) {
        self.columns.clear();
    }

    /// Reads a line, without its line end.
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Result<Entry<'a>, LineProblem> {
        if is_header(line) {
            self.columns = line.split(|byte| *byte == b',').map(field).collect();
            return Err(LineProblem::Note);
        }
        if self.columns.is_empty() {
            return Err(LineProblem::Malformed("no header before it"));
        }
        let mut row = Row([None; FIELDS]);
        let mut cells = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        for column in &self.columns {
            let cell = cells.next().ok_or(LineProblem::Malformed("fewer cells than columns"))?;
            if let Some(field) = column.filter(|_| !cell.is_empty()) {
                row.0[field as usize] = Some(cell);
            }
        }
        let mut flow = row.flow()?;
        let (protocol, idle) = match flow.transport {
            Transport::Tcp => (6, TCP_IDLE),
            Transport::Udp => (17, OTHER_IDLE),
            Transport::Icmp => (1, OTHER_IDLE),
            Transport::Other(number) => (number, OTHER_IDLE),
        };
        flow.number = self.recent.number(&flow.ends, protocol, idle);
        Ok(Entry::Flow(flow))
    }
}

fn field(name: &[u8]) -> Option<Field> {
    Some(match &*name.trim_ascii().to_ascii_lowercase() {
        b"starttime" | b"stime" => Field::Start,
        b"dur" => Field::Duration,
        b"proto" => Field::Proto,
        b"srcaddr" | b"saddr" => Field::SrcAddr,
        b"sport" => Field::SrcPort,
        b"dir" => Field::Direction,
        b"dstaddr" | b"daddr" => Field::DstAddr,
        b"dport" => Field::DstPort,
        b"state" => Field::State,
        b"totpkts" | b"pkts" => Field::TotPkts,
        b"totbytes" | b"bytes" => Field::TotBytes,
        b"srcbytes" | b"sbytes" => Field::SrcBytes,
        b"srcpkts" | b"spkts" => Field::SrcPkts,
        b"dstbytes" | b"dbytes" => Field::DstBytes,
        b"dstpkts" | b"dpkts" => Field::DstPkts,
        b"sappbytes" => Field::SrcAppBytes,
        b"dappbytes" => Field::DstAppBytes,
        _ => return None,
    })
}

/// The cells of a line by their columns.
struct Row<'a>([Option<&'a [u8]>; FIELDS]);

impl<'a> Row<'a> {
    fn text(&self, field: Field) -> Option<&'a [u8]> {
        self.0[field as usize]
    }

    fn count(&self, field: Field) -> Option<u64> {
        self.text(field).and_then(number)
    }

    fn flow(&self) -> Result<FlowRecord<'a>, LineProblem> {
        let proto = self.text(Field::Proto).ok_or(LineProblem::Malformed("Proto"))?;
        let transport = transport(proto).ok_or(LineProblem::NoDestination)?;
        let from = self.text(Field::Start).and_then(time);
        let from = from.ok_or(LineProblem::Malformed("StartTime"))?;
        let lasted = self.text(Field::Duration).and_then(seconds).unwrap_or_default();
        let end = |host, port| {
            let port = self.text(port).filter(|_| transport != Transport::Icmp).and_then(port_of);
            Some((self.text(host).and_then(address)?, port.unwrap_or(0)))
        };
        let client =
            end(Field::SrcAddr, Field::SrcPort).ok_or(LineProblem::Malformed("SrcAddr"))?;
        let server =
            end(Field::DstAddr, Field::DstPort).ok_or(LineProblem::Malformed("DstAddr"))?;
        let header = header_bytes(client.0.is_ipv4(), transport);
        let state = self.text(Field::State).unwrap_or_default();
        let (up, down) = (self.up(header), self.down(header));
        // `<-`: the flow was begun by the other side.
        let is_reverse = self.text(Field::Direction) == Some(b"<-");
        let (client, server) = if is_reverse { (server, client) } else { (client, server) };
        let (up, down) = if is_reverse { (down, up) } else { (up, down) };
        Ok(FlowRecord {
            ends: Ends { at: from + lasted, client, server },
            from,
            transport,
            protocol: None,
            host: None,
            up,
            down,
            verdict: verdict(
                state,
                transport,
                self.count(Field::TotPkts),
                self.count(Field::SrcPkts),
            ),
            phase: phase(state, transport),
            id: None,
            number: 0,
        })
    }

    fn up(&self, header: Option<u64>) -> Volume {
        let (bytes, packets) = (self.count(Field::SrcBytes), self.count(Field::SrcPkts));
        volume(bytes, packets, self.count(Field::SrcAppBytes), header)
    }

    /// What came back; where it has no columns, all that was not sent.
    fn down(&self, header: Option<u64>) -> Volume {
        let rest = |total, sent| self.count(total)?.checked_sub(self.count(sent)?);
        let bytes = self.count(Field::DstBytes);
        let packets = self.count(Field::DstPkts);
        let bytes = bytes.or_else(|| rest(Field::TotBytes, Field::SrcBytes));
        let packets = packets.or_else(|| rest(Field::TotPkts, Field::SrcPkts));
        volume(bytes, packets, self.count(Field::DstAppBytes), header)
    }
}

fn volume(
    bytes: Option<u64>,
    packets: Option<u64>,
    payload: Option<u64>,
    header: Option<u64>,
) -> Volume {
    let without = |header: u64| {
        bytes.zip(packets).map(|(bytes, n)| bytes.saturating_sub(n.saturating_mul(header)))
    };
    Volume {
        bytes: payload.or_else(|| without(header?)),
        wire_bytes: without(LINK_BYTES),
        packets: packets.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
    }
}

/// Bytes of headers in a frame. TCP with timestamps (RFC 7323), as current systems send: payload
/// is rather said too low by 12 bytes a packet than too high.
fn header_bytes(is_v4: bool, transport: Transport) -> Option<u64> {
    let above = match transport {
        Transport::Tcp => 32,
        Transport::Udp | Transport::Icmp => 8,
        Transport::Other(_) => return None,
    };
    Some(LINK_BYTES + if is_v4 { 20 } else { 40 } + above)
}

/// `None`: it is not carried by the Internet Protocol, so it goes nowhere (ARP, spanning tree).
fn transport(name: &[u8]) -> Option<Transport> {
    Some(match name {
        b"tcp" => Transport::Tcp,
        // Argus names some of what UDP carries by itself.
        b"udp" | b"rtp" | b"rtcp" | b"udt" => Transport::Udp,
        b"icmp" | b"ipv6-icmp" | b"icmpv6" => Transport::Icmp,
        b"igmp" => Transport::Other(2),
        b"gre" => Transport::Other(47),
        b"esp" => Transport::Other(50),
        b"ipv6" => Transport::Other(41),
        b"sctp" => Transport::Other(132),
        // `ra -nn` writes numbers.
        _ => match number(name).and_then(|number| u8::try_from(number).ok())? {
            0 => return None,
            1 | 58 => Transport::Icmp,
            6 => Transport::Tcp,
            17 => Transport::Udp,
            other => Transport::Other(other),
        },
    })
}

/// States are what each side did: `CON` and `INT` (asked, no answer) for datagrams, for TCP the
/// flags of both sides (`SRPA_SPA`) or a word (`REQ`, `RST`).
fn verdict(state: &[u8], transport: Transport, all: Option<u64>, sent: Option<u64>) -> Verdict {
    if transport != Transport::Tcp {
        return Verdict::Allowed;
    }
    let (client, server) = sides(state);
    let has_begun = client.contains(&b'S') || state == b"REQ";
    let answers = server.unwrap_or_default();
    if has_begun && all.is_some() && all == sent {
        Verdict::Blocked(BlockReason::NoAnswer)
    } else if has_begun && answers.contains(&b'R') && !answers.contains(&b'S') {
        Verdict::Blocked(BlockReason::Reset)
    } else {
        Verdict::Allowed
    }
}

fn phase(state: &[u8], transport: Transport) -> FlowPhase {
    let (client, server) = sides(state);
    let has = |flag: u8| client.contains(&flag) || server.is_some_and(|side| side.contains(&flag));
    match transport {
        Transport::Tcp if state == b"RST" || has(b'R') => FlowPhase::Reset,
        Transport::Tcp if state == b"FIN" || has(b'F') => FlowPhase::Finished,
        _ => FlowPhase::Idle,
    }
}

/// The flags of the client and of the server.
fn sides(state: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'_', state) {
        Some(middle) => (&state[..middle], Some(&state[middle + 1..])),
        None => (b"", None),
    }
}

/// A port in decimal or, as Argus writes what it takes for a code, in hexadecimal.
fn port_of(text: &[u8]) -> Option<u16> {
    match text.strip_prefix(b"0x") {
        Some(digits) => u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok(),
        None => super::text::port(text),
    }
}

/// `2026/01/31 09:30:00.123456`, or seconds since the epoch.
fn time(text: &[u8]) -> Option<Timestamp> {
    if !text.contains(&b'/') {
        let since_epoch = seconds(text)?;
        let whole = i64::try_from(since_epoch.as_secs()).ok()?;
        return Some(Timestamp::from_parts(whole, since_epoch.subsec_nanos().into()));
    }
    let text = str::from_utf8(text).ok()?.replace('/', "-").replacen(' ', "T", 1);
    format!("{text}Z").parse().ok()
}

/// Seconds with a fraction.
fn seconds(text: &[u8]) -> Option<Duration> {
    let dot = memchr::memchr(b'.', text).unwrap_or(text.len());
    let fraction = text.get(dot + 1..).unwrap_or_default();
    let fraction = &fraction[..fraction.len().min(9)];
    let scale = 10u64.checked_pow(9 - u32::try_from(fraction.len()).ok()?)?;
    let nanos = if fraction.is_empty() { 0 } else { number(fraction)?.checked_mul(scale)? };
    Some(Duration::new(number(&text[..dot])?, u32::try_from(nanos).ok()?))
}

#[cfg(test)]
mod tests;
