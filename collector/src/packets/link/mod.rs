//! From a captured frame to addresses, ports and payload.
//!
//! Owns link layers, tunnels, IP and the fixed part of transport headers. It knows nothing of
//! flows. All lengths come from the IP header, bounded by what was on the wire, so that volumes
//! are right even where the capture is cut short.
//!
//! Tunnels (VXLAN, Geneve, GRE, IP in IP, GTP-U, Teredo) are peeled: the packet is the innermost one
//! that can be read. [`dissect_outer`] gives the other view.

mod ethernet;
mod frame;
mod ip;
mod meta;
mod nsh;
mod ppp;
mod transport;
mod tunnels;
mod wifi;

use std::net::IpAddr;

use egret_event::Loss;

use frame::{Frame, MAX_LAYERS};
use transport::Datagram;

/// IP protocol numbers.
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMPV6: u8 = 58;

/// How frames of a capture begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Ethernet, with or without VLAN tags.
    Ethernet,
    /// Linux "cooked" capture, version 1.
    LinuxCooked,
    /// Linux "cooked" capture, version 2.
    LinuxCooked2,
    /// An IP packet without anything before it.
    Ip,
    /// BSD loopback: an address family, then an IP packet.
    Loopback,
    /// The point-to-point protocol.
    Ppp,
    /// The point-to-point protocol in HDLC's frames, or Cisco's HDLC.
    Hdlc,
    /// PPPoE without the Ethernet header.
    Pppoe,
    /// Frame relay (RFC 2427).
    FrameRelay,
    /// IEEE 802.11.
    Wifi,
    /// IEEE 802.11 behind radiotap's header.
    Radiotap,
    /// Linux netfilter's log.
    NetfilterLog,
    /// MPLS labels.
    Mpls,
}

impl Link {
    /// From libpcap's number for a link type. `None`: it cannot be decoded.
    pub fn from_number(number: i32) -> Option<Self> {
        // DLT_RAW is 12 on most systems and 14 on OpenBSD; 101 is its number in files.
        match number {
            1 => Some(Self::Ethernet),
            0 | 108 => Some(Self::Loopback),
            9 => Some(Self::Ppp),
            12 | 14 | 101 | 228 | 229 => Some(Self::Ip),
            50 | 104 => Some(Self::Hdlc),
            51 => Some(Self::Pppoe),
            105 => Some(Self::Wifi),
            107 => Some(Self::FrameRelay),
            113 => Some(Self::LinuxCooked),
            127 => Some(Self::Radiotap),
            219 => Some(Self::Mpls),
            239 => Some(Self::NetfilterLog),
            276 => Some(Self::LinuxCooked2),
            _ => None,
        }
    }
}

/// What one frame says, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Sender, as an IPv6 address; IPv4 is mapped (`::ffff:a.b.c.d`).
    pub source: u128,
    /// Receiver, likewise.
    pub destination: u128,
    /// IP protocol number.
    pub protocol: u8,
    /// Sender's port. For ICMP echo the identifier, for other ICMP the type, else 0.
    pub source_port: u16,
    /// Receiver's port; for ICMP the same as `source_port`.
    pub destination_port: u16,
    /// TCP flags (`FIN` 1, `SYN` 2, `RST` 4, `ACK` 16), or the ICMP type.
    pub flags: u8,
    /// ICMP code.
    pub code: u8,
    /// TCP sequence number.
    pub sequence: u32,
    /// TCP acknowledgement number.
    pub acknowledged: u32,
    /// Payload of the transport protocol, as far as it was captured.
    pub payload: &'a [u8],
    /// Bytes of payload on the wire; at least `payload.len()`.
    pub payload_bytes: u32,
    /// Bytes from the IP header on, of all packets that carried it. In a tunnel, of the inner one.
    pub wire_bytes: u32,
    /// How many packets carried it: more than one where it was in fragments.
    pub packets: u32,
    /// How many tunnels it was in.
    pub layers: u8,
    /// Whether this is a part of a fragmented packet.
    pub fragment: Fragment,
}

impl Packet<'_> {
    /// The same TCP segment without the first bytes of its payload.
    #[inline]
    pub(super) fn beyond(&self, skipped: usize) -> Self {
        let fewer = clamp(skipped);
        Self {
            sequence: self.sequence.wrapping_add(fewer),
            payload_bytes: self.payload_bytes.saturating_sub(fewer),
            payload: self.payload.get(skipped..).unwrap_or_default(),
            ..*self
        }
    }
}

/// Whether a packet is a part of a fragmented one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// It is whole.
    Whole,
    /// A part: its ports are not known, and its payload is all that follows the IP header.
    Part {
        /// What all parts of a packet share.
        id: u32,
        /// Where this part belongs, in bytes.
        offset: u16,
        /// Whether no part follows it.
        is_last: bool,
    },
}

/// TCP flags.
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;

/// Dissects a frame of `wire_len` bytes, of which `bytes` were captured.
///
/// # Errors
/// Why it is not used: [`Loss::NotIp`], [`Loss::Truncated`] (the capture is cut before the ports)
/// or [`Loss::Malformed`] (which includes wireless frames that are encrypted).
#[inline]
pub fn dissect(link: Link, wire_len: u32, bytes: &[u8]) -> Result<Packet<'_>, Loss> {
    dissect_within(link, Frame::new(wire_len as usize, bytes, MAX_LAYERS))
}

/// As [`dissect`], but no tunnel is entered.
///
/// # Errors
/// As there.
pub fn dissect_outer(link: Link, wire_len: u32, bytes: &[u8]) -> Result<Packet<'_>, Loss> {
    dissect_within(link, Frame::new(wire_len as usize, bytes, 0))
}

#[inline]
fn dissect_within(link: Link, frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    match link {
        Link::Ethernet => ethernet::frame(frame),
        Link::Ip => ip::ip(frame),
        Link::LinuxCooked => ethernet::tagged(frame, 14),
        Link::LinuxCooked2 => ethernet::by_type(frame.u16_at(0)?, frame.after(20)?),
        Link::Loopback => meta::loopback(frame),
        Link::Ppp => ppp::ppp(frame),
        Link::Hdlc => ppp::hdlc(frame),
        Link::Pppoe => ethernet::pppoe(frame),
        Link::FrameRelay => meta::frame_relay(frame),
        Link::Wifi => wifi::wifi(frame),
        Link::Radiotap => wifi::radiotap(frame),
        Link::NetfilterLog => meta::netfilter_log(frame),
        Link::Mpls => ethernet::labelled(frame),
    }
}

/// The packet that an ICMP error quotes, down to its ports.
pub(super) fn dissect_quoted(bytes: &[u8]) -> Option<Packet<'_>> {
    // The quote is cut, but what was sent was whole.
    ip::quoted(Frame::new(usize::from(u16::MAX), bytes, 0))
}

/// A datagram that was put together from the fragments of `like`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assembled<'a> {
    /// One of its fragments.
    pub(super) source: u128,
    pub(super) destination: u128,
    pub(super) protocol: u8,
    /// Bytes from the IP header on, of all fragments.
    pub(super) wire_bytes: u32,
    pub(super) packets: u32,
    /// How long it is, and how much of it there is.
    pub(super) wire_len: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Assembled<'a> {
    /// As [`dissect`].
    pub(super) fn dissect(self) -> Result<Packet<'a>, Loss> {
        self.datagram(MAX_LAYERS).open()
    }

    /// As [`dissect_outer`].
    pub(super) fn dissect_outer(self) -> Result<Packet<'a>, Loss> {
        self.datagram(0).open()
    }

    fn datagram(self, most_layers: u8) -> Datagram<'a> {
        Datagram {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            may_be_extended: false,
            fragment: Fragment::Whole,
            wire_bytes: self.wire_bytes,
            packets: self.packets,
            body: Frame::new(self.wire_len, self.bytes, most_layers),
        }
    }
}

fn mapped(address: [u8; 4]) -> u128 {
    0xffff_0000_0000 | u128::from(u32::from_be_bytes(address))
}

/// The address that a [`Packet`] writes as a number.
pub(super) fn address(number: u128) -> IpAddr {
    std::net::Ipv6Addr::from(number).to_canonical()
}

fn clamp(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
