//! Data in DNS questions, and questions that only look like it.

use egret_analyzer::{AnalyzerConfig, Detector, Engine, Incident, Tail};
use egret_event::Event;

use crate::traffic::*;

const A: (u16, u16) = (1, 80);
const TXT: (u16, u16) = (16, 120);

/// Twenty bytes as 32 letters of base 32, different for every number.
fn encoded(number: u64) -> String {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut letter = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(state >> 59) as usize])
    };
    (0..32).map(|_| letter()).collect()
}

fn tunnels(events: &[Event]) -> Vec<Incident> {
    let mut found = incidents(events);
    found.retain(|incident| {
        let findings = &incident.explanation.findings;
        findings.iter().any(|finding| finding.detector == Detector::DnsTunnel)
    });
    found
}

#[test]
fn half_a_byte_per_second_in_the_names_of_addresses_is_found_within_2_kib() {
    let mut executor = Executor::new("sandbox-1");
    // 20 bytes each 40 s: for 68 minutes, 2 KiB.
    let events: Vec<_> = (0..102)
        .map(|i| executor.question(i * 40_000, &format!("{}.drop.example", encoded(i as u64)), A))
        .collect();
    let found = tunnels(&events);
    assert_eq!(destinations(&found), ["drop.example"]);
    let incident = &found[0];
    let minutes = incident.opened_at.since(at(0)).as_secs() / 60;
    assert!(minutes < 30, "after {minutes} minutes and {} bytes", minutes * 30);
    let why = &incident.explanation;
    assert_eq!(
        (why.findings[0].detector, why.findings[0].tail),
        (Detector::DnsTunnel, Tail::Prior)
    );
    let held = why.findings[0].observed.value;
    assert!((1500.0..2600.0).contains(&held), "2,040 bytes are estimated as {held}");
    let techniques: Vec<_> = why.techniques.iter().map(|technique| technique.id.as_str()).collect();
    assert_eq!(techniques, ["T1071.004", "T1048.003"]);
    assert!(
        incident.title.contains("hidden in DNS names below drop.example"),
        "{}",
        incident.title
    );
    assert!(why.summary.contains("102 DNS questions"), "{}", why.summary);
    assert!(why.next_steps.iter().any(|step| step.contains("at the resolver")));
    assert!(why.evidence[0].words.starts_with("DNS question for "), "{:?}", why.evidence[0]);
    assert_eq!(incident.observed.up_bytes, 102 * 45, "every name has 45 characters");
}

#[test]
fn text_questions_are_found_within_a_few() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..8)
        .map(|i| executor.question(i * 1000, &format!("{}.drop.example", encoded(i as u64)), TXT))
        .collect();
    assert_eq!(destinations(&tunnels(&events)), ["drop.example"]);
    assert!(tunnels(&events[..2]).is_empty(), "two may be proofs that a domain is one's own");
}

#[test]
fn large_text_answers_to_short_names_are_found() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..40)
        .map(|i| executor.question(i * 1000, &format!("{i}.stage.example"), (16, 1_200)))
        .collect();
    let found = tunnels(&events);
    assert_eq!(destinations(&found), ["stage.example"]);
    assert!(found[0].title.contains("brought by DNS answers"), "{}", found[0].title);
}

#[test]
fn names_below_no_domain_are_held_against_the_server_that_was_asked() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..20)
        .map(|i| {
            let (one, other) = (encoded(i as u64), encoded(1000 + i as u64));
            executor.question(i * 1000, &format!("dnscat.{one}.{other}9"), TXT)
        })
        .collect();
    let found = tunnels(&events);
    assert_eq!(destinations(&found), ["10.0.0.53"]);
    assert!(found[0].title.contains("without a domain"), "{}", found[0].title);
}

#[test]
fn asking_the_same_again_carries_nothing() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..5_000)
        .map(|i| executor.question(i * 200, &format!("{}.api.example", encoded(i as u64 % 3)), A))
        .collect();
    assert!(tunnels(&events).is_empty());
}

#[test]
fn content_networks_search_lists_and_reputation_look_ups_are_no_tunnels() {
    let mut executor = Executor::new("sandbox-1");
    let mut events = Vec::new();
    for i in 0..300i64 {
        let (ms, hash) = (i * 4_000, encoded(i as u64));
        let (low, high) = (i % 250, i / 250);
        for name in [
            format!("{low}.{high}.168.192.in-addr.arpa"),
            format!("{low}.{high}.0.10.zen.spamhaus.org"),
            format!("{hash}.avqs.mcafee.com"),
            format!("www.site{}.org", i % 40),
            format!("www.site{}.org.agents.svc.cluster.local", i % 40),
            format!("www.site{}.org.svc.cluster.local", i % 40),
        ] {
            events.push(executor.question(ms, &name, A));
        }
        if i % 10 == 0 {
            let shard = format!("{}.cdn.example.net", &hash[..12]);
            events.push(executor.question(ms, &shard, A));
            events.push(executor.flow(ms + 50, web(&shard), 900, 40_000));
        }
    }
    let found = tunnels(&events);
    assert!(found.is_empty(), "{:?}", found.iter().map(|i| &i.title).collect::<Vec<_>>());
}

#[test]
fn a_quiet_tunnel_is_found_among_the_questions_of_a_crawler() {
    let mut executor = Executor::new("sandbox-1");
    let mut events = Vec::new();
    for i in 0..4_000i64 {
        events.push(executor.question(i * 500, &format!("www.static-{}.site{i}.org", i % 7), A));
        if i % 60 == 0 {
            let name = format!("{}.drop.example", encoded(i as u64));
            events.push(executor.question(i * 500 + 10, &name, A));
        }
    }
    assert_eq!(destinations(&tunnels(&events)), ["drop.example"]);
}

/// A session that asks for 40 to 80 names below a domain: about 1.2 KB.
fn inventory(day: i64, domain: &str) -> Vec<Event> {
    const DAY_MS: i64 = 86_400_000;
    let mut executor = Executor::new(&format!("sandbox-{day}"));
    let question = |i: i64| {
        let name = format!("{}.{domain}", encoded((day * 100 + i) as u64));
        executor.question(day * DAY_MS + i * 1000, &name, A)
    };
    (0..40 + day * 17 % 40).map(question).collect()
}

#[test]
fn what_every_session_of_a_template_asks_for_is_learned() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for day in 0..60 {
        engine.observe(&inventory(day, "inventory.example"), &mut changes);
    }
    let days = opened(&changes).into_iter().map(|c| c.at.since(at(0)).as_secs() / 86_400);
    let days: Vec<_> = days.collect();
    assert_eq!(days.first(), Some(&0), "the first is unlike anything known");
    assert!(days.iter().all(|day| *day < 14), "it went on to alert: {days:?}");
    changes.clear();
    engine.observe(&inventory(61, "drop.example"), &mut changes);
    let elsewhere = &opened(&changes)[0].incident;
    assert_eq!(elsewhere.destination, "drop.example", "the same amount elsewhere still is");
}
