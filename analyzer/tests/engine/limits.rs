//! What happens when there is too much of something.

use egret_analyzer::{AnalyzerConfig, Engine};
use egret_event::Timestamp;

use crate::traffic::*;

const MIB: u64 = 1 << 20;

#[test]
fn more_sessions_than_fit_are_ended_early_and_counted() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for i in 0..170_000 {
        let mut executor = Executor::new(&format!("sandbox-{i}"));
        engine.observe(&[executor.flow(i, web("api.example.net"), 500, 500)], &mut changes);
    }
    let summary = engine.summary();
    assert!(summary.live_sessions <= 131_072, "{summary:?}");
    assert_eq!(summary.live_sessions + summary.evicted_sessions, 170_000);
    assert!(changes.is_empty());
}

#[test]
fn an_incident_of_an_evicted_session_ends() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    let mut thief = Executor::new("thief");
    engine.observe(&[thief.flow(0, web("drop.example.net"), 5 * MIB, 0)], &mut changes);
    for i in 0..170_000 {
        let mut executor = Executor::new(&format!("sandbox-{i}"));
        engine.observe(&[executor.flow(i, web("api.example.net"), 500, 500)], &mut changes);
    }
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [egret_analyzer::ChangeKind::Opened, egret_analyzer::ChangeKind::Ended]);
}

#[test]
fn more_destinations_than_fit_are_counted_and_a_late_upload_is_still_found() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    let mut executor = Executor::new("sandbox-1");
    for i in 0..20_000 {
        let host = web(&format!("www.site{i}.org"));
        engine.observe(&[executor.flow(i * 500, host, 1_000, 9_000)], &mut changes);
    }
    assert!(changes.is_empty(), "a crawler is no incident: {}", changes[0].incident.title);
    let bytes_per_destination = engine.snapshot().len() / 20_000;
    assert!(bytes_per_destination < 2, "the session stays small");
    engine.observe(&[executor.flow(10_000_000, web("drop.example.net"), MIB, 0)], &mut changes);
    assert_eq!(changes[0].incident.destination, "example.net");
    assert!(engine.summary().evicted_destinations > 19_000);
}

#[test]
fn much_sent_in_small_parts_to_very_many_destinations_is_found() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..3_000)
        .map(|i| executor.flow(i * 2_000, web(&format!("n{i}.example{i}.org")), 30_000, 0))
        .collect();
    let found = incidents(&events);
    assert_eq!(destinations(&found), ["*"]);
    assert!(found[0].title.contains("many small destinations"), "{}", found[0].title);
}

#[test]
fn blocked_attempts_cannot_use_up_the_room_for_an_upload() {
    let config = AnalyzerConfig { allow: vec!["example.org".into()], ..AnalyzerConfig::default() };
    let mut executor = Executor::new("sandbox-1");
    let mut events: Vec<_> =
        (0..500).map(|i| executor.blocked(i * 5_000, web(&format!("no{i}.example")))).collect();
    events.push(executor.flow(2_600_000, web("drop.example.net"), 5 * MIB, 0));
    let found = last_states(&run(config, &events));
    assert!(found.len() <= 18, "{} incidents", found.len());
    assert!(destinations(&found).contains(&"example.net".into()));
}

#[test]
fn times_at_the_ends_of_the_scale_do_no_harm() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    let mut executor = Executor::new("sandbox-1");
    for nanos in [0, i64::MIN, i64::MAX, 1, i64::MIN + 1, i64::MAX] {
        let mut event = executor.flow(0, web("drop.example.net"), 5 * MIB, 0);
        event.at = Timestamp::from_nanos(nanos);
        engine.observe(&[event], &mut changes);
        engine.tick(Timestamp::from_nanos(nanos), &mut changes);
    }
    engine.finish(&mut changes);
    assert!(!changes.is_empty());
    assert_eq!(engine.summary().live_sessions, 0);
}

#[test]
fn huge_volumes_do_not_overflow() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..40)
        .map(|i| {
            executor.flow(i, web(&format!("x{}.example{}.org", i, i % 35)), u64::MAX, u64::MAX)
        })
        .collect();
    assert_eq!(incidents(&events).len(), 33, "32 exact ones and the rest together");
}
