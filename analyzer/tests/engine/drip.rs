//! Little by little for hours, and what only looks like it.

use egret_analyzer::{AnalyzerConfig, Detector, Engine, Incident};
use egret_event::Event;

use crate::traffic::*;

const MINUTE_MS: i64 = 60_000;

/// So many bytes to a host in each of these minutes of a session.
fn sends(
    executor: &mut Executor,
    host: &str,
    minutes: impl Iterator<Item = i64>,
    bytes: u64,
) -> Vec<Event> {
    let send = |minute| executor.flow(minute * MINUTE_MS + 500, web(host), bytes, 200);
    minutes.map(send).collect()
}

/// A hundred bytes in each of these minutes, in parts that come by chance: no timer sends them.
fn drip(executor: &mut Executor, host: &str, minutes: std::ops::Range<i64>) -> Vec<Event> {
    let mut offsets = (0..).map(|number: u64| chance(number) * MINUTE_MS as f64);
    let mut parts = Vec::new();
    for minute in minutes {
        for part in [10, 30, 20, 40] {
            let ms = minute * MINUTE_MS + offsets.next().map_or(0, |offset| offset as i64);
            parts.push((ms, part));
        }
    }
    parts.sort_unstable();
    parts.into_iter().map(|(ms, bytes)| executor.flow(ms, web(host), bytes, 200)).collect()
}

fn drips(events: &[Event]) -> Vec<Incident> {
    let mut found = incidents(events);
    found.retain(|incident| {
        let findings = &incident.explanation.findings;
        findings.iter().any(|finding| finding.detector == Detector::SlowDrip)
    });
    found
}

#[test]
fn a_hundred_bytes_a_minute_are_found_when_the_session_is_an_hour_old() {
    let mut executor = Executor::new("sandbox-1");
    let found = drips(&drip(&mut executor, "drop.example", 0..150));
    assert_eq!(destinations(&found), ["drop.example"]);
    let incident = &found[0];
    assert_eq!(incident.opened_at.since(at(0)).as_secs() / 60, 64);
    let why = &incident.explanation;
    assert_eq!(why.findings[0].detector, Detector::SlowDrip);
    assert!(why.findings[0].words.contains("little by little"), "{}", why.findings[0].words);
    let techniques: Vec<_> = why.techniques.iter().map(|technique| technique.id.as_str()).collect();
    assert_eq!(techniques, ["T1030", "T1041"]);
    assert!(incident.title.contains("little by little"), "{}", incident.title);
    assert!(why.next_steps.iter().any(|step| step.contains("keeps sending")));
}

#[test]
fn a_drip_that_begins_late_is_found_at_a_later_age() {
    let mut executor = Executor::new("sandbox-1");
    let mut events = sends(&mut executor, "pypi.org", (0..240).step_by(5), 400);
    events.extend(drip(&mut executor, "drop.example", 40..240));
    events.sort_by_key(|event| event.at);
    let found = drips(&events);
    assert_eq!(destinations(&found), ["drop.example"]);
    assert_eq!(found[0].opened_at.since(at(0)).as_secs() / 60, 128);
}

#[test]
fn bursts_heartbeats_services_and_private_addresses_are_no_drips() {
    let mut executor = Executor::new("sandbox-1");
    let mut events = Vec::new();
    events.extend(sends(&mut executor, "api.anthropic.com", 0..300, 400));
    events.extend(sends(&mut executor, "settings-win.data.microsoft.com", 0..300, 100));
    events.extend(sends(&mut executor, "status.example.org", (0..300).step_by(5), 2_000));
    events.extend(sends(&mut executor, "push.example.net", (0..300).step_by(3), 40));
    events.extend(sends(&mut executor, "upload.example.com", 0..8, 9_000));
    events.extend((0..300).map(|i| executor.flow(i * MINUTE_MS, bare("10.0.0.53", 53), 60, 200)));
    events.sort_by_key(|event| event.at);
    let found = drips(&events);
    assert!(found.is_empty(), "{:?}", found.iter().map(|i| &i.title).collect::<Vec<_>>());
}

#[test]
fn what_sessions_of_a_template_send_to_all_day_is_known_to_them_and_not_to_others() {
    const DAY_MIN: i64 = 1_440;
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for day in 0..30 {
        let mut executor = Executor::new(&format!("notebook-{day}"));
        let minutes = day * DAY_MIN..day * DAY_MIN + 200;
        engine.observe(&sends(&mut executor, "metrics.example.org", minutes, 300), &mut changes);
    }
    let days = opened(&changes).into_iter().map(|c| c.at.since(at(0)).as_secs() / 86_400);
    let days: Vec<_> = days.collect();
    assert_eq!(days.first(), Some(&0), "the first is unlike anything known");
    assert!(days.iter().all(|day| *day < 14), "it went on to alert: {days:?}");
    changes.clear();
    let mut thief = Executor::new("notebook-31");
    let minutes = 31 * DAY_MIN..31 * DAY_MIN + 200;
    engine.observe(&sends(&mut thief, "drop.example", minutes, 300), &mut changes);
    assert_eq!(opened(&changes)[0].incident.destination, "drop.example");
}
