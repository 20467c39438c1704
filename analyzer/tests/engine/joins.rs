//! The same egress seen by two observers.

use egret_analyzer::{AnalyzerConfig, Detector, Engine, Incident, Joined, join_into};
use egret_event::{
    Contradiction, ContradictionKind, Destination, Event, Fact, FlowPhase, NameSource, TlsCarrier,
    TlsHello,
};
use proptest::prelude::*;

use crate::traffic::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// A host behind the proxy, as the wire tells of it.
fn behind_proxy(host: &str) -> Destination {
    Destination::of_host(host.into(), NameSource::Connect, Some("10.9.0.2".parse().unwrap()), 443)
}

/// A whole tunnel on the wire, from a client's port.
fn tunnel(executor: &mut Executor, (ms, port): (i64, u16), host: &str, up: u64) -> Event {
    let flow = executor.flow(ms, behind_proxy(host), up, 5_000);
    Event { source: "eth0".into(), client: (flow.client.0, port), ..flow }
}

/// The proxy's line about it. Port 0: the log has none.
fn line(executor: &mut Executor, (ms, port): (i64, u16), host: &str, up: Option<u64>) -> Event {
    let line = executor.logged(ms, host, up, 5_000);
    Event { source: "squid".into(), client: (line.client.0, port), ..line }
}

/// What joining showed, and the incidents.
fn joined(events: &[Event]) -> (Vec<Joined>, Vec<Incident>) {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let (mut changes, mut joined) = (Vec::new(), Vec::new());
    engine.observe_and_join(events, &mut changes, &mut joined);
    engine.finish(&mut changes);
    (joined, last_states(&changes))
}

fn twice(event: &Event, other: &str) -> Joined {
    Joined::SeenTwice { event: event.id, also_seen_by: other.into() }
}

fn contradictions(joined: &[Joined]) -> Vec<&Contradiction> {
    let told = joined.iter().filter_map(|joined| match joined {
        Joined::Contradiction(event) => match &event.fact {
            Fact::Contradiction(told) => Some(&**told),
            fact => panic!("not a contradiction: {fact:?}"),
        },
        Joined::SeenTwice { .. } | Joined::Quiet(_) => None,
    });
    told.collect()
}

#[test]
fn another_source_than_the_one_that_was_promised_is_joined_from_then_on() {
    let mut executor = Executor::new("sandbox-1");
    let pair = |executor: &mut Executor, ms, port| {
        let wire = tunnel(executor, (ms, port), "api.example.net", 9_000);
        [wire, line(executor, (ms + 300, port), "api.example.net", Some(9_000))]
    };
    let events = [pair(&mut executor, 0, 40_001), pair(&mut executor, 9_000, 40_002)].concat();
    let mut engine = Engine::new(AnalyzerConfig::default());
    engine.hear_one_source();
    let mut joined = Vec::new();
    engine.observe_and_join(&events, &mut Vec::new(), &mut joined);
    assert_eq!(joined, [twice(&events[3], "eth0")], "nothing was kept of the first one");
}

#[test]
fn a_tunnel_and_its_log_line_are_one_egress_whichever_comes_first() {
    let mut executor = Executor::new("sandbox-1");
    let wire = tunnel(&mut executor, (0, 40_001), "api.example.net", 9_000);
    let log = line(&mut executor, (300, 40_001), "api.example.net", Some(9_000));
    let events = [wire.clone(), log.clone()];
    assert_eq!(joined(&events).0, [twice(&log, "eth0")]);
    let events = [log, wire.clone()];
    assert_eq!(joined(&events).0, [twice(&wire, "squid")]);
}

#[test]
fn without_a_port_in_the_log_the_destination_and_the_nearest_end_decide() {
    let mut executor = Executor::new("sandbox-1");
    let wire = [
        tunnel(&mut executor, (0, 40_001), "api.example.net", 9_000),
        tunnel(&mut executor, (1_000, 40_002), "other.example.net", 9_000),
        tunnel(&mut executor, (2_000, 40_003), "api.example.net", 9_000),
    ];
    let log = line(&mut executor, (2_100, 0), "api.example.net", Some(9_000));
    let next = line(&mut executor, (2_200, 0), "api.example.net", Some(9_000));
    let third = line(&mut executor, (2_300, 0), "api.example.net", Some(9_000));
    let mut events = wire.to_vec();
    events.extend([log.clone(), next.clone(), third]);
    let expected = [twice(&log, "eth0"), twice(&next, "eth0")];
    assert_eq!(joined(&events).0, expected, "two tunnels went there, so two lines are theirs");
}

#[test]
fn another_client_port_and_another_time_are_another_egress() {
    let mut executor = Executor::new("sandbox-1");
    let wire = tunnel(&mut executor, (0, 40_001), "api.example.net", 9_000);
    let other_port = line(&mut executor, (100, 40_002), "api.example.net", Some(9_000));
    let later = line(&mut executor, (20_000, 40_001), "api.example.net", Some(9_000));
    assert_eq!(joined(&[wire, other_port, later]).0, []);
}

#[test]
fn an_egress_seen_twice_counts_once_and_its_evidence_names_both() {
    let mut executor = Executor::new("sandbox-1");
    let wire = tunnel(&mut executor, (0, 40_001), "drop.example.net", 5 * MIB);
    let mut log = line(&mut executor, (300, 40_001), "drop.example.net", Some(5 * MIB));
    let server = "203.0.113.9".parse().unwrap();
    log.destination.address = Some(server);
    let (_, incidents) = joined(&[wire, log]);
    let incident = &incidents[0];
    assert_eq!(incident.addresses, [server], "not the proxy's");
    assert_eq!(incident.observed.up_bytes, 5 * MIB);
    assert_eq!(incident.observed.contacts_allowed, 1);
    let words: Vec<_> = incident.explanation.evidence.iter().map(|e| &e.words).collect();
    assert!(words.iter().any(|words| words.ends_with("also seen by eth0")), "{words:?}");
}

#[test]
fn a_flow_that_two_captures_tell_of_is_counted_once() {
    let mut executor = Executor::new("sandbox-1");
    let first = Event {
        source: "eth0".into(),
        ..executor.flow(0, web("drop.example.net"), 5 * MIB, 5_000)
    };
    let second = Event {
        source: "zeek".into(),
        destination: bare("203.0.113.5", 443),
        ..executor.flow(900, web("drop.example.net"), 5 * MIB, 5_000)
    };
    let (told, incidents) = joined(&[first, second.clone()]);
    assert_eq!(told, [twice(&second, "eth0")]);
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].observed.up_bytes, 5 * MIB);
}

#[test]
fn a_proxy_that_logs_much_less_than_the_wire_carried_is_contradicted() {
    let mut executor = Executor::new("sandbox-1");
    let wire = tunnel(&mut executor, (0, 40_001), "drop.example.net", 5 * MIB);
    let log = line(&mut executor, (300, 40_001), "drop.example.net", Some(5 * KIB));
    let (told, incidents) = joined(&[wire, log]);
    let told = contradictions(&told);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].about, ContradictionKind::ProxySawLess);
    assert_eq!((&*told[0].one, &*told[0].one_says), ("eth0", "5.0 MiB sent"));
    assert_eq!((&*told[0].other, &*told[0].other_says), ("squid", "5.0 KiB sent"));
    let found = &incidents[0].explanation.findings;
    assert!(found.iter().any(|f| f.detector == Detector::Contradiction), "{found:?}");
}

#[test]
fn headers_unknown_volumes_and_lines_of_tunnels_that_go_on_contradict_nothing() {
    let mut executor = Executor::new("sandbox-1");
    let host = "api.example.net";
    let events = [
        tunnel(&mut executor, (0, 40_001), host, 100 * KIB),
        line(&mut executor, (10, 40_001), host, Some(0)),
        tunnel(&mut executor, (1_000, 40_002), host, 900 * KIB),
        line(&mut executor, (1_010, 40_002), host, None),
        tunnel(&mut executor, (2_000, 40_003), host, 10 * MIB),
        line(&mut executor, (2_010, 40_003), host, Some(9 * MIB)),
    ];
    assert_eq!(contradictions(&joined(&events).0), Vec::<&Contradiction>::new());
    let open = executor.interval(3_000, behind_proxy(host), (77, 0, FlowPhase::Open), (5 * MIB, 0));
    let open = Event { source: "eth0".into(), ..open };
    let log = line(&mut executor, (3_100, 40_000), host, Some(100));
    assert_eq!(contradictions(&joined(&[open, log]).0), Vec::<&Contradiction>::new());
}

fn connect(executor: &mut Executor, ms: i64, host: &str) -> Event {
    let mut event = executor.logged(ms, host, None, 0);
    let Fact::Http(request) = &mut event.fact else { panic!("a request was made") };
    request.seen_by = egret_event::SeenBy::Wire;
    Event { destination: behind_proxy(host), source: "eth0".into(), ..event }
}

fn hello(executor: &mut Executor, ms: i64, sni: &str, ech: bool) -> Event {
    let fact = Fact::Tls(Box::new(TlsHello {
        sni: Some(sni.into()),
        alpn: None,
        ja4: "t13d".into(),
        version: 0x0304,
        carrier: TlsCarrier::Tcp,
        ech,
    }));
    let address = Some("10.9.0.2".parse().unwrap());
    let named = Destination::named(sni, NameSource::Sni, address, 3128);
    Event { source: "eth0".into(), ..executor.event(ms, named, fact) }
}

#[test]
fn another_name_inside_the_tunnel_than_the_proxy_was_asked_for_is_an_incident() {
    let mut executor = Executor::new("sandbox-1");
    let asked = connect(&mut executor, 0, "pypi.org");
    let inside = hello(&mut executor, 20, "drop.example.net", false);
    let (told, incidents) = joined(&[asked, inside]);
    assert_eq!(contradictions(&told)[0].about, ContradictionKind::ConnectAndSni);
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].title, "another name inside the tunnel: drop.example.net");
    assert!(incidents[0].explanation.summary.contains("CONNECT pypi.org"));
    let techniques = &incidents[0].explanation.techniques;
    assert!(techniques.iter().any(|technique| technique.id == "T1090.004"));
}

#[test]
fn names_of_one_domain_addresses_and_encrypted_hellos_contradict_nothing() {
    for (asked, inside, ech) in [
        ("pypi.org", "files.pypi.org", false),
        ("192.0.2.7", "drop.example.net", false),
        ("pypi.org", "public.example.net", true),
    ] {
        let mut executor = Executor::new("sandbox-1");
        let events = [connect(&mut executor, 0, asked), hello(&mut executor, 9, inside, ech)];
        let (told, incidents) = joined(&events);
        assert_eq!((told, incidents.len()), (vec![], 0), "{asked} {inside}");
    }
}

#[test]
fn a_proxy_that_saw_another_name_inside_says_so_in_its_log() {
    let mut executor = Executor::new("sandbox-1");
    let mut log = line(&mut executor, (0, 40_001), "pypi.org", Some(900));
    let Fact::Http(request) = &mut log.fact else { panic!("a request was made") };
    request.sni = Some("drop.example.net".into());
    let (told, incidents) = joined(&[log]);
    assert_eq!(contradictions(&told).len(), 1);
    assert_eq!(incidents.len(), 1);
}

/// Contacts through the proxy, then one that goes straight out.
fn past_the_proxy(proxied: u16, direct: Destination) -> Vec<Event> {
    let mut executor = Executor::new("sandbox-1");
    let mut events: Vec<Event> = (0..proxied)
        .map(|i| tunnel(&mut executor, (i64::from(i) * 2_000, 41_000 + i), "pypi.org", 900))
        .collect();
    let flow = executor.flow(100_000, direct, 700, 700);
    events.push(Event { source: "eth0".into(), ..flow });
    events
}

#[test]
fn a_flow_past_the_proxy_is_told_where_the_proxy_is_the_rule() {
    let (told, incidents) = joined(&past_the_proxy(30, web("drop.example.net")));
    let told = contradictions(&told);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].about, ContradictionKind::AroundProxy);
    assert!(incidents.is_empty(), "it is weak evidence, and opens nothing by itself");
}

#[test]
fn dns_time_private_addresses_and_sessions_without_a_proxy_go_past_nothing() {
    for (proxied, direct) in [
        (30, bare("203.0.113.53", 53)),
        (30, bare("203.0.113.53", 123)),
        (30, bare("10.9.0.2", 3128)),
        (3, web("drop.example.net")),
    ] {
        let (told, _) = joined(&past_the_proxy(proxied, direct.clone()));
        assert!(contradictions(&told).is_empty(), "{proxied} {direct:?}");
    }
}

#[test]
fn a_proxy_that_intercepts_is_not_gone_past() {
    let mut events = past_the_proxy(30, web("intercepted.example.net"));
    let mut executor = Executor::new("sandbox-1");
    let log = line(&mut executor, (100_000, 40_000), "intercepted.example.net", Some(700));
    events.insert(events.len() - 1, log);
    assert!(contradictions(&joined(&events).0).is_empty());
}

#[test]
fn what_was_joined_is_written_into_the_events() {
    let mut executor = Executor::new("sandbox-1");
    let mut events = vec![
        tunnel(&mut executor, (0, 40_001), "drop.example.net", 5 * MIB),
        line(&mut executor, (300, 40_001), "drop.example.net", Some(5 * KIB)),
    ];
    let (told, _) = joined(&events);
    join_into(&mut events, told);
    assert_eq!(events.len(), 3);
    assert_eq!(events[0].also_seen_by, None);
    assert_eq!(events[1].also_seen_by, Some("eth0".into()));
    let told = &events[2];
    assert!(matches!(told.fact, Fact::Contradiction(_)));
    assert_eq!((&*told.source, told.also_seen_by.as_deref()), ("squid", Some("eth0")));
    assert_eq!(told.origin.executor, "sandbox-1");
}

#[test]
fn a_snapshot_of_a_newer_version_is_refused_in_words() {
    let mut newer = Engine::new(AnalyzerConfig::default()).snapshot();
    newer[0] = 99;
    let error = Engine::restore(AnalyzerConfig::default(), &newer).unwrap_err();
    assert!(error.to_string().contains("a newer egret"), "{error}");
}

/// One step: who, after how long, which port, what, how much.
type Step = (u8, u16, u8, u8, u32);

fn traffic(steps: &[Step]) -> Vec<Event> {
    let mut executors: Vec<_> = (0..4).map(|i| Executor::new(&format!("sandbox-{i}"))).collect();
    let mut now = 0;
    let made = steps.iter().map(|&(who, pause_ms, port, what, up)| {
        now += i64::from(pause_ms);
        let executor = &mut executors[usize::from(who % 4)];
        let (port, up) = (40_000 + u16::from(port % 6), u64::from(up));
        let host = format!("h.example{}.org", what % 3);
        match what % 9 {
            0..3 => tunnel(executor, (now, port), &host, up),
            3 | 4 => line(executor, (now, port), &host, Some(up / 3)),
            5 => line(executor, (now, 0), &host, (up % 2 == 0).then_some(up)),
            6 => connect(executor, now, &host),
            7 => hello(executor, now, &format!("other{}.example", up % 3), false),
            _ => Event { source: "eth0".into(), ..executor.flow(now, web(&host), up, 9) },
        }
    });
    made.collect()
}

fn replay(shards: usize, batches: &[&[Event]]) -> (Vec<Joined>, String, Vec<u8>) {
    let mut engine = Engine::new(AnalyzerConfig { shards, ..AnalyzerConfig::default() });
    let (mut changes, mut joined) = (Vec::new(), Vec::new());
    for batch in batches {
        engine.observe_and_join(batch, &mut changes, &mut joined);
    }
    (joined, serde_json::to_string(&changes).unwrap(), engine.snapshot())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let up = prop_oneof![0u32..9_000, 0u32..9_000_000];
    prop::collection::vec((0u8..4, 0u16..4_000, 0u8..6, 0u8..9, up), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn joining_depends_neither_on_shards_nor_on_batches(steps in steps(), size in 1usize..40) {
        let events = traffic(&steps);
        let whole = replay(1, &[&events]);
        let batches: Vec<&[Event]> = events.chunks(size).collect();
        for shards in [2, 7, 64] {
            prop_assert_eq!(&replay(shards, &batches), &whole);
        }
    }

    #[test]
    fn joining_goes_on_over_a_snapshot(steps in steps(), cut in 0usize..300) {
        let events = traffic(&steps);
        let (before, after) = events.split_at(cut.min(events.len()));
        let (mut joined, _, snapshot) = replay(3, &[before]);
        let mut engine = Engine::restore(AnalyzerConfig::default(), &snapshot).unwrap();
        engine.observe_and_join(after, &mut Vec::new(), &mut joined);
        let whole = replay(1, &[&events]);
        prop_assert_eq!(joined, whole.0);
        prop_assert_eq!(engine.snapshot(), whole.2);
    }

    #[test]
    fn executors_join_nothing_of_each_other(steps in steps()) {
        let events = traffic(&steps);
        let of = |name: &str| {
            let own = events.iter().filter(|e| e.origin.executor == name).cloned();
            own.collect::<Vec<_>>()
        };
        let mut apart: Vec<String> = (0..4)
            .flat_map(|i| joined(&of(&format!("sandbox-{i}"))).0)
            .map(|joined| format!("{joined:?}"))
            .collect();
        let mut together: Vec<String> =
            joined(&events).0.iter().map(|joined| format!("{joined:?}")).collect();
        apart.sort();
        together.sort();
        prop_assert_eq!(apart, together);
    }

    #[test]
    fn an_event_is_told_to_be_seen_twice_once_at_most_and_ids_are_distinct(steps in steps()) {
        let mut seen = std::collections::BTreeSet::new();
        for told in joined(&traffic(&steps)).0 {
            let id = match told {
                Joined::SeenTwice { event, .. } => event,
                Joined::Contradiction(event) | Joined::Quiet(event) => event.id,
            };
            prop_assert!(seen.insert(id), "{id:?}");
        }
    }
}
