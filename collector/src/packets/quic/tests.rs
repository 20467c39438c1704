use super::testing::{Plain, seal};
use super::*;

/// The frames of the client's first packet in RFC 9001, appendix A.2, without padding.
const FRAMES: &str = "\
    060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00\
    000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d\
    0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbaba\
    f4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e04030503060302\
    03080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000\
    ffff0801100104800075300901100f088394c8f03e51570806048000ffff\
";

/// The start of that packet, protected, and its end.
const PROTECTED: &str = "\
    c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11\
    d242b123dc9bd8bab936b47d92ec356c0bab7df5976d27cd449f63300099f399";

/// The id in that packet.
const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The pieces of the handshake in all Initial packets of a datagram, with the keys of `origin`.
fn pieces(datagram: &[u8], origin: Option<&Origin>) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    for initial in initials(datagram) {
        let frames = initial.open(origin.unwrap_or(&initial.origin)).unwrap_or_default();
        handshake_pieces(&frames, |at, piece| pieces.push((at, piece.to_vec())));
    }
    pieces
}

#[test]
fn the_packet_of_the_standard_is_made_and_read() {
    let mut frames = bytes_of(FRAMES);
    frames.resize(1162, 0);
    let packet = seal(&Plain { version: 1, id: &ID, original: &ID, number: 2, frames: &frames });
    assert_eq!(packet.len(), 1200);
    assert_eq!(packet[..64], bytes_of(PROTECTED));
    assert!(may_start_initial(&packet));
    let pieces = pieces(&packet, None);
    assert_eq!(pieces, [(0, bytes_of(FRAMES)[4..].to_vec())]);
}

#[test]
fn every_version_that_is_known_has_its_own_keys() {
    for version in [1, 0x6b33_43cf, 0xff00_001d, 0xff00_0017, 0xff00_0022, 0x5130_3530, 0xface_b002]
    {
        let frames = bytes_of(FRAMES);
        let plain = Plain { version, id: &ID, original: &ID, number: 0, frames: &frames };
        assert_eq!(pieces(&seal(&plain), None).len(), 1, "{version:#x}");
    }
    assert!(!may_start_initial(&[0xc0, 0, 0, 0, 0, 8]), "version negotiation");
    assert!(!may_start_initial(&[0xc0, 0xff, 0, 0, 1, 8]));
}

#[test]
fn packets_after_the_answer_have_another_id_and_the_same_keys() {
    let frames = bytes_of(FRAMES);
    let plain = Plain { version: 1, id: b"server's", original: &ID, number: 1, frames: &frames };
    let packet = seal(&plain);
    assert!(pieces(&packet, None).is_empty());
    let first = initials(&seal(&Plain { id: &ID, ..plain })).next().unwrap().origin;
    assert_eq!(pieces(&packet, Some(&first)).len(), 1);
}

#[test]
fn a_datagram_may_hold_several_packets() {
    let frames = [&[ACK, 5, 0, 1, 2, 3, 4][..], &[PING, PADDING], &bytes_of(FRAMES)].concat();
    let plain = Plain { version: 1, id: &ID, original: &ID, number: 7, frames: &frames };
    let mut early_data = seal(&plain);
    early_data[0] |= 0x10;
    // A 0-RTT packet has no token.
    early_data.remove(15);
    let datagram = [seal(&plain), early_data, seal(&plain), vec![0; 20]].concat();
    assert_eq!(pieces(&datagram, None).len(), 2);
}

#[test]
fn a_damaged_packet_is_not_read() {
    let frames = bytes_of(FRAMES);
    let plain = Plain { version: 1, id: &ID, original: &ID, number: 0, frames: &frames };
    let packet = seal(&plain);
    for index in [0, 20, 60, packet.len() - 1] {
        let mut damaged = packet.clone();
        damaged[index] ^= 4;
        assert!(pieces(&damaged, None).is_empty(), "byte {index}");
    }
    for length in 0..packet.len() {
        assert!(pieces(&packet[..length], None).is_empty(), "{length} bytes");
    }
}

#[test]
fn googles_hello_is_read_in_the_clear() {
    let mut message = b"CHLO\x02\0\0\0PAD\0\x05\0\0\0SNI\0\x10\0\0\0".to_vec();
    message.extend(b".....example.org");
    let mut datagram = b"\x0dABCDEFGHQ043\x01............\xa0\x01\x04".to_vec();
    datagram.extend(&message);
    let hello = google_hello(&datagram).unwrap();
    assert_eq!((hello.sni.as_deref(), hello.ja4.as_str()), (Some("example.org"), ""));
    datagram[9] = b'R';
    assert_eq!(google_hello(&datagram), None);
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        known in 0..3_usize,
    ) {
        let version = [[0, 0, 0, 1], [0x6b, 0x33, 0x43, 0xcf], [0x51, 0x30, 0x35, 0x30]][known];
        let datagram = [&[0xc0][..], &version, &bytes].concat();
        pieces(&datagram, None);
        handshake_pieces(&bytes, |_, _| {});
        google_hello(&[b"\x0d12345678Q043", &bytes[..]].concat());
        google_values(&[b"CHLO", &bytes[..]].concat());
    }
}
