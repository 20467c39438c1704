//! What holds for any traffic.

use std::collections::BTreeMap;
use std::time::Duration;

use egret_analyzer::{AnalyzerConfig, Engine, Feedback, FeedbackSet, IncidentChange};
use egret_event::{Attribution, Event, Fact, FlowPhase, Gap, GapReason};
use proptest::prelude::*;

use crate::feedback::long_ago;
use crate::traffic::*;

/// Short epochs and silences, so that little traffic crosses many of them.
fn config(shards: usize) -> AnalyzerConfig {
    AnalyzerConfig {
        epoch: Duration::from_secs(300),
        lateness: Duration::from_secs(30),
        session_idle: Duration::from_secs(120),
        shards,
        allow_private: vec!["10.2.0.0/16".parse().unwrap()],
        ..AnalyzerConfig::default()
    }
}

/// One step of made-up traffic: who, after how long, where to, how much, in what manner.
type Step = (u8, u32, u8, u64, u8);

/// Steps that lead to quiet and to loud sessions, in order and slightly out of order.
fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop_oneof![4 => 0u64..3_000, 1 => 0u64..40_000_000];
    let pauses = prop_oneof![8 => 0u32..3_000, 1 => 0u32..200_000];
    prop::collection::vec((0u8..12, pauses, 0u8..60, sizes, 0u8..20), 1..most)
}

fn events(steps: &[Step]) -> Vec<Event> {
    let mut executors: Vec<Executor> = (0..12)
        .map(|i| {
            Executor::with(&format!("sandbox-{i}"), |origin| {
                origin.session = (i % 3 == 0).then(|| "task".into());
                origin.tenant = Some(format!("tenant-{}", i % 4).into());
                origin.template = (i % 5 != 0).then(|| format!("template-{}", i % 2).into());
            })
        })
        .collect();
    let mut now = 0i64;
    steps
        .iter()
        .map(|(who, pause_ms, whereto, up, manner)| {
            now += i64::from(*pause_ms);
            let executor = &mut executors[usize::from(*who)];
            event(executor, now, (*whereto, *up, *manner))
        })
        .collect()
}

fn event(executor: &mut Executor, now: i64, (whereto, up, manner): (u8, u64, u8)) -> Event {
    let ms = now - if manner == 19 { 40_000 } else { i64::from(manner) * 100 };
    let host = format!("h.example{whereto}.org");
    let long_flow = (u64::from(whereto), u32::from(manner), FlowPhase::Open);
    match manner {
        0 => executor.logged(ms, &host, None, 500),
        1 => executor.logged(ms, &host, Some(up), 500),
        2..=4 => executor.blocked(ms, web(&host)),
        5 => executor.flow(ms, bare(&format!("10.{}.0.1", whereto % 4), 22), up, 0),
        6 => executor.flow(ms, bare("169.254.169.254", 80), 100, 100),
        7 | 8 => executor.interval(ms, web(&host), long_flow, (up, 10)),
        9 => lost(executor, ms, whereto),
        10 => executor.question(ms, &format!("{up:x}.{host}"), (16 - up as u16 % 2 * 15, 200)),
        11 => executor.flow(ms, web(&format!("own{whereto}.s3.amazonaws.com")), up, 10),
        12 => executor.flow(ms, web("paste.rs"), up, 10),
        _ => executor.flow(ms, web(&host), up, 1000),
    }
}

/// A second in which one of three sources could not see.
fn lost(executor: &mut Executor, ms: i64, which: u8) -> Event {
    let reason = [GapReason::KernelDrop, GapReason::MissedBytes][usize::from(which % 2)];
    let gap = Gap { reason, count: u64::from(which) + 1, from: at(ms - 1000) };
    Event {
        source: ["test", "eth1", "eth2"][usize::from(which % 3)].into(),
        origin: std::sync::Arc::new(Attribution::nobody()),
        ..executor.event(ms, bare("0.0.0.0", 0), Fact::Gap(gap))
    }
}

/// All changes, as the outputs write them, and the state at the end.
fn replay(mut engine: Engine, batches: &[&[Event]]) -> (String, Vec<u8>) {
    let mut out: Vec<IncidentChange> = Vec::new();
    for batch in batches {
        engine.observe(batch, &mut out);
    }
    engine.finish(&mut out);
    (serde_json::to_string(&out).unwrap(), engine.snapshot())
}

/// How much was observed, in bytes and events, in each incident: executor and destination.
fn observed(events: &[Event]) -> BTreeMap<(String, String), (u64, u64)> {
    let one_session = AnalyzerConfig { session_idle: Duration::from_secs(86_400), ..config(1) };
    last_states(&run(one_session, events))
        .into_iter()
        .filter(|incident| incident.destination != "*")
        .map(|incident| {
            let place = (incident.origin.executor.to_string(), incident.destination.to_string());
            (place, (incident.observed.up_bytes, incident.observed.events))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_one_source_tells_is_judged_alike_whether_others_are_expected_or_not(steps in steps(200)) {
        let mut events = events(&steps);
        events.retain(|event| !matches!(event.fact, Fact::Gap(_)));
        let told = |is_one: bool| {
            let mut engine = Engine::new(config(2));
            if is_one {
                engine.hear_one_source();
            }
            let (mut changes, mut joined) = (Vec::new(), Vec::new());
            engine.observe_and_join(&events, &mut changes, &mut joined);
            engine.finish(&mut changes);
            (changes, joined, engine.baseline())
        };
        prop_assert_eq!(told(true), told(false));
    }


    #[test]
    fn the_number_of_shards_changes_nothing(steps in steps(400)) {
        let events = events(&steps);
        let one = replay(Engine::new(config(1)), &[&events]);
        for shards in [2, 7, 64] {
            prop_assert_eq!(&replay(Engine::new(config(shards)), &[&events]), &one);
        }
        prop_assert_eq!(&replay(Engine::new(config(1)), &[&events]), &one, "the same again");
    }

    #[test]
    fn feedback_counts_in_any_order_on_any_number_of_shards_until_it_expires(
        steps in steps(400),
        judged in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        let events = events(&steps);
        let unjudged = last_states(&run(config(1), &events));
        prop_assume!(!unjudged.is_empty());
        let verdicts = |given_at| -> Vec<Feedback> {
            let incidents = judged.iter().map(|index| index.get(&unjudged));
            incidents.flat_map(|incident| Feedback::of(incident, given_at)).collect()
        };
        let told = |shards, feedback: Vec<Feedback>| {
            let mut engine = Engine::new(config(shards));
            engine.take_feedback(feedback);
            replay(engine, &[&events])
        };
        let one = told(1, verdicts(at(0)));
        for shards in [2, 7] {
            prop_assert_eq!(&told(shards, verdicts(at(0))), &one);
        }
        let mut backwards = verdicts(at(0));
        backwards.reverse();
        prop_assert_eq!(&told(1, backwards), &one);
        prop_assert_eq!(told(1, verdicts(long_ago())), replay(Engine::new(config(1)), &[&events]));
        // What it opened all the same is what the same function would not have prevented.
        let set = FeedbackSet::new(verdicts(at(0)));
        let changes: Vec<IncidentChange> = serde_json::from_str(&one.0).unwrap();
        for change in opened(&changes) {
            prop_assert_eq!(set.prevents(&change.incident, change.at), None);
        }
    }

    #[test]
    fn cutting_the_events_into_batches_changes_nothing(
        steps in steps(400),
        size in 1usize..50,
    ) {
        let events = events(&steps);
        let batches: Vec<&[Event]> = events.chunks(size).collect();
        let whole = replay(Engine::new(config(2)), &[&events]);
        prop_assert_eq!(replay(Engine::new(config(2)), &batches), whole);
    }

    #[test]
    fn a_restored_engine_goes_on_as_if_nothing_had_happened(
        steps in steps(400),
        cut in 0usize..400,
        shards in 1usize..9,
    ) {
        let events = events(&steps);
        let (before, after) = events.split_at(cut.min(events.len()));
        let uninterrupted = replay(Engine::new(config(3)), &[&events]);
        let mut first = Engine::new(config(3));
        let mut out = Vec::new();
        first.observe(before, &mut out);
        let snapshot = first.snapshot();
        let mut second = Engine::restore(config(shards), &snapshot).unwrap();
        prop_assert_eq!(second.snapshot(), snapshot, "restoring is exact");
        second.observe(after, &mut out);
        second.finish(&mut out);
        prop_assert_eq!(serde_json::to_string(&out).unwrap(), uninterrupted.0);
        prop_assert_eq!(second.snapshot(), uninterrupted.1);
    }

    #[test]
    fn shares_add_up_and_numbers_count(steps in steps(300)) {
        let changes = run(config(1), &events(&steps));
        let mut numbers = BTreeMap::new();
        for change in &changes {
            let why = &change.incident.explanation;
            let shares: f64 = why.findings.iter().map(|finding| finding.share).sum();
            prop_assert!((shares - 1.0).abs() < 1e-9);
            prop_assert!(why.p_combined < why.threshold);
            prop_assert!((0.0..=1.0).contains(&change.incident.score));
            prop_assert!(change.incident.first_seen <= change.incident.last_seen);
            let next = numbers.entry(change.incident.id).or_insert(0);
            prop_assert_eq!(change.number, *next);
            *next += 1;
        }
    }

    #[test]
    fn disorder_within_the_lateness_changes_no_sum(
        steps in steps(200),
        swaps in prop::collection::vec(0usize..200, 0..100),
    ) {
        // Without manner 19 (40 s late) events are at most 2 s out of order.
        let mut events = events(&steps);
        events.retain(|event| event.source == "test");
        events.sort_by_key(|event| event.at);
        let ordered = observed(&events);
        let mut shuffled = events.clone();
        for at in swaps {
            if at + 1 < shuffled.len() && shuffled[at + 1].at.since(shuffled[at].at).as_secs() < 30 {
                shuffled.swap(at, at + 1);
            }
        }
        // Each event is judged by what came before it, so that an incident on the edge may open in
        // one order only. What is observed in it does not depend on the order.
        for (place, sums) in observed(&shuffled) {
            prop_assert_eq!(ordered.get(&place).copied().unwrap_or(sums), sums, "{:?}", place);
        }
    }

    #[test]
    fn sessions_of_the_same_epoch_do_not_change_each_others_score(steps in steps(200)) {
        // The others end long before, but within the epoch, and so teach nothing yet.
        let config = || AnalyzerConfig { epoch: Duration::from_secs(86_400), ..config(1) };
        let hour = 3_600_000 * 14;
        let mut subject = Executor::new("subject");
        let own: Vec<Event> = (0..20)
            .map(|i| subject.flow(hour + i * 1000, web("drop.example1.org"), 90_000, 0))
            .collect();
        let alone = run(config(), &own);
        let mut together = events(&steps);
        together.retain(|event| event.at < at(hour));
        together.extend(own);
        let mut changes = run(config(), &together);
        changes.retain(|change| change.incident.origin.executor == "subject");
        prop_assert!(!alone.is_empty());
        prop_assert_eq!(changes, alone);
    }

    #[test]
    fn damaged_snapshots_are_refused_or_read_but_never_panic(
        steps in steps(60),
        at: prop::sample::Index,
        byte: u8,
    ) {
        let mut engine = Engine::new(config(1));
        engine.observe(&events(&steps), &mut Vec::new());
        let mut bytes = engine.snapshot();
        let position = at.index(bytes.len());
        bytes[position] = byte;
        if let Ok(mut engine) = Engine::restore(config(1), &bytes) {
            engine.observe(&events(&steps), &mut Vec::new());
        }
        bytes.truncate(position);
        prop_assert!(Engine::restore(config(1), &bytes).is_err());
    }
}
