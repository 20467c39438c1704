//! TLS 1.3 as a passive observer sees it: the clients' hellos in the shapes of well-known
//! libraries, a server's hello, and sealed records of noise.
//!
//! Nothing is ever decrypted, so keys and randoms are noise.

mod clients;

use std::net::IpAddr;

use super::tcp::Step;
use crate::simulate::dice::Dice;

pub(crate) use clients::{
    BROWSER, BROWSER_QUIC, CARGO, CURL, GO, GO_COMMAND, JAVA, NODE, NPM, PYTHON,
};

/// Most plaintext in a record (RFC 8446, section 5.1).
const RECORD_BYTES: usize = 16_384;

/// Bytes before the message in a record: type, version, length.
pub(crate) const RECORD_HEADER_BYTES: usize = 5;

/// Content type and authentication tag that sealing adds.
const SEAL_BYTES: usize = 17;

/// A certificate chain with its signature, as sealed by the server.
const CERTIFICATES_BYTES: std::ops::Range<usize> = 2_600..4_800;

/// Extension numbers (IANA TLS ExtensionType registry).
mod ext {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const STATUS_REQUEST: u16 = 5;
    pub(super) const GROUPS: u16 = 10;
    pub(super) const POINT_FORMATS: u16 = 11;
    pub(super) const SIGNATURES: u16 = 13;
    pub(super) const ALPN: u16 = 16;
    pub(super) const STATUS_REQUESTS: u16 = 17;
    pub(super) const SCT: u16 = 18;
    pub(super) const PADDING: u16 = 21;
    pub(super) const ENCRYPT_THEN_MAC: u16 = 22;
    pub(super) const MASTER_SECRET: u16 = 23;
    pub(super) const COMPRESS_CERTIFICATE: u16 = 27;
    pub(super) const TICKET: u16 = 35;
    pub(super) const VERSIONS: u16 = 43;
    pub(super) const PSK_MODES: u16 = 45;
    pub(super) const POST_HANDSHAKE_AUTH: u16 = 49;
    pub(super) const SIGNATURES_OF_CERTIFICATES: u16 = 50;
    pub(super) const KEY_SHARE: u16 = 51;
    pub(super) const QUIC_PARAMETERS: u16 = 57;
    pub(super) const APPLICATION_SETTINGS: u16 = 17_613;
    pub(super) const ECH: u16 = 0xfe0d;
    pub(super) const RENEGOTIATION: u16 = 0xff01;
}

/// X25519MLKEM768, and the bytes of a client's share for it.
const HYBRID_GROUP: u16 = 0x11ec;
const HYBRID_SHARE_BYTES: usize = 1216;
const X25519: u16 = 0x001d;

/// How a TLS library introduces itself.
#[derive(Debug)]
pub(crate) struct Client {
    /// Whether it mixes reserved values in (RFC 8701) and shuffles its extensions, as Chrome does.
    style: Style,
    ciphers: &'static [u16],
    extensions: &'static [u16],
    groups: &'static [u16],
    signatures: &'static [u16],
    alpn: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Greasy,
    /// As `Greasy`, in QUIC: without the middlebox compatibility of TCP (RFC 9001, section 8.4).
    Quic,
}

impl Style {
    fn is_greasy(self) -> bool {
        self != Self::Plain
    }
}

/// The steps of a full handshake with the server called `name`.
pub(crate) fn handshake(client: &Client, name: &str, dice: &mut Dice) -> Vec<Step> {
    let hello = client_hello(client, name, dice);
    let mut answer = server_hello(&hello[44..76], dice);
    answer.extend(CHANGE_CIPHER);
    answer.extend(sealed(dice.count(CERTIFICATES_BYTES), dice));
    let mut finished = CHANGE_CIPHER.to_vec();
    // A Finished message with SHA-384: 4 bytes of header and 48 of digest.
    finished.extend(sealed(52, dice));
    // Two session tickets, as OpenSSL servers give.
    let mut tickets = sealed(234, dice);
    tickets.extend(sealed(234, dice));
    vec![Step::Up(hello), Step::Down(answer), Step::Up(finished), Step::Down(tickets)]
}

/// The steps of a handshake that resumes an earlier session: no certificates. The caller's first
/// request follows at once.
pub(crate) fn resumption(client: &Client, name: &str, dice: &mut Dice) -> Vec<Step> {
    let hello = client_hello(client, name, dice);
    let mut answer = server_hello(&hello[44..76], dice);
    answer.extend(CHANGE_CIPHER);
    // Encrypted extensions and Finished.
    answer.extend(sealed(82, dice));
    vec![Step::Up(hello), Step::Down(answer)]
}

/// A server's whole first answer to `hello`, in `length` bytes if it can be.
pub(crate) fn answer_of(hello: &[u8], length: usize, dice: &mut Dice) -> Vec<u8> {
    let Some(session) = hello.get(44..76) else { return sealed_of(length, dice) };
    let mut answer = server_hello(session, dice);
    answer.extend(CHANGE_CIPHER);
    answer.extend(sealed_of(length.saturating_sub(answer.len()), dice));
    answer
}

/// What ends a client's part of the handshake, in `length` bytes.
pub(crate) fn finished_of(length: usize, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = CHANGE_CIPHER.to_vec();
    bytes.extend(sealed_of(length.saturating_sub(CHANGE_CIPHER.len()), dice));
    bytes.truncate(length);
    bytes
}

/// Sealed records that take `length` bytes on the wire.
pub(crate) fn sealed_of(length: usize, dice: &mut Dice) -> Vec<u8> {
    const FULL_BYTES: usize = RECORD_HEADER_BYTES + RECORD_BYTES + SEAL_BYTES;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let record = (length - bytes.len()).min(FULL_BYTES);
        // What is too small for a record is a part of one.
        let sealed = record.saturating_sub(RECORD_HEADER_BYTES);
        bytes.extend([23, 3, 3]);
        bytes.extend((sealed as u16).to_be_bytes());
        bytes.extend(dice.noise(sealed));
    }
    bytes.truncate(length);
    bytes
}

/// The plaintext in `length` bytes of sealed records.
pub(crate) fn opened(length: usize) -> usize {
    let full = RECORD_HEADER_BYTES + RECORD_BYTES + SEAL_BYTES;
    length.saturating_sub(length.div_ceil(full) * (RECORD_HEADER_BYTES + SEAL_BYTES))
}

/// The compatibility record (RFC 8446, appendix D.4).
const CHANGE_CIPHER: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// `plain` bytes of plaintext as sealed records.
pub(crate) fn sealed(plain: usize, dice: &mut Dice) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(plain + (plain / RECORD_BYTES + 1) * (SEAL_BYTES + RECORD_HEADER_BYTES));
    let mut left = plain;
    while left > 0 {
        let length = left.min(RECORD_BYTES);
        left -= length;
        let sealed = length + SEAL_BYTES;
        bytes.extend([23, 3, 3]);
        bytes.extend((sealed as u16).to_be_bytes());
        bytes.extend(dice.noise(sealed));
    }
    bytes
}

/// A ClientHello record that asks for the server called `name`. An address is no name, and not
/// sent (RFC 6066, section 3).
pub(crate) fn client_hello(client: &Client, name: &str, dice: &mut Dice) -> Vec<u8> {
    hello_of(client, name, 0, dice)
}

/// A ClientHello record of `length` bytes: a shorter one is filled (RFC 7685), as OpenSSL does; one
/// that is longer already stays as it is.
pub(crate) fn hello_of(client: &Client, name: &str, length: usize, dice: &mut Dice) -> Vec<u8> {
    let grease = |dice: &mut Dice| 0x0a0a + 0x1010 * dice.count(0..16) as u16;
    let mut body = vec![3, 3];
    body.extend(dice.noise(32));
    let session = if client.style == Style::Quic { 0 } else { 32 };
    body.push(session);
    body.extend(dice.noise(usize::from(session)));
    let mut ciphers = client.ciphers.to_vec();
    let mut order = client.extensions.to_vec();
    if name.parse::<IpAddr>().is_ok() {
        order.retain(|kind| *kind != ext::SERVER_NAME);
    }
    if client.style.is_greasy() {
        ciphers.insert(0, grease(dice));
        dice.shuffle(&mut order);
        order.insert(0, grease(dice));
        order.push(grease(dice));
        // The two reserved extensions must differ (RFC 8701).
        let last = order.len() - 1;
        if order[0] == order[last] {
            order[last] ^= 0x1010;
        }
    }
    body.extend(prefixed16(&numbers(&ciphers)));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    for kind in order {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(prefixed16(&extension(kind, client, name, dice)));
    }
    // The record's and the message's headers, and the extensions' length.
    let long = RECORD_HEADER_BYTES + 4 + body.len() + 2 + extensions.len();
    if let Some(filling) = length.checked_sub(long + 4) {
        extensions.extend(ext::PADDING.to_be_bytes());
        extensions.extend(prefixed16(&vec![0; filling]));
    }
    body.extend(prefixed16(&extensions));
    record(1, &body, 1)
}

/// A ServerHello record that chooses TLS 1.3, AES-128-GCM and X25519.
fn server_hello(session: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(dice.noise(32));
    body.push(session.len() as u8);
    body.extend(session);
    body.extend([0x13, 0x01, 0]);
    let mut extensions = vec![0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 0x1d, 0, 32];
    extensions.extend(dice.noise(32));
    body.extend(prefixed16(&extensions));
    record(2, &body, 3)
}

/// A handshake message in its record; hellos still announce TLS 1.0 in the record's header.
fn record(message: u8, body: &[u8], minor_version: u8) -> Vec<u8> {
    let mut bytes = vec![22, 3, minor_version];
    bytes.extend((body.len() as u16 + 4).to_be_bytes());
    bytes.push(message);
    bytes.extend(&(body.len() as u32).to_be_bytes()[1..]);
    bytes.extend(body);
    bytes
}

/// The content of one extension; empty for flags and for reserved values.
fn extension(kind: u16, client: &Client, name: &str, dice: &mut Dice) -> Vec<u8> {
    let greasy = client.style.is_greasy();
    match kind {
        ext::SERVER_NAME => {
            let mut entry = vec![0];
            entry.extend(prefixed16(name.as_bytes()));
            prefixed16(&entry)
        }
        ext::STATUS_REQUEST => vec![1, 0, 0, 0, 0],
        // One item: any responder, as above (RFC 6961).
        ext::STATUS_REQUESTS => vec![0, 7, 2, 0, 4, 0, 0, 0, 0],
        ext::GROUPS => {
            let reserved = if greasy { &[0x2a2a][..] } else { &[] };
            prefixed16(&numbers(&[reserved, client.groups].concat()))
        }
        // OpenSSL, which alone wants this extension, takes compressed points too.
        ext::POINT_FORMATS if client.extensions.contains(&ext::ENCRYPT_THEN_MAC) => {
            vec![3, 0, 1, 2]
        }
        ext::POINT_FORMATS => vec![1, 0],
        // Those of a handshake would do; Go takes two more.
        ext::SIGNATURES_OF_CERTIFICATES if client.ciphers == GO.ciphers => {
            prefixed16(&numbers(GO.signatures))
        }
        ext::SIGNATURES_OF_CERTIFICATES => prefixed16(&numbers(client.signatures)),
        ext::SIGNATURES => prefixed16(&numbers(client.signatures)),
        ext::ALPN => {
            let list: Vec<u8> = client.alpn.iter().flat_map(|p| prefixed8(p.as_bytes())).collect();
            prefixed16(&list)
        }
        ext::APPLICATION_SETTINGS => prefixed16(&prefixed8(b"h2")),
        ext::COMPRESS_CERTIFICATE => vec![2, 0, 2],
        ext::VERSIONS if greasy => prefixed8(&numbers(&[0x3a3a, 0x0304, 0x0303])),
        ext::VERSIONS => prefixed8(&numbers(&[0x0304, 0x0303])),
        ext::PSK_MODES => vec![1, 1],
        ext::KEY_SHARE => key_share(client, dice),
        ext::ECH => encrypted_hello(dice),
        ext::RENEGOTIATION => vec![0],
        // max_idle_timeout 30 s, initial_max_data 15 MiB (RFC 9000, section 18.2).
        ext::QUIC_PARAMETERS => vec![1, 4, 0x80, 0, 0x75, 0x30, 4, 4, 0x80, 0xf0, 0, 0],
        _ => Vec::new(),
    }
}

fn key_share(client: &Client, dice: &mut Dice) -> Vec<u8> {
    let mut shares = Vec::new();
    let mut add = |group: u16, key: &[u8]| {
        shares.extend(group.to_be_bytes());
        shares.extend(prefixed16(key));
    };
    if client.style.is_greasy() {
        add(0x2a2a, &[0]);
    }
    if client.groups.contains(&HYBRID_GROUP) {
        add(HYBRID_GROUP, &dice.noise(HYBRID_SHARE_BYTES));
    }
    add(X25519, &dice.noise(32));
    prefixed16(&shares)
}

/// Encrypted ClientHello: noise to all but the server. Chrome sends the same form to servers that
/// have none, so that nobody can tell the two apart (RFC 9849, section 6.2).
fn encrypted_hello(dice: &mut Dice) -> Vec<u8> {
    let mut body = vec![0, 0, 1, 0, 1, dice.count(0..256) as u8];
    body.extend(prefixed16(&dice.noise(32)));
    body.extend(prefixed16(&dice.noise(176)));
    body
}

fn numbers(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn prefixed8(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}

fn prefixed16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}
