//! Initial packets as clients make them, for tests.

use super::keys::{Keys, initial_type};

/// A packet before it is protected.
#[derive(Clone, Copy)]
pub(in crate::packets) struct Plain<'a> {
    pub(in crate::packets) version: u32,
    /// The id that it is sent to.
    pub(in crate::packets) id: &'a [u8],
    /// The id that the keys come from.
    pub(in crate::packets) original: &'a [u8],
    pub(in crate::packets) number: u32,
    pub(in crate::packets) frames: &'a [u8],
}

/// The packet as it is sent (RFC 9001, section 5).
pub(in crate::packets) fn seal(plain: &Plain<'_>) -> Vec<u8> {
    let keys = Keys::of_client(plain.version, plain.original).unwrap();
    let mut packet = vec![0xc3 | initial_type(plain.version) << 4];
    packet.extend(plain.version.to_be_bytes());
    packet.push(plain.id.len() as u8);
    packet.extend(plain.id);
    // No id of the client's own, and no token.
    packet.extend([0, 0]);
    packet.extend((0x4000 | (4 + plain.frames.len() + 16) as u16).to_be_bytes());
    let number_at = packet.len();
    packet.extend(plain.number.to_be_bytes());
    let content = keys.seal(plain.number.into(), &packet, plain.frames.to_vec());
    packet.extend(content);
    let mask = keys.mask(&packet[number_at + 4..number_at + 20]).unwrap();
    packet[0] ^= mask[0] & 15;
    for (byte, mask) in packet[number_at..].iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
    }
    packet
}
