//! From a captured frame to addresses, ports and payload.
//!
//! Owns link layers, IP and the fixed part of transport headers. It knows nothing of flows. All
//! lengths come from the IP header, bounded by what was on the wire, so that volumes are right
//! even where the capture is cut short.

use std::net::IpAddr;

use egret_event::Loss;
use etherparse::{LaxIpv4Slice, LaxIpv6Slice};

/// Ethernet types.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Most VLAN tags in one frame; more is no network but an attack on the parser.
const MAX_VLAN_TAGS: usize = 4;

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
}

impl Link {
    /// From libpcap's number for a link type. `None`: it cannot be decoded.
    pub fn from_number(number: i32) -> Option<Self> {
        // DLT_RAW is 12 on most systems and 14 on OpenBSD; 101 is its number in files.
        match number {
            1 => Some(Self::Ethernet),
            0 | 108 => Some(Self::Loopback),
            12 | 14 | 101 | 228 | 229 => Some(Self::Ip),
            113 => Some(Self::LinuxCooked),
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
    /// Bytes from the IP header on.
    pub wire_bytes: u32,
    /// Whether this is a part of a fragmented packet.
    pub fragment: Fragment,
}

/// Whether a packet is a part of a fragmented one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// It is whole.
    Whole,
    /// The first part, which has the transport header; with the identification.
    First(u32),
    /// A later part: its ports are not known.
    Later(u32),
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
/// or [`Loss::Malformed`].
pub fn dissect(link: Link, wire_len: u32, bytes: &[u8]) -> Result<Packet<'_>, Loss> {
    let frame = Frame { wire_len: (wire_len as usize).max(bytes.len()), bytes };
    let inner = match link {
        Link::Ethernet => tagged(frame, 12),
        Link::LinuxCooked => tagged(frame, 14),
        Link::LinuxCooked2 => match frame.u16_at(0)? {
            IPV4 | IPV6 => ip(frame.after(20)?),
            tag if VLAN_TAGS.contains(&tag) => tagged(frame.after(20)?, 2),
            _ => Err(Loss::NotIp),
        },
        Link::Ip => ip(frame),
        Link::Loopback => loopback(frame),
    };
    inner?.packet()
}

/// The packet that an ICMP error quotes, down to its ports: a quote need not hold more than the
/// first eight bytes of the transport header.
pub(super) fn dissect_quoted(bytes: &[u8]) -> Option<Packet<'_>> {
    // The quote is cut, but what was sent was whole.
    let inner = ip(Frame { wire_len: usize::from(u16::MAX), bytes }).ok()?;
    let mut packet = inner.without_transport();
    let head: [u8; 8] = *inner.bytes.first_chunk()?;
    match inner.protocol {
        TCP | UDP => {
            packet.source_port = u16::from_be_bytes([head[0], head[1]]);
            packet.destination_port = u16::from_be_bytes([head[2], head[3]]);
        }
        ICMP | ICMPV6 => {
            inner.icmp(&mut packet).ok()?;
        }
        _ => {}
    }
    Some(packet)
}

/// Captured bytes, with the length they had on the wire.
#[derive(Clone, Copy)]
struct Frame<'a> {
    wire_len: usize,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What is missing here: cut off by the capture, or never there.
    fn too_short(self) -> Loss {
        if self.bytes.len() < self.wire_len { Loss::Truncated } else { Loss::Malformed }
    }

    fn u16_at(self, offset: usize) -> Result<u16, Loss> {
        let pair = self.bytes.get(offset..offset + 2).ok_or_else(|| self.too_short())?;
        Ok(u16::from_be_bytes([pair[0], pair[1]]))
    }

    fn after(self, skipped: usize) -> Result<Self, Loss> {
        let bytes = self.bytes.get(skipped..).ok_or_else(|| self.too_short())?;
        Ok(Self { wire_len: self.wire_len - skipped, bytes })
    }
}

/// A frame whose ethernet type is at `offset`, perhaps behind VLAN tags.
fn tagged(frame: Frame<'_>, mut offset: usize) -> Result<Inner<'_>, Loss> {
    for _ in 0..=MAX_VLAN_TAGS {
        match frame.u16_at(offset)? {
            IPV4 | IPV6 => return ip(frame.after(offset + 2)?),
            tag if VLAN_TAGS.contains(&tag) => offset += 4,
            _ => return Err(Loss::NotIp),
        }
    }
    Err(Loss::Malformed)
}

fn loopback(frame: Frame<'_>) -> Result<Inner<'_>, Loss> {
    let family = frame.bytes.get(..4).ok_or_else(|| frame.too_short())?;
    // The family is in the byte order of the machine that captured, and each system has its own
    // number for IPv6. What follows says its version itself.
    match [family[0] | family[3], family[1] | family[2]] {
        [2 | 10 | 24 | 28 | 30, 0] => ip(frame.after(4)?),
        _ => Err(Loss::NotIp),
    }
}

fn ip(frame: Frame<'_>) -> Result<Inner<'_>, Loss> {
    match frame.bytes.first().ok_or_else(|| frame.too_short())? >> 4 {
        4 => ipv4(frame),
        6 => ipv6(frame),
        _ => Err(Loss::Malformed),
    }
}

fn ipv4(frame: Frame<'_>) -> Result<Inner<'_>, Loss> {
    let (slice, _) = LaxIpv4Slice::from_slice(frame.bytes).map_err(|_| frame.too_short())?;
    let header = slice.header();
    // Segmentation offload leaves a total length of 0 on packets over 64 KiB.
    let total = match usize::from(header.total_len()) {
        said if said < header.slice().len() => frame.wire_len,
        said => said.min(frame.wire_len),
    };
    let authentication = slice.extensions().auth.map_or(0, |auth| auth.slice().len());
    let id = u32::from(header.identification());
    Ok(Inner {
        source: mapped(header.source()),
        destination: mapped(header.destination()),
        protocol: slice.payload_ip_number().0,
        fragment: match (slice.is_payload_fragmented(), header.fragments_offset().value()) {
            (false, _) => Fragment::Whole,
            (true, 0) => Fragment::First(id),
            (true, _) => Fragment::Later(id),
        },
        wire_bytes: total,
        wire_len: total.saturating_sub(header.slice().len() + authentication),
        bytes: slice.payload().payload,
    })
}

fn ipv6(frame: Frame<'_>) -> Result<Inner<'_>, Loss> {
    let (slice, _) = LaxIpv6Slice::from_slice(frame.bytes).map_err(|_| frame.too_short())?;
    let header = slice.header();
    let fixed = header.slice().len();
    let total = match usize::from(header.payload_length()) {
        0 => frame.wire_len,
        said => (fixed + said).min(frame.wire_len),
    };
    let fragment = if slice.extensions().is_fragmenting_payload() {
        ipv6_fragment(&slice)
    } else {
        Fragment::Whole
    };
    Ok(Inner {
        source: u128::from_be_bytes(header.source()),
        destination: u128::from_be_bytes(header.destination()),
        protocol: slice.payload().ip_number.0,
        fragment,
        wire_bytes: total,
        wire_len: total.saturating_sub(fixed + slice.extensions().slice().len()),
        bytes: slice.payload().payload,
    })
}

fn ipv6_fragment(slice: &LaxIpv6Slice<'_>) -> Fragment {
    let parts = slice.extensions().clone().into_iter().find_map(|extension| match extension {
        etherparse::Ipv6ExtensionSlice::Fragment(header) => Some(header),
        _ => None,
    });
    match parts {
        Some(header) if header.fragment_offset().value() == 0 => {
            Fragment::First(header.identification())
        }
        Some(header) => Fragment::Later(header.identification()),
        None => Fragment::Whole,
    }
}

fn mapped(address: [u8; 4]) -> u128 {
    0xffff_0000_0000 | u128::from(u32::from_be_bytes(address))
}

/// The address that a [`Packet`] writes as a number.
pub(super) fn address(number: u128) -> IpAddr {
    std::net::Ipv6Addr::from(number).to_canonical()
}

/// The number by which a [`Packet`] writes an address.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// An IP packet without its headers.
struct Inner<'a> {
    source: u128,
    destination: u128,
    protocol: u8,
    fragment: Fragment,
    wire_bytes: usize,
    wire_len: usize,
    bytes: &'a [u8],
}

impl<'a> Inner<'a> {
    fn without_transport(&self) -> Packet<'a> {
        Packet {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            source_port: 0,
            destination_port: 0,
            flags: 0,
            code: 0,
            sequence: 0,
            acknowledged: 0,
            payload: &[],
            payload_bytes: 0,
            wire_bytes: clamp(self.wire_bytes),
            fragment: self.fragment,
        }
    }

    fn packet(self) -> Result<Packet<'a>, Loss> {
        let mut packet = self.without_transport();
        let header_len = if matches!(self.fragment, Fragment::Later(_)) {
            0
        } else {
            match self.protocol {
                TCP => self.tcp(&mut packet)?,
                UDP => self.udp(&mut packet)?,
                ICMP | ICMPV6 => self.icmp(&mut packet)?,
                _ => 0,
            }
        };
        packet.payload = self.bytes.get(header_len..).unwrap_or(&[]);
        packet.payload_bytes = clamp(self.wire_len.saturating_sub(header_len));
        packet.payload = &packet.payload[..packet.payload.len().min(packet.payload_bytes as usize)];
        Ok(packet)
    }

    /// The first `N` bytes of the transport header. Only these are asked for, and not the whole
    /// header, so that a capture cut within the options is still of use.
    fn head<const N: usize>(&self) -> Result<&'a [u8; N], Loss> {
        let frame = Frame { wire_len: self.wire_len, bytes: self.bytes };
        self.bytes.first_chunk().ok_or_else(|| frame.too_short())
    }

    fn tcp(&self, packet: &mut Packet<'_>) -> Result<usize, Loss> {
        let head: &[u8; 14] = self.head()?;
        packet.source_port = u16::from_be_bytes([head[0], head[1]]);
        packet.destination_port = u16::from_be_bytes([head[2], head[3]]);
        packet.sequence = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        packet.acknowledged = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        packet.flags = head[13];
        match usize::from(head[12] >> 4) * 4 {
            header_len @ 20.. => Ok(header_len),
            _ => Err(Loss::Malformed),
        }
    }

    fn udp(&self, packet: &mut Packet<'_>) -> Result<usize, Loss> {
        let head: &[u8; 4] = self.head()?;
        packet.source_port = u16::from_be_bytes([head[0], head[1]]);
        packet.destination_port = u16::from_be_bytes([head[2], head[3]]);
        Ok(8)
    }

    fn icmp(&self, packet: &mut Packet<'_>) -> Result<usize, Loss> {
        let head: &[u8; 2] = self.head()?;
        packet.flags = head[0];
        packet.code = head[1];
        let identifier = match self.bytes.get(4..6) {
            Some(id) if is_echo(self.protocol, head[0]) => u16::from_be_bytes([id[0], id[1]]),
            _ => u16::from(head[0]),
        };
        packet.source_port = identifier;
        packet.destination_port = identifier;
        Ok(8)
    }
}

fn is_echo(protocol: u8, kind: u8) -> bool {
    matches!((protocol, kind), (ICMP, 0 | 8) | (ICMPV6, 128 | 129))
}

fn clamp(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
