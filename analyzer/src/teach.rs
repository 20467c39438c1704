//! What a session teaches when it ends.
//!
//! One session counts once: one largest upload per class, one largest burst per window, one
//! contact per destination. What it was blocked from teaches nothing about destinations.

use crate::detect::rate_burst::WINDOWS;
use crate::detect::upload_size::Subject;
use crate::incident::Detector;
use crate::learned::{FLEET, Learned, Scope, Seen};
use crate::priors::THRESHOLD;
use crate::session::{Session, Slot};
use crate::size::{CELLS, Class, Kind, Measure, cell};
use crate::world::World;

/// Sessions of a template before a destination can be new to it. Until then everything is, and
/// uploads to everyday destinations would pass for uploads to new ones. Egret's own choice.
const SESSIONS_TO_KNOW: u64 = 30;

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
        dossiers.chain(self.many.as_deref()).any(|dossier| {
            !dossier.rules.is_empty()
                || dossier
                    .findings
                    .iter()
                    .any(|f| f.detector != Detector::NewDestination && f.p < WARY_BELOW)
        })
    }

    /// Adds what it teaches to `delta`; how many entries found no room.
    pub(crate) fn teach(&self, world: &World, delta: &mut Learned) -> u64 {
        let largest = self.largest_uploads(world);
        let mut lost = 0;
        for key in self.place.scopes() {
            if delta.scopes.len() >= MOST_SCOPES && !delta.scopes.contains_key(&key) {
                lost += 1;
                continue;
            }
            self.teach_scope(delta.scopes.entry(key).or_default(), &largest);
            for slot in self.slots.iter().filter(|slot| slot.tally.allowed() > 0) {
                lost += u64::from(!self.teach_seen(slot, key, delta));
            }
        }
        lost
    }

    fn teach_scope(&self, scope: &mut Scope, largest: &[Option<u64>; CELLS]) {
        scope.sessions += 1;
        for (sizes, bytes) in scope.sizes.iter_mut().zip(largest) {
            if let Some(bytes) = bytes {
                sizes.add(*bytes);
            }
        }
        for (lane, windows) in scope.bursts.iter_mut().enumerate() {
            for (window, moments) in windows.iter_mut().enumerate().take(WINDOWS) {
                moments.add(self.burst.most(lane, window));
            }
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
            for (sizes, bytes) in seen.sizes.iter_mut().zip(slot.sent()) {
                sizes.add(bytes);
            }
        }
        true
    }

    /// The largest upload per cell, where any was known. An upload beyond what is reported now
    /// teaches its class no more than that: its destination learns it in full, others do not.
    fn largest_uploads(&self, world: &World) -> [Option<u64>; CELLS] {
        let ladder = world.baseline.ladder(&self.place);
        let can_be_new = ladder.template_sessions() >= SESSIONS_TO_KNOW;
        let mut largest = [None; CELLS];
        let mut keep = |class, kind, measure, bytes| {
            let kept = &mut largest[cell(class, kind, measure)];
            *kept = (*kept).max(Some(bytes));
        };
        for slot in self.slots.iter().filter(|slot| slot.tally.has_volume()) {
            let own = slot.novelty.class;
            let class = if own == Class::New && !can_be_new { Class::Known } else { own };
            let of_class = Subject { class, kind: slot.kind, seen: None };
            for (measure, bytes) in Measure::ALL.into_iter().zip(slot.sent()) {
                let is_small = bytes < slot.next_look[measure as usize];
                let clipped = if is_small {
                    bytes
                } else {
                    bytes.min(of_class.first_below(&ladder, measure, THRESHOLD))
                };
                keep(class, slot.kind, measure, clipped);
            }
        }
        if self.overflow.destinations > 0 {
            keep(Class::Many, Kind::Web, Measure::Sum, self.overflow.observed.up_bytes);
        }
        largest
    }
}
