use super::*;

/// The body of a ClientHello of DTLS with a cookie and the versions 1.2 and 1.3.
pub(in crate::packets) fn body(cookie: &[u8]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([7; 32]);
    body.push(0);
    body.push(cookie.len() as u8);
    body.extend(cookie);
    body.extend([0, 4, 0xc0, 0x2b, 0x13, 0x01, 1, 0]);
    body.extend([0, 9, 0, 43, 0, 5, 4, 0xfe, 0xfd, 0xfe, 0xfc]);
    body
}

/// A record with the part of a hello from `from` to `to`.
pub(in crate::packets) fn record(message: u16, body: &[u8], from: usize, to: usize) -> Vec<u8> {
    let length = |length: usize| (length as u32).to_be_bytes()[1..].to_vec();
    let mut content = vec![CLIENT_HELLO];
    content.extend(length(body.len()));
    content.extend(message.to_be_bytes());
    content.extend(length(from));
    content.extend(length(to - from));
    content.extend(&body[from..to]);
    let mut record = vec![HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend((content.len() as u16).to_be_bytes());
    record.extend(content);
    record
}

#[test]
fn a_hello_is_read_with_its_cookie_and_its_highest_version() {
    let body = body(b"cookie");
    let datagram = record(1, &body, 0, body.len());
    assert!(may_start_hello(&datagram));
    let seen: Vec<_> = hello_fragments(&datagram).collect();
    assert_eq!(seen, [Fragment { message: 1, length: body.len(), at: 0, bytes: &body }]);
    let hello = client_hello(seen[0].bytes).unwrap();
    assert_eq!((hello.version, hello.carrier), (0xfefc, TlsCarrier::Dtls));
    assert!(hello.ja4.starts_with("dd3i020100_"), "{}", hello.ja4);
}

#[test]
fn fragments_come_in_several_records() {
    let body = body(b"");
    let datagram = [record(0, &body, 0, 20), record(0, &body, 20, body.len())].concat();
    let places: Vec<_> = hello_fragments(&datagram).map(|part| part.at).collect();
    assert_eq!(places, [0, 20]);
}

#[test]
fn what_is_encrypted_or_damaged_is_left_alone() {
    let body = body(b"");
    let whole = record(0, &body, 0, body.len());
    for length in 0..whole.len() {
        assert_eq!(hello_fragments(&whole[..length]).count(), 0, "{length} bytes");
    }
    let mut encrypted = whole.clone();
    encrypted[4] = 1;
    assert_eq!(hello_fragments(&encrypted).count(), 0);
    let mut beyond = whole;
    beyond[16] -= 1;
    assert_eq!(hello_fragments(&beyond).count(), 0, "a part of more than the whole");
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
        hello_fragments(&bytes).for_each(drop);
        let record = [&[HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60][..], &bytes].concat();
        hello_fragments(&record).for_each(drop);
        let _ = client_hello(&bytes);
    }
}
