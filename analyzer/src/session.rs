//! A live session: accumulators only, about 4 KB with ten destinations (`make bench` has the figures),
//! and bounded whatever it does.
//!
//! This file holds the state and how destinations find their place in it. What is concluded from
//! it stands in `watch`, what it teaches in `teach`.

use std::cmp::Ordering;
use std::num::NonZeroU64;
use std::sync::Arc;

use egret_event::{Attribution, Event, EventId, Fact, FlowPhase, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calibration::Score;
use crate::detect::beacon::Rhythm;
use crate::detect::blocked_probes::Probes;
use crate::detect::foreign_tenant::Places;
use crate::detect::not_found::NotFound;
use crate::detect::policy::Rule;
use crate::detect::rate_burst::{Bars, Burst};
use crate::detect::sensitive_content::Pieces;
use crate::detect::slow_drip::Drip;
use crate::detect::upload_size::NextLook;
use crate::dossier::Dossier;
use crate::earlier::Past;
use crate::hash::quick;
use crate::incident::{MANY, Observed};
use crate::join::Joins;
use crate::learned::Place;
use crate::questions::Questions;
use crate::room::make_room;
use crate::seen_set::SeenSet;
use crate::size::{Class, Kind};
use crate::tally::{Seen, Tally, add_observed};

/// Destinations that a session remembers exactly.
pub(crate) const MOST_SLOTS: usize = 32;

/// A second that never comes.
pub(crate) const NEVER_S: i64 = i64::MAX;

/// Flows that go on, whose bytes are summed up one by one.
const MOST_FLOWS: usize = 16;

/// A task run by an executor, from its first event to its silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) origin: Arc<Attribution>,
    pub(crate) started_at: Timestamp,
    pub(crate) seen: Seen,
    pub(crate) place: Place,
    /// The baseline that `bars` and all slots were judged against.
    pub(crate) generation: u32,
    pub(crate) bars: Arc<Bars>,
    /// Quick hashes of the slots' names, in the order of the slots: what is searched first.
    #[serde(skip)]
    names: Vec<u64>,
    pub(crate) slots: Vec<Slot>,
    /// From the first destination on that found no slot.
    pub(crate) overflow: Option<Box<Overflow>>,
    /// From the first flow on that is told of before it has ended.
    pub(crate) flows: Option<Box<OpenFlows>>,
    pub(crate) burst: Burst,
    pub(crate) joins: Joins,
    /// From the first DNS question on.
    pub(crate) questions: Option<Box<Questions>>,
    /// From the first blocked contact on.
    pub(crate) probes: Option<Box<Probes>>,
    /// From the first act at a tenant's place on.
    pub(crate) places: Option<Box<Places>>,
    /// From the first request on for what its destination does not have.
    pub(crate) not_found: Option<Box<NotFound>>,
    /// About many destinations together: what becomes the incident `"*"`.
    pub(crate) many: Option<Box<Dossier>>,
    /// What few sessions have.
    pub(crate) seldom: Option<Box<Seldom>>,
    /// The strongest combined evidence that there was at any time, for calibration.
    pub(crate) score: Score,
    /// Whether its DNS questions are seen, and certificates of servers.
    pub(crate) asks: bool,
    pub(crate) shows_certificates: bool,
    /// Whether requests are seen, with their paths and how they were answered.
    pub(crate) shows_requests: bool,
    /// Whether something unlikely was not held against it because an analyst judged the like benign.
    pub(crate) is_spared: bool,
    /// When its partition looks at it again, in whole seconds: silence may have ended it, or
    /// growth may be told.
    pub(crate) due_s: i64,
    /// When growth that is held back may be told, in whole seconds; [`NEVER_S`] when there is none.
    pub(crate) growth_due_s: i64,
}

/// A size class of the allocator ends here: with one word more, each session would take 64 bytes more.
const _: () = assert!(size_of::<Session>() <= 448);

/// What orders sessions: executor, then given session.
#[derive(Debug, Clone)]
pub(crate) struct SessionKey {
    pub(crate) origin: Arc<Attribution>,
}

impl SessionKey {
    fn names(&self) -> (&SmolStr, &Option<SmolStr>) {
        (&self.origin.executor, &self.origin.session)
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl Eq for SessionKey {}

impl Ord for SessionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(&other.names())
    }
}

impl PartialOrd for SessionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One destination of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) domain: SmolStr,
    /// The domain's key in baselines.
    pub(crate) key: u64,
    pub(crate) kind: Kind,
    /// Whether it may be a service that many tenants share.
    pub(crate) is_shared: bool,
    /// Whether it is in a private network, under no name or an internal one.
    pub(crate) is_private: bool,
    /// Whether it is an address that no name led to.
    pub(crate) is_direct: bool,
    /// Whether it showed a certificate that no client should accept.
    pub(crate) is_odd: bool,
    /// How new it is to the template.
    pub(crate) class: Class,
    pub(crate) tally: Tally,
    pub(crate) seen: Seen,
    /// Quick hash of the first event's host; `None` once there was another.
    pub(crate) only_host: Option<NonZeroU64>,
    /// The most that one contact sent, in bytes.
    pub(crate) largest: u64,
    /// When the upload is looked at again, by measure.
    pub(crate) next_look: [NextLook; 3],
    /// From the second minute on in which something was sent.
    pub(crate) drip: Option<Box<Drip>>,
    /// The gaps between contacts, where it is new: from the second contact on.
    pub(crate) rhythm: Option<Box<Rhythm>>,
    /// When the last contact began that counts for them; [`Timestamp::MIN`] before the first.
    pub(crate) last_beat: Timestamp,
    /// To tell who makes a burst.
    pub(crate) recent: Recent,
    /// A hash of the last (host, address, port) that policy judged, and its judgement.
    pub(crate) judged: u64,
    pub(crate) judgement: Option<Rule>,
    pub(crate) dossier: Option<Box<Dossier>>,
}

/// All destinations beyond the exact ones, together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overflow {
    /// Times a destination found no slot or lost it.
    pub(crate) destinations: u32,
    pub(crate) observed: Observed,
    /// Keys of all destinations that were new when they were contacted, exact ones too.
    pub(crate) new: SeenSet,
    /// When they are looked at again. `None`: at the next event.
    pub(crate) next_look: Option<NextLook>,
}

/// What few sessions have, in one place so that the others need no more than one word for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seldom {
    /// What left of values that the configuration names.
    pub(crate) pieces: Pieces,
    /// Private (address, port) pairs contacted against policy.
    pub(crate) private: SeenSet,
    /// Incidents of the executor's sessions before it that may go on.
    pub(crate) past: Option<Past>,
}

/// Contacts of the last one to two minutes. A burst's window may begin anywhere in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    from: Timestamp,
    this_minute: u32,
    minute_before: u32,
}

impl Recent {
    /// Before the first contact.
    pub(crate) fn since(at: Timestamp) -> Self {
        Self { from: at, this_minute: 0, minute_before: 0 }
    }

    /// Counts a contact.
    pub(crate) fn contact(&mut self, at: Timestamp) {
        let minutes = at.since(self.from).as_secs() / 60;
        if minutes > 0 {
            let minute_before = if minutes == 1 { self.this_minute } else { 0 };
            *self = Self { from: at, this_minute: 0, minute_before };
        }
        self.this_minute = self.this_minute.saturating_add(1);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u32 {
        self.this_minute.saturating_add(self.minute_before)
    }
}

impl Slot {
    /// Whether it has an open incident.
    pub(crate) fn is_open(&self) -> bool {
        self.dossier.as_deref().is_some_and(|dossier| dossier.opened.is_some())
    }
}

impl Overflow {
    /// Takes in what was observed of a destination.
    pub(crate) fn take(&mut self, observed: &Observed) {
        self.destinations = self.destinations.saturating_add(1);
        add_observed(&mut self.observed, observed);
    }
}

/// Bytes sent in each of the flows that go on; when there are too many, the smallest is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenFlows(Vec<(u64, u64)>);

impl OpenFlows {
    /// Adds an interval; what the flow sent so far.
    pub(crate) fn add(&mut self, flow: &egret_event::FlowInterval, up_bytes: u64) -> u64 {
        let known = self.0.iter().position(|(id, _)| *id == flow.flow);
        let total = known.map_or(0, |at| self.0[at].1).saturating_add(up_bytes);
        match (known, flow.phase) {
            (Some(at), FlowPhase::Open) => self.0[at].1 = total,
            (Some(at), _) => {
                self.0.swap_remove(at);
            }
            (None, FlowPhase::Open) => self.insert(flow.flow, total),
            (None, _) => {}
        }
        total
    }

    fn insert(&mut self, flow: u64, total: u64) {
        if self.0.len() < MOST_FLOWS {
            self.0.push((flow, total));
        } else if let Some(least) = self.0.iter_mut().min_by_key(|(id, bytes)| (*bytes, *id))
            && least.1 <= total
        {
            *least = (flow, total);
        }
    }
}

/// Where a destination's observations go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// One exact destination, by its slot.
    Slot(usize),
    /// All others, and findings about many destinations.
    Many,
}

impl Session {
    /// Begins with its first event.
    pub(crate) fn begin(event: &Event, generation: u32, bars: Arc<Bars>) -> Self {
        let origin = Arc::clone(&event.origin);
        Self {
            place: Place::of(&origin),
            origin,
            started_at: event.at,
            seen: Seen::at(event.at),
            generation,
            bars,
            names: Vec::new(),
            slots: Vec::new(),
            overflow: None,
            flows: None,
            burst: Burst::default(),
            joins: Joins::default(),
            questions: None,
            probes: None,
            places: None,
            not_found: None,
            many: None,
            seldom: None,
            score: Score::default(),
            asks: false,
            shows_certificates: false,
            shows_requests: false,
            is_spared: false,
            due_s: 0,
            growth_due_s: NEVER_S,
        }
    }

    /// Its given name, or else who and since when.
    pub(crate) fn name(&self) -> SmolStr {
        let Attribution { executor, session, .. } = &*self.origin;
        let own = || smol_str::format_smolstr!("{executor}@{}", self.started_at);
        session.clone().unwrap_or_else(own)
    }

    /// What orders it among sessions.
    pub(crate) fn key(&self) -> SessionKey {
        SessionKey { origin: Arc::clone(&self.origin) }
    }

    /// Whether events of `origin` are its own. All events of one flow share one origin, so that
    /// most comparisons end at the pointer.
    pub(crate) fn is_of(&self, origin: &Attribution) -> bool {
        std::ptr::eq(&raw const *self.origin, origin)
            || (self.origin.executor == origin.executor && self.origin.session == origin.session)
    }

    /// Makes the slots findable after they were read from a snapshot.
    pub(crate) fn index_slots(&mut self) {
        self.slots.truncate(MOST_SLOTS);
        self.names = self.slots.iter().map(|slot| quick(&slot.domain)).collect();
    }

    /// Destinations that found no slot or lost it.
    pub(crate) fn overflown(&self) -> u64 {
        self.overflow.as_deref().map_or(0, |overflow| u64::from(overflow.destinations))
    }

    /// The slot of a destination, if it has one.
    pub(crate) fn find(&self, domain: &SmolStr) -> Option<usize> {
        let name = quick(domain);
        let mut same = self.names.iter().enumerate().filter(|(_, other)| **other == name);
        same.find(|(at, _)| self.slots[*at].domain == *domain).map(|(at, _)| at)
    }

    /// Reads what leads to an event's slot, so that it is at hand when it is needed; the value means
    /// nothing.
    pub(crate) fn look_ahead(&self, event: &Event) -> u64 {
        if matches!(event.fact, Fact::Dns(_)) {
            return self.questions.as_deref().map_or(0, Questions::look_ahead);
        }
        let probes = self.probes.as_deref().map_or(0, Probes::look_ahead);
        self.names.first().copied().unwrap_or(0) ^ self.joins.look_ahead() ^ probes
    }

    /// Reads the slot of an event; the value means nothing.
    pub(crate) fn look_at_slot(&self, event: &Event) -> u64 {
        let slot = self.find(&event.destination.domain).map(|at| &self.slots[at]);
        slot.map_or(0, |slot| slot.judged ^ slot.tally.up_bytes() ^ slot.largest ^ slot.key)
    }

    /// What is kept of destinations beyond the exact ones, from now on.
    pub(crate) fn overflow(&mut self) -> &mut Overflow {
        let slots = &self.slots;
        self.overflow.get_or_insert_with(|| {
            let mut overflow = Box::<Overflow>::default();
            let new = slots.iter().filter(|slot| slot.is_new());
            new.for_each(|slot| _ = overflow.new.insert(slot.key));
            overflow
        })
    }

    /// Gives a new destination a slot: a free one, or that of the least destination without an
    /// incident, which joins the overflow.
    pub(crate) fn place_slot(&mut self, slot: Slot) -> Target {
        let name = quick(&slot.domain);
        if self.slots.len() < MOST_SLOTS {
            make_room(&mut self.slots);
            make_room(&mut self.names);
            self.names.push(name);
            self.slots.push(slot);
            return Target::Slot(self.slots.len() - 1);
        }
        let without_incident = self.slots.iter().enumerate().filter(|(_, s)| !s.is_open());
        let least = without_incident.min_by_key(|(at, slot)| {
            (slot.dossier.is_some(), slot.tally.up_bytes(), slot.seen.last, *at)
        });
        let Some((at, least)) = least else {
            let overflow = self.overflow();
            overflow.destinations = overflow.destinations.saturating_add(1);
            return Target::Many;
        };
        let observed = least.tally.observed();
        self.overflow().take(&observed);
        self.names[at] = name;
        self.slots[at] = slot;
        Target::Slot(at)
    }

    /// What few sessions have, from now on this one.
    pub(crate) fn seldom(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    /// The dossier of a target, begun if there is none.
    pub(crate) fn dossier(&mut self, target: Target) -> &mut Dossier {
        match target {
            Target::Slot(at) => self.slots[at].dossier.get_or_insert_default(),
            Target::Many => self.many.get_or_insert_default(),
        }
    }

    /// The dossier of a target, if there is one.
    pub(crate) fn known_dossier(&self, target: Target) -> Option<&Dossier> {
        match target {
            Target::Slot(at) => self.slots[at].dossier.as_deref(),
            Target::Many => self.many.as_deref(),
        }
    }

    /// Takes the dossier of a target out.
    pub(crate) fn take_dossier(&mut self, target: Target) -> Option<Dossier> {
        let dossier = match target {
            Target::Slot(at) => self.slots[at].dossier.take(),
            Target::Many => self.many.take(),
        };
        dossier.map(|dossier| *dossier)
    }

    /// The targets that have an open incident.
    pub(crate) fn open_targets(&self) -> Vec<Target> {
        let slots = (0..self.slots.len()).map(Target::Slot);
        let is_open = |target: &Target| {
            self.known_dossier(*target).is_some_and(|dossier| dossier.opened.is_some())
        };
        slots.chain([Target::Many]).filter(is_open).collect()
    }

    /// How old the session is at a time, in whole minutes.
    pub(crate) fn age_min(&self, at: Timestamp) -> u32 {
        u32::try_from(at.since(self.started_at).as_secs() / 60).unwrap_or(u32::MAX)
    }

    /// The time of what was observed at a target.
    pub(crate) fn seen_at(&self, target: Target) -> Seen {
        match target {
            Target::Slot(at) => self.slots[at].seen,
            Target::Many => self.seen,
        }
    }

    /// What was observed at a target; for many, everything of the session. What went to a domain in
    /// the names of questions counts there, and for many where it was sent: at the resolver.
    pub(crate) fn observed(&self, target: Target) -> Observed {
        match target {
            Target::Slot(at) => {
                let mut observed = self.slots[at].tally.observed();
                if let Some(asked) = self.asked(target) {
                    observed.up_bytes = observed.up_bytes.saturating_add(asked.name_bytes.into());
                    observed.down_bytes =
                        observed.down_bytes.saturating_add(asked.answer_bytes.into());
                    observed.events += u64::from(asked.questions);
                }
                observed
            }
            Target::Many => {
                let overflow = self.overflow.as_deref();
                let mut sum = overflow.map_or_else(Observed::default, |of| of.observed.clone());
                self.slots.iter().for_each(|slot| add_observed(&mut sum, &slot.tally.observed()));
                let probes = self.probes.as_deref();
                sum.distinct_blocked = probes.map_or(0, |p| u64::from(p.distinct_blocked()));
                sum
            }
        }
    }

    /// Payload bytes sent to a target, in the names of questions too.
    pub(crate) fn up_bytes(&self, target: Target) -> u64 {
        match target {
            Target::Slot(at) => {
                let in_names = self.asked(target).map_or(0, |asked| u64::from(asked.name_bytes));
                self.slots[at].tally.up_bytes().saturating_add(in_names)
            }
            Target::Many => self.observed(target).up_bytes,
        }
    }

    /// The destination's name in incidents.
    pub(crate) fn destination(&self, target: Target) -> SmolStr {
        match target {
            Target::Slot(at) => self.slots[at].domain.clone(),
            Target::Many => SmolStr::new_static(MANY),
        }
    }

    /// The id of a target's incident. The start is part of it because a given session may fall silent, end,
    /// and come back under the same name.
    pub(crate) fn incident_id(&self, target: Target) -> EventId {
        let (session, started_at) = self.session_of_incident(target);
        EventId::of(&[
            b"incident",
            self.origin.executor.as_bytes(),
            session.as_bytes(),
            &started_at.as_nanos().to_le_bytes(),
            self.destination(target).as_bytes(),
        ])
    }
}
