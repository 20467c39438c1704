//! Link types, accounts, and bytes of any kind.

use egret_event::{FlowPhase, GapReason, Loss};
use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::super::{certificate, dissect, dns as dns_parser, http, tls};
use super::*;

/// The same datagram in frames of every link type.
fn frames() -> Vec<(Link, Vec<u8>)> {
    let inner = udp((CLIENT, 40_000, SERVER, 9999), b"payload");
    let behind = |head: &[u8]| [head, &inner].concat();
    let ethernet = [&[2; 12][..], &[8, 0]].concat();
    let vlan = [&[2; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    let double = [&[2; 12][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat();
    let cooked = [&[0; 14][..], &[8, 0]].concat();
    let cooked2 = [&[8, 0][..], &[0; 18]].concat();
    vec![
        (Link::Ethernet, behind(&ethernet)),
        (Link::Ethernet, behind(&vlan)),
        (Link::Ethernet, behind(&double)),
        (Link::LinuxCooked, behind(&cooked)),
        (Link::LinuxCooked2, behind(&cooked2)),
        (Link::Loopback, behind(&[2, 0, 0, 0])),
        (Link::Loopback, behind(&[0, 0, 0, 2])),
        (Link::Ip, inner),
    ]
}

#[test]
fn every_link_type_gives_the_same_packet() {
    let (_, plain) = frames().pop().unwrap();
    let expected = dissect(Link::Ip, 0, &plain).unwrap();
    assert_eq!((expected.payload, expected.wire_bytes), (&b"payload"[..], 35));
    for (link, frame) in frames() {
        assert_eq!(dissect(link, 0, &frame), Ok(expected), "{link:?}");
    }
}

#[test]
fn ipv6_is_read_behind_its_extension_headers() {
    let mut plain = Vec::new();
    let (from, to) = ([0x20; 16], [0x30; 16]);
    PacketBuilder::ipv6(from, to, 64).udp(40_000, 9999).write(&mut plain, b"payload").unwrap();
    let mut extended = plain.clone();
    extended[5] += 8;
    extended[6] = 0;
    // Hop-by-hop options: UDP comes next, and eight bytes of padding.
    extended.splice(40..40, [17, 0, 1, 4, 0, 0, 0, 0]);
    let (plain, extended) =
        (dissect(Link::Ip, 0, &plain).unwrap(), dissect(Link::Ip, 0, &extended).unwrap());
    assert_eq!(plain.payload, extended.payload);
    assert_eq!((plain.payload_bytes, extended.payload_bytes), (7, 7));
    assert_eq!(plain.source_port, extended.source_port);
    assert_eq!(plain.wire_bytes + 8, extended.wire_bytes);
}

#[test]
fn lengths_are_those_of_the_wire_where_the_capture_is_cut() {
    let mut c = Connection::new(40_000, 8443);
    let whole = c.send(&[1; 1000]);
    let cut = dissect(Link::Ip, 1040, &whole[..60]).unwrap();
    assert_eq!((cut.payload.len(), cut.payload_bytes, cut.wire_bytes), (20, 1000, 1040));
    assert_eq!(dissect(Link::Ip, 1040, &whole[..30]), Err(Loss::Truncated));
    assert_eq!(dissect(Link::Ip, 30, &whole[..30]), Err(Loss::Malformed));
}

#[test]
fn a_header_that_claims_more_than_was_on_the_wire_is_not_believed() {
    let mut lying = udp((CLIENT, 40_000, SERVER, 9999), b"payload");
    lying[2..4].copy_from_slice(&[0xff, 0xff]);
    let packet = dissect(Link::Ip, 0, &lying).unwrap();
    assert_eq!((packet.wire_bytes, packet.payload_bytes), (35, 7));
}

#[test]
fn every_packet_is_accounted_for_and_what_was_not_understood_is_told() {
    let mut tap = Tap::of(Link::Ethernet, 10);
    let (_, frame) = frames().swap_remove(0);
    let length = u32::try_from(frame.len()).unwrap();
    tap.see(&frame);
    tap.see(&[&[2; 12][..], &[8, 6], &[0; 28]].concat());
    tap.see(&[&[2; 12][..], &[8, 0], &[0; 20]].concat());
    let mut ignore = |_| {};
    tap.decoder.packet(at_ms(0), length, &frame[..20], &mut ignore);
    tap.pass(2_000);
    let account = tap.account();
    assert_eq!((account.received, account.passed, account.unaccounted()), (4, 1, 0));
    let lost = [(Loss::NotIp, 1), (Loss::Malformed, 1), (Loss::Truncated, 1)];
    assert_eq!(account.lost, lost);
    let gaps = tap.events.iter().filter_map(|event| match event.fact {
        Fact::Gap(gap) => Some((gap.reason, gap.count)),
        _ => None,
    });
    assert_eq!(gaps.collect::<Vec<_>>(), [(GapReason::Malformed, 1), (GapReason::Truncated, 1)]);
}

/// Packets of a conversation of every kind, to be damaged.
fn conversation() -> Vec<Vec<u8>> {
    let mut c = Connection::new(40_000, 443);
    let mut d = Connection::new(40_001, 80);
    let mut e = Connection::new(40_002, 53);
    let question = dns(7, "a.example", None);
    let framed = [&[0, question.len() as u8][..], &question].concat();
    let long = hello("api.example.org", 2000);
    let probe = udp((CLIENT, 40_003, SERVER, 9), b"x");
    vec![
        udp((CLIENT, 33_000, RESOLVER, 53), &question),
        udp((RESOLVER, 53, CLIENT, 33_000), &dns(7, "a.example", Some(SERVER))),
        c.up(SYN, b""),
        c.down(SYN | ACK, b""),
        c.send(&long[..1200]),
        c.send(&long[1200..]),
        c.down(FIN | ACK, b"x"),
        c.up(FIN | ACK, b""),
        d.send(b"GET /a HTTP/1.1\r\nHost: "),
        d.send(b"one.example\r\n\r\n"),
        d.send(b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"),
        d.up(RST, b""),
        e.send(&framed[..9]),
        e.send(&framed[9..]),
        unreachable(3, &probe),
        probe,
    ]
}

#[derive(Debug, Clone)]
struct Damage {
    packet: usize,
    byte: usize,
    value: u8,
    kept: usize,
    pause_ms: i64,
}

fn damage() -> impl Strategy<Value = Damage> {
    (0..16_usize, 0..1400_usize, any::<u8>(), 1..1500_usize, 0..20_000_i64).prop_map(
        |(packet, byte, value, kept, pause_ms)| Damage { packet, byte, value, kept, pause_ms },
    )
}

proptest! {
    #[test]
    fn decoders_never_panic_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = dns_parser::message(&bytes);
        let _ = tls::client_hello(&bytes);
        let _ = tls::server_answer(&bytes);
        let _ = tls::Chain::of(&bytes);
        let _ = certificate::read(&bytes, None, 1);
        let _ = http::head(&bytes);
        for link in (0..300).filter_map(Link::from_number) {
            if let Ok(packet) = dissect(link, 0, &bytes) {
                prop_assert!(packet.payload.len() <= packet.payload_bytes as usize);
                prop_assert!(packet.wire_bytes as usize <= bytes.len());
            }
        }
    }

    #[test]
    fn decoders_never_panic_on_damaged_packets(plan in prop::collection::vec(damage(), 1..60)) {
        let packets = conversation();
        let mut tap = Tap::of(Link::Ip, 5);
        for step in &plan {
            let mut bytes = packets[step.packet].clone();
            if let Some(byte) = bytes.get_mut(step.byte) {
                *byte = step.value;
            }
            bytes.truncate(step.kept);
            tap.see(&bytes);
            tap.pass(step.pause_ms);
        }
        tap.finish();
        prop_assert_eq!(tap.decoder.flows(), 0);
        prop_assert_eq!(tap.decoder.partials, 0);
        let account = tap.account();
        prop_assert_eq!(account.unaccounted(), 0);
        prop_assert_eq!(tap.told_packets(), account.passed, "every packet is told in one event");
        prop_assert!(tap.events.is_sorted_by_key(|event| event.at));
        let mut ids: Vec<_> = tap.events.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), tap.events.len(), "ids differ");
    }

    #[test]
    fn every_payload_byte_upward_is_told_once(
        sizes in prop::collection::vec(0..1400_usize, 1..40),
        pause_ms in 0..15_000_i64,
    ) {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 8443);
        for size in &sizes {
            tap.see(&c.send(&vec![0; *size]));
            tap.pass(pause_ms);
        }
        tap.finish();
        let flows = tap.flows();
        let told: u64 = flows.iter().filter_map(|(event, _)| event.up.bytes).sum();
        prop_assert_eq!(told, sizes.iter().sum::<usize>() as u64);
        let last = flows.last().map(|(_, interval)| interval.phase);
        prop_assert_eq!(last, Some(FlowPhase::InputEnded));
    }
}
