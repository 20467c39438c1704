//! A fixed part of all executors, with its own sessions and limits.
//!
//! There are always [`PARTITIONS`] of them, whatever the number of shards, so that a full
//! session table and all that follows from it do not depend on that number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use egret_event::{Attribution, Event, SmolStr, Timestamp};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::detect::rate_burst::Bars;
use crate::earlier::Past;
use crate::hash::{Map, quick};
use crate::incident::IncidentChange;
use crate::join::Out;
use crate::learned::{Learned, Place};
use crate::session::{Session, SessionKey};
use crate::world::World;

/// Number of partitions, and so the most shards.
pub(crate) const PARTITIONS: usize = 64;

/// Live sessions in all, at about 6 KB each 0.8 GB: 100,000 fit however they fall into partitions.
const MOST_SESSIONS: usize = 131_072;
const MOST_HERE: usize = MOST_SESSIONS / PARTITIONS;

/// The part of a full table that is evicted at once, so that finding the longest idle sessions
/// costs little per session.
const EVICTED_AT_ONCE: usize = MOST_HERE / 16;

/// Executors whose incidents can go on in their next session: 4,096 in all, with eight incidents of about 2 KB
/// each 64 MB.
const MOST_PASTS: usize = 64;

/// The partition of an executor.
pub(crate) fn partition_of(executor: &str) -> usize {
    (quick(executor) % PARTITIONS as u64) as usize
}

/// Sessions of some executors and what they taught in this epoch.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// Found by executor and given session; both stand in the session itself.
    sessions: HashTable<Box<Session>>,
    /// When each session's silence should next be checked, in seconds.
    due: BTreeSet<(i64, SessionKey)>,
    /// The sessions that have open incidents.
    open: BTreeSet<SessionKey>,
    /// What ended sessions left to the executors' next ones.
    pasts: BTreeMap<SessionKey, Past>,
    taught: Taught,
    counts: Counts,
}

/// What sessions taught since it was last taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Taught {
    /// By ordinary sessions.
    pub(crate) now: Learned,
    /// By sessions in which something was unlikely, and the scores of all.
    pub(crate) later: Learned,
    /// What the templates are called whose sessions were scored.
    pub(crate) templates: BTreeMap<u64, SmolStr>,
}

impl Taught {
    /// Adds what others taught.
    pub(crate) fn merge(&mut self, other: Self) {
        self.now.merge(&other.now);
        self.later.merge(&other.later);
        self.templates.extend(other.templates);
    }
}

/// What was given up for lack of room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) evicted_sessions: u64,
    pub(crate) evicted_destinations: u64,
    pub(crate) evicted_pasts: u64,
    pub(crate) unlearned: u64,
}

/// A partition as a snapshot holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedPartition {
    /// By key.
    sessions: Vec<Session>,
    /// By key.
    pasts: Vec<Past>,
    taught: Taught,
    counts: Counts,
}

/// Bars by place. They follow from the baseline alone, so forgetting them changes nothing.
#[derive(Debug, Default)]
pub(crate) struct BarsCache {
    generation: u32,
    bars: Map<Place, Arc<Bars>>,
}

impl BarsCache {
    /// Places remembered.
    const MOST: usize = 4_096;

    fn of(&mut self, place: &Place, world: &World) -> Arc<Bars> {
        let generation = world.baseline.generation();
        if self.generation != generation || self.bars.len() >= Self::MOST {
            self.bars.clear();
            self.generation = generation;
        }
        let make = || Arc::new(Bars::of(&world.baseline.ladder(place)));
        Arc::clone(self.bars.entry(*place).or_insert_with(make))
    }
}

impl Partition {
    /// Takes in an event of one of its executors, with [`hash_of`] its origin.
    pub(crate) fn observe(
        &mut self,
        (event, hash): (&Event, u64),
        (world, bars): (&World, &mut BarsCache),
        out: &mut Out<'_>,
    ) {
        let idle = world.config.session_idle;
        if let Some(session) = self.sessions.find_mut(hash, |s| s.is_of(&event.origin))
            && event.at.since(session.seen.last) <= idle
        {
            session.seen.include(event.at);
            if session.generation != world.baseline.generation() {
                session.generation = world.baseline.generation();
                session.bars = bars.of(&session.place, world);
                session.refresh(world);
            }
            let told = out.changes.len();
            session.observe(event, world, out);
            if out.changes.len() > told {
                self.open.insert(session.key());
            }
            let sooner_s = session.growth_due_s;
            if sooner_s < session.due_s {
                self.due.remove(&(session.due_s, session.key()));
                session.due_s = sooner_s;
                self.due.insert((sooner_s, session.key()));
            }
            return;
        }
        if let Some(session) = self.take(&event.origin) {
            self.due.remove(&(session.due_s, session.key()));
            let ended_at = session.seen.last + idle;
            self.end(session, ended_at, world, out.changes);
        }
        self.begin(event, (world, bars), out);
    }

    /// The live session of an executor, if there is one, by [`hash_of`] its origin.
    pub(crate) fn session(&self, origin: &Attribution, hash: u64) -> Option<&Session> {
        self.sessions.find(hash, |s| s.is_of(origin)).map(Box::as_ref)
    }

    fn take(&mut self, origin: &Attribution) -> Option<Box<Session>> {
        let found = self.sessions.find_entry(hash_of(origin), |s| s.is_of(origin));
        found.ok().map(|entry| entry.remove().0)
    }

    fn insert(&mut self, session: Box<Session>) {
        let hash = hash_of(&session.origin);
        self.sessions.insert_unique(hash, session, |s| hash_of(&s.origin));
    }

    fn begin(&mut self, event: &Event, (world, bars): (&World, &mut BarsCache), out: &mut Out<'_>) {
        if self.sessions.len() >= MOST_HERE {
            self.evict(world, out.changes);
        }
        let bars = bars.of(&Place::of(&event.origin), world);
        let mut session = Box::new(Session::begin(event, world.baseline.generation(), bars));
        session.due_s = due_s(session.seen.last, world);
        self.due.insert((session.due_s, session.key()));
        let past = self.pasts.remove(&session.key()).filter(|past| past.is_of(&event.origin));
        if past.is_some() {
            session.seldom().past = past;
        }
        let told = out.changes.len();
        session.observe(event, world, out);
        if out.changes.len() > told {
            self.open.insert(session.key());
        }
        self.insert(session);
    }

    /// Ends the sessions that have been idle longest.
    fn evict(&mut self, world: &World, out: &mut Vec<IncidentChange>) {
        let mut oldest: Vec<_> = self.sessions.iter().map(|s| (s.seen.last, s.key())).collect();
        oldest.select_nth_unstable(EVICTED_AT_ONCE);
        oldest.truncate(EVICTED_AT_ONCE);
        oldest.sort_unstable();
        for (last, key) in oldest {
            if let Some(session) = self.take(&key.origin) {
                self.due.remove(&(session.due_s, key));
                self.counts.evicted_sessions += 1;
                self.end(session, last, world, out);
            }
        }
    }

    /// Ends the sessions that have been silent long enough at the watermark, and lets the others
    /// tell what they held back.
    pub(crate) fn expire(
        &mut self,
        world: &World,
        watermark: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) {
        let now_s = watermark.as_secs();
        while self.due.first().is_some_and(|(due_s, _)| *due_s <= now_s) {
            let Some((_, key)) = self.due.pop_first() else { return };
            let Some(mut session) = self.take(&key.origin) else { continue };
            let due_s = due_s(session.seen.last, world);
            if due_s > now_s {
                session.tell_growth(now_s, world, out);
                session.due_s = session.growth_due_s.min(due_s);
                self.due.insert((session.due_s, key));
                self.insert(session);
            } else {
                let ended_at = session.seen.last + world.config.session_idle;
                self.end(session, ended_at, world, out);
            }
        }
    }

    /// Tells open incidents what could not be seen in their time.
    pub(crate) fn look_at_gaps(
        &mut self,
        world: &World,
        now: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) {
        for key in &self.open {
            let hash = hash_of(&key.origin);
            if let Some(session) = self.sessions.find_mut(hash, |s| s.is_of(&key.origin)) {
                session.look_at_gaps(world, now, out);
            }
        }
    }

    /// Ends all sessions: the input has ended at `at`.
    pub(crate) fn finish(&mut self, world: &World, at: Timestamp, out: &mut Vec<IncidentChange>) {
        self.due.clear();
        let mut sessions: Vec<_> = self.sessions.drain().collect();
        sessions.sort_unstable_by_key(|session| session.key());
        for session in sessions {
            self.end(session, at, world, out);
        }
    }

    fn end(
        &mut self,
        mut session: Box<Session>,
        at: Timestamp,
        world: &World,
        out: &mut Vec<IncidentChange>,
    ) {
        session.end(at, world, out);
        self.open.remove(&session.key());
        self.counts.evicted_destinations += session.overflown();
        let delta = if session.is_wary() { &mut self.taught.later } else { &mut self.taught.now };
        self.counts.unlearned += session.teach(world, delta);
        self.counts.unlearned += session.teach_drops(world, &mut self.taught.now);
        // Likely or not, all wait: or else the unlikely ones would be missing for a week.
        let scored = session.teach_score(world, &mut self.taught.later);
        self.counts.unlearned += u64::from(!scored);
        if let Some(name) = session.origin.template.as_ref().filter(|_| scored) {
            let template = session.place.template;
            self.taught.templates.entry(template).or_insert_with(|| name.clone());
        }
        if let Some(past) = session.leave_past(at) {
            self.keep_past(session.key(), past, at);
        }
    }

    /// Keeps what an ended session leaves; where there is no room, that of the executor which was silent
    /// longest is given up.
    fn keep_past(&mut self, key: SessionKey, past: Past, at: Timestamp) {
        if self.pasts.len() >= MOST_PASTS && !self.pasts.contains_key(&key) {
            let oldest = self.pasts.iter().min_by_key(|(_, past)| past.until);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                let is_of_use = self.pasts.remove(&oldest).is_some_and(|old| old.until >= at);
                self.counts.evicted_pasts += u64::from(is_of_use);
            }
        }
        self.pasts.insert(key, past);
    }

    /// Gives what was taught since the last call.
    pub(crate) fn take_taught(&mut self) -> Taught {
        std::mem::take(&mut self.taught)
    }

    /// What was given up for lack of room.
    pub(crate) fn counts(&self) -> Counts {
        let live = self.sessions.iter().map(|s| s.overflown());
        let evicted_destinations = self.counts.evicted_destinations + live.sum::<u64>();
        Counts { evicted_destinations, ..self.counts }
    }

    /// Live sessions.
    pub(crate) fn live_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// For a snapshot: equal states give equal bytes.
    pub(crate) fn save(&self) -> SavedPartition {
        let mut sessions: Vec<Session> = self.sessions.iter().map(|s| (**s).clone()).collect();
        sessions.sort_unstable_by_key(Session::key);
        let pasts = self.pasts.values().cloned().collect();
        SavedPartition { sessions, pasts, taught: self.taught.clone(), counts: self.counts }
    }

    /// From a snapshot.
    pub(crate) fn restore(saved: SavedPartition) -> Self {
        let mut restored = Self { taught: saved.taught, counts: saved.counts, ..Self::default() };
        for past in saved.pasts {
            restored.pasts.insert(SessionKey { origin: Arc::clone(&past.origin) }, past);
        }
        for mut session in saved.sessions {
            session.index_slots();
            restored.due.insert((session.due_s, session.key()));
            if !session.open_targets().is_empty() {
                restored.open.insert(session.key());
            }
            restored.insert(Box::new(session));
        }
        restored
    }
}

/// By which a session is found.
pub(crate) fn hash_of(origin: &Attribution) -> u64 {
    quick((&origin.executor, &origin.session))
}

/// The first whole second at which silence since `last` is long enough.
fn due_s(last: Timestamp, world: &World) -> i64 {
    (last + world.config.session_idle).as_secs().saturating_add(1)
}
