//! The fingerprint of a TLS client.
//!
//! JA4 is the TLS client fingerprint by FoxIO (BSD 3-Clause; the other fingerprints of that
//! family are under another licence and are not here).

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash};

use egret_event::{SmolStr, TlsCarrier};
use foldhash::fast::FixedState;
use sha2::{Digest, Sha256};

use super::hello::{ALPN, Parts, SERVER_NAME};

/// Characters of a fingerprint: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
const LENGTH: usize = 36;

/// Fingerprints that each thread remembers.
const REMEMBERED: usize = 64;

/// All that goes into a fingerprint, in the order in which it was sent.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Hello {
    carrier: TlsCarrier,
    version: u16,
    is_named: bool,
    protocol: [u8; 2],
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    signature_algorithms: Vec<u16>,
}

thread_local! {
    /// What was worked out before, each in the place that its hash says. Most programs send the
    /// same hello every time, and sorting and hashing cost more than all else that is done for a
    /// connection.
    static KNOWN: RefCell<Vec<Option<(Hello, SmolStr)>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn fingerprint(parts: Parts<'_>, carrier: TlsCarrier) -> SmolStr {
    let hello = Hello {
        carrier,
        version: parts.version,
        is_named: parts.has(SERVER_NAME),
        protocol: ends_of(parts.protocol.unwrap_or_default()),
        ciphers: parts.ciphers,
        extensions: parts.extensions,
        signature_algorithms: parts.signature_algorithms,
    };
    KNOWN.with_borrow_mut(|known| {
        known.resize_with(REMEMBERED, || None);
        let place = FixedState::with_seed(0).hash_one(&hello) as usize % REMEMBERED;
        if let Some((same, text)) = &known[place]
            && *same == hello
        {
            return text.clone();
        }
        let text = hello.fingerprint();
        known[place] = Some((hello, text.clone()));
        text
    })
}

impl Hello {
    fn fingerprint(&self) -> SmolStr {
        let carrier = match self.carrier {
            TlsCarrier::Tcp => b't',
            TlsCarrier::Quic => b'q',
            TlsCarrier::Dtls => b'd',
        };
        let version = version_word(self.version);
        let mut text = [b'_'; LENGTH];
        let is_named = if self.is_named { b'd' } else { b'i' };
        text[..4].copy_from_slice(&[carrier, version[0], version[1], is_named]);
        text[4..6].copy_from_slice(&digits(self.ciphers.len()));
        text[6..8].copy_from_slice(&digits(self.extensions.len()));
        text[8..10].copy_from_slice(&self.protocol);
        let mut ciphers = self.ciphers.clone();
        ciphers.sort_unstable();
        text[11..23].copy_from_slice(&hash(&list(&ciphers)));
        let mut extensions = self.extensions.clone();
        extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
        extensions.sort_unstable();
        let mut listed = list(&extensions);
        if !self.signature_algorithms.is_empty() {
            listed.push(b'_');
            listed.extend(list(&self.signature_algorithms));
        }
        text[24..].copy_from_slice(&hash(&listed));
        std::str::from_utf8(&text).map(SmolStr::new).unwrap_or_default()
    }
}

/// A count as two decimal digits, at most 99.
fn digits(count: usize) -> [u8; 2] {
    let count = count.min(99) as u8;
    [b'0' + count / 10, b'0' + count % 10]
}

fn version_word(version: u16) -> &'static [u8; 2] {
    match version {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    }
}

/// First and last character of the application protocol, or of its hexadecimal form where one of
/// them is no letter or digit.
fn ends_of(protocol: &[u8]) -> [u8; 2] {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else {
        return *b"00";
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last];
    }
    [HEX[usize::from(first >> 4)], HEX[usize::from(last & 15)]]
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The numbers as four hexadecimal digits each, separated by commas.
fn list(numbers: &[u16]) -> Vec<u8> {
    let mut text = Vec::with_capacity(numbers.len() * 5);
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&[12, 8, 4, 0].map(|shift| HEX[usize::from(number >> shift & 15)]));
    }
    text
}

/// The first twelve hexadecimal digits of SHA-256; zeros for nothing.
fn hash(hashed: &[u8]) -> [u8; 12] {
    let mut text = [b'0'; 12];
    if !hashed.is_empty() {
        for (pair, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(hashed)) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    text
}
