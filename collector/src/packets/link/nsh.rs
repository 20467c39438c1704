//! The network service header (RFC 8300), which a chain of services reads and takes off.

use egret_event::Loss;

use super::Packet;
use super::ethernet::{entered, frame, labelled};
use super::frame::Frame;
use super::ip::ip;

/// What can follow (RFC 8300, section 2.2; the extension of VXLAN that names what it carries, has
/// the same numbers).
const IPV4: u8 = 1;
const IPV6: u8 = 2;
const ETHERNET: u8 = 3;
const NSH: u8 = 4;
const MPLS: u8 = 5;

/// A packet behind its service header.
pub(super) fn nsh(header: Frame<'_>) -> Result<Packet<'_>, Loss> {
    let head: &[u8; 4] = header.head()?;
    // In words, this one included.
    let length = usize::from(head[1] & 0x3f) * 4;
    if head[0] >> 6 != 0 || length < 8 {
        return Err(Loss::Malformed);
    }
    by_number(head[3], header.after(length)?)
}

/// What a header of this kind says it carries.
pub(super) fn by_number(next: u8, carried: Frame<'_>) -> Result<Packet<'_>, Loss> {
    match next {
        IPV4 | IPV6 => ip(carried),
        ETHERNET => frame(carried),
        NSH => nsh(entered(carried)?),
        MPLS => labelled(carried),
        _ => Err(Loss::NotIp),
    }
}
