//! The engine: time, epochs and the way of an event to its shard.
//!
//! Everything that depends on more than one executor happens here, between events: the watermark
//! (newest event time less the lateness), the end of silent sessions and the end of an epoch,
//! when all deltas are merged into the next frozen baseline.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use egret_event::{Event, EventId, Fact, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::AnalyzerConfig;
use crate::baseline::Baseline;
use crate::blind::{Listening, Watch};
use crate::detect::fleet_drip::FleetDrips;
use crate::detect::policy::Policy;
use crate::detect::template_drift::{News, TemplateDrifts};
use crate::feedback::{Feedback, FeedbackSet};
use crate::gaps::Gaps;
use crate::incident::{IncidentChange, Stage};
use crate::join::{Joined, Out};
use crate::learned::Learned;
use crate::observers::Observers;
use crate::partition::{PARTITIONS, Partition, Taught};
use crate::shard::{Shard, Way, deal};
use crate::world::World;

/// A frozen baseline in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenBaseline {
    /// A hash of its content.
    pub id: EventId,
    /// When it was frozen: the end of its last epoch.
    pub frozen_at: Timestamp,
    /// Sessions it learned from.
    pub sessions: u64,
    /// What was learned, in postcard.
    pub content: Vec<u8>,
}

/// Limits of the baseline: entries for a million destinations, each in four scopes. What waits for a
/// week has a smaller limit for each day.
const MOST_SCOPES: usize = 8_192;
const MOST_SEEN: usize = 4_000_000;
const MOST_SEEN_WAITING: usize = 250_000;

/// What unlikely sessions teach waits this long.
const WAIT_OF_THE_WARY: Duration = Duration::from_secs(7 * DAY_S);
const DAY: Duration = Duration::from_secs(DAY_S);
const DAY_S: u64 = 86_400;

/// Events that are looked at before they are observed: about as many reads of memory as a core waits for at
/// once. Egret's own choice.
const AHEAD: usize = 16;

/// Silent sessions are looked for once per second of event time.
const BEAT: Duration = Duration::from_secs(1);

/// Events in, changes of incidents out.
#[derive(Debug)]
pub struct Engine {
    pub(crate) world: World,
    pub(crate) shards: Vec<Shard>,
    pub(crate) time: EventTime,
    /// What unlikely sessions taught, by the day on which it counts.
    pub(crate) waiting: BTreeMap<Timestamp, Learned>,
    pub(crate) forgotten_destinations: u64,
    /// How well the sources see.
    pub(crate) watch: Watch,
    /// Where many sessions leave something.
    pub(crate) fleet_drips: FleetDrips,
    /// Whether templates stay what they were.
    pub(crate) template_drifts: TemplateDrifts,
    /// Whose silence matters. No part of a snapshot: it is configuration.
    listening: Listening,
}

/// How far event time has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventTime {
    /// The newest event time or tick; `None` before the first.
    pub(crate) newest: Option<Timestamp>,
    /// The start of the epoch that the watermark is in.
    pub(crate) epoch: Timestamp,
    /// The second up to which silent sessions were ended.
    pub(crate) beat: Timestamp,
    /// Events that came after the watermark had passed them.
    pub(crate) late_events: u64,
}

/// The engine in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineSummary {
    /// Sessions that have not ended.
    pub live_sessions: u64,
    /// Id of the frozen baseline: a hash of its content.
    pub baseline: EventId,
    /// When it was frozen. `None`: the shipped priors, nothing was learned yet.
    pub baseline_frozen_at: Option<Timestamp>,
    /// Sessions it learned from, over the fleet.
    pub baseline_sessions: u64,
    /// Sessions that were unlikely and will be learned from when a week has passed.
    pub waiting_sessions: u64,
    /// How thresholds are set.
    pub stage: Stage,
    /// Events older than the watermark when they came. They are counted in all the same.
    pub late_events: u64,
    /// Sessions ended early because the table was full.
    pub evicted_sessions: u64,
    /// Destinations that sessions could not keep apart from others, and such that the baseline
    /// forgot or had no room to learn.
    pub evicted_destinations: u64,
    /// Executors whose incidents could not go on in their next session because others' took the room.
    pub evicted_pasts: u64,
    /// Newest event time less the lateness. `None` before the first event.
    pub watermark: Option<Timestamp>,
}

impl Engine {
    /// An engine that has learned nothing.
    pub fn new(config: AnalyzerConfig) -> Self {
        let partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
        Self::assemble(config, partitions)
    }

    /// With partitions in the order of their numbers, and a baseline that has learned nothing.
    pub(crate) fn assemble(config: AnalyzerConfig, partitions: Vec<Partition>) -> Self {
        let shards = deal(partitions, config.shards.clamp(1, PARTITIONS));
        let policy = Policy::of(&config);
        Self {
            world: World {
                config,
                policy,
                baseline: Baseline::default(),
                gaps: Gaps::default(),
                feedback: FeedbackSet::default(),
                observers: Observers::default(),
            },
            shards,
            time: EventTime::default(),
            waiting: BTreeMap::new(),
            forgotten_destinations: 0,
            watch: Watch::default(),
            fleet_drips: FleetDrips::default(),
            template_drifts: TemplateDrifts::default(),
            listening: Listening::default(),
        }
    }

    /// Watches for the silence of these sources, which do not come to an end by themselves.
    pub fn listen_to(&mut self, sources: impl IntoIterator<Item = SmolStr>) {
        self.listening.to = sources.into_iter().collect();
    }

    /// Says that all events come from one source: then nothing is kept for another one that might see the
    /// same, until another is heard nevertheless.
    pub fn hear_one_source(&mut self) {
        self.world.observers = Observers::one();
    }

    /// Takes what analysts judged benign, in place of what it was told before. Whether a verdict counts is a
    /// matter of event time. No part of a snapshot: it is to be told again after a restart.
    pub fn take_feedback(&mut self, feedback: impl IntoIterator<Item = Feedback>) {
        self.world.feedback = FeedbackSet::new(feedback);
    }

    /// Observes events in their order and appends the changes that they cause.
    ///
    /// Cutting the same events into other batches changes nothing: changes come event by event,
    /// those of one event ordered by time, incident and number.
    pub fn observe(&mut self, events: &[Event], out: &mut Vec<IncidentChange>) {
        self.observe_and_join(events, out, &mut Vec::new());
    }

    /// As [`Self::observe`]; appends also what joining the observers of an egress showed, in the
    /// order of the events.
    pub fn observe_and_join(
        &mut self,
        events: &[Event],
        out: &mut Vec<IncidentChange>,
        joined: &mut Vec<Joined>,
    ) {
        for group in events.chunks(AHEAD) {
            let mut ways = [Way::default(); AHEAD];
            for (way, event) in ways.iter_mut().zip(group) {
                *way = Way::of(event, self.shards.len());
            }
            self.look_ahead(group, &ways);
            for (event, way) in group.iter().zip(ways) {
                self.observe_one(event, way, &mut Out { changes: out, joined });
            }
        }
    }

    /// Reads what the next events will need, all before the first of them does: the memory that holds
    /// their sessions is then waited for at once, and not once for each. Changes nothing.
    fn look_ahead(&self, events: &[Event], ways: &[Way]) {
        let mut sessions = [None; AHEAD];
        for ((session, event), way) in sessions.iter_mut().zip(events).zip(ways) {
            *session = self.shards[way.shard].session(event, *way);
        }
        for (session, event) in sessions.into_iter().zip(events) {
            black_box(session.map(|session| session.look_ahead(event)));
        }
        for (session, event) in sessions.into_iter().zip(events) {
            black_box(session.map(|session| session.look_at_slot(event)));
        }
    }

    fn observe_one(&mut self, event: &Event, way: Way, out: &mut Out<'_>) {
        self.advance(event.at, out.changes);
        self.world.observers.hear(&event.source);
        if let Fact::Gap(gap) = &event.fact {
            self.world.gaps.note(event, gap);
        }
        let now = self.time.newest.unwrap_or(event.at);
        self.watch.hear(event, (now, &self.listening), &mut self.world, out);
        if matches!(event.fact, Fact::Gap(_)) {
            return;
        }
        let first = out.changes.len();
        self.shards[way.shard].observe((event, way), &self.world, out);
        sort(&mut out.changes[first..]);
    }

    /// Time has come to `now` although no event says so (live, idle).
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<IncidentChange>) {
        if self.time.newest.is_none_or(|newest| newest < now) {
            self.advance(now, out);
        }
    }

    /// The input has ended: ends all sessions and folds the last epoch into a baseline.
    pub fn finish(&mut self, out: &mut Vec<IncidentChange>) {
        let Some(newest) = self.time.newest else { return };
        let first = out.len();
        for shard in &mut self.shards {
            shard.finish(&self.world, newest, out);
        }
        sort(&mut out[first..]);
        self.fold(newest, out);
    }

    /// The engine in numbers.
    pub fn summary(&self) -> EngineSummary {
        let baseline = &self.world.baseline;
        let counts: Vec<_> = self.shards.iter().map(Shard::counts).collect();
        let live: usize = self.shards.iter().map(Shard::live_sessions).sum();
        EngineSummary {
            live_sessions: live as u64,
            baseline: baseline.id(),
            baseline_frozen_at: baseline.frozen_at(),
            baseline_sessions: baseline.sessions(),
            waiting_sessions: self.waiting.values().map(Learned::sessions).sum(),
            stage: baseline.stage(),
            late_events: self.time.late_events,
            evicted_sessions: counts.iter().map(|c| c.evicted_sessions).sum(),
            evicted_destinations: self.forgotten_destinations
                + counts.iter().map(|c| c.evicted_destinations + c.unlearned).sum::<u64>(),
            evicted_pasts: counts.iter().map(|c| c.evicted_pasts).sum(),
            watermark: self.watermark(),
        }
    }

    /// Id of the frozen baseline, as incidents name it.
    pub fn baseline_id(&self) -> EventId {
        self.world.baseline.id()
    }

    /// The frozen baseline, to be kept for whoever asks later what an incident was scored against.
    /// `None`: the shipped priors, nothing was learned yet.
    pub fn frozen_baseline(&self) -> Option<FrozenBaseline> {
        let baseline = &self.world.baseline;
        let frozen_at = baseline.frozen_at()?;
        let (id, sessions) = (baseline.id(), baseline.sessions());
        Some(FrozenBaseline { id, frozen_at, sessions, content: baseline.content() })
    }

    fn watermark(&self) -> Option<Timestamp> {
        self.time.newest.map(|newest| newest - self.world.config.lateness)
    }

    /// Lets time come to `at`, which may be in the past.
    fn advance(&mut self, at: Timestamp, out: &mut Vec<IncidentChange>) {
        match self.watermark() {
            Some(watermark) if at < watermark => self.time.late_events += 1,
            Some(_) if self.time.newest >= Some(at) => {}
            previous => {
                self.time.newest = Some(at);
                let watermark = at - self.world.config.lateness;
                if previous.is_none() {
                    self.time.beat = watermark.floor(BEAT);
                    self.time.epoch = watermark.floor(self.world.config.epoch);
                    // What waited in a baseline that was brought along may be due.
                    self.fold(self.time.epoch, out);
                } else {
                    self.beat(watermark, out);
                }
            }
        }
    }

    /// Ends silent sessions and the epoch, where the watermark has passed a boundary.
    fn beat(&mut self, watermark: Timestamp, out: &mut Vec<IncidentChange>) {
        let beat = watermark.floor(BEAT);
        if beat <= self.time.beat {
            return;
        }
        self.time.beat = beat;
        let first = out.len();
        for shard in &mut self.shards {
            shard.expire(&self.world, watermark, out);
        }
        sort(&mut out[first..]);
        self.watch.listen((watermark, &mut self.listening), &mut self.world, out);
        self.look_at_gaps(out);
        let epoch = watermark.floor(self.world.config.epoch);
        if epoch > self.time.epoch {
            self.time.epoch = epoch;
            self.fold(epoch, out);
        }
    }

    /// Tells open incidents what could not be seen in their time, where that is due.
    fn look_at_gaps(&mut self, out: &mut Vec<IncidentChange>) {
        let Some(now) = self.time.newest.filter(|now| self.world.gaps.is_look_due(*now)) else {
            return;
        };
        let first = out.len();
        for shard in &mut self.shards {
            shard.look_at_gaps(&self.world, now, out);
        }
        sort(&mut out[first..]);
        self.world.gaps.looked(now, out.len() > first);
    }

    /// Merges all deltas into the next frozen baseline, and looks at what many sessions did together.
    /// When nothing was taught, the old stays.
    fn fold(&mut self, at: Timestamp, out: &mut Vec<IncidentChange>) {
        let mut taught = Taught::default();
        for shard in &mut self.shards {
            taught.merge(shard.take_taught());
        }
        let changed = self.look_at_templates(&taught, at, out);
        if !taught.later.is_empty() {
            let counts_from = (at + WAIT_OF_THE_WARY).floor(DAY) + DAY;
            let waiting = self.waiting.entry(counts_from).or_default();
            waiting.merge(&taught.later);
            self.forgotten_destinations += waiting.shrink_to(MOST_SCOPES, MOST_SEEN_WAITING);
        }
        while let Some(entry) = self.waiting.first_entry()
            && *entry.key() <= at
        {
            taught.now.merge(&entry.remove());
        }
        if taught.now.is_empty() && changed.is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.world.baseline);
        let (generation, judged_by) = (old.generation().wrapping_add(1), old.judges());
        let mut learned = old.into_learned();
        changed.iter().for_each(|template| learned.calibrate_anew(*template));
        learned.merge(&taught.now);
        learned.drops.grow(at);
        let first = out.len();
        self.fleet_drips.look((&learned.drops, &taught.now.drops), (at, judged_by), out);
        sort(&mut out[first..]);
        self.forgotten_destinations += learned.shrink_to(MOST_SCOPES, MOST_SEEN);
        self.world.baseline = Baseline::freeze(learned, Some(at), generation);
    }

    /// Holds the scores of an epoch against those that thresholds are calibrated on: the templates where
    /// they differ too much. What of theirs waits to be calibrated on is given up.
    fn look_at_templates(
        &mut self,
        taught: &Taught,
        at: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) -> Vec<u64> {
        let known = &self.world.baseline.learned().calibrations;
        let news = News { scores: &taught.later.calibrations, names: &taught.templates };
        let judged_by = self.world.baseline.judges();
        let first = out.len();
        let changed = self.template_drifts.look((known, news), (at, judged_by), out);
        sort(&mut out[first..]);
        for waiting in self.waiting.values_mut() {
            changed.iter().for_each(|template| waiting.calibrate_anew(*template));
        }
        changed
    }
}

fn sort(changes: &mut [IncidentChange]) {
    changes.sort_by_key(|change| (change.at, change.incident.id, change.number));
}
