//! What a server answers to a ClientHello, up to its certificates.
//!
//! From TLS 1.3 on they are encrypted; then the first message already says that there is nothing
//! more to be read.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::bytes::Reader;

/// Most bytes of an answer that are read, record headers included. Chains of certificates take 3
/// to 6 KiB.
pub const MAX_ANSWER_BYTES: usize = 32 * 1024;

/// Content types of records (RFC 8446, section 5.1).
const RECORDS: RangeInclusive<u8> = 20..=23;
const HANDSHAKE: u8 = 22;

/// Types of handshake messages.
const HELLO_REQUEST: u8 = 0;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// The extension in which a server says that it speaks TLS 1.3 (RFC 8446, section 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;

/// The random value that makes a HelloRetryRequest of a ServerHello (RFC 8446, section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What the first bytes of a server's stream say after a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The content of a Certificate message: see [`Chain::of`].
    Certificates(Cow<'a, [u8]>),
    /// The start of one: more bytes are needed.
    Part(Cow<'a, [u8]>),
    /// Less than that: more bytes are needed.
    Incomplete,
    /// The client is to send another hello.
    Retry,
    /// No certificate can be seen: what follows is encrypted, an earlier session goes on, or the
    /// server refuses.
    Sealed,
    /// It is no TLS.
    Other,
}

/// Reads the answer to a ClientHello from the start of what the server sent after it.
pub fn server_answer(stream: &[u8]) -> Answer<'_> {
    let mut gathered = Cow::Borrowed(&[][..]);
    let mut rest = stream;
    loop {
        match *rest {
            [kind, ..] if !RECORDS.contains(&kind) => return Answer::Other,
            [_, major, ..] if major != 3 => return Answer::Other,
            [kind, ..] if kind != HANDSHAKE => return Answer::Sealed,
            [_, _, _, high, low, ref after @ ..] => {
                let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
                let (content, next) = after.split_at(length);
                if gathered.is_empty() {
                    gathered = Cow::Borrowed(content);
                } else {
                    gathered.to_mut().extend_from_slice(content);
                }
                rest = next;
            }
            _ => break,
        }
        match messages(&gathered) {
            Found::Nothing | Found::Part(_) => {}
            Found::Answer(answer) => return answer,
            Found::Certificates(from, to) => return Answer::Certificates(part(gathered, from, to)),
        }
    }
    match messages(&gathered) {
        Found::Part(from) => {
            let to = gathered.len();
            Answer::Part(part(gathered, from, to))
        }
        _ => Answer::Incomplete,
    }
}

enum Found {
    Nothing,
    Answer(Answer<'static>),
    /// From and to.
    Certificates(usize, usize),
    /// From here on.
    Part(usize),
}

/// Goes through the messages of a handshake until one decides.
fn messages(handshake: &[u8]) -> Found {
    let mut rest = Reader(handshake);
    while let Some(kind) = rest.u8() {
        let from = handshake.len() - rest.0.len() + 3;
        let Some(mut body) = rest.long_block() else {
            return match kind {
                CERTIFICATE if from <= handshake.len() => Found::Part(from),
                HELLO_REQUEST | SERVER_HELLO | CERTIFICATE => Found::Nothing,
                _ => Found::Answer(Answer::Sealed),
            };
        };
        match kind {
            HELLO_REQUEST => {}
            SERVER_HELLO => match server_hello(&mut body) {
                Some(Chosen::Older) => {}
                Some(Chosen::Retry) => return Found::Answer(Answer::Retry),
                Some(Chosen::V1_3) | None => return Found::Answer(Answer::Sealed),
            },
            CERTIFICATE => return Found::Certificates(from, from + body.0.len()),
            _ => return Found::Answer(Answer::Sealed),
        }
    }
    Found::Nothing
}

/// What a ServerHello says of what follows.
enum Chosen {
    /// TLS 1.2 or before: the certificate comes in the clear.
    Older,
    V1_3,
    Retry,
}

fn server_hello(body: &mut Reader<'_>) -> Option<Chosen> {
    body.u16()?;
    let random = body.take(32)?;
    if random == RETRY {
        return Some(Chosen::Retry);
    }
    body.short_block()?;
    // Cipher suite and compression.
    body.take(3)?;
    let mut extensions = body.block().unwrap_or(Reader(&[]));
    while let Some(kind) = extensions.u16() {
        let mut content = extensions.block()?;
        if kind == SUPPORTED_VERSIONS && content.u16()? >= 0x0304 {
            return Some(Chosen::V1_3);
        }
    }
    Some(Chosen::Older)
}

fn part(bytes: Cow<'_, [u8]>, from: usize, to: usize) -> Cow<'_, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[from..to]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(to);
            bytes.drain(..from);
            Cow::Owned(bytes)
        }
    }
}

/// The certificates of a Certificate message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain<'a> {
    /// The server's own, in DER.
    pub leaf: &'a [u8],
    /// How many there are, the server's own included; 255 is that or more, and 0 is not known.
    pub length: u8,
}

impl<'a> Chain<'a> {
    /// Reads the content of a Certificate message (RFC 5246, section 7.4.2), or its start. `None`:
    /// there is no whole certificate in it.
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let mut list = Reader(message);
        let announced = list.u24()?;
        let is_whole = list.0.len() >= announced;
        let leaf = list.long_block().filter(|leaf| !leaf.0.is_empty())?.0;
        if !is_whole {
            return Some(Self { leaf, length: 0 });
        }
        let mut length: u8 = 1;
        while list.long_block().is_some() {
            length = length.saturating_add(1);
        }
        Some(Self { leaf, length })
    }
}
