//! Reads a capture back by other means than those that wrote it, and checks every length and
//! checksum on the way.

use std::net::IpAddr;
use std::path::Path;

use egret_event::Timestamp;
use etherparse::{Icmpv4Type, IpPayloadSlice, NetSlice, SlicedPacket, TransportSlice};

use crate::simulate::wire::track::Way;

/// What a packet of the capture shows.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) way: Way,
    pub(super) executor: IpAddr,
    pub(super) peer: IpAddr,
    /// The executor's port, the other side and its port; `None` for ICMP
    /// errors.
    pub(super) flow: Option<(u16, IpAddr, u16)>,
    pub(super) payload_bytes: u64,
    /// The first SYN of a connection, or one sent again.
    pub(super) opens: bool,
    pub(super) resets: bool,
    /// The place that an ICMP message says is prohibited.
    pub(super) prohibits: Option<IpAddr>,
}

/// Reads a capture in nanosecond pcap.
pub(super) fn read_capture(path: &Path) -> Vec<Seen> {
    let bytes = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_3c4d);
    assert_eq!(word(20), 1, "not Ethernet");
    let mut seen = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let moment = Timestamp::from_parts(i64::from(word(at)), i64::from(word(at + 4)));
        let length = word(at + 8) as usize;
        assert_eq!(word(at + 12) as usize, length, "cut short");
        let frame = &bytes[at + 16..at + 16 + length];
        assert!(length <= 1514, "longer than an Ethernet frame");
        seen.push(read_frame(moment, frame));
        at += 16 + length;
    }
    seen
}

fn read_frame(at: Timestamp, frame: &[u8]) -> Seen {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let (from, to) = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            assert_eq!(internet_sum(ip.header().slice()), 0xffff, "header checksum");
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Ipv6(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Arp(_) => panic!("no scenario resolves hardware addresses"),
    };
    let way = if is_executor(from) { Way::Up } else { Way::Down };
    let (executor, peer) = if way == Way::Up { (from, to) } else { (to, from) };
    let mut seen = Seen {
        at,
        way,
        executor,
        peer,
        flow: None,
        payload_bytes: 0,
        opens: false,
        resets: false,
        prohibits: None,
    };
    let message = packet.ip_payload().unwrap();
    if !matches!(packet.transport, Some(TransportSlice::Icmpv4(_))) {
        let covered = [&pseudo_header(from, to, message)[..], message.payload].concat();
        assert_eq!(internet_sum(&covered), 0xffff, "checksum of {seen:?}");
    }
    read_transport(packet.transport.as_ref().unwrap(), &mut seen);
    seen
}

fn is_executor(address: IpAddr) -> bool {
    let text = address.to_string();
    (text.starts_with("10.20.") && text != "10.20.0.1") || text.starts_with("fd00:20::")
}

fn read_transport(transport: &TransportSlice<'_>, seen: &mut Seen) {
    let (source, destination, payload) = match transport {
        TransportSlice::Tcp(tcp) => {
            (seen.opens, seen.resets) = (tcp.syn() && !tcp.ack(), tcp.rst());
            (tcp.source_port(), tcp.destination_port(), tcp.payload())
        }
        TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port(), udp.payload()),
        TransportSlice::Icmpv4(icmp) => {
            assert_eq!(internet_sum(icmp.slice()), 0xffff, "checksum of {seen:?}");
            if let Icmpv4Type::EchoRequest(echo) | Icmpv4Type::EchoReply(echo) = icmp.icmp_type() {
                seen.payload_bytes = icmp.payload().len() as u64;
                seen.flow = Some((echo.id, seen.peer, 0));
                return;
            }
            assert!(matches!(icmp.icmp_type(), Icmpv4Type::DestinationUnreachable(_)));
            let quoted = <[u8; 4]>::try_from(&icmp.payload()[16..20]).unwrap();
            seen.prohibits = Some(quoted.into());
            return;
        }
        other => panic!("no scenario sends {other:?}"),
    };
    seen.payload_bytes = payload.len() as u64;
    let port = |own: bool| if own { source } else { destination };
    let up = seen.way == Way::Up;
    seen.flow = Some((port(up), seen.peer, port(!up)));
}

/// What TCP and UDP checksums cover beside the message (RFC 9293, RFC 8200).
fn pseudo_header(from: IpAddr, to: IpAddr, message: &IpPayloadSlice<'_>) -> Vec<u8> {
    let mut header = Vec::new();
    for address in [from, to] {
        match address {
            IpAddr::V4(v4) => header.extend(v4.octets()),
            IpAddr::V6(v6) => header.extend(v6.octets()),
        }
    }
    header.extend((message.payload.len() as u32).to_be_bytes());
    header.extend([0, 0, 0, message.ip_number.0]);
    header
}

/// The ones' complement sum of RFC 1071: all ones over a message whose checksum is right.
fn internet_sum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
