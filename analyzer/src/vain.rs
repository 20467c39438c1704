//! A session asks for what is not there.

use egret_event::{Event, Fact};

use crate::detect::NOTABLE;
use crate::detect::not_found::{PATHS, finding, path_of};
use crate::session::{Session, Target};
use crate::world::World;

impl Session {
    /// Weighs the path of a request for what its destination does not have.
    pub(crate) fn check_not_found(&mut self, target: Target, event: &Event, world: &World) {
        let Fact::Http(request) = &event.fact else { return };
        self.shows_requests |= request.path.is_some() && request.status.is_some();
        let Target::Slot(at) = target else { return };
        let Some(path) = path_of(request) else { return };
        let asked = self.not_found.get_or_insert_default();
        let Some(bytes) = asked.add(self.slots[at].key, path) else { return };
        let ladder = world.baseline.ladder(&self.place);
        if PATHS.tail(&ladder, bytes) < NOTABLE {
            let finding = finding(&ladder, bytes, &self.origin);
            self.hold(target, finding, world);
            self.dossier(target).note(event);
        }
    }
}
