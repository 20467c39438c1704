//! The engine alone: how fast it judges events of every kind with all detectors on, and what live
//! sessions and known destinations take in memory.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use egret_analyzer::{AnalyzerConfig, Engine, IncidentChange};
use egret_event::{Event, Fact, Timestamp};

use crate::traffic::{DESTINATIONS, EVENTS_PER_ROUND, Executor, mixed, shared_host};
use crate::{ENGINE_EVENTS, START};

/// Live sessions of the speed run: many more than a cache holds.
const SESSIONS: u64 = 10_000;

/// Sessions that are learned from before anything is measured.
const LEARNED: u64 = 2_000;

/// 2⁶⁴ divided by the golden ratio: what it multiplies is spread over all bits (Knuth, volume 3, 6.4).
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

const HOUR: Duration = Duration::from_secs(3_600);

/// How many sources the engine expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    One,
    Several,
}

/// In which order the events of many sessions come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As a capture tells them: a question and the hello that follows it one after the other, and when the
    /// flow has ended that.
    Capture,
    /// Each one of another session than the one before: no cache helps.
    Apart,
}

/// Events through an engine that has learned from sessions that did the same.
pub(crate) fn speed(count: u64, sources: Sources, order: Order) -> Result<()> {
    let mut world = World::new(sources);
    let mut learned = rounds(0..LEARNED, order);
    let times = ENGINE_EVENTS / (SESSIONS * EVENTS_PER_ROUND) + 1;
    world.run(START, LEARNED * EVENTS_PER_ROUND * times, &mut learned)?;
    let mut events = rounds(LEARNED..LEARNED + SESSIONS, order);
    world.run(START + 3 * HOUR, count, &mut events)?;
    let summary = world.engine.summary();
    ensure!(count == 0 || summary.baseline_sessions > 0, "nothing was learned: {summary:?}");
    println!("{} changes, {summary:?}", world.changes.len());
    Ok(())
}

/// A round of each of these sessions, mixed.
fn rounds(sessions: Range<u64>, order: Order) -> Vec<Event> {
    let round = |session| Executor::new(session).round(DESTINATIONS, |n| shared_host(session, n));
    let events: Vec<Event> = sessions.flat_map(round).collect();
    let follows = |one: &Event, next: &Event| {
        order == Order::Capture && matches!((&one.fact, &next.fact), (Fact::Dns(_), Fact::Tls(_)))
    };
    let together: Vec<&[Event]> = events.chunk_by(follows).collect();
    mixed(&together).concat()
}

/// Holds so many sessions live at once, each with so many destinations (two of them for a push and a
/// blocked attempt), after so many destinations have become known; a baseline is frozen meanwhile.
pub(crate) fn room(live: u64, each: u64, known: u64, sources: Sources) -> Result<()> {
    ensure!(each >= 2, "a round has two destinations of its own");
    /// Destinations of each session that makes them known, and sessions that each needs.
    const EACH: u64 = 10;
    const TIMES: u64 = 3;
    /// So many of those begin in an hour: few enough that a partition learns all that they teach.
    const PER_HOUR: u64 = 8_000;
    let mut world = World::new(sources);
    let learners = known * TIMES / EACH;
    for session in 0..learners {
        let mut executor = Executor::new(session);
        let first = session * EACH % known.max(1);
        let events =
            (first..first + EACH).map(|n| executor.contact(&known_host(n))).map(|[.., flow]| flow);
        let at = START + HOUR.mul_f64(session as f64 / PER_HOUR as f64);
        world.observe(at, events.collect());
    }
    let hours = u32::try_from(learners / PER_HOUR)? + 2;
    let from = START + HOUR * hours;
    // Somebody ends within the last hour, so that there is something to freeze at its end.
    for minutes in [1, 5] {
        let mut executor = Executor::new(learners + minutes);
        let at = from + Duration::from_secs(60 * minutes);
        world.observe(at, executor.contact("last.example").into());
    }
    for session in 0..live {
        let mut executor = Executor::new(learners + 10 + session);
        let host = |n: u64| match known {
            0 => shared_host(session, n),
            known => known_host((session * (each - 2) + n * 7) % known),
        };
        let minutes = 45.0 + 14.0 * session as f64 / live as f64;
        world.observe(from + HOUR.mul_f64(minutes / 60.0), executor.round(each - 2, host));
    }
    let before = world.engine.baseline_id();
    world.engine.tick(from + HOUR + Duration::from_secs(60), &mut world.changes);
    let summary = world.engine.summary();
    ensure!(summary.live_sessions == live, "not all live: {summary:?}");
    ensure!(world.engine.baseline_id() != before, "nothing was frozen: {summary:?}");
    println!("{} changes, {summary:?}", world.changes.len());
    Ok(())
}

fn known_host(number: u64) -> String {
    format!("www.known-{number}.example")
}

/// Lets an event happen at a time.
fn happen(event: &mut Event, at: Timestamp) {
    event.at = at;
    if let Fact::Flow(flow) = &mut event.fact {
        flow.from = at;
    }
}

/// An engine and what came of it.
struct World {
    engine: Engine,
    changes: Vec<IncidentChange>,
}

impl World {
    fn new(sources: Sources) -> Self {
        let mut engine = Engine::new(AnalyzerConfig::default());
        if sources == Sources::One {
            engine.hear_one_source();
        }
        Self { engine, changes: Vec::new() }
    }

    /// So many of these events: all of them in 20 s, again and again, and each time beginning with
    /// another one, so that no session is as regular as a clock.
    fn run(&mut self, from: Timestamp, count: u64, events: &mut [Event]) -> Result<()> {
        const ROUND: Duration = Duration::from_secs(20);
        let spread = ROUND / u32::try_from(events.len())?;
        let (mut left, mut at, mut begin) = (usize::try_from(count)?, from, 0);
        while left > 0 {
            let mixed = at.as_nanos().cast_unsigned().wrapping_mul(MIXER) >> 33;
            begin = (begin + mixed as usize) % events.len();
            let (last, first) = events.split_at_mut(begin);
            let mut index = 0;
            for batch in first.chunks_mut(512).chain(last.chunks_mut(512)) {
                let some = left.min(batch.len());
                let batch = &mut batch[..some];
                for event in batch.iter_mut() {
                    happen(event, at + spread * index);
                    index += 1;
                }
                self.engine.observe(batch, &mut self.changes);
                left -= some;
            }
            at = at + ROUND;
        }
        Ok(())
    }

    /// All at the same time.
    fn observe(&mut self, at: Timestamp, mut events: Vec<Event>) {
        events.iter_mut().for_each(|event| happen(event, at));
        self.engine.observe(&events, &mut self.changes);
    }
}
