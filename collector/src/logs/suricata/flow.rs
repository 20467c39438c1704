//! `flow`: flows when they have ended. `netflow`: the same, one line per direction; taken only
//! where the log has no `flow` lines.
//!
//! Suricata counts whole packets, from the link layer on. What of that is on the wire from the
//! network layer on is exact, but for tags and tunnels; what is payload is worked out by usual
//! header sizes.

use egret_event::{BlockReason, FlowPhase, Protocol, Timestamp, Transport, Verdict, Volume};

use super::{Common, header_bytes, time};
use crate::logs::entry::{Ends, Entry, FlowRecord};
use crate::logs::json::{Raw, object};
use crate::logs::record::LineProblem;

/// TCP flags (RFC 9293, section 3.1).
const SYN: u64 = 0x02;
const RST: u64 = 0x04;

/// Bytes of an Ethernet header.
const LINK_BYTES: u64 = 14;

object! {
    struct Flow {
        pkts_toserver,
        pkts_toclient,
        bytes_toserver,
        bytes_toclient,
        start,
        end,
        reason,
        action,
    }
}

object! {
    struct OneWay {
        pkts,
        bytes,
        start,
        end,
    }
}

object! {
    /// Flags seen, in hexadecimal: of both sides, of the client, of the server.
    struct Tcp {
        tcp_flags,
        tcp_flags_ts,
        tcp_flags_tc,
    }
}

pub(super) fn entry<'a>(common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
    let flow: Flow<'a> = common.flow.object().ok_or(LineProblem::Malformed("flow"))?;
    let tcp: Tcp<'a> = common.tcp.object().unwrap_or_default();
    let record = record(common, flow.start, flow.end)?;
    let header = header_bytes(record.ends.client.0, record.transport);
    let answers = flow.pkts_toclient.count();
    Ok(Entry::Flow(FlowRecord {
        up: volume(flow.bytes_toserver, flow.pkts_toserver, header),
        down: volume(flow.bytes_toclient, flow.pkts_toclient, header),
        verdict: verdict(&flow, &tcp, record.transport, answers),
        phase: phase(&flow, &tcp, record.transport),
        ..record
    }))
}

pub(super) fn one_way<'a>(common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
    let flow: OneWay<'a> = common.netflow.object().ok_or(LineProblem::Malformed("netflow"))?;
    let record = record(common, flow.start, flow.end)?;
    let header = header_bytes(record.ends.client.0, record.transport);
    Ok(Entry::Flow(FlowRecord { up: volume(flow.bytes, flow.pkts, header), ..record }))
}

/// What both kinds have in common.
fn record<'a>(
    common: &Common<'a>,
    start: Raw<'a>,
    end: Raw<'a>,
) -> Result<FlowRecord<'a>, LineProblem> {
    let told: Ends = common.ends()?;
    let from: Timestamp = time(start).unwrap_or(told.at);
    let transport = common.transport()?;
    Ok(FlowRecord {
        ends: Ends { at: time(end).unwrap_or(told.at).max(from), ..told },
        from,
        transport,
        protocol: common.app_proto.text().and_then(|name| protocol(&name, transport)),
        host: None,
        up: Volume::UNKNOWN,
        down: Volume::UNKNOWN,
        verdict: Verdict::Allowed,
        phase: FlowPhase::Idle,
        id: common.id(),
        number: 0,
    })
}

fn volume(bytes: Raw<'_>, packets: Raw<'_>, header: Option<u64>) -> Volume {
    let (Some(bytes), Some(packets)) = (bytes.count(), packets.count()) else {
        return Volume::UNKNOWN;
    };
    let without = |header: u64| bytes.saturating_sub(packets.saturating_mul(header));
    Volume {
        bytes: header.map(without),
        wire_bytes: Some(without(LINK_BYTES)),
        packets: Some(u32::try_from(packets).unwrap_or(u32::MAX)),
    }
}

fn verdict(flow: &Flow<'_>, tcp: &Tcp<'_>, transport: Transport, answers: Option<u64>) -> Verdict {
    let (client, server) = (flags(tcp.tcp_flags_ts), flags(tcp.tcp_flags_tc));
    let has_begun = transport == Transport::Tcp && client & SYN != 0;
    if flow.action.text().as_deref() == Some(b"drop") {
        Verdict::Blocked(BlockReason::ProxyDenied)
    } else if has_begun && answers == Some(0) {
        Verdict::Blocked(BlockReason::NoAnswer)
    } else if has_begun && server & SYN == 0 && server & RST != 0 {
        Verdict::Blocked(BlockReason::Reset)
    } else {
        Verdict::Allowed
    }
}

fn phase(flow: &Flow<'_>, tcp: &Tcp<'_>, transport: Transport) -> FlowPhase {
    /// The flag that ends a connection in order.
    const FIN: u64 = 0x01;
    let both = flags(tcp.tcp_flags);
    if transport == Transport::Tcp && both & RST != 0 {
        return FlowPhase::Reset;
    }
    if transport == Transport::Tcp && both & FIN != 0 {
        return FlowPhase::Finished;
    }
    match flow.reason.text().as_deref() {
        Some(b"shutdown") => FlowPhase::InputEnded,
        Some(b"forced") => FlowPhase::Evicted,
        _ => FlowPhase::Idle,
    }
}

/// Flags in hexadecimal; none where there are none.
fn flags(raw: Raw<'_>) -> u64 {
    let text = raw.text().unwrap_or_default();
    str::from_utf8(&text).ok().and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
}

fn protocol(name: &[u8], transport: Transport) -> Option<Protocol> {
    Some(match name {
        b"tls" if transport == Transport::Udp => Protocol::Dtls,
        b"tls" => Protocol::Tls,
        b"quic" => Protocol::Quic,
        b"http" | b"http1" => Protocol::Http,
        b"http2" => Protocol::Http2,
        b"doh2" => Protocol::DnsOverHttps,
        b"dns" => Protocol::Dns,
        b"ssh" => Protocol::Ssh,
        b"smtp" => Protocol::Smtp,
        b"ftp" => Protocol::Ftp,
        b"irc" => Protocol::Irc,
        b"ntp" => Protocol::Ntp,
        b"bittorrent-dht" => Protocol::BitTorrent,
        _ => return None,
    })
}
