//! TLS over TCP: hellos in pieces, and the certificates that answer them.

use egret_event::ServerCertificate;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};

use super::*;

const NAME: &str = "api.example.org";

/// All orders of `count` things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in orders(count - 1) {
        for place in 0..count {
            let mut longer = order.clone();
            longer.insert(place, count - 1);
            all.push(longer);
        }
    }
    all
}

/// Sends `bytes` cut at `cuts` over a new connection, in every order of the pieces, and returns the
/// names seen each time.
fn names_in_every_order(bytes: &[u8], cuts: &[usize]) -> Vec<Option<String>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([bytes.len()]) {
        pieces.push(&bytes[from..to]);
        from = to;
    }
    let mut seen = Vec::new();
    for order in orders(pieces.len()) {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 443);
        let packets: Vec<_> = pieces.iter().map(|piece| c.send(piece)).collect();
        for index in &order {
            tap.see(&packets[*index]);
        }
        seen.push(tap.hellos().first().and_then(|hello| hello.sni.as_deref().map(String::from)));
        tap.see(&c.down(ACK, b"\x15\x03\x03\x00\x02\x02\x28"));
        assert_eq!((tap.decoder.partials, tap.hellos().len()), (0, 1), "{cuts:?} {order:?}");
    }
    seen
}

#[test]
fn a_hello_cut_at_any_byte_is_found_in_either_order() {
    let bytes = hello(NAME, 0);
    for cut in 1..bytes.len() {
        let names = names_in_every_order(&bytes, &[cut]);
        assert!(names.iter().all(|name| name.as_deref() == Some(NAME)), "cut at {cut}: {names:?}");
    }
}

#[test]
fn a_byte_alone_between_two_segments_is_not_taken_for_the_start_of_something_else() {
    let bytes = hello(NAME, 40);
    let names = names_in_every_order(&bytes, &[1, 63, 64]);
    assert!(names.iter().all(|name| name.as_deref() == Some(NAME)), "{names:?}");
}

proptest! {
    #[test]
    fn a_hello_in_four_segments_is_found_in_every_order(
        mut cuts in prop::collection::btree_set(1..180_usize, 3),
    ) {
        let bytes = hello(NAME, 40);
        cuts.retain(|cut| *cut < bytes.len());
        let cuts: Vec<_> = cuts.into_iter().collect();
        let names = names_in_every_order(&bytes, &cuts);
        prop_assert!(names.iter().all(|name| name.as_deref() == Some(NAME)), "{cuts:?}: {names:?}");
    }
}

#[test]
fn an_encrypted_hello_is_seen_and_the_name_is_then_the_public_one() {
    // The outer form: type, cipher suite, configuration, an empty key, one byte of payload.
    for (kind, expected) in [(0, true), (1, false)] {
        let mut bytes = hello("public.example", 0);
        let extension = [0xfe, 0x0d, 0, 11, kind, 0, 1, 0, 1, 7, 0, 0, 0, 1, 0xff];
        bytes.extend(extension);
        // Record, message, and the list of extensions, whose length stands behind 54 bytes.
        for at in [3, 7, 54] {
            let length = u16::from_be_bytes([bytes[at], bytes[at + 1]]) + extension.len() as u16;
            bytes[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 443);
        tap.see(&c.send(&bytes));
        let seen = tap.hellos();
        assert_eq!((seen[0].ech, seen[0].sni.as_deref()), (expected, Some("public.example")));
        assert!(seen[0].ja4.starts_with("t13d0206h2_"), "{}", seen[0].ja4);
    }
}

#[test]
fn overlapping_segments_make_one_hello() {
    let bytes = hello(NAME, 0);
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    let mut again = c.clone();
    let first = c.send(&bytes[..60]);
    let whole = again.send(&bytes);
    tap.see(&first);
    tap.see(&whole);
    assert_eq!(tap.hellos().len(), 1);
}

#[test]
fn a_hello_after_starttls_is_found() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 587);
    tap.see(&c.down(ACK, b"220 mail.example.org ESMTP\r\n"));
    tap.see(&c.send(b"EHLO me\r\n"));
    tap.see(&c.down(ACK, b"250-mail.example.org\r\n250 STARTTLS\r\n"));
    tap.see(&c.send(b"STARTTLS\r\n"));
    tap.see(&c.down(ACK, b"220 go ahead\r\n"));
    let bytes = hello("mail.example.org", 0);
    let (first, second) = (c.send(&bytes[..70]), c.send(&bytes[70..]));
    tap.see(&second);
    tap.see(&first);
    assert_eq!(tap.hellos()[0].sni.as_deref(), Some("mail.example.org"));
}

#[test]
fn a_hole_in_an_upload_hides_no_later_request_and_no_buffer_is_kept() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    tap.see(&c.send(b"POST /a HTTP/1.1\r\nHost: one.example\r\n\r\n"));
    let _lost = c.send(&[b'x'; 1000]);
    for _ in 0..20 {
        tap.see(&c.send(&[b'x'; 1000]));
    }
    assert_eq!(tap.decoder.partials, 0, "what is too much is given up");
    let _lost = c.send(&[b'x'; 1000]);
    tap.see(&c.send(b"xxxx"));
    tap.see(&c.send(b"GET /b HTTP/1.1\r\nHost: one.example\r\n\r\n"));
    assert_eq!(tap.decoder.partials, 0);
    tap.finish();
    assert_eq!(tap.requests().len(), 2);
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend_from_slice(body);
    message
}

fn record(content: &[u8]) -> Vec<u8> {
    let mut record = vec![22, 3, 3];
    record.extend((content.len() as u16).to_be_bytes());
    record.extend_from_slice(content);
    record
}

/// A ServerHello of TLS 1.2, or with `extensions` of another.
fn server_hello(random: [u8; 32], extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(random);
    body.extend([0, 0xc0, 0x2f, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(extensions);
    handshake(2, &body)
}

const TLS_1_3: [u8; 6] = [0, 43, 0, 2, 3, 4];

/// A Certificate message with a chain of two, the first for `name`.
fn certificate_for(name: &str) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let shown = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut list = Vec::new();
    for der in [shown.der().as_ref(), &[0x30; 900]] {
        list.push(0);
        list.extend((der.len() as u16).to_be_bytes());
        list.extend_from_slice(der);
    }
    let mut body = vec![0];
    body.extend((list.len() as u16).to_be_bytes());
    body.extend(list);
    handshake(11, &body)
}

fn certificates(tap: &Tap) -> Vec<(&Event, &ServerCertificate)> {
    let mut told = Vec::new();
    for event in &tap.events {
        if let Fact::Certificate(shown) = &event.fact {
            told.push((event, &**shown));
        }
    }
    told
}

#[test]
fn the_certificate_of_a_server_is_told_whatever_its_records_and_segments() {
    let messages =
        [server_hello([5; 32], &[]), certificate_for("*.example.org"), handshake(14, &[])];
    let one_record = record(&messages.concat());
    let many_records: Vec<u8> = messages.concat().chunks(100).flat_map(record).collect();
    for (index, stream) in [&one_record, &many_records].into_iter().enumerate() {
        for size in [1, 7, 300, 1400, 60_000] {
            let mut tap = Tap::new();
            let mut c = tap.connect(40_000, 443);
            tap.see(&c.send(&hello(NAME, 0)));
            let packets: Vec<_> = stream.chunks(size).map(|segment| c.down(ACK, segment)).collect();
            // Pairs of segments change places.
            for pair in packets.chunks(2) {
                pair.iter().rev().for_each(|packet| tap.see(packet));
            }
            let told = certificates(&tap);
            assert_eq!(told.len(), 1, "stream {index} in segments of {size}");
            let (event, shown) = told[0];
            assert_eq!((shown.chain, shown.name_matches), (2, Some(true)));
            assert_eq!(shown.sni.as_deref(), Some(NAME));
            assert_eq!(event.destination.host.as_deref(), Some(NAME));
            assert_eq!(event.up.bytes, None);
            assert_eq!(tap.decoder.partials, 0);
        }
    }
}

#[test]
fn of_a_chain_that_is_not_seen_whole_the_servers_own_certificate_is_told() {
    let answer = [server_hello([5; 32], &[]), certificate_for("*.example.org")].concat();
    let mut long = record(&answer);
    // It claims to be as long as a handshake message may be.
    let at = long.len() - answer.len() + server_hello([5; 32], &[]).len();
    for length in [at + 1, at + 4] {
        long[length] = 1;
    }
    let without_end = record(&answer)[..answer.len() - 100].to_vec();
    for is_long in [true, false] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 443);
        tap.see(&c.send(&hello(NAME, 0)));
        if is_long {
            tap.see(&c.down(ACK, &long));
            for _ in 0..40 {
                tap.see(&c.down(ACK, &record(&[0x30; 1000])));
            }
        } else {
            tap.see(&c.down(ACK, &without_end));
            let _lost = c.down(ACK, &[0; 100]);
            tap.see(&c.send(&[23, 3, 3, 0, 1, 0]));
        }
        let told = certificates(&tap);
        assert_eq!(told.len(), 1, "{is_long}");
        assert_eq!((told[0].1.chain, told[0].1.name_matches), (0, Some(true)));
        assert_eq!(tap.decoder.partials, 0);
    }
}

#[test]
fn a_certificate_is_told_though_neither_hello_was_captured() {
    let certificate = certificate_for("a.example");
    let with_hello = [server_hello([5; 32], &[]), certificate.clone()].concat();
    for answer in [record(&with_hello), record(&certificate)] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 443);
        let _lost = c.send(&hello(NAME, 0));
        tap.see(&c.down(ACK, &answer[..200]));
        tap.see(&c.down(ACK, &answer[200..]));
        assert_eq!(certificates(&tap).len(), 1);
        assert_eq!((certificates(&tap)[0].1.name_matches, tap.decoder.partials), (None, 0));
    }
}

#[test]
fn a_hello_behind_a_proxy_header_is_read() {
    let header = b"PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n";
    let whole = [&header[..], &hello("api.example.com", 0)].concat();
    for cut in [whole.len(), header.len(), header.len() + 40] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 443);
        for piece in [&whole[..cut], &whole[cut..]] {
            if !piece.is_empty() {
                tap.see(&c.send(piece));
            }
        }
        tap.finish();
        assert_eq!(tap.hellos().len(), 1, "{cut}");
        assert_eq!(tap.flows()[0].0.up.bytes, Some(whole.len() as u64));
    }
}

#[test]
fn without_a_name_asked_for_a_certificate_does_not_name_the_destination() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    let bare = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0]].concat();
    tap.see(&c.send(&record(&handshake(1, &bare))));
    let answer = [server_hello([5; 32], &[]), certificate_for("bank.example")].concat();
    tap.see(&c.down(ACK, &record(&answer)));
    let told = certificates(&tap);
    assert_eq!((told[0].1.name_matches, told[0].1.names.len()), (None, 1));
    assert_eq!(told[0].0.destination.host, None);
}

#[test]
fn from_tls_1_3_on_nothing_is_told_of_certificates_and_nothing_more_is_looked_at() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    tap.see(&c.send(&hello(NAME, 0)));
    let mut answer = record(&server_hello([5; 32], &TLS_1_3));
    answer.extend([20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 2, 1, 2]);
    tap.see(&c.down(ACK, &answer));
    assert_eq!(tap.decoder.partials, 0);
    tap.see(&c.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    tap.finish();
    assert!(tap.requests().is_empty(), "what follows is encrypted");
    assert!(certificates(&tap).is_empty());
}

#[test]
fn after_a_retry_request_the_second_hello_is_found_and_its_answer_awaited() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    tap.see(&c.send(&hello(NAME, 0)));
    // SHA-256 of "HelloRetryRequest".
    let random: [u8; 32] = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(
        "HelloRetryRequest",
    ))
    .into();
    tap.see(&c.down(ACK, &record(&server_hello(random, &TLS_1_3))));
    tap.see(&c.send(&[20, 3, 3, 0, 1, 1]));
    tap.see(&c.send(&hello(NAME, 9)));
    assert_eq!(tap.hellos().len(), 2);
    tap.see(&c.down(ACK, &record(&server_hello([5; 32], &TLS_1_3))));
    tap.see(&c.send(b"GET / HTTP/1.1\r\n\r\n"));
    tap.finish();
    assert!(tap.requests().is_empty());
}

#[test]
fn an_answer_that_is_no_tls_is_no_reason_to_look_away() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    tap.see(&c.send(&hello(NAME, 0)));
    tap.see(&c.down(ACK, b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    tap.see(&c.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    tap.finish();
    assert_eq!(tap.requests().len(), 1);
}

#[test]
fn a_session_that_goes_on_shows_no_certificate() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    tap.see(&c.send(&hello(NAME, 0)));
    let mut answer = record(&server_hello([5; 32], &[]));
    answer.extend([20, 3, 3, 0, 1, 1]);
    tap.see(&c.down(ACK, &answer));
    assert_eq!((certificates(&tap).len(), tap.decoder.partials), (0, 0));
}
