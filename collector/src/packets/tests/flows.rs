//! Intervals, ends, blocked attempts, direction, bounds.

use std::time::Duration;

use egret_event::{BlockReason, Fact, FlowPhase, GapReason, Loss, Transport, Verdict};

use super::*;

/// Numbers and phases of intervals.
fn shape(flows: &[(Event, FlowInterval)]) -> Vec<(u32, FlowPhase)> {
    flows.iter().map(|(_, interval)| (interval.number, interval.phase)).collect()
}

#[test]
fn a_short_connection_is_one_event_with_all_its_bytes() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    tap.pass(5);
    tap.see(&c.send(&[1; 100]));
    tap.see(&c.down(ACK, &[2; 300]));
    tap.see(&c.up(FIN | ACK, b""));
    tap.see(&c.down(FIN | ACK, b""));
    tap.see(&c.up(ACK, b""));
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Finished)]);
    let (event, interval) = &flows[0];
    assert_eq!((event.up.bytes, event.up.packets), (Some(100), Some(5)));
    assert_eq!(event.up.wire_bytes, Some(5 * 40 + 100));
    assert_eq!((event.down.bytes, event.down.packets), (Some(300), Some(3)));
    assert_eq!((interval.transport, interval.from), (Transport::Tcp, at_ms(0)));
    assert_eq!((event.at, event.client), (at_ms(5), (CLIENT.into(), 40_000)));
    assert_eq!(event.destination, egret_event::Destination::address(SERVER.into(), 8443));
    assert_eq!(
        (event.origin.executor.as_str(), event.origin.segment.as_str()),
        ("10.20.0.17", "lab")
    );
    tap.pass(600_000);
    tap.finish();
    assert!(tap.events.is_empty(), "nothing more is told of an ended flow");
    assert_eq!(tap.decoder.flows(), 0);
}

#[test]
fn a_busy_flow_is_told_every_ten_seconds_and_an_idle_one_is_not() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    for _ in 0..25 {
        tap.see(&c.send(&[1; 10]));
        tap.pass(1000);
    }
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Open), (1, FlowPhase::Open)]);
    for (event, interval) in &flows {
        assert!(event.at.since(interval.from) <= Duration::from_secs(10), "{interval:?}");
    }
    tap.pass(60_000);
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(2, FlowPhase::Open)]);
    assert_eq!(flows[0].0.up.bytes, Some(50));
    tap.pass(200_000);
    assert!(tap.flows().is_empty(), "no bytes moved");
    tap.pass(60_000);
    assert_eq!(shape(&tap.flows()), [(3, FlowPhase::Idle)]);
}

#[test]
fn the_ids_and_the_flow_of_all_events_of_a_connection_belong_together() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    for _ in 0..3 {
        tap.see(&c.send(&[1; 10]));
        tap.pass(11_000);
    }
    let flows = tap.flows();
    assert_eq!(flows.len(), 3);
    assert!(flows.iter().all(|(_, interval)| interval.flow == flows[0].1.flow));
    assert!(flows[0].0.id < flows[1].0.id && flows[1].0.id < flows[2].0.id);
}

#[test]
fn a_mebibyte_upward_is_told_at_once() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    let mut sent = 0;
    while tap.events.is_empty() {
        tap.see(&c.send(&[1; 1400]));
        sent += 1400;
    }
    assert_eq!(sent, (1 << 20) / 1400 * 1400 + 1400);
    assert_eq!(tap.flows()[0].0.up.bytes, Some(sent));
}

#[test]
fn an_attempt_answered_by_a_reset_is_one_blocked_contact_however_often_repeated() {
    let mut tap = Tap::new();
    let mut c = Connection::new(40_000, 25);
    for _ in 0..3 {
        let mut attempt = c.clone();
        tap.see(&attempt.up(SYN, b""));
        tap.see(&attempt.down(RST | ACK, b""));
        tap.pass(500);
    }
    tap.see(&c.up(SYN, b""));
    tap.finish();
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Reset), (1, FlowPhase::Reset)]);
    assert_eq!(flows[0].0.verdict, Verdict::Blocked(BlockReason::Reset));
    assert_eq!(flows[0].0.at, at_ms(0));
    assert_eq!(flows.iter().filter(|(event, _)| event.is_contact()).count(), 1);
    assert_eq!(flows[1].0.up.packets, Some(3), "the repetitions are told");
}

#[test]
fn an_unanswered_attempt_is_blocked_within_ten_seconds_of_its_start() {
    for retries in [&[][..], &[1000, 2000, 4000]] {
        let mut tap = Tap::new();
        let c = Connection::new(40_000, 25);
        tap.see(&c.clone().up(SYN, b""));
        for pause in retries {
            tap.pass(*pause);
            tap.see(&c.clone().up(SYN, b""));
        }
        while tap.events.is_empty() {
            tap.pass(100);
        }
        let flows = tap.flows();
        assert_eq!(flows[0].0.verdict, Verdict::Blocked(BlockReason::NoAnswer));
        assert!(flows[0].0.at <= at_ms(10_000) && flows[0].0.at >= at_ms(5_000));
        tap.pass(6_000);
        tap.see(&c.clone().up(SYN, b""));
        tap.pass(30_000);
        assert!(tap.flows().is_empty(), "a further SYN is no further contact");
    }
}

#[test]
fn an_answer_after_the_verdict_reopens_the_flow() {
    let mut tap = Tap::new();
    let mut c = Connection::new(40_000, 8443);
    tap.see(&c.up(SYN, b""));
    tap.pass(7_000);
    assert!(tap.flows()[0].0.verdict.is_blocked());
    tap.see(&c.down(SYN | ACK, b""));
    tap.see(&c.send(b"x"));
    tap.finish();
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(1, FlowPhase::InputEnded)]);
    assert_eq!(flows[0].0.verdict, Verdict::Allowed);
}

#[test]
fn an_icmp_error_blocks_the_flow_that_it_quotes_at_once() {
    let ends = (CLIENT, 40_000, SERVER, 9999);
    for code in [1, 3, 13] {
        for attempt in [udp(ends, b"data"), tcp(ends, (1, 0), SYN, b"")] {
            let mut tap = Tap::new();
            tap.see(&attempt);
            tap.see(&unreachable(code, &attempt));
            let flows = tap.flows();
            assert_eq!(flows.len(), 1);
            assert_eq!(flows[0].0.verdict, Verdict::Blocked(BlockReason::Unreachable));
            tap.see(&attempt);
            tap.see(&unreachable(code, &attempt));
            assert!(tap.flows().is_empty());
        }
    }
}

#[test]
fn an_icmp_error_says_nothing_about_an_answered_flow_nor_about_size() {
    let mut tap = Tap::new();
    let question = udp((CLIENT, 40_000, SERVER, 9999), b"data");
    tap.see(&question);
    tap.see(&unreachable(4, &question));
    tap.see(&udp((SERVER, 9999, CLIENT, 40_000), b"answer"));
    tap.see(&unreachable(3, &question));
    tap.finish();
    let flows = tap.flows();
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].0.verdict, Verdict::Allowed);
}

#[test]
fn an_icmp_error_that_the_client_sends_is_part_of_what_leaves() {
    let mut tap = Tap::new();
    tap.see(&udp((CLIENT, 40_000, SERVER, 9999), b"data"));
    let answer = udp((SERVER, 9999, CLIENT, 40_000), b"answer");
    tap.see(&answer);
    let mut refusal = unreachable(3, &answer);
    refusal[12..16].copy_from_slice(&CLIENT);
    tap.see(&refusal);
    tap.finish();
    let flows = tap.flows();
    assert_eq!(flows.len(), 1);
    let (up, down) = (flows[0].0.up, flows[0].0.down);
    assert_eq!((up.bytes, up.packets), (Some(4 + 28), Some(2)));
    assert_eq!((down.bytes, down.packets), (Some(6), Some(1)));
}

#[test]
fn udp_without_an_answer_is_not_blocked() {
    let mut tap = Tap::new();
    tap.see(&udp((CLIENT, 40_000, SERVER, 9999), b"data"));
    tap.pass(61_000);
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Open), (1, FlowPhase::Idle)]);
    assert!(flows.iter().all(|(event, _)| event.verdict == Verdict::Allowed));
}

#[test]
fn a_new_connection_between_the_same_ports_is_a_new_contact() {
    let mut tap = Tap::new();
    for isn in [1, 500_000] {
        let ends = (CLIENT, 40_000, SERVER, 8443);
        tap.see(&tcp(ends, (isn, 0), SYN, b""));
        tap.see(&tcp((SERVER, 8443, CLIENT, 40_000), (9, isn + 1), SYN | ACK, b""));
        tap.see(&tcp(ends, (isn + 1, 10), ACK, b"x"));
    }
    tap.finish();
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Reset), (0, FlowPhase::InputEnded)]);
    assert_ne!(flows[0].1.flow, flows[1].1.flow);
}

#[test]
fn who_starts_a_flow_is_told_by_syn_then_by_ports_then_by_order() {
    let client_of = |packet: Vec<u8>| {
        let mut tap = Tap::new();
        tap.see(&packet);
        tap.finish();
        let lost = tap.account().lost;
        assert_eq!(tap.events.len(), usize::from(lost.is_empty()));
        if lost.is_empty() { "executor" } else { "foreign" }
    };
    let down = |from: u16, to: u16, flags| tcp((SERVER, from, CLIENT, to), (1, 1), flags, b"x");
    assert_eq!(client_of(down(50_000, 443, SYN)), "foreign");
    assert_eq!(client_of(down(50_000, 443, SYN | ACK)), "executor");
    assert_eq!(client_of(down(443, 50_000, ACK)), "executor");
    assert_eq!(client_of(down(443, 500, ACK)), "executor");
    assert_eq!(client_of(down(50_000, 22, ACK)), "foreign");
    assert_eq!(client_of(down(8080, 50_000, ACK)), "executor");
    assert_eq!(client_of(udp((SERVER, 53, CLIENT, 50_000), b"x")), "executor");
    assert_eq!(client_of(udp((SERVER, 6000, CLIENT, 50_000), b"x")), "foreign");
    assert_eq!(client_of(udp((CLIENT, 6000, SERVER, 50_000), b"x")), "executor");
}

#[test]
fn inbound_and_link_local_traffic_is_no_egress_in_either_direction() {
    let mut tap = Tap::new();
    let inbound = (SERVER, 50_000, CLIENT, 22);
    tap.see(&tcp(inbound, (1, 0), SYN, b""));
    tap.see(&tcp((CLIENT, 22, SERVER, 50_000), (1, 2), SYN | ACK, b""));
    tap.see(&tcp((CLIENT, 22, SERVER, 50_000), (2, 2), ACK, b"banner"));
    tap.see(&udp((CLIENT, 5353, [224, 0, 0, 251], 5353), b"x"));
    tap.see(&udp((CLIENT, 68, [255; 4], 67), b"x"));
    tap.see(&udp((SERVER, 1, RESOLVER, 2), b"neither end is watched"));
    tap.finish();
    assert!(tap.events.is_empty());
    let account = tap.account();
    assert_eq!((account.received, account.passed), (6, 0));
    assert_eq!(account.lost, [(Loss::NotEgress, 6)]);
}

#[test]
fn without_configuration_a_public_client_is_egress_and_a_private_server_is_not() {
    let table = Arc::new(AttributionTable::any_initiator());
    let mut decoder = Decoder::new("tap".into(), Link::Ip, table);
    let mut events = Vec::new();
    for (from, to) in [(SERVER, RESOLVER), (SERVER, CLIENT), (CLIENT, OTHER_CLIENT)] {
        let packet = tcp((from, 50_000, to, 443), (1, 0), SYN, b"");
        decoder.packet(at_ms(0), 40, &packet, &mut |event| events.push(event));
    }
    decoder.finish(&mut |event: Event| events.push(event));
    let clients: Vec<_> = events.iter().map(|event| event.client.0).collect();
    assert_eq!(clients, [std::net::IpAddr::from(SERVER), CLIENT.into()]);
}

#[test]
fn a_full_table_drops_the_flow_that_was_idle_longest_and_says_so() {
    let mut tap = Tap::of(Link::Ip, 4);
    for port in [1, 2, 3, 4] {
        tap.pass(10);
        tap.see(&udp((CLIENT, 40_000 + port, SERVER, 9999), b"x"));
    }
    tap.pass(10);
    tap.see(&udp((CLIENT, 40_001, SERVER, 9999), b"x"));
    tap.see(&udp((CLIENT, 40_005, SERVER, 9999), b"x"));
    assert_eq!(tap.decoder.flows(), 4);
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Evicted)]);
    assert_eq!(flows[0].0.client.1, 40_002);
    tap.pass(2_000);
    let gap = tap.events.iter().find_map(|event| match event.fact {
        Fact::Gap(gap) => Some((gap.reason, gap.count)),
        _ => None,
    });
    assert_eq!(gap, Some((GapReason::FlowTableFull, 1)));
}

#[test]
fn a_flood_of_new_flows_stays_within_the_table_and_every_flow_is_told() {
    let mut tap = Tap::of(Link::Ip, 64);
    for n in 0..5_000_u32 {
        let [.., high, low] = n.to_be_bytes();
        tap.see(&udp((CLIENT, 40_000, [203, 0, high, low], 9999), b"x"));
        tap.set_clock(i64::from(n));
    }
    assert_eq!(tap.decoder.flows(), 64);
    tap.finish();
    let flows = tap.flows();
    assert_eq!(flows.iter().filter(|(_, interval)| interval.number == 0).count(), 5_000);
}

#[test]
fn time_never_goes_back_though_timestamps_do() {
    let mut tap = Tap::new();
    let mut clock = 0;
    for n in 0..500_i64 {
        clock += (n * 7919) % 5_000 - 2_000;
        tap.set_clock(clock.max(0));
        tap.see(&udp((CLIENT, 40_000 + (n % 50) as u16, SERVER, 9999), b"x"));
        tap.see(b"\x45");
    }
    tap.finish();
    assert!(tap.events.len() > 50);
    assert!(tap.events.is_sorted_by_key(|event| event.at));
    for (event, interval) in tap.flows() {
        assert!(interval.from <= event.at);
    }
}

#[test]
fn a_leap_of_days_ends_every_flow_at_its_own_time() {
    let mut tap = Tap::new();
    tap.see(&udp((CLIENT, 40_000, SERVER, 9999), b"x"));
    tap.pass(10 * 86_400_000);
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(0, FlowPhase::Open), (1, FlowPhase::Idle)]);
    assert!(flows[1].0.at.since(at_ms(60_000)) < Duration::from_millis(300));
}

#[test]
fn stragglers_of_an_ended_connection_open_no_new_one() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8443);
    tap.see(&c.up(RST, b""));
    assert_eq!(shape(&tap.flows()), [(0, FlowPhase::Reset)]);
    tap.see(&c.down(ACK, b""));
    tap.see(&c.down(RST, b""));
    tap.pass(10_000);
    let flows = tap.flows();
    assert_eq!(shape(&flows), [(1, FlowPhase::Reset)], "what came after the end is told as well");
    assert_eq!((flows[0].0.down.packets, flows[0].0.down.bytes), (Some(2), Some(0)));
    assert!(!flows[0].0.is_contact());
    tap.see(&c.down(ACK, &[1; 10]));
    tap.finish();
    assert_eq!(tap.flows().len(), 1, "it is forgotten after a while");
}
