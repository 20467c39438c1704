//! Keys of Initial packets, by version.

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

/// Versions of QUIC.
const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;
const DRAFT_23: u32 = 0xff00_0017;
const DRAFT_29: u32 = 0xff00_001d;
const DRAFT_34: u32 = 0xff00_0022;
/// "Q050", Google's own handshake in the packets of the drafts.
const Q050: u32 = 0x5130_3530;
/// Facebook's own numbers for draft 27.
const MVFST: [u32; 2] = [0xface_b002, 0xface_b00e];

/// RFC 9001, section 5.2.
const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];

/// RFC 9369, section 3.3.1.
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];

/// draft-ietf-quic-tls-29, section 5.2; also used by 30 to 32.
const SALT_DRAFT_29: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
    0x43, 0x90, 0xa8, 0x99,
];

/// draft-ietf-quic-tls-23, section 5.2; also used by 24 to 28.
const SALT_DRAFT_23: [u8; 20] = [
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65,
    0xbe, 0xf9, 0xf5, 0x02,
];

/// Chromium, `quiche/quic/core/crypto/crypto_utils.cc`.
const SALT_Q050: [u8; 20] = [
    0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0,
    0xd3, 0xb5, 0x6b, 0x45,
];

/// The salt of a version. `None`: it is not known.
fn salt(version: u32) -> Option<&'static [u8; 20]> {
    match version {
        V1 => Some(&SALT_V1),
        V2 => Some(&SALT_V2),
        Q050 => Some(&SALT_Q050),
        _ if MVFST.contains(&version) => Some(&SALT_DRAFT_23),
        DRAFT_23..DRAFT_29 => Some(&SALT_DRAFT_23),
        0xff00_0021..=DRAFT_34 => Some(&SALT_V1),
        DRAFT_29..=DRAFT_34 => Some(&SALT_DRAFT_29),
        _ => None,
    }
}

pub(super) fn is_known(version: u32) -> bool {
    salt(version).is_some()
}

/// The two bits that make a long header that of an Initial packet. Version 2 has others, so that
/// nobody relies on them (RFC 9369, section 3.2).
pub(super) fn initial_type(version: u32) -> u8 {
    if version == V2 { 1 } else { 0 }
}

/// What a client protects its Initial packets with.
pub(super) struct Keys {
    content: LessSafeKey,
    vector: [u8; 12],
    header: HeaderProtectionKey,
}

impl Keys {
    /// The client's keys, from the id that it made up for the server.
    pub(super) fn of_client(version: u32, id: &[u8]) -> Option<Self> {
        let initial = Salt::new(HKDF_SHA256, salt(version)?).extract(id);
        let secret: [u8; 32] = expand(&initial, b"client in")?;
        let secret = Prk::new_less_safe(HKDF_SHA256, &secret);
        let labels: [&[u8]; 3] = match version {
            V2 => [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"],
            _ => [b"quic key", b"quic iv", b"quic hp"],
        };
        let key: [u8; 16] = expand(&secret, labels[0])?;
        let header: [u8; 16] = expand(&secret, labels[2])?;
        Some(Self {
            content: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            vector: expand(&secret, labels[1])?,
            header: HeaderProtectionKey::new(&AES_128, &header).ok()?,
        })
    }

    pub(super) fn mask(&self, sample: &[u8]) -> Option<[u8; 5]> {
        self.header.new_mask(sample).ok()
    }

    /// Decrypts the content of the packet with this number and header.
    pub(super) fn open(&self, number: u64, header: &[u8], mut content: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = self.nonce(number);
        let length = self.content.open_in_place(nonce, Aad::from(header), &mut content).ok()?.len();
        content.truncate(length);
        Some(content)
    }

    /// The reverse of [`Self::open`].
    #[cfg(test)]
    pub(super) fn seal(&self, number: u64, header: &[u8], mut content: Vec<u8>) -> Vec<u8> {
        let (nonce, header) = (self.nonce(number), Aad::from(header));
        self.content.seal_in_place_append_tag(nonce, header, &mut content).unwrap();
        content
    }

    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.vector;
        for (byte, other) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= other;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A number of bytes, as ring wants to be told.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label without a context (RFC 8446, section 7.1).
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    let length = (N as u16).to_be_bytes();
    let prefix = b"tls13 ";
    let label_bytes = [(prefix.len() + label.len()) as u8];
    let info = [&length[..], &label_bytes, prefix, label, &[0]];
    let mut out = [0; N];
    secret.expand(&info, Bytes(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}
