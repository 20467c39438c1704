//! What the engine's incidents come to, as stories.

use std::time::Duration;

use egret_analyzer::{AnalyzerConfig, IncidentStatus, Member, RollUp, roll_up};
use egret_event::Event;

use crate::traffic::*;

const MIB: u64 = 1 << 20;
const HOUR_MS: i64 = 3_600_000;

fn rolled_up(shards: usize, events: &[Event]) -> Vec<RollUp> {
    let session_idle = Duration::from_secs(1800);
    let changes = run(AnalyzerConfig { session_idle, shards, ..AnalyzerConfig::default() }, events);
    let opened = opened(&changes).into_iter();
    roll_up(opened.map(|change| Member::of(&change.incident, IncidentStatus::Open)).collect())
}

#[test]
fn one_host_that_gives_names_to_its_four_sessions_is_one_story() {
    let session = |n: i64| {
        let name = Some(format!("task-{n}").into());
        Executor::with("workstation", |origin| origin.session = name)
    };
    let events: Vec<Event> = (0..4)
        .map(|n| session(n).flow(n * 3 * HOUR_MS, web("paste.example.net"), 5 * MIB, 500))
        .collect();
    let [story] = &rolled_up(1, &events)[..] else { panic!("one story is expected") };
    assert_eq!((story.incidents, story.sessions, story.executors.count), (4, 4, 1));
    assert_eq!(story.destination, "example.net");
}

#[test]
fn forty_executors_at_one_place_are_one_story_on_any_number_of_shards_and_another_place_is_another()
{
    let mut executors: Vec<Executor> =
        (0..40).map(|n| Executor::new(&format!("job-{n}"))).collect();
    let mut events: Vec<Event> = (0..)
        .zip(&mut executors)
        .map(|(n, executor)| executor.flow(n * 60_000, web("paste.example.net"), 5 * MIB, 500))
        .collect();
    events.push(executors[0].flow(41 * 60_000, web("drop.example.org"), 5 * MIB, 500));
    let stories = rolled_up(1, &events);
    let counts: Vec<_> = stories.iter().map(|s| (s.destination.as_str(), s.incidents)).collect();
    assert_eq!(counts, [("example.net", 40), ("example.org", 1)]);
    assert_eq!((stories[0].executors.count, stories[0].templates.count), (40, 1));
    for shards in [2, 7] {
        assert_eq!(rolled_up(shards, &events), stories, "{shards} shards");
    }
}
