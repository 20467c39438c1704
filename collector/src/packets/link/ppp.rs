//! Links that are lines: PPP and Cisco's HDLC.

use egret_event::Loss;

use super::Packet;
use super::ethernet::{by_type, labelled};
use super::frame::Frame;
use super::ip::ip;

/// PPP protocol numbers.
const IPV4: u16 = 0x0021;
const IPV6: u16 = 0x0057;
const MPLS: u16 = 0x0281;
const MPLS_MULTICAST: u16 = 0x0283;

/// A PPP frame (RFC 1661), with address and control (RFC 1662) or without.
pub(super) fn ppp(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    let frame = match frame.bytes {
        // From the station, to the station: what some captures put in their place.
        [0xff | 0x0f | 0x8f, 3 | 0, ..] => frame.after(2)?,
        _ => frame,
    };
    // An odd first byte is a protocol number made shorter.
    let first = frame.u8_at(0)?;
    let (protocol, length) =
        if first & 1 == 1 { (u16::from(first), 1) } else { (frame.u16_at(0)?, 2) };
    match protocol {
        IPV4 | IPV6 => ip(frame.after(length)?),
        MPLS | MPLS_MULTICAST => labelled(frame.after(length)?),
        _ => Err(Loss::NotIp),
    }
}

/// PPP in HDLC's frames, or Cisco's own: address and control, then an ethernet type. The two share
/// a link type, and the address tells them apart.
pub(super) fn hdlc(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    match frame.u8_at(0)? {
        0xff => ppp(frame),
        0x0f | 0x8f => by_type(frame.u16_at(2)?, frame.after(4)?),
        _ => Err(Loss::NotIp),
    }
}
