//! A session goes to one new destination after the other.

use egret_event::Event;

use crate::detect::{NOTABLE, fan_out, new_destination};
use crate::incident::Detector;
use crate::session::{Session, Target};
use crate::size::Class;
use crate::world::World;

impl Session {
    /// Counts a contact's destination if it is new. Whether the dossier about many destinations was touched.
    pub(crate) fn check_fan_out(&mut self, target: Target, event: &Event, world: &World) -> bool {
        if !self.is_first_of_new(target, event, world) {
            return false;
        }
        let count = self.new_destinations();
        if count < fan_out::LEAST {
            return false;
        }
        let known = self.known_dossier(Target::Many);
        let told = known.and_then(|known| known.finding(Detector::FanOut));
        let is_told = told.is_some_and(|told| told.observed.value * 9.0 / 8.0 > count as f64);
        let ladder = world.baseline.ladder(&self.place);
        // Before that all are new, and a crawler is nothing strange.
        if is_told || !ladder.knows_what_is_new() {
            return false;
        }
        if fan_out::DESTINATIONS.tail(&ladder, count) >= NOTABLE {
            return false;
        }
        let finding = fan_out::finding(&ladder, count, &self.origin);
        self.hold(Target::Many, finding, world);
        self.dossier(Target::Many).note(event);
        true
    }

    /// Whether it is the first contact with a destination that is new.
    fn is_first_of_new(&mut self, target: Target, event: &Event, world: &World) -> bool {
        let key = match target {
            Target::Slot(at) => {
                let slot = &self.slots[at];
                (slot.is_new() && slot.tally.contacts() <= 1).then_some(slot.key)
            }
            // There are so many incidents that it has no slot.
            Target::Many => {
                let domain = &event.destination.domain;
                let key = new_destination::key_of(domain);
                let ladder = world.baseline.ladder(&self.place);
                (new_destination::class_of(&ladder, domain, key) == Class::New).then_some(key)
            }
        };
        let Some(key) = key else { return false };
        self.overflow.as_deref_mut().is_none_or(|overflow| overflow.new.insert(key))
    }

    /// Destinations that were new when they were contacted.
    pub(crate) fn new_destinations(&self) -> u64 {
        match self.overflow.as_deref() {
            Some(overflow) => u64::from(overflow.new.count()),
            None => self.new_slots().count() as u64,
        }
    }
}
