//! `conn.log`: flows, told when they have ended.
//!
//! - `orig_bytes` is payload by sequence numbers, `orig_ip_bytes` what was on the wire. Where Zeek
//!   saw packets of the other end only (`orig_pkts` 0), what was sent is unknown and not zero.
//! - `missed_bytes` are those of the stream that Zeek never saw: a gap beside the flow.
//! - Blocked are TCP attempts without an answer (`S0`, `RSTOS0`) and refused ones (`REJ`). Of
//!   UDP, silence says nothing.

use egret_event::{
    BlockReason, FlowPhase, GapReason, Protocol, Timestamp, Transport, Verdict, Volume,
};

use super::field::Field;
use super::row::Row;
use crate::logs::entry::{Ends, Entry, FlowRecord, GapRecord};
use crate::logs::record::LineProblem;

pub(super) fn entry<'a>(
    row: &Row<'a>,
    beside: &mut Option<Entry<'static>>,
) -> Result<Entry<'a>, LineProblem> {
    let mut ends = row.ends()?;
    let from = ends.at;
    ends.at = from + row.span(Field::Duration).unwrap_or_default();
    let transport = transport(row)?;
    if transport == Transport::Icmp {
        // Type and code stand where the ports would.
        (ends.client.1, ends.server.1) = (0, 0);
    }
    *beside = missed(row, from, ends);
    let state = row.text(Field::ConnState).unwrap_or_default();
    Ok(Entry::Flow(FlowRecord {
        ends,
        from,
        transport,
        protocol: row.text(Field::Service).and_then(|names| protocol(&names, transport)),
        host: None,
        up: sent(row),
        down: Volume {
            bytes: row.count(Field::RespBytes),
            wire_bytes: row.count(Field::RespIpBytes),
            packets: row.packets(Field::RespPkts),
        },
        verdict: verdict(&state, transport),
        phase: phase(&state, transport),
        id: row.text(Field::Uid),
        number: 0,
    }))
}

fn transport(row: &Row<'_>) -> Result<Transport, LineProblem> {
    match row.text(Field::Proto).as_deref() {
        Some(b"tcp") => Ok(Transport::Tcp),
        Some(b"udp") => Ok(Transport::Udp),
        Some(b"icmp") => Ok(Transport::Icmp),
        Some(_) => {
            let number = row.count(Field::IpProto).and_then(|number| u8::try_from(number).ok());
            Ok(Transport::Other(number.unwrap_or(RESERVED)))
        }
        None => Err(LineProblem::Malformed("proto")),
    }
}

/// The protocol number that is never in use (IANA), for `unknown_transport`.
const RESERVED: u8 = 255;

fn missed(row: &Row<'_>, from: Timestamp, ends: Ends) -> Option<Entry<'static>> {
    let count = row.count(Field::MissedBytes).filter(|bytes| *bytes > 0)?;
    let reason = GapReason::MissedBytes;
    Some(Entry::Gap(GapRecord { reason, count, from, at: ends.at }))
}

fn sent(row: &Row<'_>) -> Volume {
    let packets = row.packets(Field::OrigPkts);
    let is_half_seen = packets == Some(0) && row.packets(Field::RespPkts) > Some(0);
    if is_half_seen {
        return Volume::UNKNOWN;
    }
    Volume {
        bytes: row.count(Field::OrigBytes),
        wire_bytes: row.count(Field::OrigIpBytes),
        packets,
    }
}

fn verdict(state: &[u8], transport: Transport) -> Verdict {
    match state {
        b"S0" | b"RSTOS0" if transport == Transport::Tcp => Verdict::Blocked(BlockReason::NoAnswer),
        b"REJ" => Verdict::Blocked(BlockReason::Reset),
        _ => Verdict::Allowed,
    }
}

/// A line is written when the flow has ended. Where no packet ended it, Zeek had waited in vain.
fn phase(state: &[u8], transport: Transport) -> FlowPhase {
    match state {
        b"SF" | b"SH" | b"SHR" if transport == Transport::Tcp => FlowPhase::Finished,
        b"REJ" | b"RSTO" | b"RSTR" | b"RSTOS0" | b"RSTRH" => FlowPhase::Reset,
        _ => FlowPhase::Idle,
    }
}

/// What is spoken: of several names (`ssl,quic`; `http,ssl` through a proxy) the outermost.
fn protocol(names: &[u8], transport: Transport) -> Option<Protocol> {
    let mut names = names.split(|byte| *byte == b',').map(|name| name.trim_ascii());
    if names.clone().any(|name| name == b"quic") {
        return Some(Protocol::Quic);
    }
    names.find_map(|name| {
        Some(match name {
            b"ssl" if transport == Transport::Udp => Protocol::Dtls,
            b"ssl" | b"tls" => Protocol::Tls,
            b"dtls" => Protocol::Dtls,
            b"http" => Protocol::Http,
            b"http2" => Protocol::Http2,
            b"dns" => Protocol::Dns,
            b"ssh" => Protocol::Ssh,
            b"smtp" => Protocol::Smtp,
            b"ftp" => Protocol::Ftp,
            b"irc" => Protocol::Irc,
            b"bittorrent" => Protocol::BitTorrent,
            b"wireguard" => Protocol::WireGuard,
            b"ntp" => Protocol::Ntp,
            b"stun" => Protocol::Stun,
            b"socks" => Protocol::Socks,
            _ => return None,
        })
    })
}
