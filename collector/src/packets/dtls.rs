//! DTLS: the ClientHello in datagrams.
//!
//! Owns records and the fragments of handshake messages (RFC 6347, RFC 9147). It buffers nothing:
//! the caller puts fragments together.

use egret_event::{TlsCarrier, TlsHello};

use super::tls::{CLIENT_HELLO, MAX_HELLO_BYTES, Reader, read_hello};

/// Content type of handshake records.
const HANDSHAKE: u8 = 22;

/// A part of a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Number of the message in its handshake: a second hello, with the server's cookie, has
    /// another.
    pub message: u16,
    /// Bytes of the whole message.
    pub length: usize,
    /// Where this part belongs.
    pub at: usize,
    /// The part itself.
    pub bytes: &'a [u8],
}

/// Versions that records name before one is agreed upon: DTLS 1.0 and 1.2 (1.3 says 1.2), and that
/// of OpenSSL before DTLS was finished, which AnyConnect still speaks.
const VERSIONS: [u16; 3] = [0xfeff, 0xfefd, 0x0100];

/// Whether a datagram may start with a part of a ClientHello. Few comparisons, for the fast path.
#[inline]
pub fn may_start_hello(datagram: &[u8]) -> bool {
    // In the epoch before any key.
    matches!(datagram, [HANDSHAKE, a, b, 0, 0, _, _, _, _, _, _, _, _, CLIENT_HELLO, ..]
        if VERSIONS.contains(&u16::from_be_bytes([*a, *b])))
}

/// The parts of ClientHellos in a datagram.
pub fn hello_fragments(datagram: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut records = Reader(datagram);
    let mut record = Reader(&[]);
    std::iter::from_fn(move || {
        loop {
            if record.0.is_empty() {
                record = next_record(&mut records)?;
            }
            let Some((kind, fragment)) = next_fragment(&mut record) else {
                record = Reader(&[]);
                continue;
            };
            if kind == CLIENT_HELLO && fragment.length <= MAX_HELLO_BYTES {
                return Some(fragment);
            }
        }
    })
}

/// The content of the next handshake record in the clear.
fn next_record<'a>(records: &mut Reader<'a>) -> Option<Reader<'a>> {
    loop {
        let kind = records.u8()?;
        let version = records.u16()?;
        let epoch = records.u16()?;
        records.take(6)?;
        let content = records.block()?;
        if !VERSIONS.contains(&version) {
            return None;
        }
        if kind == HANDSHAKE && epoch == 0 && !content.0.is_empty() {
            return Some(content);
        }
    }
}

fn next_fragment<'a>(record: &mut Reader<'a>) -> Option<(u8, Fragment<'a>)> {
    let kind = record.u8()?;
    let length = record.u24()?;
    let message = record.u16()?;
    let at = record.u24()?;
    let bytes = record.long_block()?.0;
    (at + bytes.len() <= length).then_some((kind, Fragment { message, length, at, bytes }))
}

/// Reads a ClientHello that is put together.
pub fn client_hello(message: &[u8]) -> Option<Box<TlsHello>> {
    read_hello(message, TlsCarrier::Dtls)
}

#[cfg(test)]
pub(super) mod tests;
