//! IP headers of both versions, with what may stand between them and the transport.

use egret_event::Loss;
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::frame::Frame;
use super::transport::Datagram;
use super::{Fragment, Packet, TCP, UDP, clamp, mapped};

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
    // Opened where it lies. To move what was just written takes several times as long as to write
    // it: the processor waits until all parts of it have reached its cache.
    match &datagram(frame) {
        Ok(datagram) if datagram.may_be_extended => datagram.behind_extensions()?.open(),
        Ok(datagram) => datagram.open(),
        Err(loss) => Err(*loss),
    }
}

/// The packet that an ICMP error quotes, down to its ports.
pub(super) fn quoted(frame: Frame<'_>) -> Option<Packet<'_>> {
    let datagram = datagram(frame).ok()?;
    if datagram.may_be_extended {
        return datagram.behind_extensions().ok()?.open_quoted();
    }
    datagram.open_quoted()
}

/// What an IP packet says in its own header.
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
    let is_whole = offset == 0 && is_last;
    let protocol = header.protocol().0;
    Ok(Datagram {
        source: mapped(header.source()),
        destination: mapped(header.destination()),
        protocol,
        may_be_extended: is_whole && protocol == AUTHENTICATION,
        fragment: if is_whole {
            Fragment::Whole
        } else {
            Fragment::Part { id: u32::from(header.identification()), offset, is_last }
        },
        wire_bytes: clamp(total),
        packets: 1,
        body: frame.within(total).after(header_len)?,
    })
}

fn ipv6(frame: Frame<'_>) -> Result<Datagram<'_>, Loss> {
    let header = Ipv6HeaderSlice::from_slice(frame.bytes).map_err(|_| frame.too_short())?;
    let header_len = header.slice().len();
    // A jumbogram's length stands in an option, and segmentation offload leaves 0 as well.
    let total = match usize::from(header.payload_length()) {
        0 => frame.wire_len,
        said => (header_len + said).min(frame.wire_len),
    };
    let protocol = header.next_header().0;
    Ok(Datagram {
        source: u128::from_be_bytes(header.source()),
        destination: u128::from_be_bytes(header.destination()),
        protocol,
        may_be_extended: !matches!(protocol, TCP | UDP),
        fragment: Fragment::Whole,
        wire_bytes: clamp(total),
        packets: 1,
        body: frame.within(total).after(header_len)?,
    })
}

impl Datagram<'_> {
    /// Goes on to what follows the extension headers, or to the part of it that a fragment holds.
    fn behind_extensions(&self) -> Result<Self, Loss> {
        let mut behind = Self { may_be_extended: false, ..*self };
        for _ in 0..MAX_EXTENSIONS {
            let body = behind.body;
            let length = match behind.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => {
                    (usize::from(body.u8_at(1)?) + 1) * 8
                }
                AUTHENTICATION => (usize::from(body.u8_at(1)?) + 2) * 4,
                FRAGMENT => 8,
                _ => return Ok(behind),
            };
            let is_fragment = behind.protocol == FRAGMENT && behind.note_fragment(body.head()?);
            behind.protocol = body.u8_at(0)?;
            behind.body = body.after(length)?;
            if is_fragment {
                // What comes next is in pieces.
                return Ok(behind);
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
