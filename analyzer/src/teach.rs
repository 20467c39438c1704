//! What a session teaches when it ends.
//!
//! One session counts once: one largest upload per class, one largest burst per window, one
//! contact per destination. What it was blocked from teaches nothing about destinations.

use std::collections::BTreeMap;

use crate::detect::foreign_tenant::Places;
use crate::detect::not_found::{self, NotFound};
use crate::detect::rate_burst::{self, Lane, WINDOWS};
use crate::detect::slow_drip::{self, AGES_MIN};
use crate::detect::upload_size::Subject;
use crate::detect::{beacon, direct_address, dns_tunnel, fan_out, odd_certificate};
use crate::incident::Detector;
use crate::learned::{
    Asked, FLEET, Learned, SEEN_PER_ASKED, SEEN_PER_TENANCY, Scope, Seen, Tenancy,
};
use crate::priors::THRESHOLD;
use crate::questions::Carried;
use crate::session::{Session, Slot};
use crate::size::{Cell, Class, Kind, Measure};
use crate::world::World;

/// Entries of one partition's delta. Beyond them new names are not learned in this epoch; the
/// loss is counted.
const MOST_SCOPES: usize = 512;
const MOST_SEEN: usize = 8_192;

/// The probability below which a session teaches only after a wait.
const WARY_BELOW: f64 = 0.01;

impl Session {
    /// Whether anything about it was unlikely: it then teaches only when a week has passed, so
    /// that an analyst can object before it becomes normal.
    pub(crate) fn is_wary(&self) -> bool {
        let dossiers = self.slots.iter().filter_map(|slot| slot.dossier.as_deref());
        // What was judged benign is no less unlikely: a verdict is not about what becomes normal.
        self.is_spared
            || dossiers.chain(self.many.as_deref()).any(|dossier| {
                !dossier.rules.is_empty()
                    || dossier
                        .findings
                        .iter()
                        .any(|f| f.detector != Detector::NewDestination && f.own_p() < WARY_BELOW)
            })
    }

    /// Adds what it teaches to `delta`; how many entries found no room.
    pub(crate) fn teach(&self, world: &World, delta: &mut Learned) -> u64 {
        let mut largest = self.largest_uploads(world);
        largest.extend(self.most_asked(world));
        largest.extend(self.largest_drips(world));
        largest.extend(self.most_of_new(world));
        largest.extend(self.largest_bursts(world));
        largest.extend(self.most_not_found(world));
        let mut lost = self.teach_asked(delta);
        for key in self.place.scopes() {
            if delta.scopes.len() >= MOST_SCOPES && !delta.scopes.contains_key(&key) {
                lost += 1;
                continue;
            }
            self.teach_scope(delta.scopes.entry(key).or_default(), &largest);
            for slot in self.slots.iter().filter(|slot| slot.tally.allowed() > 0) {
                lost += u64::from(!self.teach_seen(slot, key, delta));
            }
            lost += self.teach_tenancies(key, delta);
        }
        lost
    }

    /// Adds its score to the calibration of its template's threshold; whether there was room. Before it is
    /// known what is new, scores are higher and say nothing.
    pub(crate) fn teach_score(&self, world: &World, delta: &mut Learned) -> bool {
        let template = self.place.template;
        if !world.baseline.ladder(&self.place).knows_what_is_new() {
            return true;
        }
        let known = &mut delta.calibrations;
        let has_room = known.len() < MOST_SCOPES || known.contains_key(&template);
        if has_room {
            known.entry(template).or_default().add(self.score);
        }
        has_room
    }

    fn teach_scope(&self, scope: &mut Scope, largest: &BTreeMap<Cell, u64>) {
        scope.sessions += 1;
        for (cell, bytes) in largest {
            scope.sizes.entry(*cell).or_default().add(*bytes);
        }
        scope.blocked.add(self.probes.as_deref().map_or(0, |probes| probes.distinct_blocked()));
    }

    /// Whether there was room for it.
    fn teach_seen(&self, slot: &Slot, scope: u64, delta: &mut Learned) -> bool {
        let key = (scope, slot.key);
        if delta.seen.len() >= MOST_SEEN && !delta.seen.contains_key(&key) {
            return false;
        }
        let seen =
            delta.seen.entry(key).or_insert_with(|| Seen::between(slot.seen.first, slot.seen.last));
        seen.sessions += 1;
        seen.first = seen.first.min(slot.seen.first);
        seen.last = seen.last.max(slot.seen.last);
        if scope == FLEET
            && let Some(tenant) = self.place.tenant
        {
            seen.tenants.insert(tenant);
        }
        if scope == self.place.template && slot.tally.has_volume() {
            let sizes = seen.sizes.get_or_insert_default();
            sizes.iter_mut().zip(slot.sent()).for_each(|(sizes, bytes)| sizes.add(bytes));
        }
        true
    }

    /// Where something was left, and for the fleet also from whom something was fetched; how many places
    /// found no room.
    fn teach_tenancies(&self, scope: u64, delta: &mut Learned) -> u64 {
        let mut lost = 0;
        let places = self.places.as_deref().into_iter().flat_map(Places::allowed);
        for place in places.filter(|place| scope == FLEET || !place.key.is_read()) {
            let key = (scope, place.key);
            let is_full = delta.tenancies.len() >= MOST_SEEN / SEEN_PER_TENANCY;
            if is_full && !delta.tenancies.contains_key(&key) {
                lost += 1;
                continue;
            }
            let once = Tenancy { sessions: 1, last: place.last };
            delta.tenancies.entry(key).or_insert(Tenancy { sessions: 0, ..once }).merge(&once);
        }
        lost
    }

    /// The most that a destination that is new here was sent little by little, by each age that the
    /// session has reached; no more than what is reported now. Nothing before a destination can be
    /// new to the template.
    fn largest_drips(&self, world: &World) -> BTreeMap<Cell, u64> {
        let ladder = world.baseline.ladder(&self.place);
        if !ladder.knows_what_is_new() {
            return BTreeMap::new();
        }
        let age_min = self.age_min(self.seen.last);
        let reached = AGES_MIN.iter().filter(|age| age_min >= **age).count();
        let judged = || self.slots.iter().filter(|slot| slow_drip::is_judged(slot));
        let most =
            |age| judged().map(|slot| slot.drip.as_deref().map_or(0, |drip| drip.by(age))).max();
        let clipped = |age| Some(most(age)?.min(slow_drip::first_below(&ladder, age, THRESHOLD)));
        (0..reached).filter_map(|age| Some((Cell::of_drip(age), clipped(age)?))).collect()
    }

    /// What the questions carried below the domains with more than a few names, for the template;
    /// how many domains found no room.
    fn teach_asked(&self, delta: &mut Learned) -> u64 {
        let mut lost = 0;
        for (asked, _) in self.asked_domains().filter(|(asked, _)| asked.has_many_names()) {
            let key = (self.place.template, dns_tunnel::key(asked));
            let is_full = delta.asked.len() >= MOST_SEEN / SEEN_PER_ASKED;
            if is_full && !delta.asked.contains_key(&key) {
                lost += 1;
                continue;
            }
            let known = delta.asked.entry(key).or_insert_with(|| Asked::until(asked.seen.last));
            known.last = known.last.max(asked.seen.last);
            for (sizes, bytes) in known.sizes.iter_mut().zip(asked.carried()) {
                sizes.add(bytes);
            }
        }
        lost
    }

    /// The most that questions carried per cell, no more than what is reported now.
    fn most_asked(&self, world: &World) -> BTreeMap<Cell, u64> {
        let ladder = world.baseline.ladder(&self.place);
        let mut most = BTreeMap::new();
        for (asked, contacts) in self.asked_domains() {
            let Some(subject) = dns_tunnel::Subject::of(&ladder, asked, contacts) else { continue };
            for (carried, bytes) in Carried::ALL.into_iter().zip(asked.carried()) {
                let kept: &mut u64 =
                    most.entry(Cell::of_questions(subject.usage(), carried)).or_default();
                let bytes = if bytes > *kept && asked.is_notable {
                    bytes.min(subject.first_below(&ladder, carried, THRESHOLD))
                } else {
                    bytes
                };
                *kept = bytes.max(*kept);
            }
        }
        most
    }

    /// The most contacts within each window, no more than what is reported now. Where it is not known what
    /// is new, they are what will be normal for familiar destinations.
    fn largest_bursts(&self, world: &World) -> Vec<(Cell, u64)> {
        let ladder = world.baseline.ladder(&self.place);
        let can_be_new = ladder.knows_what_is_new();
        let mut largest = Vec::with_capacity(Lane::ALL.len() * WINDOWS);
        for window in 0..WINDOWS {
            let counts = Lane::ALL.map(|lane| u64::from(self.burst.most(lane, window)));
            let mut keep = |lane, count: u64| {
                let bar = rate_burst::first_below(&ladder, lane, window, THRESHOLD);
                largest.push((Cell::of_burst(lane, window), count.min(bar)));
            };
            if can_be_new {
                Lane::ALL.into_iter().zip(counts).for_each(|(lane, count)| keep(lane, count));
            } else {
                keep(Lane::Familiar, counts.into_iter().fold(0, u64::max));
            }
        }
        largest
    }

    /// Counts about new destinations, none more than what is reported now: how many there are, the most
    /// contacts at even intervals with one of them, addresses among them that no name led to, and such that showed an odd
    /// certificate, where those can be seen. Until destinations can be known, all are new and nothing is
    /// learned.
    fn most_of_new(&self, world: &World) -> Vec<(Cell, u64)> {
        let ladder = world.baseline.ladder(&self.place);
        if !ladder.knows_what_is_new() {
            return Vec::new();
        }
        let beats = self.slots.iter().map(Slot::beats).max().unwrap_or(0);
        let mut most =
            vec![(Cell::BEATS, beats.min(beacon::CONTACTS.first_below(&ladder, THRESHOLD)))];
        let bar = fan_out::DESTINATIONS.first_below(&ladder, THRESHOLD);
        most.push((Cell::NEW_DESTINATIONS, self.new_destinations().min(bar)));
        if self.asks {
            let bar = direct_address::ADDRESSES.first_below(&ladder, THRESHOLD);
            most.push((Cell::DIRECT_ADDRESSES, self.direct_addresses().min(bar)));
        }
        if self.shows_certificates {
            let bar = odd_certificate::DESTINATIONS.first_below(&ladder, THRESHOLD);
            most.push((Cell::ODD_CERTIFICATES, self.odd_certificates().min(bar)));
        }
        most
    }

    /// The most that one destination was asked for and did not have, no more than what is reported now.
    fn most_not_found(&self, world: &World) -> Option<(Cell, u64)> {
        if !self.shows_requests {
            return None;
        }
        let ladder = world.baseline.ladder(&self.place);
        let most = self.not_found.as_deref().map_or(0, NotFound::most);
        Some((Cell::NOT_FOUND, most.min(not_found::PATHS.first_below(&ladder, THRESHOLD))))
    }

    /// The largest upload per cell; none is one of no bytes, so that what is learned is how likely any
    /// session sends as much. An upload beyond what is reported now teaches its class no more than
    /// that: its destination learns it in full, others do not. Where the volume of a destination is
    /// not known, only the others teach.
    fn largest_uploads(&self, world: &World) -> BTreeMap<Cell, u64> {
        let ladder = world.baseline.ladder(&self.place);
        let can_be_new = ladder.knows_what_is_new();
        let mut largest = BTreeMap::new();
        if self.slots.iter().all(|slot| slot.tally.has_volume()) {
            // Of many destinations together only sessions that have so many teach.
            let learned = |cell: &Cell| !cell.is_of_many() && (can_be_new || !cell.is_of_new());
            largest.extend(Cell::uploads().filter(learned).map(|cell| (cell, 0)));
        }
        let mut keep = |class, kind, measure, bytes: u64| {
            let kept = largest.entry(Cell::of_upload(class, kind, measure)).or_default();
            *kept = bytes.max(*kept);
        };
        for slot in self.slots.iter().filter(|slot| slot.tally.has_volume()) {
            let own = slot.class;
            let class = if own == Class::New && !can_be_new { Class::Known } else { own };
            let of_class = Subject { class, kind: slot.kind, own: None, leaves_out: 0 };
            let sent = slot.sent();
            for &measure in Measure::of(class) {
                let bytes = sent[measure as usize];
                let is_small = !slot.next_look[measure as usize].is_due(bytes);
                let clipped = if is_small {
                    bytes
                } else {
                    bytes.min(of_class.first_below(&ladder, measure, THRESHOLD))
                };
                keep(class, slot.kind, measure, clipped);
            }
        }
        if let Some(overflow) = self.overflow.as_deref() {
            keep(Class::Many, Kind::Web, Measure::Sum, overflow.observed.up_bytes);
        }
        largest
    }
}
