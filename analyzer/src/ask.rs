//! A session asks a name: what it carries is counted, and judged when it has become enough.
//!
//! A question is no contact. It makes a destination of the session only once it is notable.

use egret_event::{DnsExchange, Event, SmolStr};

use crate::IncidentChange;
use crate::detect::NOTABLE;
use crate::detect::dns_tunnel::Subject;
use crate::incident::{Detector, Finding};
use crate::questions::{AskedDomain, Questions};
use crate::session::{Session, Slot, Target};
use crate::world::World;

impl Session {
    /// Takes in a question. What it causes is appended to `out`.
    pub(crate) fn ask(
        &mut self,
        event: &Event,
        asked: &DnsExchange,
        world: &World,
        out: &mut Vec<IncidentChange>,
    ) {
        self.asks = true;
        self.check_name(event, asked, world, out);
        let source = self.joins.source(&event.source);
        let questions = self.questions.get_or_insert_default();
        let Some(at) = questions.add((event, source), asked) else { return };
        let domain = questions.at(at);
        let (is_due, is_notable) = (domain.take_look(), domain.is_notable);
        if !is_due && !is_notable {
            return;
        }
        let name = domain.domain.clone();
        if is_due {
            self.look_at_questions(at, event, world);
        }
        if let Some(slot) = self.find(&name) {
            self.slots[slot].seen.include(event.at);
            self.report(Target::Slot(slot), event, world, out);
        }
    }

    /// Judges what was asked for below one domain, and notes it if it is notable.
    fn look_at_questions(&mut self, at: usize, event: &Event, world: &World) {
        let ladder = world.baseline.ladder(&self.place);
        let Some(asked) = self.questions.as_deref_mut().map(|questions| questions.at(at)) else {
            return;
        };
        let name = asked.domain.clone();
        let contacts = contacts_of(&self.slots, &name);
        let Some(subject) = Subject::of(&ladder, asked, contacts) else { return };
        if subject.tail(&ladder, asked.carried()).0 >= NOTABLE {
            return;
        }
        asked.is_notable = true;
        let first = asked.from();
        let finding = subject.finding(&ladder, asked, &self.origin);
        let target = match self.find(&name) {
            Some(slot) => Target::Slot(slot),
            None => self.place_slot(Slot::of_questions((name, first), event, &ladder)),
        };
        // With all places taken by open incidents, there is none for this.
        if target != Target::Many {
            self.hold(target, finding, world);
        }
    }

    /// What was asked for below a target, where that is held against it.
    pub(crate) fn asked(&self, target: Target) -> Option<&AskedDomain> {
        let Target::Slot(at) = target else { return None };
        let slot = &self.slots[at];
        let dossier = slot.dossier.as_deref()?;
        dossier.finding(Detector::DnsTunnel)?;
        self.questions.as_deref().and_then(|questions| questions.of(&slot.domain))
    }

    /// The finding about a target's questions as it is now.
    pub(crate) fn finding_of_questions(&self, target: Target, world: &World) -> Option<Finding> {
        let asked = self.asked(target)?;
        let ladder = world.baseline.ladder(&self.place);
        let contacts = contacts_of(&self.slots, &asked.domain);
        let subject = Subject::of(&ladder, asked, contacts)?;
        Some(subject.finding(&ladder, asked, &self.origin))
    }

    /// The domains that were asked for, each with how often it was contacted.
    pub(crate) fn asked_domains(&self) -> impl Iterator<Item = (&AskedDomain, u32)> {
        let questions = self.questions.as_deref().into_iter().flat_map(Questions::domains);
        questions.map(|asked| (asked, contacts_of(&self.slots, &asked.domain)))
    }
}

/// How often a destination was contacted and let through.
fn contacts_of(slots: &[Slot], domain: &SmolStr) -> u32 {
    slots.iter().find(|slot| slot.domain == *domain).map_or(0, |slot| slot.tally.allowed())
}
