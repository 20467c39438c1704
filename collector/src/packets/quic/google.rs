//! Google's QUIC before the standard: the hello is a list of tagged values in the clear.

use egret_event::{SmolStr, TlsCarrier, TlsHello, clean_name_bytes};
use memchr::memmem;

use crate::packets::tls::Reader;

/// How far into a datagram its hello may start: behind public header, hash and frame header.
const MAX_HEADER_BYTES: usize = 64;

/// Most values that are looked at; clients send about 30.
const MAX_VALUES: usize = 128;

/// Whether the version that a datagram names is one of Google's, `Q024` to `Q046`, where the public
/// header of its kind has it.
fn names_version(datagram: &[u8]) -> bool {
    // With a connection id of eight bytes in front, or behind the first byte since Q046.
    [9, 1]
        .iter()
        .any(|at| matches!(datagram.get(*at..at + 4), Some([b'Q', b'0', b'2'..=b'4', b'0'..=b'9'])))
}

/// Reads the hello of a client at the start of a connection. `None`: there is none. It has no
/// fingerprint: JA4 is of TLS.
pub fn client_hello(datagram: &[u8]) -> Option<Box<TlsHello>> {
    if !names_version(datagram) {
        return None;
    }
    let start = &datagram[..datagram.len().min(MAX_HEADER_BYTES)];
    values(&datagram[memmem::find(start, b"CHLO")?..])
}

/// Reads a hello whose first byte is that of its tag.
pub fn values(message: &[u8]) -> Option<Box<TlsHello>> {
    let rest = message.strip_prefix(b"CHLO")?;
    let mut head = Reader(rest);
    // Numbers are little endian here.
    let count = usize::from(head.u16()?.swap_bytes());
    head.u16()?;
    if count == 0 || count > MAX_VALUES {
        return None;
    }
    let mut index = Reader(head.take(count * 8)?);
    let mut from = 0;
    let mut sni = None;
    while let Some(tag) = index.take(4) {
        let end = index.take(4)?;
        let to = u32::from_le_bytes([end[0], end[1], end[2], end[3]]) as usize;
        if tag == b"SNI\0" {
            sni = Some(head.0.get(from..to)?).filter(|name| !name.is_empty());
        }
        from = to;
    }
    Some(Box::new(TlsHello {
        sni: sni.map(clean_name_bytes),
        alpn: None,
        ja4: SmolStr::default(),
        version: 0,
        carrier: TlsCarrier::Quic,
        ech: false,
    }))
}
