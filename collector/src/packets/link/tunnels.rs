//! Packets within packets: what is carried by IP, and by UDP to the ports of tunnels.
//!
//! A tunnel is entered only where what it carries can be read down to its ports. Everything else
//! is left to be told as the outer flow, so that nothing is hidden by looking like a tunnel.

use super::Packet;
use super::ethernet::{self, by_type};
use super::frame::Frame;
use super::ip::ip;
use super::nsh::by_number;
use super::ppp::ppp;

/// IP protocol numbers: IP in IP (RFC 2003), IPv6 in IP (RFC 4213), GRE (RFC 2784).
const IPV4_WITHIN: u8 = 4;
const IPV6_WITHIN: u8 = 41;
const GRE: u8 = 47;

/// UDP ports: VXLAN (RFC 7348), VXLAN as Linux and flannel have it, VXLAN that names what it carries
/// (VXLAN-GPE), Geneve (RFC 8926), GTP-U (3GPP TS 29.281), GRE in UDP (RFC 8086).
const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const VXLAN_NAMING: u16 = 4790;
const GENEVE: u16 = 6081;
const GTP_USER: u16 = 2152;
const GRE_IN_UDP: u16 = 4754;

/// The network of Teredo's clients (RFC 4380, section 2.6): 2001::/32.
const TEREDO_PREFIX: [u8; 4] = [0x20, 1, 0, 0];

/// Ethernet types of what GRE carries besides IP: bridged Ethernet, PPP (RFC 2637), a mirrored
/// port (ERSPAN type II).
const BRIDGED: u16 = 0x6558;
const PPP: u16 = 0x880b;
const ERSPAN_2: u16 = 0x88be;

/// GRE's flags (RFC 2784, RFC 2890, RFC 2637).
const HAS_CHECKSUM: u16 = 0x8000;
const HAS_ROUTING: u16 = 0x4000;
const HAS_KEY: u16 = 0x2000;
const HAS_SEQUENCE: u16 = 0x1000;
const HAS_ACKNOWLEDGEMENT: u16 = 0x0080;

/// Most extension headers of a GTP-U packet.
const MAX_GTP_EXTENSIONS: usize = 4;

const UDP_HEADER_BYTES: usize = 8;

/// The packet inside an IP packet of this protocol.
pub(super) fn in_ip(protocol: u8, body: Frame<'_>) -> Option<Packet<'_>> {
    match protocol {
        IPV4_WITHIN | IPV6_WITHIN => ip(body.entered()?).ok(),
        GRE => gre(body.entered()?),
        _ => None,
    }
}

/// Whether a datagram to this UDP port may be a tunnel's, or is one of Teredo's by its content.
#[inline]
pub(super) fn may_be_tunnel(port: u16, datagram: Frame<'_>) -> bool {
    matches!(port, VXLAN | VXLAN_LINUX | VXLAN_NAMING | GENEVE | GTP_USER | GRE_IN_UDP)
        || datagram.bytes.get(UDP_HEADER_BYTES).is_some_and(|first| may_start_teredo(*first))
}

/// The packet inside a UDP datagram to this port.
pub(super) fn in_udp(port: u16, datagram: Frame<'_>) -> Option<Packet<'_>> {
    let payload = datagram.after(UDP_HEADER_BYTES).ok()?.entered()?;
    match port {
        VXLAN | VXLAN_LINUX => vxlan(payload),
        VXLAN_NAMING => vxlan_naming(payload),
        GENEVE => geneve(payload),
        GTP_USER => gtp_user(payload),
        GRE_IN_UDP => gre(payload),
        _ => teredo(payload),
    }
}

fn gre(frame: Frame<'_>) -> Option<Packet<'_>> {
    let (flags, carried) = (frame.u16_at(0).ok()?, frame.u16_at(2).ok()?);
    let has = |flag: u16| usize::from(flags & flag != 0) * 4;
    let version = flags & 7;
    let skipped = 4 + has(HAS_CHECKSUM) + has(HAS_KEY) + has(HAS_SEQUENCE);
    match (version, carried) {
        _ if flags & HAS_ROUTING != 0 => None,
        (1, PPP) => ppp(frame.after(skipped + has(HAS_ACKNOWLEDGEMENT)).ok()?).ok(),
        (0, BRIDGED) => ethernet::frame(frame.after(skipped).ok()?).ok(),
        // Type I has no header of its own, and no sequence number.
        (0, ERSPAN_2) => ethernet::frame(frame.after(skipped + 2 * has(HAS_SEQUENCE)).ok()?).ok(),
        (0, kind) => by_type(kind, frame.after(skipped).ok()?).ok(),
        _ => None,
    }
}

fn vxlan(frame: Frame<'_>) -> Option<Packet<'_>> {
    // The flag that the network identifier is valid, and the byte that is reserved after it.
    let head: &[u8; 8] = frame.head().ok()?;
    let is_vxlan = head[0] & 0x08 != 0 && head[7] == 0;
    if is_vxlan { ethernet::frame(frame.after(8).ok()?).ok() } else { None }
}

/// VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe).
fn vxlan_naming(frame: Frame<'_>) -> Option<Packet<'_>> {
    // Version 0, and the flags that the network identifier and the next protocol are valid.
    let head: &[u8; 8] = frame.head().ok()?;
    let is_naming = head[0] & 0x3c == 0x0c && head[7] == 0;
    if is_naming { by_number(head[3], frame.after(8).ok()?).ok() } else { None }
}

/// Whether a datagram of Teredo's may start like this: with IPv6, or with what its servers add.
#[inline]
fn may_start_teredo(first: u8) -> bool {
    first >> 4 == 6 || first == 0
}

/// IPv6 in UDP, behind what Teredo's servers add: who sent it, and where its sender is seen (RFC
/// 4380, section 5.1.1). Clients and relays speak between any two ports, so the content decides: one
/// end is a client of Teredo's, and the packet fills the datagram.
fn teredo(mut frame: Frame<'_>) -> Option<Packet<'_>> {
    const ORIGIN_BYTES: usize = 8;
    if let [0, 1, client, value, ..] = frame.bytes {
        frame = frame.after(13 + usize::from(*client) + usize::from(*value)).ok()?;
    }
    if let [0, 0, ..] = frame.bytes {
        frame = frame.after(ORIGIN_BYTES).ok()?;
    }
    let head: &[u8; 40] = frame.head().ok()?;
    let length = 40 + usize::from(u16::from_be_bytes([head[4], head[5]]));
    let is_clients = [&head[8..12], &head[24..28]].contains(&&TEREDO_PREFIX[..]);
    if head[0] >> 4 == 6 && length == frame.wire_len && is_clients { ip(frame).ok() } else { None }
}

fn geneve(frame: Frame<'_>) -> Option<Packet<'_>> {
    let head: &[u8; 8] = frame.head().ok()?;
    let (version, options) = (head[0] >> 6, usize::from(head[0] & 0x3f) * 4);
    let is_control = head[1] & 0x80 != 0;
    if version != 0 || is_control {
        return None;
    }
    let inner = frame.after(8 + options).ok()?;
    match u16::from_be_bytes([head[2], head[3]]) {
        BRIDGED => ethernet::frame(inner).ok(),
        kind => by_type(kind, inner).ok(),
    }
}

fn gtp_user(frame: Frame<'_>) -> Option<Packet<'_>> {
    let head: &[u8; 8] = frame.head().ok()?;
    // Version 1, GTP and not GTP', and message type 255: a user's packet.
    if head[0] & 0xf0 != 0x30 || head[1] != 255 {
        return None;
    }
    if head[0] & 7 == 0 {
        return ip(frame.after(8).ok()?).ok();
    }
    let mut next = frame.u8_at(11).ok()?;
    let mut inner = frame.after(12).ok()?;
    for _ in 0..MAX_GTP_EXTENSIONS {
        if next == 0 {
            return ip(inner).ok();
        }
        let length = usize::from(inner.u8_at(0).ok()?) * 4;
        next = inner.u8_at(length.checked_sub(1)?).ok()?;
        inner = inner.after(length).ok()?;
    }
    None
}
