//! Payload counted once, gaps in streams, and every packet told.

use egret_event::{Fact, GapReason, Loss};
use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;

/// What all flow events say: (payload, wire bytes, packets) upward.
fn sent(tap: &mut Tap) -> (u64, u64, u32) {
    let flows = tap.flows();
    let mut sum = (0, 0, 0);
    for (event, _) in &flows {
        sum.0 += event.up.bytes.unwrap();
        sum.1 += event.up.wire_bytes.unwrap();
        sum.2 += event.up.packets.unwrap();
    }
    sum
}

fn missed(tap: &Tap) -> Option<u64> {
    tap.events.iter().find_map(|event| match event.fact {
        Fact::Gap(gap) if gap.reason == GapReason::MissedBytes => Some(gap.count),
        _ => None,
    })
}

#[test]
fn a_repeated_segment_counts_on_the_wire_and_not_as_payload() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    let segment = c.send(&[1; 1000]);
    for _ in 0..3 {
        tap.see(&segment);
    }
    tap.finish();
    assert_eq!(sent(&mut tap), (1000, 2 * 40 + 3 * 1040, 5));
}

#[test]
fn what_comes_back_is_counted_once_as_well() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    let (first, second) = (c.down(ACK, &[1; 1000]), c.down(ACK, &[2; 500]));
    for segment in [&second, &first, &second, &first] {
        tap.see(segment);
    }
    tap.finish();
    let flows = tap.flows();
    assert_eq!((flows[0].0.down.bytes, flows[0].0.down.packets), (Some(1500), Some(5)));
}

#[test]
fn bytes_acknowledged_and_never_seen_are_a_gap_and_no_volume() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    tap.see(&c.send(&[1; 1000]));
    let _lost = c.send(&[2; 700]);
    tap.see(&c.send(&[3; 1000]));
    tap.see(&c.down(ACK, b""));
    tap.finish();
    assert_eq!(missed(&tap), Some(700));
    assert_eq!(sent(&mut tap).0, 2000);
}

#[test]
fn a_connection_met_in_the_middle_has_no_gap() {
    let mut tap = Tap::new();
    let mut c = Connection::new(40_000, 443);
    tap.see(&c.down(ACK, b""));
    let _before = c.send(&[1; 5000]);
    tap.see(&c.send(&[1; 1000]));
    tap.see(&c.down(ACK, &[2; 300]));
    tap.finish();
    assert_eq!(missed(&tap), None);
    assert_eq!(sent(&mut tap).0, 1000);
}

#[test]
fn foreign_traffic_has_no_gaps() {
    let mut tap = Tap::new();
    let ends = ([198, 51, 100, 1], 40_000, SERVER, 443);
    for sequence in [1, 5_000] {
        tap.see(&tcp(ends, (sequence, 1), ACK, b"x"));
    }
    tap.see(&tcp((SERVER, 443, [198, 51, 100, 1], 40_000), (1, 5_001), ACK, b""));
    tap.finish();
    assert_eq!(tap.events, []);
}

#[test]
fn echo_payload_is_volume() {
    let mut tap = Tap::new();
    for (from, to, request) in [(CLIENT, SERVER, true), (SERVER, CLIENT, false)] {
        let builder = PacketBuilder::ipv4(from, to, 64);
        let builder = if request {
            builder.icmpv4_echo_request(7, 1)
        } else {
            builder.icmpv4_echo_reply(7, 1)
        };
        let mut packet = Vec::new();
        builder.write(&mut packet, &[0; 900]).unwrap();
        tap.see(&packet);
    }
    tap.finish();
    let flows = tap.flows();
    assert_eq!((flows[0].0.up.bytes, flows[0].0.down.bytes), (Some(900), Some(900)));
    assert_eq!(flows[0].0.up.wire_bytes, Some(928));
}

/// The packet in fragments of at most `size` bytes (a multiple of 8) after the IP header.
fn fragments(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let body = &packet[20..];
    let parts = body.len().div_ceil(size);
    let part = |(at, piece): (usize, &[u8])| {
        let mut part = packet[..20].to_vec();
        let more = u16::from(at + 1 < parts) << 13;
        part[2..4].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
        part[4..6].copy_from_slice(&[0xbe, 0xef]);
        part[6..8].copy_from_slice(&(more | (at * size / 8) as u16).to_be_bytes());
        part.extend(piece);
        part
    };
    body.chunks(size).enumerate().map(part).collect()
}

#[test]
fn a_fragmented_question_is_read_and_each_fragment_is_counted() {
    let question = dns(7, "a-rather-long-name.of-a-host.example.org", None);
    let whole = udp((CLIENT, 33_000, RESOLVER, 53), &question);
    let parts = fragments(&whole, 16);
    for order in [false, true] {
        let mut tap = Tap::new();
        let mut parts = parts.clone();
        if order {
            parts.reverse();
        }
        for part in &parts {
            tap.see(part);
        }
        tap.finish();
        assert_eq!(tap.questions()[0].name, "a-rather-long-name.of-a-host.example.org");
        let wire = 20 * parts.len() as u64 + 8 + question.len() as u64;
        assert_eq!(sent(&mut tap), (question.len() as u64, wire, parts.len() as u32));
        assert_eq!(tap.account().unaccounted(), 0);
    }
}

#[test]
fn a_fragmented_segment_is_counted_once_like_any_other() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    let segment = c.send(&[1; 1000]);
    for part in fragments(&segment, 400).iter().chain(&fragments(&segment, 400)) {
        tap.see(part);
    }
    tap.finish();
    assert_eq!(sent(&mut tap), (1000, 2 * 40 + 2 * (1040 + 2 * 20), 2 + 2 * 3));
}

#[test]
fn what_stays_incomplete_is_told_after_thirty_seconds() {
    let mut tap = Tap::new();
    let parts = fragments(&udp((CLIENT, 40_000, SERVER, 9999), &[1; 96]), 48);
    tap.see(&parts[0]);
    tap.pass(31_000);
    tap.pass(31_000);
    let flows = tap.flows();
    assert_eq!(flows[0].0.client.1, 40_000);
    assert_eq!((flows[0].0.up.bytes, flows[0].0.up.packets), (Some(40), Some(1)));
    // Without its start, nobody knows whose it was.
    tap.see(&parts[1]);
    tap.finish();
    let flows = tap.flows();
    let (event, _) = flows.last().unwrap();
    assert_eq!((event.client.1, event.up.bytes), (0, Some(48)));
    let account = tap.account();
    assert_eq!((account.passed, account.unaccounted()), (2, 0));
}

#[test]
fn fragments_of_an_ipv6_packet_are_put_together() {
    let client: std::net::Ipv6Addr = "fd00:20::17".parse().unwrap();
    let resolver: std::net::Ipv6Addr = "2001:db8::53".parse().unwrap();
    let mut whole = Vec::new();
    let question = dns(7, "six.example.org", None);
    PacketBuilder::ipv6(client.octets(), resolver.octets(), 64)
        .udp(33_000, 53)
        .write(&mut whole, &question)
        .unwrap();
    let mut tap = Tap::new();
    for (at, piece) in whole[40..].chunks(16).enumerate() {
        let mut part = whole[..40].to_vec();
        part[4..6].copy_from_slice(&(8 + piece.len() as u16).to_be_bytes());
        part[6] = 44;
        let more = u16::from((at + 1) * 16 < whole.len() - 40);
        part.extend([17, 0]);
        part.extend(((at * 16) as u16 | more).to_be_bytes());
        part.extend([0, 0, 0, 9]);
        part.extend(piece);
        tap.see(&part);
    }
    tap.finish();
    assert_eq!(tap.account().lost, [(Loss::NotEgress, 3)], "it is of no segment, but whole");
}

proptest! {
    #[test]
    fn every_packet_is_told_in_one_event_whatever_comes_after_the_end(
        plan in prop::collection::vec((0..9_usize, 0..4_000_i64), 1..80),
    ) {
        let mut tap = Tap::new();
        let mut c = Connection::new(40_000, 8443);
        for (kind, pause_ms) in plan {
            let packet = match kind {
                0 => c.clone().up(SYN, b""),
                1 => c.down(SYN | ACK, b""),
                2 => c.send(&[1; 100]),
                3 => c.down(ACK, &[2; 50]),
                4 => c.up(FIN | ACK, b""),
                5 => c.down(FIN | ACK, b""),
                6 => c.up(RST, b""),
                7 => c.down(RST | ACK, b""),
                _ => unreachable(3, &c.clone().up(SYN, b"")),
            };
            tap.see(&packet);
            tap.pass(pause_ms);
        }
        tap.finish();
        let account = tap.account();
        prop_assert_eq!(tap.told_packets(), account.passed);
        prop_assert_eq!(account.unaccounted(), 0);
    }
}
