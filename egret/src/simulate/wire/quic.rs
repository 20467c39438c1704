//! QUIC as a passive observer sees it: the client's first packets, whose keys anybody can work out
//! (RFC 9001, section 5.2), and noise after them.

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::tls;
use super::track::Way;
use crate::simulate::dice::Dice;

/// QUIC version 1.
const VERSION: [u8; 4] = [0, 0, 0, 1];

/// The salt of version 1 (RFC 9001, section 5.2).
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];

/// Bytes of a connection id that a client makes up, as Chrome's.
const ID_BYTES: usize = 8;

/// Bytes of every datagram with an Initial packet (Chrome; RFC 9000 asks for 1200 and more).
const INITIAL_DATAGRAM: usize = 1250;

/// Bytes of the hello in one packet; the rest goes into the next.
const HELLO_PIECE: usize = 1100;

/// Bytes of a full packet after the handshake, and what is not content in it: header, number, tag.
const FULL_PACKET: usize = 1200;
const AROUND: usize = 1 + ID_BYTES + 2 + 16;

/// Full packets between two acknowledgements.
const PER_ACKNOWLEDGEMENT: usize = 10;
const ACKNOWLEDGEMENT: usize = 32;

/// The datagrams of a connection to the server called `name`, over which `up` bytes go up and
/// `down` bytes come back.
pub(crate) fn conversation(
    client: &tls::Client,
    name: &str,
    (up, down): (usize, usize),
    dice: &mut Dice,
) -> Vec<(Way, Vec<u8>)> {
    let id = dice.noise(ID_BYTES);
    let hello = tls::client_hello(client, name, dice);
    // The message without the record around it.
    let message = &hello[tls::RECORD_HEADER_BYTES..];
    let mut datagrams = Vec::new();
    for (number, piece) in message.chunks(HELLO_PIECE).enumerate() {
        datagrams.push((Way::Up, initial(&id, number as u32, (number * HELLO_PIECE, piece))));
    }
    datagrams.push((Way::Down, handshake_of_server(dice)));
    datagrams.push((Way::Up, short(&id, 60, dice)));
    for (number, size) in packets(up).enumerate() {
        datagrams.push((Way::Up, short(&id, size, dice)));
        if number % PER_ACKNOWLEDGEMENT == PER_ACKNOWLEDGEMENT - 1 {
            datagrams.push((Way::Down, short(&[], ACKNOWLEDGEMENT, dice)));
        }
    }
    for size in packets(down) {
        datagrams.push((Way::Down, short(&[], size, dice)));
    }
    datagrams.push((Way::Up, short(&id, ACKNOWLEDGEMENT, dice)));
    datagrams
}

/// The sizes of the packets that hold `bytes`, without what is around them.
fn packets(bytes: usize) -> impl Iterator<Item = usize> {
    const CONTENT: usize = FULL_PACKET - AROUND;
    (0..bytes).step_by(CONTENT).map(move |from| CONTENT.min(bytes - from))
}

/// A packet with a short header: to whom, and noise.
fn short(id: &[u8], content: usize, dice: &mut Dice) -> Vec<u8> {
    // The fixed bit is set; the others that matter are protected.
    let mut packet = vec![0x40 | (dice.count(0..64) as u8)];
    packet.extend(id);
    packet.extend(dice.noise(content + AROUND - 1 - ID_BYTES));
    packet
}

/// The server's first datagram: nobody but the client reads it.
fn handshake_of_server(dice: &mut Dice) -> Vec<u8> {
    let mut packet = vec![0xc0 | (dice.count(0..16) as u8)];
    packet.extend(VERSION);
    packet.extend([0, ID_BYTES as u8]);
    packet.extend(dice.noise(ID_BYTES));
    // No token; then the length of all that follows.
    packet.push(0);
    let left = FULL_PACKET - packet.len() - 2;
    packet.extend((0x4000 | left as u16).to_be_bytes());
    packet.extend(dice.noise(left));
    packet
}

/// A datagram with a piece of the hello, as the client sends it to the server at `id`.
fn initial(id: &[u8], number: u32, (offset, piece): (usize, &[u8])) -> Vec<u8> {
    let keys = Keys::of_client(id);
    // A long header, type Initial, four bytes of packet number.
    let mut packet = vec![0xc3];
    packet.extend(VERSION);
    packet.push(id.len() as u8);
    packet.extend(id);
    // No id of the client's own, and no token.
    packet.extend([0, 0]);
    let number_at = packet.len() + 2;
    let left = INITIAL_DATAGRAM - number_at;
    packet.extend((0x4000 | left as u16).to_be_bytes());
    packet.extend(number.to_be_bytes());
    // A CRYPTO frame, and padding.
    let mut content = vec![0x06];
    content.extend((0x4000 | offset as u16).to_be_bytes());
    content.extend((0x4000 | piece.len() as u16).to_be_bytes());
    content.extend(piece);
    content.resize(left - 4 - AES_128_GCM.tag_len(), 0);
    keys.seal(number, &packet, &mut content);
    packet.extend(content);
    let mask = keys.header.new_mask(&packet[number_at + 4..number_at + 20]);
    let mask = mask.expect("a sample of 16 bytes is what the cipher takes");
    packet[0] ^= mask[0] & 15;
    for (byte, mask) in packet[number_at..].iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
    }
    packet
}

/// What a client protects its Initial packets with.
struct Keys {
    content: LessSafeKey,
    vector: [u8; 12],
    header: HeaderProtectionKey,
}

impl Keys {
    fn of_client(id: &[u8]) -> Self {
        let initial = Salt::new(HKDF_SHA256, &SALT).extract(id);
        let secret = Prk::new_less_safe(HKDF_SHA256, &expand::<32>(&initial, b"client in"));
        let key = UnboundKey::new(&AES_128_GCM, &expand::<16>(&secret, b"quic key"));
        let header = HeaderProtectionKey::new(&AES_128, &expand::<16>(&secret, b"quic hp"));
        Self {
            content: LessSafeKey::new(key.expect("16 bytes are a key of AES-128")),
            vector: expand(&secret, b"quic iv"),
            header: header.expect("16 bytes are a key of AES-128"),
        }
    }

    fn seal(&self, number: u32, header: &[u8], content: &mut Vec<u8>) {
        let mut nonce = self.vector;
        for (byte, other) in nonce[8..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= other;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self.content.seal_in_place_append_tag(nonce, Aad::from(header), content);
        sealed.expect("a packet is far shorter than what the cipher can seal");
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
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> [u8; N] {
    let length = (N as u16).to_be_bytes();
    let prefix = b"tls13 ";
    let label_bytes = [(prefix.len() + label.len()) as u8];
    let info = [&length[..], &label_bytes, prefix, label, &[0]];
    let mut out = [0; N];
    let filled = secret.expand(&info, Bytes(N)).and_then(|key| key.fill(&mut out));
    filled.expect("32 bytes and fewer can be expanded from a digest of 32");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_rfc_9001() {
        // Appendix A.1: the client's vector for the id 8394c8f03e515708.
        let keys = Keys::of_client(&[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);
        let vector = [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c];
        assert_eq!(keys.vector, vector);
        // Appendix A.2: the mask for this sample of the protected packet.
        let sample = [
            0xd1, 0xb1, 0xc9, 0x8d, 0xd7, 0x68, 0x9f, 0xb8, 0xec, 0x11, 0xd2, 0x42, 0xb1, 0x23,
            0xdc, 0x9b,
        ];
        let mask = keys.header.new_mask(&sample).unwrap();
        assert_eq!(mask, [0x43, 0x7b, 0x9a, 0xec, 0x36]);
    }
}
