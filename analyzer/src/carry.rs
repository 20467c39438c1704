//! A session sends something that holds secrets.

use egret_event::{DnsExchange, Event};

use crate::IncidentChange;
use crate::detect::sensitive_content::{Whereto, finding};
use crate::session::{Session, Slot, Target};
use crate::size::Class;
use crate::world::World;

impl Session {
    /// Holds the secrets that an event carries against its target; whether the dossier about many
    /// destinations was touched.
    pub(crate) fn check_content(&mut self, target: Target, event: &Event, world: &World) -> bool {
        if event.sensitive().is_empty() {
            return false;
        }
        let is_known = matches!(target, Target::Slot(at) if self.slots[at].class == Class::Known);
        let pieces = &mut self.seldom().pieces;
        let Some(finding) = finding(event, Whereto::of(event, is_known), pieces) else {
            return false;
        };
        self.open_dossier(target, world);
        let dossier = self.dossier(target);
        dossier.note(event);
        dossier.add_observed(finding);
        target == Target::Many
    }

    /// The same for a question, which is no contact: its domain becomes a destination of the session.
    pub(crate) fn check_name(
        &mut self,
        event: &Event,
        asked: &DnsExchange,
        world: &World,
        out: &mut Vec<IncidentChange>,
    ) {
        if asked.sensitive.is_empty() {
            return;
        }
        let domain = &event.destination.domain;
        let ladder = world.baseline.ladder(&self.place);
        let target = match self.find(domain) {
            Some(at) => Target::Slot(at),
            None => self.place_slot(Slot::of_questions((domain.clone(), event.at), event, &ladder)),
        };
        self.check_content(target, event, world);
        self.report(target, event, world, out);
    }
}
