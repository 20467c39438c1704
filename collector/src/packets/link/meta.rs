//! Link types that are short headers before IP: loopback, frame relay, netfilter's log.

use egret_event::Loss;

use super::Packet;
use super::frame::Frame;
use super::ip::ip;

/// BSD loopback.
pub(super) fn loopback(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    let family: &[u8; 4] = frame.head()?;
    // The family is in the byte order of the machine that captured, and each system has its own
    // number for IPv6. What follows says its version itself.
    match [family[0] | family[3], family[1] | family[2]] {
        [2 | 10 | 24 | 28 | 30, 0] => ip(frame.after(4)?),
        _ => Err(Loss::NotIp),
    }
}

/// Frame relay with an address of two bytes (RFC 2427).
pub(super) fn frame_relay(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    // The last byte of an address is odd.
    const IPV4: u8 = 0xcc;
    const IPV6: u8 = 0x8e;
    const SNAP: u8 = 0x80;
    match frame.bytes {
        [first, second, 3, IPV4 | IPV6, ..] if first & 1 == 0 && second & 1 == 1 => {
            ip(frame.after(4)?)
        }
        // A byte of padding, then SNAP with an ethernet type.
        [first, second, 3, 0, SNAP, 0, 0, 0, 0x08, 0x00, ..]
        | [first, second, 3, 0, SNAP, 0, 0, 0, 0x86, 0xdd, ..]
            if first & 1 == 0 && second & 1 == 1 =>
        {
            ip(frame.after(10)?)
        }
        _ => Err(Loss::NotIp),
    }
}

/// Netfilter's log: fields of (length, kind, value), of which one is the packet.
pub(super) fn netfilter_log(frame: Frame<'_>) -> Result<Packet<'_>, Loss> {
    const HEADER_BYTES: usize = 4;
    const PAYLOAD: u16 = 9;
    /// There are not so many kinds.
    const MAX_FIELDS: usize = 32;
    let mut rest = frame.after(HEADER_BYTES)?;
    for _ in 0..MAX_FIELDS {
        let head: &[u8; 4] = rest.head()?;
        // In the byte order of the machine that captured.
        let (little, big) = ([head[0], head[1]], [head[2], head[3]]);
        let is_little = head[3] == 0;
        let [length, kind] = [little, big].map(|pair| {
            if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
        });
        let length = usize::from(length);
        if length < 4 {
            return Err(Loss::Malformed);
        }
        if kind & 0x7fff == PAYLOAD {
            return ip(rest.after(4)?.within(length - 4));
        }
        rest = rest.after(length.next_multiple_of(4))?;
    }
    Err(Loss::Malformed)
}
