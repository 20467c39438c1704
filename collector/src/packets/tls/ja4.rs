//! The fingerprint of a TLS client.
//!
//! JA4 is the TLS client fingerprint by FoxIO (BSD 3-Clause; the other fingerprints of that
//! family are under another licence and are not here).

use std::fmt::Write;

use egret_event::{SmolStr, TlsCarrier};
use sha2::{Digest, Sha256};
use smol_str::SmolStrBuilder;

use super::hello::{ALPN, Parts, SERVER_NAME};

pub(super) fn fingerprint(mut parts: Parts<'_>, carrier: TlsCarrier) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    let carrier = match carrier {
        TlsCarrier::Tcp => 't',
        TlsCarrier::Quic => 'q',
        TlsCarrier::Dtls => 'd',
    };
    // Writing to a SmolStrBuilder cannot fail.
    let _ = write!(
        text,
        "{carrier}{}{}{:02}{:02}",
        version_word(parts.version),
        if parts.has(SERVER_NAME) { 'd' } else { 'i' },
        parts.ciphers.len().min(99),
        parts.extensions.len().min(99),
    );
    let (first, last) = ends_of(parts.protocol.unwrap_or_default());
    text.push(first);
    text.push(last);
    text.push('_');
    parts.ciphers.sort_unstable();
    push_hash(&mut text, &list(&parts.ciphers));
    text.push('_');
    parts.extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    parts.extensions.sort_unstable();
    let mut rest = list(&parts.extensions);
    if !parts.signature_algorithms.is_empty() {
        rest.push('_');
        rest.push_str(&list(&parts.signature_algorithms));
    }
    push_hash(&mut text, &rest);
    text.finish()
}

fn version_word(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
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
