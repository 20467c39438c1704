//! Session after session leaves a little at one place.

use std::sync::Arc;

use egret_analyzer::{
    AnalyzerConfig, ChangeKind, Detector, Engine, Incident, IncidentChange, Level,
};
use egret_event::Event;

use crate::traffic::*;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

/// A session that does ordinary work, and then sends and fetches so many bytes at a place.
fn session(name: &str, tenant: &str, ms: i64, (place, up, down): (&str, u64, u64)) -> Vec<Event> {
    let mut executor = Executor::with(name, |origin| origin.tenant = Some(tenant.into()));
    vec![
        executor.flow(ms, web("pypi.org"), 900, 40_000),
        executor.flow(ms + 1_000, web(place), up, down),
    ]
}

/// Sessions one after the other, `apart_ms`, of one tenant after the other.
fn sessions(
    prefix: &str,
    (count, tenants): (i64, &[&str]),
    (from_ms, apart_ms): (i64, i64),
    at: impl Fn(i64) -> (String, u64, u64),
) -> Vec<Event> {
    let of = |number: i64| {
        let (place, up, down) = at(number);
        let tenant = tenants[number as usize % tenants.len()];
        let name = format!("{prefix}-{number}");
        session(&name, tenant, from_ms + number * apart_ms, (&place, up, down))
    };
    (0..count).flat_map(of).collect()
}

/// An hour of work, after which there is something that a place can be new to.
fn before() -> Vec<Event> {
    sessions("early", (600, &TENANTS), (0, 3_000), |_| {
        ("files.pythonhosted.org".into(), 900, 90_000)
    })
}

fn fleet_drips(changes: &[IncidentChange]) -> Vec<Incident> {
    let mut found = last_states(changes);
    found.retain(|incident| {
        incident.explanation.findings.iter().any(|f| f.detector == Detector::FleetDrip)
    });
    found
}

fn found_in(events: &[Event]) -> Vec<Incident> {
    fleet_drips(&run(AnalyzerConfig::default(), events))
}

/// So many sessions that leave a little, within half a day.
fn drip(count: i64, tenants: &[&str]) -> Vec<Event> {
    let apart_ms = 12 * HOUR_MS / count;
    let little = |n: i64| ("api.drop.example".to_owned(), 900 + n as u64 % 7 * 100, 3_500);
    sessions("leaver", (count, tenants), (3 * HOUR_MS, apart_ms), little)
}

#[test]
fn many_sessions_that_leave_a_little_at_a_new_place_are_one_incident() {
    let found = found_in(&[before(), drip(150, &TENANTS)].concat());
    assert_eq!(destinations(&found), ["drop.example"]);
    let incident = &found[0];
    assert_eq!((incident.session.as_str(), incident.origin.executor.as_str()), ("*", ""));
    let finding = &incident.explanation.findings[0];
    assert!((101.0..=150.0).contains(&finding.observed.value), "{finding:?}");
    assert!(finding.p < incident.explanation.threshold && finding.p > 0.0, "{finding:?}");
    assert!(incident.title.contains("which was new to all"), "{}", incident.title);
    assert!(incident.explanation.summary.contains("leaver-0@"), "{}", incident.explanation.summary);
    assert!(incident.explanation.next_steps[0].contains("have in common"));
    assert_eq!(incident.explanation.techniques[0].id, "T1030");
}

#[test]
fn sessions_of_a_template_that_was_just_introduced_count_too() {
    let mut left = drip(150, &TENANTS);
    for session in left.chunks_mut(2).skip(1).step_by(3) {
        let origins = session.iter_mut().map(|event| Arc::make_mut(&mut event.origin));
        origins.for_each(|origin| origin.template = Some("just-introduced".into()));
    }
    let found = found_in(&[before(), left].concat());
    assert_eq!(destinations(&found), ["drop.example"]);
    let sessions = found[0].explanation.findings[0].observed.value;
    assert!((101.0..=150.0).contains(&sessions), "{sessions}");
}

#[test]
fn too_few_to_be_a_pattern_are_none() {
    assert!(found_in(&[before(), drip(60, &TENANTS)].concat()).is_empty());
}

/// One session each at many places, none of which comes to more.
fn small_places(count: i64) -> Vec<Event> {
    let place = |n: i64| (format!("www.site-{n}.example"), 900, 3_000);
    sessions("visitor", (count, &TENANTS), (2 * HOUR_MS, HOUR_MS / count), place)
}

#[test]
fn where_other_new_places_have_few_sessions_fewer_are_enough() {
    let events = [before(), small_places(800), drip(60, &TENANTS)].concat();
    let found = found_in(&events);
    assert_eq!(destinations(&found), ["drop.example"]);
    let normal = found[0].explanation.findings[0].normal.as_ref().unwrap();
    assert_eq!((normal.level, normal.median, normal.p98), (Level::Fleet, 2.0, 2.0));
}

#[test]
fn what_is_fetched_by_many_sessions_is_a_release() {
    let release = |_| ("mirror.example".to_owned(), 900, 200_000);
    let later = sessions("fetcher", (300, &TENANTS), (3 * HOUR_MS, 60_000), release);
    assert!(found_in(&[before(), later].concat()).is_empty());
}

#[test]
fn what_was_contacted_before_is_no_new_place() {
    let known =
        sessions("early", (600, &TENANTS), (0, 3_000), |_| ("hub.example".into(), 900, 900));
    let later = sessions("later", (300, &TENANTS), (3 * HOUR_MS, 60_000), |_| {
        ("hub.example".into(), 900, 900)
    });
    assert!(found_in(&[known, later].concat()).is_empty());
}

#[test]
fn an_incident_grows_with_its_sessions_and_ends_when_the_place_is_no_longer_new() {
    let later = sessions("later", (3, &TENANTS), (16 * DAY_MS, HOUR_MS), |_| {
        ("files.pythonhosted.org".into(), 900, 90_000)
    });
    let more = sessions("more", (800, &TENANTS), (2 * DAY_MS, 60_000), |_| {
        ("api.drop.example".into(), 900, 900)
    });
    let events = [before(), drip(150, &TENANTS), more, later].concat();
    let changes = run(AnalyzerConfig::default(), &events);
    let told = changes.iter().filter(|change| change.incident.destination == "drop.example");
    let kinds: Vec<_> = told.clone().map(|change| change.kind).collect();
    let numbers: Vec<_> = told.map(|change| change.number).collect();
    assert_eq!(numbers, (0..kinds.len() as u32).collect::<Vec<_>>());
    // Twice as many sessions, and twice as many again.
    let [ChangeKind::Opened, grew @ .., ChangeKind::Ended] = &kinds[..] else {
        panic!("{kinds:?}");
    };
    assert_eq!(grew, [ChangeKind::Grew; 2]);
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    let events = [before(), drip(240, &TENANTS)].concat();
    let whole = run(AnalyzerConfig::default(), &events);
    assert_eq!(fleet_drips(&whole).len(), 1);
    for part in [600, 1_250, 1_500, 1_650] {
        let mut engine = Engine::new(AnalyzerConfig::default());
        let mut changes = Vec::new();
        engine.observe(&events[..part], &mut changes);
        let snapshot = engine.snapshot();
        let mut engine = Engine::restore(AnalyzerConfig::default(), &snapshot).unwrap();
        engine.observe(&events[part..], &mut changes);
        engine.finish(&mut changes);
        assert_eq!(changes, whole, "cut after {part}");
    }
}
