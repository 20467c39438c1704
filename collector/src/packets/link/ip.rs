//! IP headers of both versions, with what may stand between them and the transport.

use egret_event::Loss;
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::frame::Frame;
use super::transport::Datagram;
use super::{Fragment, Packet, clamp, mapped};

/// IP protocol numbers of IPv6 extension headers (RFC 8200, section 4; IANA's registry), and of
/// the authentication header, which IPv4 has as well.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Most extension headers in one packet: each kind once, destination options twice, and some to
/// spare.
const MAX_EXTENSIONS: usize = 12;

/// An IP packet, of the version that it says itself.
#[inline]
pub(super) fn ip(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    // Opened where it lies. To move what was just written takes as long as all else here: the
    // processor waits until the parts have reached its cache.
    match &datagram(frame) {
        Ok(datagram) => datagram.open(),
        Err(loss) => Err(*loss),
    }
}

/// The packet that an ICMP error quotes, down to its ports.
pub(super) fn quoted(frame: Frame<'_>) -> Option<Packet<'_>> {
    datagram(frame).ok()?.open_quoted()
}

#[inline]
fn datagram(frame: Frame<'_>) -> Result<Datagram<'_>, Loss> {
    match frame.u8_at(0)? >> 4 {
        4 => ipv4(frame),
        6 => ipv6(frame),
        _ => Err(Loss::Malformed),
    }
}

#[inline]
fn ipv4(frame: Frame<'_>) -> Result<Datagram<'_>, Loss> {
    let header = Ipv4HeaderSlice::from_slice(frame.bytes).map_err(|_| frame.too_short())?;
    let header_len = header.slice().len();
    // Segmentation offload leaves a total length of 0 on packets over 64 KiB.
    let total = match usize::from(header.total_len()) {
        said if said < header_len => frame.wire_len,
        said => said.min(frame.wire_len),
    };
    let (offset, is_last) = (header.fragments_offset().value() * 8, !header.more_fragments());
    let datagram = Datagram {
        source: mapped(header.source()),
        destination: mapped(header.destination()),
        protocol: header.protocol().0,
        fragment: match (offset, is_last) {
            (0, true) => Fragment::Whole,
            _ => {
                let id = u32::from(header.identification());
                Fragment::Part { id, offset, is_last }
            }
        },
        wire_bytes: clamp(total),
        packets: 1,
        body: frame.within(total).after(header_len)?,
    };
    if datagram.protocol == AUTHENTICATION && datagram.fragment == Fragment::Whole {
        return datagram.behind_extensions();
    }
    Ok(datagram)
}

fn ipv6(frame: Frame<'_>) -> Result<Datagram<'_>, Loss> {
    let header = Ipv6HeaderSlice::from_slice(frame.bytes).map_err(|_| frame.too_short())?;
    let header_len = header.slice().len();
    // A jumbogram's length stands in an option, and segmentation offload leaves 0 as well.
    let total = match usize::from(header.payload_length()) {
        0 => frame.wire_len,
        said => (header_len + said).min(frame.wire_len),
    };
    let datagram = Datagram {
        source: u128::from_be_bytes(header.source()),
        destination: u128::from_be_bytes(header.destination()),
        protocol: header.next_header().0,
        fragment: Fragment::Whole,
        wire_bytes: clamp(total),
        packets: 1,
        body: frame.within(total).after(header_len)?,
    };
    datagram.behind_extensions()
}

impl Datagram<'_> {
    /// Goes on to what follows the extension headers, or to the part of it that a fragment holds.
    fn behind_extensions(mut self) -> Result<Self, Loss> {
        for _ in 0..MAX_EXTENSIONS {
            let body = self.body;
            let length = match self.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => {
                    (usize::from(body.u8_at(1)?) + 1) * 8
                }
                AUTHENTICATION => (usize::from(body.u8_at(1)?) + 2) * 4,
                FRAGMENT => 8,
                _ => return Ok(self),
            };
            let is_fragment = self.protocol == FRAGMENT && self.note_fragment(body.head()?);
            self.protocol = body.u8_at(0)?;
            self.body = body.after(length)?;
            if is_fragment {
                // What comes next is in pieces.
                return Ok(self);
            }
        }
        Err(Loss::Malformed)
    }

    /// Whether a fragment header says that this is a part and not all (RFC 6946).
    fn note_fragment(&mut self, header: &[u8; 8]) -> bool {
        let place = u16::from_be_bytes([header[2], header[3]]);
        let (offset, is_last) = (place & !7, place & 1 == 0);
        if offset == 0 && is_last {
            return false;
        }
        let id = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        self.fragment = Fragment::Part { id, offset, is_last };
        true
    }
}
