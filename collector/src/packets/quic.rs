//! QUIC Initial packets as clients send them: the pieces of the TLS hello inside.
//!
//! Owns the packet format (RFC 9000, RFC 9369, Google's before them), and the keys that anybody
//! who sees the first packet can work out (RFC 9001, section 5.2). It buffers nothing: the pieces
//! may come in any order, and the caller puts them together.

mod google;
mod keys;

use super::tls::Reader;
pub use google::{client_hello as google_hello, values as google_values};
use keys::Keys;

/// Longest connection id (RFC 9000, section 17.2), in bytes.
const MAX_ID_BYTES: usize = 20;

/// Bytes of the authentication tag that a packet ends with.
const TAG_BYTES: usize = 16;

/// What is taken as a sample for header protection, and how far after the start of the packet
/// number it begins (RFC 9001, section 5.4.2).
const SAMPLE_BYTES: usize = 16;
const SAMPLE_AT: usize = 4;

/// What the keys of a connection's Initial packets come from: the version, and the id that the
/// client made up for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    version: u32,
    id: [u8; MAX_ID_BYTES],
    id_bytes: u8,
}

impl Origin {
    fn id(&self) -> &[u8] {
        &self.id[..usize::from(self.id_bytes)]
    }
}

/// An Initial packet, still protected.
#[derive(Debug, Clone, Copy)]
pub struct Initial<'a> {
    /// What its keys come from, if the client has not yet heard from the server, or was told to try
    /// again.
    pub origin: Origin,
    /// From the first byte of its header to its end.
    bytes: &'a [u8],
    /// Where the packet number starts.
    number_at: usize,
}

/// Whether a datagram may start with an Initial packet of a known version. Few comparisons, for the
/// fast path.
#[inline]
pub fn may_start_initial(datagram: &[u8]) -> bool {
    match datagram {
        [first, a, b, c, d, ..] if first & 0xc0 == 0xc0 => {
            keys::is_known(u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => false,
    }
}

/// The Initial packets of a datagram, which may hold several and others besides.
pub fn initials(datagram: &[u8]) -> impl Iterator<Item = Initial<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let Some((initial, after)) = long_packet(rest) else {
                rest = &[];
                break;
            };
            rest = after;
            if initial.is_some() {
                return initial;
            }
        }
        None
    })
}

/// The packet with a long header at the start of `bytes`, if it is an Initial, and what comes
/// after it.
fn long_packet(bytes: &[u8]) -> Option<(Option<Initial<'_>>, &[u8])> {
    let mut rest = Reader(bytes);
    let first = rest.u8()?;
    let version = u32::from(rest.u16()?) << 16 | u32::from(rest.u16()?);
    if first & 0xc0 != 0xc0 || !keys::is_known(version) {
        return None;
    }
    let id = rest.short_block()?.0;
    rest.short_block()?;
    let is_initial = first >> 4 & 3 == keys::initial_type(version);
    if is_initial {
        let token_bytes = varint(&mut rest)?;
        rest.take(token_bytes)?;
    }
    let length = varint(&mut rest)?;
    let number_at = bytes.len() - rest.0.len();
    rest.take(length)?;
    if !is_initial {
        return Some((None, rest.0));
    }
    let mut origin = Origin { version, id: [0; MAX_ID_BYTES], id_bytes: id.len() as u8 };
    origin.id.get_mut(..id.len())?.copy_from_slice(id);
    let bytes = &bytes[..bytes.len() - rest.0.len()];
    Some((Some(Initial { origin, bytes, number_at }), rest.0))
}

impl Initial<'_> {
    /// Takes the protection off with the client's keys that come from `origin`. Returns the frames.
    /// `None`: the keys do not fit, or the packet is damaged.
    pub fn open(&self, origin: &Origin) -> Option<Vec<u8>> {
        let keys = Keys::of_client(origin.version, origin.id())?;
        let sample_at = self.number_at + SAMPLE_AT;
        let mask = keys.mask(self.bytes.get(sample_at..sample_at + SAMPLE_BYTES)?)?;
        let mut packet = self.bytes.to_vec();
        packet[0] ^= mask[0] & 0x0f;
        let number_bytes = usize::from(packet[0] & 3) + 1;
        let mut number = 0;
        for (byte, mask) in packet[self.number_at..].iter_mut().zip(&mask[1..]).take(number_bytes) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }
        let content = packet.split_off(self.number_at + number_bytes);
        if content.len() < TAG_BYTES {
            return None;
        }
        keys.open(number, &packet, content)
    }
}

/// Gives the pieces of the handshake among `frames` to `take`, each with its position. Frames
/// after one that is not known are left out.
pub fn handshake_pieces(frames: &[u8], mut take: impl FnMut(usize, &[u8])) {
    let mut rest = Reader(frames);
    while let Some(kind) = rest.u8() {
        let done = match kind {
            PADDING | PING => Some(()),
            ACK | ACK_WITH_ECN => skip_ack(&mut rest, kind),
            CRYPTO | GOOGLES_CRYPTO => piece(&mut rest).map(|(at, bytes)| take(at, bytes)),
            _ => None,
        };
        if done.is_none() {
            break;
        }
    }
}

/// Types of frames that an Initial packet may hold (RFC 9000, section 12.4).
const PADDING: u8 = 0;
const PING: u8 = 1;
const ACK: u8 = 2;
const ACK_WITH_ECN: u8 = 3;
const CRYPTO: u8 = 6;
/// The same in Google's version. In the others this is a frame that no Initial packet may hold.
const GOOGLES_CRYPTO: u8 = 8;

fn piece<'a>(rest: &mut Reader<'a>) -> Option<(usize, &'a [u8])> {
    let at = varint(rest)?;
    let length = varint(rest)?;
    Some((at, rest.take(length)?))
}

fn skip_ack(rest: &mut Reader<'_>, kind: u8) -> Option<()> {
    varint(rest)?;
    varint(rest)?;
    let ranges = varint(rest)?;
    varint(rest)?;
    let more = if kind == ACK_WITH_ECN { 3 } else { 0 };
    // A range takes two bytes at least, so that this ends with the packet.
    for _ in 0..ranges.saturating_mul(2).saturating_add(more) {
        varint(rest)?;
    }
    Some(())
}

/// A number of one, two, four or eight bytes (RFC 9000, section 16).
fn varint(rest: &mut Reader<'_>) -> Option<usize> {
    let first = rest.u8()?;
    let mut value = u64::from(first & 0x3f);
    for byte in rest.take((1 << (first >> 6)) - 1)? {
        value = value << 8 | u64::from(*byte);
    }
    usize::try_from(value).ok()
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
