//! Incidents that go on in later sessions of an executor that names none.

use egret_analyzer::{AnalyzerConfig, ChangeKind, Engine, Incident, IncidentChange, Severity};
use egret_event::Event;

use crate::traffic::*;

const HOUR_MS: i64 = 3_600_000;

/// Asks for credentials, and gets no answer.
fn asks(executor: &mut Executor, ms: i64) -> Event {
    executor.blocked(ms, bare("169.254.169.254", 80))
}

fn changes(events: &[Event]) -> Vec<IncidentChange> {
    run(AnalyzerConfig::default(), events)
}

fn kinds(changes: &[IncidentChange]) -> Vec<(ChangeKind, u32)> {
    changes.iter().map(|change| (change.kind, change.number)).collect()
}

#[test]
fn what_an_executor_does_session_after_session_is_one_incident() {
    let mut executor = Executor::new("10.0.0.1");
    let events: Vec<Event> =
        (0..3).flat_map(|n| [0, 500].map(|ms| asks(&mut executor, n * HOUR_MS + ms))).collect();
    let changes = changes(&events);
    use ChangeKind::{Ended, Opened, Resumed};
    let expected = [(Opened, 0), (Ended, 1), (Resumed, 2), (Ended, 3), (Resumed, 4), (Ended, 5)];
    assert_eq!(kinds(&changes), expected);
    assert!(changes.iter().all(|change| change.incident.id == changes[0].incident.id));
    let last = &changes[5].incident;
    assert_eq!(last.observed.contacts_blocked, 6);
    assert_eq!((last.first_seen, last.last_seen), (at(0), at(2 * HOUR_MS + 500)));
    assert_eq!((last.opened_at, &last.session), (at(0), &changes[0].incident.session));
    assert_eq!(last.severity, Severity::Medium);
    assert_eq!(last.explanation.evidence.len(), 5, "the earliest of all sessions");
    assert_eq!(last.explanation.evidence[0].at, at(0));
    let summary = &last.explanation.summary;
    assert!(summary.starts_with("3 sessions of executor 10.0.0.1, from "), "{summary}");
    assert!(summary.contains("6 blocked"), "{summary}");
    let next = last.explanation.next_steps.join("\n");
    assert!(next.contains("the commands of executor 10.0.0.1 since"), "{next}");
}

#[test]
fn what_is_worse_in_a_later_session_lets_the_incident_grow() {
    let mut executor = Executor::new("10.0.0.1");
    let let_through = executor.flow(HOUR_MS, bare("169.254.169.254", 80), 120, 900);
    let changes = changes(&[asks(&mut executor, 0), let_through, asks(&mut executor, 2 * HOUR_MS)]);
    use ChangeKind::{Ended, Grew, Opened, Resumed};
    let expected = [(Opened, 0), (Ended, 1), (Grew, 2), (Ended, 3), (Resumed, 4), (Ended, 5)];
    assert_eq!(kinds(&changes), expected);
    assert_eq!(changes[2].incident.severity, Severity::Critical);
    assert_eq!(changes[5].incident.severity, Severity::Critical, "it stays as grave as it was");
    assert_eq!(changes[5].incident.observed.up_bytes, 120);
}

#[test]
fn twice_the_bytes_are_told_whichever_session_sent_them() {
    let mut executor = Executor::new("10.0.0.1");
    let mut send =
        |hour: i64, bytes| executor.flow(hour * HOUR_MS, web("drop.evil.example"), bytes, 3_000);
    let events = [20 << 20, 1 << 20, 20 << 20].into_iter().zip(0..).map(|(n, h)| send(h, n));
    let changes = changes(&events.collect::<Vec<_>>());
    let told: Vec<_> = changes.iter().filter(|c| c.kind != ChangeKind::Ended).collect();
    let kinds: Vec<_> = told.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Opened, ChangeKind::Resumed, ChangeKind::Grew]);
    assert_eq!(told[2].incident.observed.up_bytes, 41 << 20);
}

#[test]
fn an_ordinary_visit_to_the_destination_of_an_incident_is_no_reason_to_go_on() {
    let mut executor = Executor::new("10.0.0.1");
    let whereto = || web("drop.evil.example");
    let events =
        [executor.flow(0, whereto(), 20 << 20, 3_000), executor.flow(HOUR_MS, whereto(), 400, 900)];
    let changes = changes(&events);
    assert_eq!(kinds(&changes), [(ChangeKind::Opened, 0), (ChangeKind::Ended, 1)]);
    assert_eq!(changes[1].incident.last_seen, at(0));
}

#[test]
fn what_comes_after_more_than_a_day_is_another_incident() {
    let mut executor = Executor::new("10.0.0.1");
    // The session in between did nothing that goes on, and keeps what the first one left.
    let between = executor.flow(20 * HOUR_MS, web("pypi.org"), 400, 90_000);
    let late = asks(&mut executor, 25 * HOUR_MS);
    let found = incidents(&[asks(&mut executor, 0), between.clone(), late]);
    assert_eq!(found.len(), 2);
    let in_time = asks(&mut executor, 23 * HOUR_MS);
    let found = incidents(&[asks(&mut executor, 0), between, in_time]);
    assert_eq!(found.len(), 1);
}

#[test]
fn sessions_with_names_and_executors_of_another_kind_have_incidents_of_their_own() {
    let ids = |a: &mut Executor, b: &mut Executor| {
        let found = incidents(&[asks(a, 0), asks(b, HOUR_MS)]);
        found.iter().map(|incident: &Incident| incident.id).collect::<Vec<_>>()
    };
    let named =
        |session: &str| Executor::with("10.0.0.1", |origin| origin.session = Some(session.into()));
    assert_eq!(ids(&mut named("task-1"), &mut named("task-2")).len(), 2);
    assert_eq!(ids(&mut named("task-1"), &mut named("task-1")).len(), 2, "it came to an end");
    let mut plain = Executor::new("10.0.0.1");
    let mut other = |change: fn(&mut egret_event::Attribution)| {
        ids(&mut plain, &mut Executor::with("10.0.0.1", change)).len()
    };
    assert_eq!(other(|origin| origin.tenant = Some("other".into())), 2);
    assert_eq!(other(|origin| origin.template = None), 2);
    assert_eq!(other(|origin| origin.segment = "elsewhere".into()), 2);
    assert_eq!(other(|_| ()), 1);
}

/// Whether the same executor comes back or another one of its kind does the same.
#[test]
fn an_incident_that_goes_on_teaches_nothing_of_its_own() {
    let learned = |second: &str| {
        let mut engine = Engine::new(AnalyzerConfig::default());
        let events =
            [asks(&mut Executor::new("10.0.0.1"), 0), asks(&mut Executor::new(second), HOUR_MS)];
        engine.observe(&events, &mut Vec::new());
        engine.finish(&mut Vec::new());
        engine.baseline()
    };
    assert_eq!(learned("10.0.0.1"), learned("10.0.0.2"));
}

#[test]
fn what_can_go_on_is_bounded_and_what_had_no_room_is_counted() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..6_000 {
        let mut executor = Executor::new(&format!("executor-{number}"));
        engine.observe(&[asks(&mut executor, number * 10_000)], &mut changes);
    }
    engine.finish(&mut changes);
    let evicted = engine.summary().evicted_pasts;
    assert!((6_000 - 4_096..6_000).contains(&evicted), "{evicted}");
}
