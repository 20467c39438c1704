//! TLS handshakes as far as they are in the clear: server name, application protocol, JA4, and the
//! server's certificates up to TLS 1.2.
//!
//! Owns the formats of records and handshakes (RFC 8446, RFC 5246). It buffers nothing: the
//! caller brings the bytes of the stream so far.

mod answer;
mod bytes;
mod hello;
mod ja4;
mod old;

use std::borrow::Cow;

use egret_event::{TlsCarrier, TlsHello};

pub use answer::{Answer, Chain, MAX_ANSWER_BYTES, server_answer};
pub(super) use bytes::Reader;
pub(super) use hello::read as read_hello;

/// Largest ClientHello that is read, in bytes, record headers included. Post-quantum key shares
/// make about 2 KiB.
pub const MAX_HELLO_BYTES: usize = 16 * 1024;

/// Type of the handshake message that is a ClientHello.
pub(super) const CLIENT_HELLO: u8 = 1;

/// What the first bytes of a client's stream are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// A ClientHello, read to its end.
    Complete(Box<TlsHello>),
    /// The start of one: more bytes are needed.
    Incomplete,
    /// Something else, or damaged.
    No,
}

/// A whole change_cipher_spec record: what clients put before the hello that follows a
/// HelloRetryRequest, for the sake of middleboxes (RFC 8446, appendix D.4).
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// Whether a segment may be the start of a ClientHello. Few comparisons, for the fast path.
#[inline]
pub fn may_start_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 1, ..] | [20, 3, 3, 0, 1, 1, 22, 3, _, _, _, 1, ..])
        || old::may_start(bytes)
}

/// Whether a segment that is too short to tell may be the start of a ClientHello.
#[inline]
pub fn may_become_hello(bytes: &[u8]) -> bool {
    match bytes {
        [22] | [22, 3] | [22, 3, 0..=4] | [22, 3, 0..=4, _] | [22, 3, 0..=4, _, _] => true,
        [20, ..] if bytes.len() < 12 => {
            let (start, rest) = bytes.split_at(bytes.len().min(CHANGE_CIPHER_SPEC.len()));
            CHANGE_CIPHER_SPEC.starts_with(start) && (rest.is_empty() || may_become_hello(rest))
        }
        _ => false,
    }
}

/// Whether a segment starts with a record of encrypted content: the handshake is over.
#[inline]
pub fn starts_sealed(bytes: &[u8]) -> bool {
    matches!(bytes, [23, 3, ..])
}

/// Whether a segment may be the start of what a server answers to a ClientHello: its hello, or,
/// where that was not captured, its certificates.
#[inline]
pub fn may_start_answer(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, _, _, _, 2 | 11, ..])
}

/// Reads a ClientHello from the start of a client's stream, or from where a second one starts.
pub fn client_hello(stream: &[u8]) -> Hello {
    if !may_start_hello(stream) {
        return if may_become_hello(stream) { Hello::Incomplete } else { Hello::No };
    }
    if old::may_start(stream) {
        return old::client_hello(stream);
    }
    let stream = stream.strip_prefix(&CHANGE_CIPHER_SPEC).unwrap_or(stream);
    let Some(handshake) = handshake(stream) else { return Hello::No };
    match message(&handshake) {
        Some((_, body)) => match hello::read(body, TlsCarrier::Tcp) {
            Some(hello) => Hello::Complete(hello),
            None => Hello::No,
        },
        None if stream.len() < MAX_HELLO_BYTES && announced(&handshake) <= MAX_HELLO_BYTES => {
            Hello::Incomplete
        }
        None => Hello::No,
    }
}

/// The handshake message at the start of `bytes`, type and body. `None`: it is not whole.
pub(super) fn message(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = Reader(bytes);
    Some((rest.u8()?, rest.long_block()?.0))
}

/// Bytes of body that the handshake message at the start of `bytes` announces.
pub(super) fn announced(bytes: &[u8]) -> usize {
    bytes.get(1..).and_then(|rest| Reader(rest).u24()).unwrap_or(0)
}

/// The handshake bytes of the records at the start of `stream`. `None`: another kind of record
/// comes in between.
fn handshake(stream: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut gathered = Cow::Borrowed(&[][..]);
    let mut rest = stream;
    while let [kind, major, _, high, low, after @ ..] = rest {
        if (*kind, *major) != (22, 3) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (content, next) = after.split_at(length);
        if gathered.is_empty() {
            gathered = Cow::Borrowed(content);
        } else {
            gathered.to_mut().extend_from_slice(content);
        }
        rest = next;
        if message(&gathered).is_some() {
            break;
        }
    }
    Some(gathered)
}
