//! B: a source that does not see. It has been quiet for much longer than it usually is, or it loses
//! a notable part of what it should see, and goes on losing it.
//!
//! Time is event time: a source is heard when its event comes, by the newest time that any event or
//! tick told. What is usual for a source is learned from its own pauses, day by day.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use egret_event::{
    Attribution, Destination, Event, EventId, Fact, Gap, GapReason, SmolStr, Timestamp, Verdict,
    Volume,
};
use serde::{Deserialize, Serialize};

use crate::incident::{
    ChangeBy, ChangeKind, Detector, Explanation, Finding, GapSeen, Incident, IncidentChange,
    Quantity, Severity,
};
use crate::join::{Joined, Out};
use crate::words::duration_words;
use crate::world::World;

/// Sources that are followed. A configuration has a handful.
const MOST_SOURCES: usize = 256;

/// Silence below this is never told. Egret's own choice.
const LEAST_SILENCE: Duration = Duration::from_secs(5 * 60);

/// The same, while a source's first day has not passed: its nights are not known yet.
const LEAST_SILENCE_OF_THE_YOUNG: Duration = Duration::from_secs(30 * 60);

/// Events before anything is usual for a source.
const EVENTS_TO_KNOW: u64 = 100;

/// Times the longest usual pause that make a silence unusual. Egret's own choice.
const UNUSUAL: u32 = 4;

/// Days whose longest pauses are remembered: a week has its quiet days.
const DAYS: usize = 8;
const DAY: Duration = Duration::from_secs(86_400);

/// The part of what should be seen whose loss is worth an alert, in percent. Egret's own choice:
/// below it sizes and counts are nearly right.
const MUCH_PERCENT: u64 = 5;

/// The part from which on a source is as good as blind, in percent.
const MOST_PERCENT: u64 = 50;

/// Minutes in a row that are needed to say that loss lasts, or that it is over.
const LASTING: u32 = 2;

/// Packets, events and bytes that a minute needs for its loss to mean something.
const LEAST_PER_MINUTE: [u64; 3] = [1_000, 100, 1 << 20];

const MINUTE: Duration = Duration::from_secs(60);

/// All sources, and how well they see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// By name.
    sources: Vec<(SmolStr, Source)>,
    /// Where the source stands that was heard last: most often the next event is of the same.
    #[serde(skip)]
    last: usize,
}

/// Whose silence matters, and since when there was somebody to listen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listening {
    /// Sources that do not come to an end by themselves.
    pub(crate) to: BTreeSet<SmolStr>,
    pub(crate) since: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Source {
    since: Timestamp,
    heard: Timestamp,
    events: u64,
    /// The segment that it last told of.
    segment: Option<SmolStr>,
    /// The longest pause of each of the last days, in seconds, by when the day begins, in seconds too.
    pauses_s: VecDeque<(i64, u64)>,
    minute: Minute,
    /// Minutes in a row with much loss, and without.
    bad: u32,
    good: u32,
    quiet: Option<Open>,
    losing: Option<Open>,
}

/// What was seen and missed in a minute: packets, events, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Minute {
    at: Timestamp,
    seen: [u64; 3],
    missed: [u64; 3],
}

/// An open incident.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Open {
    /// Since when it could not see.
    from: Timestamp,
    at: Timestamp,
    /// Seconds of silence, or the part lost in percent.
    measure: u64,
}

/// What an incident is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Quiet,
    Losing,
}

impl Watch {
    /// Hears a source. `now` is how far time has come.
    pub(crate) fn hear(
        &mut self,
        event: &Event,
        (now, listening): (Timestamp, &Listening),
        world: &mut World,
        out: &mut Out<'_>,
    ) {
        let Some(source) = self.source(&event.source, now) else { return };
        if let Some(open) = source.quiet.take() {
            let silence = Open { measure: now.since(open.from).as_secs(), ..open };
            out.joined.push(Joined::Quiet(Box::new(quiet_gap(&event.source, silence.from, now))));
            world.gaps.note_silence(silence_seen(&event.source, &silence, now));
            out.changes.push(change(Kind::Quiet, &event.source, (&silence, Some(now)), world));
        }
        source.hear(now, listening.since);
        let segment = &event.origin.segment;
        if source.segment.as_ref() != Some(segment) && !matches!(event.fact, Fact::Gap(_)) {
            source.segment = Some(segment.clone());
            world.gaps.note_segment(&event.source, segment);
        }
        if event.at >= source.minute.at + MINUTE {
            let minute = event.at.floor(MINUTE);
            if let Some(told) = source.end_minute(minute) {
                out.changes.push(change(Kind::Losing, &event.source, (&told.0, told.1), world));
            }
            source.minute.at = minute;
        }
        source.minute.add(event);
    }

    /// A source, if there is room for it.
    fn source(&mut self, name: &SmolStr, now: Timestamp) -> Option<&mut Source> {
        if self.sources.get(self.last).is_none_or(|(last, _)| last != name) {
            self.last = match self.position(name) {
                Ok(at) => at,
                Err(_) if self.sources.len() >= MOST_SOURCES => return None,
                Err(at) => {
                    self.sources.insert(at, (name.clone(), Source::new(now)));
                    at
                }
            };
        }
        self.sources.get_mut(self.last).map(|(_, source)| source)
    }

    fn position(&self, name: &SmolStr) -> Result<usize, usize> {
        self.sources.binary_search_by(|(known, _)| known.cmp(name))
    }

    /// Time has come to `now`: whoever is quiet for too long is told.
    pub(crate) fn listen(
        &mut self,
        (now, listening): (Timestamp, &mut Listening),
        world: &mut World,
        out: &mut Vec<IncidentChange>,
    ) {
        if listening.to.is_empty() {
            return;
        }
        let listening_since = *listening.since.get_or_insert(now);
        for name in &listening.to {
            let Some(source) = self.position(name).ok().map(|at| &mut self.sources[at].1) else {
                continue;
            };
            let from = source.heard.max(listening_since);
            let silence = now.since(from);
            if source.quiet.is_some() || silence < source.unusual_silence(now) {
                continue;
            }
            let open = Open { from, at: now, measure: silence.as_secs() };
            source.quiet = Some(open);
            world.gaps.note_silence(silence_seen(name, &open, now));
            out.push(change(Kind::Quiet, name, (&open, None), world));
        }
    }
}

impl Source {
    fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            heard: now,
            events: 0,
            segment: None,
            pauses_s: VecDeque::new(),
            minute: Minute::default(),
            bad: 0,
            good: 0,
            quiet: None,
            losing: None,
        }
    }

    fn hear(&mut self, now: Timestamp, listening_since: Option<Timestamp>) {
        let pause_s = now.since(self.heard.max(listening_since.unwrap_or(self.heard))).as_secs();
        match self.pauses_s.back_mut() {
            Some((day, longest)) if now < Timestamp::from_secs(*day) + DAY => {
                *longest = (*longest).max(pause_s);
            }
            _ => self.pauses_s.push_back((now.floor(DAY).as_secs(), pause_s)),
        }
        if self.pauses_s.len() > DAYS {
            self.pauses_s.pop_front();
        }
        self.heard = self.heard.max(now);
        self.events = self.events.saturating_add(1);
    }

    /// The silence from which on it is unusual. Never, while nothing is usual.
    fn unusual_silence(&self, now: Timestamp) -> Duration {
        if self.events < EVENTS_TO_KNOW {
            return Duration::MAX;
        }
        let longest = self.pauses_s.iter().map(|(_, longest)| *longest).max().unwrap_or(0);
        let is_young = now.since(self.since) < DAY;
        let least = if is_young { LEAST_SILENCE_OF_THE_YOUNG } else { LEAST_SILENCE };
        Duration::from_secs(longest).saturating_mul(UNUSUAL).max(least)
    }

    /// Judges the minute that is over, when `next` begins. An incident to tell, and when it closed.
    fn end_minute(&mut self, next: Timestamp) -> Option<(Open, Option<Timestamp>)> {
        let minute = std::mem::take(&mut self.minute);
        let percent = minute.lost_percent();
        if percent >= MUCH_PERCENT {
            (self.bad, self.good) = (self.bad + 1, 0);
        } else {
            (self.bad, self.good) = (0, self.good.saturating_add(1));
        }
        match &mut self.losing {
            None if self.bad >= LASTING => {
                let open = Open { from: minute.at - MINUTE, at: next, measure: percent };
                self.losing = Some(open);
                Some((open, None))
            }
            Some(_) if self.good >= LASTING => {
                let closed = self.losing.take()?;
                Some((closed, Some(next)))
            }
            _ => None,
        }
    }
}

impl Minute {
    fn add(&mut self, event: &Event) {
        let mut miss =
            |what: usize, n: u64| self.missed[what] = self.missed[what].saturating_add(n);
        if let Fact::Gap(gap) = &event.fact {
            match gap.reason {
                GapReason::KernelDrop => miss(0, gap.count),
                GapReason::QueueFull | GapReason::SequenceHole | GapReason::NoTemplate => {
                    miss(1, gap.count);
                }
                GapReason::MissedBytes => miss(2, gap.count),
                // Others say nothing of a part: of how many is not known, or they are told at
                // long intervals.
                _ => {}
            }
            return;
        }
        let packets = |volume: &Volume| u64::from(volume.packets.unwrap_or(0));
        let bytes = |volume: &Volume| volume.bytes.unwrap_or(0);
        let seen = [
            packets(&event.up) + packets(&event.down),
            1,
            bytes(&event.up).saturating_add(bytes(&event.down)),
        ];
        for (sum, seen) in self.seen.iter_mut().zip(seen) {
            *sum = sum.saturating_add(seen);
        }
    }

    /// The largest part that was missed, of packets, events or bytes.
    fn lost_percent(&self) -> u64 {
        let parts = (0..3).map(|what| {
            let (seen, missed) = (u128::from(self.seen[what]), u128::from(self.missed[what]));
            let all = seen + missed;
            let percent = (missed * 100).checked_div(all).unwrap_or(0);
            if all < u128::from(LEAST_PER_MINUTE[what]) { 0 } else { percent as u64 }
        });
        parts.max().unwrap_or(0)
    }
}

fn silence_seen(source: &SmolStr, open: &Open, until: Timestamp) -> GapSeen {
    let reason = GapReason::Quiet;
    GapSeen { source: source.clone(), reason, count: open.measure, from: open.from, until }
}

/// The event that says how long a source was quiet.
fn quiet_gap(source: &SmolStr, from: Timestamp, until: Timestamp) -> Event {
    let nowhere = std::net::IpAddr::from([0, 0, 0, 0]);
    Event {
        id: EventId::of(&[b"quiet", source.as_bytes(), &from.as_nanos().to_le_bytes()]),
        at: until,
        source: source.clone(),
        also_seen_by: None,
        origin: std::sync::Arc::new(Attribution::nobody()),
        client: (nowhere, 0),
        destination: Destination::address(nowhere, 0),
        verdict: Verdict::Allowed,
        up: Volume::UNKNOWN,
        down: Volume::UNKNOWN,
        fact: Fact::Gap(Gap { reason: GapReason::Quiet, count: until.since(from).as_secs(), from }),
    }
}

/// The change that opens an incident about a source, or closes it.
fn change(
    kind: Kind,
    source: &SmolStr,
    (open, closed_at): (&Open, Option<Timestamp>),
    world: &World,
) -> IncidentChange {
    IncidentChange {
        kind: if closed_at.is_some() { ChangeKind::Closed } else { ChangeKind::Opened },
        at: closed_at.unwrap_or(open.at),
        by: ChangeBy::Engine,
        number: u32::from(closed_at.is_some()),
        incident: incident(kind, source, (open, closed_at), world),
    }
}

fn incident(
    kind: Kind,
    source: &SmolStr,
    (open, closed_at): (&Open, Option<Timestamp>),
    world: &World,
) -> Incident {
    let until = closed_at.unwrap_or(open.at);
    let is_most = kind == Kind::Losing && open.measure >= MOST_PERCENT;
    let severity = if is_most { Severity::High } else { Severity::Medium };
    let word = [b"blind quiet", b"blind loses"][kind as usize];
    let id = EventId::of(&[word, source.as_bytes(), &open.from.as_nanos().to_le_bytes()]);
    let explanation = explanation(kind, source, (open, closed_at), world);
    Incident {
        title: title(kind, source, open),
        updated_at: until,
        first_seen: open.from,
        last_seen: until,
        ..Incident::about_egret(id, source.clone(), severity, open.at, explanation)
    }
}

fn title(kind: Kind, source: &str, open: &Open) -> String {
    match kind {
        Kind::Quiet => {
            let silence = duration_words(Duration::from_secs(open.measure));
            format!("source {source:?} has been quiet for {silence}")
        }
        Kind::Losing => {
            format!("source {source:?} loses {} % of what it should see", open.measure)
        }
    }
}

fn explanation(
    kind: Kind,
    source: &SmolStr,
    (open, closed_at): (&Open, Option<Timestamp>),
    world: &World,
) -> Explanation {
    let (words, unit) = match kind {
        Kind::Quiet => ("it was never quiet for so long in the days before", "seconds of silence"),
        Kind::Losing => ("it lost that much for minutes on end", "% lost"),
    };
    let end = match closed_at {
        None => "What executors send in this time may not be seen".to_owned(),
        Some(at) => {
            format!("It sees again since {at}; what was sent before may not have been seen")
        }
    };
    let observed = Quantity { value: open.measure as f64, unit: SmolStr::new_static(unit) };
    let finding = Finding::by_rule(Detector::Blind, observed, words.to_owned());
    let steps = match kind {
        Kind::Quiet => [
            format!("Look whether what source {source:?} reads is still written or mirrored."),
            "Run `egret doctor` on the collector.".to_owned(),
        ],
        Kind::Losing => [
            format!("Raise `buffer` of source {source:?}, or narrow its `filter`."),
            "Look at the load of the machine and of the mirror port.".to_owned(),
        ],
    };
    let summary = format!("{}: {words}. {end}.", capitalized(&title(kind, source, open)));
    Explanation {
        baseline: world.baseline.id(),
        baseline_frozen_at: world.baseline.frozen_at(),
        gaps: match kind {
            Kind::Quiet => vec![silence_seen(source, open, closed_at.unwrap_or(open.at))],
            Kind::Losing => world.gaps.of_source(source, open.from),
        },
        ..Explanation::by_rule(summary, finding, steps.into())
    }
}

fn capitalized(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
