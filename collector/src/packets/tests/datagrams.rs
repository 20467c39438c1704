//! Hellos in datagrams.

use egret_event::{NameSource, TlsCarrier};

use super::super::dtls::tests::{body, record};
use super::super::quic::testing::{Plain, seal};
use super::*;

const FIRST: &[u8] = b"chosen by the client";
const SECOND: &[u8] = b"by the server";

fn up(payload: &[u8]) -> Vec<u8> {
    udp((CLIENT, 40_000, SERVER, 443), payload)
}

/// CRYPTO frames with the given parts of a handshake.
fn frames(handshake: &[u8], parts: &[(usize, usize)]) -> Vec<u8> {
    let mut frames = Vec::new();
    for (from, to) in parts {
        frames.push(6);
        frames.extend((0x4000 | *from as u16).to_be_bytes());
        frames.extend((0x4000 | (to - from) as u16).to_be_bytes());
        frames.extend(&handshake[*from..*to]);
        frames.extend([0, 1]);
    }
    frames
}

fn initial(id: &[u8], original: &[u8], frames: &[u8]) -> Vec<u8> {
    seal(&Plain { version: 1, id, original, number: 1, frames })
}

#[test]
fn a_hello_in_quic_names_the_flow() {
    let mut tap = Tap::new();
    let handshake = &hello("www.example.org", 0)[5..];
    tap.see(&up(&initial(FIRST, FIRST, &frames(handshake, &[(0, handshake.len())]))));
    let seen = tap.hellos();
    assert_eq!(seen[0].sni.as_deref(), Some("www.example.org"));
    assert_eq!((seen[0].carrier, seen[0].alpn.as_deref()), (TlsCarrier::Quic, Some("h2")));
    assert!(seen[0].ja4.starts_with("q13d"));
    tap.see(&up(&[0x40; 1200]));
    tap.finish();
    let flows = tap.flows();
    assert_eq!(flows[0].0.destination.named_by, Some(NameSource::Sni));
    assert_eq!(flows[0].0.destination.host.as_deref(), Some("www.example.org"));
}

#[test]
fn pieces_in_any_order_over_packets_and_datagrams_are_put_together() {
    let mut tap = Tap::new();
    let bytes = hello("www.example.org", 2000);
    let (handshake, end) = (&bytes[5..], bytes.len() - 5);
    let late = initial(FIRST, FIRST, &frames(handshake, &[(1500, end), (40, 90)]));
    let early = initial(FIRST, FIRST, &frames(handshake, &[(1, 40), (90, 700), (0, 1)]));
    // The client knows the server's id by now; the keys stay.
    let last = initial(SECOND, FIRST, &frames(handshake, &[(600, 1500)]));
    tap.see(&up(&[late, early].concat()));
    assert!(tap.hellos().is_empty());
    assert_eq!(tap.decoder.partials, 1);
    tap.see(&up(&last));
    assert_eq!(tap.hellos()[0].sni.as_deref(), Some("www.example.org"));
    assert_eq!(tap.decoder.partials, 0);
}

#[test]
fn after_a_retry_packet_the_keys_come_from_the_servers_id() {
    let mut tap = Tap::new();
    let bytes = hello("www.example.org", 2000);
    let (handshake, end) = (&bytes[5..], bytes.len() - 5);
    tap.see(&up(&initial(FIRST, FIRST, &frames(handshake, &[(0, 1000)]))));
    tap.see(&up(&initial(SECOND, SECOND, &frames(handshake, &[(0, 1000)]))));
    tap.see(&up(&initial(SECOND, SECOND, &frames(handshake, &[(1000, end)]))));
    assert_eq!(tap.hellos()[0].sni.as_deref(), Some("www.example.org"));
}

#[test]
fn a_hello_in_fragments_of_dtls_is_put_together_and_told_once() {
    let mut tap = Tap::new();
    let (first, second) = (body(b""), body(b"cookie"));
    tap.see(&up(&record(0, &first, 0, 30)));
    // Lost is the rest; the server's cookie makes the client begin again.
    tap.see(&up(&record(1, &second, 40, second.len())));
    tap.see(&up(&record(1, &second, 0, 40)));
    tap.see(&up(&record(2, &first, 0, first.len())));
    assert_eq!(tap.hellos().len(), 1);
    assert_eq!(tap.hellos()[0].carrier, TlsCarrier::Dtls);
    assert_eq!(tap.decoder.partials, 0);
}

#[test]
fn a_hello_that_comes_after_a_hundred_datagrams_is_not_looked_for() {
    let mut tap = Tap::new();
    let whole = body(b"");
    for _ in 0..60 {
        tap.see(&up(b"\x80\x60 media"));
    }
    tap.see(&up(&record(0, &whole, 0, 10)));
    assert_eq!(tap.decoder.partials, 1);
    for _ in 0..60 {
        tap.see(&up(b"\x80\x60 media"));
    }
    assert_eq!(tap.decoder.partials, 0);
    tap.see(&up(&record(0, &whole, 0, whole.len())));
    assert!(tap.hellos().is_empty());
}

#[test]
fn a_hello_is_not_put_together_from_what_the_server_sends() {
    let mut tap = Tap::new();
    let whole = body(b"");
    tap.see(&up(b"x"));
    tap.see(&udp((SERVER, 443, CLIENT, 40_000), &record(0, &whole, 0, whole.len())));
    assert!(tap.hellos().is_empty());
}
