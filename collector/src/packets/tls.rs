//! TLS ClientHello messages: server name, application protocol, JA4.
//!
//! Owns the record and handshake format (RFC 8446) and the fingerprint. It buffers nothing: the
//! caller brings the bytes of the stream so far.
//!
//! JA4 is the TLS client fingerprint by FoxIO (BSD 3-Clause; the other fingerprints of that
//! family are under another licence and are not here).

use std::borrow::Cow;
use std::fmt::Write;

use egret_event::{SmolStr, TlsCarrier, TlsHello, clean_name_bytes};
use sha2::{Digest, Sha256};
use smol_str::SmolStrBuilder;

/// Largest ClientHello that is read, in bytes, record headers included. Post-quantum key shares
/// make about 2 KiB.
pub const MAX_HELLO_BYTES: usize = 16 * 1024;

/// Most cipher suites, extensions or signature algorithms that are looked at.
const MAX_ITEMS: usize = 512;

/// Extension types.
const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_HELLO: u16 = 0xfe0d;

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
}

/// Reads a ClientHello from the start of a client's stream, or from where a second one starts.
pub fn client_hello(stream: &[u8]) -> Hello {
    if !may_start_hello(stream) {
        return Hello::No;
    }
    let stream = stream.strip_prefix(&CHANGE_CIPHER_SPEC).unwrap_or(stream);
    let Some(handshake) = handshake(stream) else { return Hello::No };
    let Some((head, body)) = handshake.split_at_checked(4) else { return Hello::Incomplete };
    let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
    if length > MAX_HELLO_BYTES {
        return Hello::No;
    }
    match body.get(..length) {
        None if stream.len() < MAX_HELLO_BYTES => Hello::Incomplete,
        None => Hello::No,
        Some(body) => match Parts::read(body) {
            Some(parts) => Hello::Complete(Box::new(parts.hello())),
            None => Hello::No,
        },
    }
}

/// The handshake bytes of the records at the start of `stream`. `None`: another kind of record
/// comes in between.
fn handshake(stream: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut gathered = Cow::Borrowed(&[][..]);
    let mut rest = stream;
    while let [kind, major, _, high, low, after @ ..] = rest {
        if (*kind, *major) != (22, 3) {
            return (!gathered.is_empty()).then_some(gathered);
        }
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (content, next) = after.split_at(length);
        if gathered.is_empty() {
            gathered = Cow::Borrowed(content);
        } else {
            gathered.to_mut().extend_from_slice(content);
        }
        rest = next;
        if is_whole(&gathered) {
            break;
        }
    }
    Some(gathered)
}

fn is_whole(handshake: &[u8]) -> bool {
    match handshake {
        [_, a, b, c, body @ ..] => {
            body.len() >= usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c)
        }
        _ => false,
    }
}

/// What a ClientHello holds, in the order in which it was sent, without GREASE.
#[derive(Default)]
struct Parts<'a> {
    version: u16,
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    signature_algorithms: Vec<u16>,
    server_name: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn read(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader(body);
        let mut parts = Self { version: body.u16()?, ..Self::default() };
        body.take(32)?;
        body.short_block()?;
        parts.ciphers = body.block()?.numbers();
        body.short_block()?;
        // SSL 3.0 clients send no extensions at all.
        let mut extensions = body.block().unwrap_or(Reader(&[]));
        while let Some(kind) = extensions.u16() {
            let content = extensions.block()?;
            if !is_grease(kind) && parts.extensions.len() < MAX_ITEMS {
                parts.extensions.push(kind);
                // What one extension holds may be damaged without spoiling the others.
                let _ = parts.extension(kind, content);
            }
        }
        Some(parts)
    }

    fn extension(&mut self, kind: u16, mut content: Reader<'a>) -> Option<()> {
        match kind {
            SERVER_NAME => {
                let mut list = content.block()?;
                let is_host_name = list.take(1)? == [0];
                let name = list.block()?.0;
                self.server_name = (is_host_name && !name.is_empty()).then_some(name);
            }
            SIGNATURE_ALGORITHMS => self.signature_algorithms = content.block()?.numbers(),
            ALPN => self.protocol = Some(content.block()?.short_block()?.0),
            SUPPORTED_VERSIONS => {
                let offered = content.short_block()?.numbers();
                self.version = offered.into_iter().max().unwrap_or(self.version);
            }
            _ => {}
        }
        Some(())
    }

    fn hello(self) -> TlsHello {
        TlsHello {
            sni: self.server_name.map(clean_name_bytes),
            alpn: self.protocol.filter(|p| !p.is_empty()).map(clean_name_bytes),
            version: self.version,
            carrier: TlsCarrier::Tcp,
            ech: self.extensions.contains(&ENCRYPTED_HELLO),
            ja4: self.ja4(),
        }
    }

    fn ja4(mut self) -> SmolStr {
        let mut text = SmolStrBuilder::new();
        let has_name = self.extensions.contains(&SERVER_NAME);
        // Writing to a SmolStrBuilder cannot fail.
        let _ = write!(
            text,
            "t{}{}{:02}{:02}",
            version_word(self.version),
            if has_name { 'd' } else { 'i' },
            self.ciphers.len().min(99),
            self.extensions.len().min(99),
        );
        let (first, last) = ends_of(self.protocol.unwrap_or_default());
        text.push(first);
        text.push(last);
        text.push('_');
        self.ciphers.sort_unstable();
        push_hash(&mut text, &list(&self.ciphers));
        text.push('_');
        self.extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
        self.extensions.sort_unstable();
        let mut rest = list(&self.extensions);
        if !self.signature_algorithms.is_empty() {
            rest.push('_');
            rest.push_str(&list(&self.signature_algorithms));
        }
        push_hash(&mut text, &rest);
        text.finish()
    }
}

/// Values that clients scatter so that servers stay tolerant (RFC 8701).
fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

fn version_word(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of the application protocol, or of its hexadecimal form where one of
/// them is no letter or digit.
fn ends_of(protocol: &[u8]) -> (char, char) {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else {
        return ('0', '0');
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return (char::from(first), char::from(last));
    }
    (char::from(HEX[usize::from(first >> 4)]), char::from(HEX[usize::from(last & 15)]))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The numbers as four hexadecimal digits each, separated by commas.
fn list(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for shift in [12, 8, 4, 0] {
            text.push(char::from(HEX[usize::from(number >> shift & 15)]));
        }
    }
    text
}

/// The first twelve hexadecimal digits of SHA-256; zeros for nothing.
fn push_hash(text: &mut SmolStrBuilder, hashed: &str) {
    if hashed.is_empty() {
        text.push_str("000000000000");
        return;
    }
    for byte in &Sha256::digest(hashed)[..6] {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// Bytes not yet read.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    /// What a length of two bytes announces.
    fn block(&mut self) -> Option<Self> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Self)
    }

    /// What a length of one byte announces.
    fn short_block(&mut self) -> Option<Self> {
        let length = usize::from(self.take(1)?[0]);
        self.take(length).map(Self)
    }

    /// All of it as numbers of two bytes, without GREASE.
    fn numbers(self) -> Vec<u16> {
        self.0
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .filter(|number| !is_grease(*number))
            .take(MAX_ITEMS)
            .collect()
    }
}
