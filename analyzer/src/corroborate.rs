//! What only adds to other evidence about a new destination: that no name led to it, that its
//! certificate is odd.

use egret_event::{Event, Fact};

use crate::detect::{NOTABLE, direct_address, odd_certificate};
use crate::incident::Detector;
use crate::session::{Session, Slot, Target};
use crate::size::Class;
use crate::views::View;
use crate::world::World;

impl Session {
    /// A contact with an address that no name led to, where a name would have been seen.
    pub(crate) fn check_direct(&mut self, at: usize, event: &Event, world: &World) {
        let slot = &self.slots[at];
        let could_be_seen = self.asks || View::of(event) == View::Log;
        let known = self.known_dossier(Target::Slot(at));
        let is_known = known.is_some_and(|known| known.finding(Detector::DirectAddress).is_some());
        if !could_be_seen || !slot.is_direct || !slot.is_new() || is_known {
            return;
        }
        let ladder = world.baseline.ladder(&self.place);
        let finding = direct_address::finding(&ladder, self.direct_addresses(), &self.origin);
        if finding.p < NOTABLE {
            self.hold(Target::Slot(at), finding, world);
        }
    }

    /// A certificate that a new destination shows.
    pub(crate) fn check_certificate(&mut self, target: Target, event: &Event, world: &World) {
        let (Target::Slot(at), Fact::Certificate(shown)) = (target, &event.fact) else { return };
        let oddities = odd_certificate::oddities(shown, event.at);
        self.shows_certificates = true;
        self.slots[at].is_odd |= !oddities.is_empty();
        if oddities.is_empty() || !self.slots[at].is_new() {
            return;
        }
        let ladder = world.baseline.ladder(&self.place);
        let (met, shown) = (self.odd_certificates(), (&**shown, &oddities[..]));
        let finding = odd_certificate::finding(shown, met, &ladder, &self.origin);
        if finding.p < NOTABLE {
            self.hold(Target::Slot(at), finding, world);
        }
    }

    /// New addresses that were contacted although no name led to them.
    pub(crate) fn direct_addresses(&self) -> u64 {
        self.new_slots().filter(|slot| slot.is_direct).count() as u64
    }

    /// New destinations that showed an odd certificate.
    pub(crate) fn odd_certificates(&self) -> u64 {
        self.new_slots().filter(|slot| slot.is_odd).count() as u64
    }

    /// Contacted destinations that are new, as far as they are exact.
    pub(crate) fn new_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_new())
    }
}

impl Slot {
    /// Whether it is new and was contacted.
    pub(crate) fn is_new(&self) -> bool {
        self.class == Class::New && !self.is_only_asked_for()
    }
}
