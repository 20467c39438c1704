//! The ClientHello in the form of SSL 2.0, which clients sent until about 2010 to offer later
//! versions as well (RFC 5246, appendix E.2).

use egret_event::TlsCarrier;

use super::Hello;
use super::bytes::{MAX_ITEMS, Reader};
use super::hello::Parts;

/// Whether bytes may be the start of such a hello, for version 2.0 to TLS 1.2.
#[inline]
pub(super) fn may_start(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80..=0xff, _, 1, 3, 0..=3, ..] | [0x80..=0xff, _, 1, 0, 2, ..])
}

/// Reads a hello from the start of a stream.
pub(super) fn client_hello(stream: &[u8]) -> Hello {
    let mut rest = Reader(stream);
    let Some(header) = rest.u16() else { return Hello::Incomplete };
    let length = usize::from(header & 0x7fff);
    if stream.len() >= 11 && announced(rest) != Some(length) {
        return Hello::No;
    }
    let Some(body) = rest.take(length) else { return Hello::Incomplete };
    match parts(Reader(body)) {
        Some(parts) => Hello::Complete(Box::new(parts.hello(TlsCarrier::Tcp))),
        None => Hello::No,
    }
}

/// Bytes of a message by the lengths of its parts. `None`: they make no sense.
fn announced(mut body: Reader<'_>) -> Option<usize> {
    body.take(3)?;
    let [ciphers, session, challenge] = [body.u16()?, body.u16()?, body.u16()?].map(usize::from);
    let is_sound = ciphers > 0 && ciphers % 3 == 0 && (16..=32).contains(&challenge);
    is_sound.then_some(9 + ciphers + session + challenge)
}

fn parts(mut body: Reader<'_>) -> Option<Parts<'_>> {
    body.u8()?;
    let version = body.u16()?;
    let cipher_bytes = usize::from(body.u16()?);
    body.take(4)?;
    let kinds = body.take(cipher_bytes)?.chunks_exact(3);
    // Those of SSL 2.0 itself have a first byte, and no number that later versions know.
    let later = kinds.filter(|kind| kind[0] == 0).take(MAX_ITEMS);
    let ciphers = later.map(|kind| u16::from_be_bytes([kind[1], kind[2]])).collect();
    Some(Parts::bare(version, ciphers))
}

#[cfg(test)]
mod tests {
    use super::super::{client_hello, may_start_hello};
    use super::*;

    /// A hello that offers two ciphers of SSL 2.0 and two later ones.
    fn hello() -> Vec<u8> {
        let mut bytes = vec![0x80, 37, 1, 3, 1, 0, 12, 0, 0, 0, 16];
        bytes.extend([1, 0, 0x80, 0, 0, 0x2f, 7, 0, 0xc0, 0, 0, 0x0a]);
        bytes.extend([9; 16]);
        bytes
    }

    #[test]
    fn a_hello_in_the_old_form_is_read() {
        let bytes = hello();
        assert!(may_start_hello(&bytes));
        let Hello::Complete(seen) = client_hello(&bytes) else { panic!("not read") };
        assert_eq!((seen.version, seen.sni), (0x0301, None));
        assert!(seen.ja4.starts_with("t10i020000_"), "{}", seen.ja4);
        for length in 5..bytes.len() {
            assert_eq!(client_hello(&bytes[..length]), Hello::Incomplete, "{length} bytes");
        }
    }

    #[test]
    fn what_only_begins_like_one_is_none() {
        for (at, value) in [(1, 38), (6, 11), (10, 15)] {
            let mut bytes = hello();
            bytes[at] = value;
            assert_eq!(client_hello(&bytes), Hello::No);
        }
    }
}
