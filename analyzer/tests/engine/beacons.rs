//! Contacts at even intervals, by an implant and by others.

use egret_analyzer::{AnalyzerConfig, Detector, Incident, Tail};
use egret_event::Event;

use crate::traffic::*;

const KIB: u64 = 1 << 10;
const MINUTE_MS: i64 = 60_000;

/// Flows that begin about every minute, by up to `jitter` of it earlier or later.
fn beacon(executor: &mut Executor, host: &str, (count, jitter): (i64, f64), up: u64) -> Vec<Event> {
    let mut ms = 0;
    (0..count)
        .map(|number| {
            ms += (MINUTE_MS as f64 * (1.0 + jitter * (2.0 * chance(number as u64) - 1.0))) as i64;
            executor.flow(ms, web(host), up, 300)
        })
        .collect()
}

fn beacons(events: &[Event]) -> Vec<Incident> {
    let mut found = incidents(events);
    found.retain(|incident| {
        incident.explanation.findings.iter().any(|f| f.detector == Detector::Beacon)
    });
    found
}

#[test]
fn a_timer_with_half_its_interval_of_jitter_is_found_within_twenty_contacts() {
    for jitter in [0.0, 0.5] {
        let events = beacon(&mut Executor::new("sandbox-1"), "cdn.example.net", (30, jitter), 900);
        let found = beacons(&events);
        assert_eq!(destinations(&found), ["example.net"], "with {jitter} of jitter");
        let incident = &found[0];
        let contacts = events.iter().filter(|event| event.at <= incident.opened_at).count();
        assert!((9..=20).contains(&contacts), "{contacts} contacts with {jitter} of jitter");
        let why = &incident.explanation;
        assert_eq!(
            (why.findings[0].detector, why.findings[0].tail),
            (Detector::Beacon, Tail::Prior)
        );
        assert_eq!(why.techniques[0].id, "T1071.001");
        assert!(incident.title.contains("contacts at even intervals with cdn.example.net"));
        for words in ["small contacts about every", "at most 8 (98 %)", "new here"] {
            assert!(why.summary.contains(words), "{words:?} is missing in: {}", why.summary);
        }
        assert!(why.next_steps.iter().any(|step| step.contains("by a timer")));
    }
}

#[test]
fn a_blocked_timer_is_found_too() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..20)
        .map(|number| executor.blocked(number * MINUTE_MS, web("cdn.example.net")))
        .collect();
    assert_eq!(destinations(&beacons(&events)), ["example.net"]);
}

#[test]
fn services_model_calls_people_and_short_polls_are_no_beacons() {
    let one = |host: &str, gaps: (i64, f64), up| {
        beacons(&beacon(&mut Executor::new("sandbox-1"), host, gaps, up))
    };
    assert!(one("api.github.com", (60, 0.1), 900).is_empty(), "a common service");
    assert!(
        one("tile-service.weather.microsoft.com", (60, 0.1), 900).is_empty(),
        "the system's own"
    );
    assert!(one("models.example.net", (60, 0.3), 12 * KIB).is_empty(), "a whole context each time");
    assert!(one("status.example.net", (10, 0.0), 900).is_empty(), "until a build was done");
    for port in [53, 123] {
        let mut executor = Executor::new("sandbox-1");
        let asks =
            |number: i64| executor.flow(number * MINUTE_MS, bare("192.0.2.53", port), 48, 48);
        assert!(beacons(&(0..60).map(asks).collect::<Vec<_>>()).is_empty(), "port {port}");
    }
    let mut executor = Executor::new("sandbox-1");
    let mut ms = 0.0;
    let people: Vec<_> = (0..60)
        .map(|number| {
            ms += 60_000.0 * -chance(number as u64).max(1e-9).ln();
            executor.flow(ms as i64, web("www.example.net"), 900, 20_000)
        })
        .collect();
    assert!(beacons(&people).is_empty(), "gaps by chance");
}

#[test]
fn what_a_template_polls_is_known_and_a_beacon_elsewhere_is_still_found() {
    let session = |number: i64, host: &str, count: i64| -> Vec<Event> {
        let mut executor = Executor::new(&format!("sandbox-{number}"));
        let events = beacon(&mut executor, host, (count, 0.2), 900);
        events.iter().map(|event| moved(event, number * 8 * 3_600_000)).collect()
    };
    let mut engine = egret_analyzer::Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..60 {
        engine.observe(&session(number, "status.example.net", 12), &mut changes);
    }
    engine.observe(&session(61, "status.example.net", 60), &mut changes);
    assert!(changes.is_empty(), "{changes:#?}");
    engine.observe(&session(62, "cdn.example.org", 20), &mut changes);
    let opened = opened(&changes);
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].incident.destination, "example.org");
    let why = &opened[0].incident.explanation;
    assert_eq!(why.findings[0].detector, Detector::Beacon);
    assert!(why.baseline_sessions >= 30, "{}", why.baseline_sessions);
}

/// The same event, later.
fn moved(event: &Event, ms: i64) -> Event {
    let later = std::time::Duration::from_millis(ms as u64);
    let mut event = event.clone();
    event.at = event.at + later;
    if let egret_event::Fact::Flow(flow) = &mut event.fact {
        flow.from = flow.from + later;
    }
    event
}
