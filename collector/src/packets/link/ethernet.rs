//! Ethernet and what can stand between its addresses and IP: tags, labels, service headers, LLC,
//! PPPoE, Ethernet in Ethernet.

use egret_event::Loss;

use super::Packet;
use super::frame::Frame;
use super::ip::ip;
use super::nsh::nsh;
use super::ppp::ppp;

/// Ethernet types.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const NSH: u16 = 0x894f;

/// Ethernet in Ethernet: provider backbone bridges (802.1ah), whose header has four more bytes, and
/// Cisco's FabricPath, which has two.
const BACKBONE: u16 = 0x88e7;
const FABRIC_PATH: u16 = 0x8903;

/// 802.1Q, 802.1ad and its forerunners.
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const OLD_SERVICE_VLANS: [u16; 2] = [0x9100, 0x9200];

/// Between a switch and the network card of a virtual machine (802.1BR's forerunner).
const VN_TAG: u16 = 0x8926;

/// Up to here the field is a length, and LLC follows (IEEE 802.3).
const MOST_LENGTH: u16 = 1500;

/// Most tags in one frame; more is no network but an attack on the parser.
const MAX_TAGS: usize = 5;

/// Most MPLS labels in one stack.
const MAX_LABELS: usize = 16;

/// A frame that begins with its addresses.
#[inline]
pub(super) fn frame(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    tagged(frame, 12)
}

/// A frame whose ethernet type is at `offset`, perhaps behind VLAN tags.
#[inline]
pub(super) fn tagged(frame: Frame<'_>, offset: usize) -> Result<Packet<'_>, Loss> {
    match frame.u16_at(offset)? {
        IPV4 | IPV6 => ip(frame.after(offset + 2)?),
        kind => by_type(kind, frame.after(offset + 2)?),
    }
}

/// What follows the ethernet type `kind`.
pub(super) fn by_type(mut kind: u16, mut frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    for _ in 0..=MAX_TAGS {
        // Of a tag the ethernet type of what it is on is the last.
        let tag_bytes = match kind {
            IPV4 | IPV6 => return ip(frame),
            VLAN | SERVICE_VLAN => 4,
            tag if OLD_SERVICE_VLANS.contains(&tag) => 4,
            VN_TAG => 6,
            MPLS | MPLS_MULTICAST => return labelled(frame),
            PPPOE_SESSION => return pppoe(frame),
            NSH => return nsh(entered(frame)?),
            BACKBONE => return self::frame(entered(frame)?.after(4)?),
            FABRIC_PATH => return self::frame(entered(frame)?.after(2)?),
            length if length <= MOST_LENGTH => return llc(frame),
            _ => return Err(Loss::NotIp),
        };
        kind = frame.u16_at(tag_bytes - 2)?;
        frame = frame.after(tag_bytes)?;
    }
    Err(Loss::Malformed)
}

/// One frame further in, which could go on for ever.
pub(super) fn entered(frame: Frame<'_>) -> Result<Frame<'_>, Loss> {
    frame.entered().ok_or(Loss::Malformed)
}

/// Logical link control (IEEE 802.2), of which only SNAP carries IP in practice (RFC 1042).
pub(super) fn llc(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    match frame.bytes {
        [0xaa, 0xaa, 3, 0, 0, _, high, low, ..] => {
            match u16::from_be_bytes([*high, *low]) {
                // No second LLC within the first.
                length if length <= MOST_LENGTH => Err(Loss::NotIp),
                kind => by_type(kind, frame.after(8)?),
            }
        }
        _ => Err(Loss::NotIp),
    }
}

/// An MPLS label stack (RFC 3032). It does not say what it carries: IP is told by its version, and
/// anything else is taken for Ethernet.
pub(super) fn labelled(mut frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    for _ in 0..MAX_LABELS {
        let is_last = frame.u8_at(2)? & 1 != 0;
        frame = frame.after(4)?;
        if is_last {
            return match frame.u8_at(0)? >> 4 {
                4 | 6 => ip(frame),
                _ => pseudowire(entered(frame)?),
            };
        }
    }
    Err(Loss::Malformed)
}

/// Ethernet behind MPLS labels, with a control word that starts with 0 (RFC 4385) or without.
fn pseudowire(inner: Frame<'_>) -> Result<Packet<'_>, Loss> {
    let has_control = inner.u8_at(0)? >> 4 == 0;
    if has_control && let Ok(packet) = frame(inner.after(4)?) {
        return Ok(packet);
    }
    frame(inner)
}

/// PPP over Ethernet (RFC 2516), in a session.
pub(super) fn pppoe(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    const VERSION_AND_TYPE: u8 = 0x11;
    if frame.u8_at(0)? != VERSION_AND_TYPE {
        return Err(Loss::Malformed);
    }
    ppp(frame.after(6)?)
}
