//! A planned packet as an Ethernet frame, with right lengths and checksums.

use std::net::{IpAddr, SocketAddr};

use etherparse::icmpv4::DestUnreachableHeader as UnreachableV4;
use etherparse::icmpv6::DestUnreachableCode as UnreachableV6;
use etherparse::{
    Icmpv4Type, Icmpv6Type, IpFragOffset, IpHeaders, IpNumber, Ipv4Header, Ipv4Options,
    Ipv6FlowLabel, Ipv6Header, PacketBuilder, TcpHeader, TcpOptionElement,
};

use super::track::{Ends, Kind, Packet, Segment, Track, Way};

/// Hops that packets start with (Linux).
const HOP_LIMIT: u8 = 64;

/// Hops that answers still have when they arrive: a dozen routers away.
const HOP_LIMIT_FROM_FAR: u8 = 52;

/// Bytes of an Ethernet header.
const ETHERNET_BYTES: usize = 14;

/// The router of the executors' segment (locally administered).
const GATEWAY_MAC: [u8; 6] = [0x02, 0x42, 0, 0, 0, 1];

/// Window advertised after the handshake, before scaling: 256 KiB, more than is ever in flight.
const WINDOW: u16 = 2048;

/// Window of a SYN, which is never scaled (Linux).
const SYN_WINDOW: u16 = 64_240;

/// Shift of the window scale option (Linux).
const WINDOW_SHIFT: u8 = 7;

/// Largest segment on an Ethernet, by IP version: 1500 less 40 and less 60.
const MAX_SEGMENT: [u16; 2] = [1460, 1440];

/// Writes the frame of `packet`, the packet number `number` of `track`, over `out`.
pub(crate) fn encode(track: &Track, packet: &Packet, number: usize, out: &mut Vec<u8>) {
    out.clear();
    match packet.kind {
        Kind::Tcp(segment) => {
            let header = tcp_header(track.ends, packet.way, segment);
            let network = ip_header(track, packet.way, number, HOP_LIMIT_FROM_FAR);
            ethernet(track.ends, packet.way)
                .ip(network)
                .tcp_header(header)
                .write(out, track.payload(packet))
        }
        Kind::Udp => {
            let (from, to) = in_order(track.ends, packet.way);
            let network = ip_header(track, packet.way, number, HOP_LIMIT_FROM_FAR);
            ethernet(track.ends, packet.way)
                .ip(network)
                .udp(from.port(), to.port())
                .write(out, track.payload(packet))
        }
        Kind::Echo => {
            // A request and its reply have the same number.
            let (id, turn) = (track.ends.client.port(), (number / 2) as u16);
            let network = ip_header(track, packet.way, number, HOP_LIMIT_FROM_FAR);
            let frame = ethernet(track.ends, packet.way).ip(network);
            match packet.way {
                Way::Up => frame.icmpv4_echo_request(id, turn).write(out, track.payload(packet)),
                Way::Down => frame.icmpv4_echo_reply(id, turn).write(out, track.payload(packet)),
            }
        }
        Kind::Prohibited => return encode_prohibited(track, number, out),
    }
    .expect("a frame of at most 1514 bytes fits every length field");
}

/// The gateway's answer: ICMP "communication administratively prohibited" (RFC 1812, RFC 4443).
fn encode_prohibited(track: &Track, number: usize, out: &mut Vec<u8>) {
    let mut quoted = Vec::new();
    if let Some(first) = track.packets.first().filter(|first| first.kind != Kind::Prohibited) {
        encode(track, first, 0, &mut quoted);
    }
    let quoted = quoted.get(ETHERNET_BYTES..).unwrap_or_default();
    let mut network = ip_header(track, Way::Down, number, HOP_LIMIT);
    let frame = ethernet(track.ends, Way::Down);
    match &mut network {
        IpHeaders::Ipv4(header, _) => {
            // The first host of the executor's /16 is its router.
            header.source = header.destination;
            header.source[2..].copy_from_slice(&[0, 1]);
            let why = Icmpv4Type::DestinationUnreachable(UnreachableV4::FilterProhibited);
            frame.ip(network).icmpv4(why).write(out, quoted)
        }
        IpHeaders::Ipv6(header, _) => {
            header.source = header.destination;
            header.source[14..].copy_from_slice(&[0, 1]);
            let why = Icmpv6Type::DestinationUnreachable(UnreachableV6::Prohibited);
            frame.ip(network).icmpv6(why).write(out, quoted)
        }
    }
    .expect("a quoted SYN fits every length field");
}

fn in_order(ends: Ends, way: Way) -> (SocketAddr, SocketAddr) {
    match way {
        Way::Up => (ends.client, ends.server),
        Way::Down => (ends.server, ends.client),
    }
}

fn ethernet(ends: Ends, way: Way) -> etherparse::PacketBuilderStep<etherparse::Ethernet2Header> {
    let executor = executor_mac(ends.client.ip());
    match way {
        Way::Up => PacketBuilder::ethernet2(executor, GATEWAY_MAC),
        Way::Down => PacketBuilder::ethernet2(GATEWAY_MAC, executor),
    }
}

/// An executor's hardware address, made of its IP address as container runtimes do.
fn executor_mac(address: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            [octets[12], octets[13], octets[14], octets[15]]
        }
    };
    [0x02, 0x42, a, b, c, d]
}

fn ip_header(track: &Track, way: Way, number: usize, hops_from_far: u8) -> IpHeaders {
    let hops = match way {
        Way::Up => HOP_LIMIT,
        Way::Down => hops_from_far,
    };
    let (from, to) = in_order(track.ends, way);
    match (from.ip(), to.ip()) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => IpHeaders::Ipv6(
            Ipv6Header {
                flow_label: Ipv6FlowLabel::try_new(u32::from(track.label))
                    .expect("16 bits fit a flow label of 20"),
                hop_limit: hops,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            },
            Default::default(),
        ),
        (source, destination) => IpHeaders::Ipv4(
            Ipv4Header {
                identification: track.label.wrapping_add(number as u16),
                dont_fragment: true,
                fragment_offset: IpFragOffset::ZERO,
                time_to_live: hops,
                protocol: IpNumber::TCP,
                source: octets_v4(source),
                destination: octets_v4(destination),
                options: Ipv4Options::new(),
                ..Ipv4Header::default()
            },
            Default::default(),
        ),
    }
}

fn octets_v4(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(v4) => v4.octets(),
        // The ends of a flow are of one family; a mixed pair has no frame that could be right.
        IpAddr::V6(_) => [0; 4],
    }
}

fn tcp_header(ends: Ends, way: Way, segment: Segment) -> TcpHeader {
    let (from, to) = in_order(ends, way);
    let mut header = TcpHeader::new(from.port(), to.port(), segment.sequence, WINDOW);
    header.acknowledgment_number = segment.acknowledged;
    (header.syn, header.ack, header.psh) = (segment.syn, segment.ack, segment.psh);
    (header.fin, header.rst) = (segment.fin, segment.rst);
    let clock = TcpOptionElement::Timestamp(segment.clock.0, segment.clock.1);
    let set = if segment.syn {
        header.window_size = SYN_WINDOW;
        header.set_options(&[
            TcpOptionElement::MaximumSegmentSize(MAX_SEGMENT[usize::from(from.is_ipv6())]),
            TcpOptionElement::SelectiveAcknowledgementPermitted,
            clock,
            TcpOptionElement::Noop,
            TcpOptionElement::WindowScale(WINDOW_SHIFT),
        ])
    } else if segment.rst {
        header.window_size = 0;
        Ok(())
    } else {
        header.set_options(&[TcpOptionElement::Noop, TcpOptionElement::Noop, clock])
    };
    set.expect("20 bytes of options fit a TCP header");
    header
}
