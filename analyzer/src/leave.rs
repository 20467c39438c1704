//! A session leaves something at a tenant's place on a service, or fetches something from there.

use egret_event::Event;

use crate::baseline::TenancyKey;
use crate::detect::NOTABLE;
use crate::detect::foreign_tenant::{Place, Subject, keys};
use crate::incident::Detector;
use crate::session::{Session, Target};
use crate::tenancy::{Act, Verb};
use crate::world::World;

impl Session {
    /// Notes what an event does at a tenant's place, and judges it if something was left there.
    pub(crate) fn check_tenant(&mut self, target: Target, event: &Event, world: &World) {
        let Target::Slot(at) = target else { return };
        let host = event.destination.host.as_deref().filter(|_| self.slots[at].is_shared);
        let Some(host) = host else { return };
        let Some(act) = Act::of(event) else { return };
        let is_allowed = !act.is_blocked;
        let places = self.places.get_or_insert_default();
        let mut judged_by = None;
        for key in keys(&act, host) {
            judged_by.get_or_insert(key);
            places.note(Place { key, last: event.at, is_allowed });
        }
        if let Some(key) = judged_by.filter(|_| act.verb == Verb::Write) {
            self.judge_act((&act, host, key), target, event, world);
        }
    }

    fn judge_act(
        &mut self,
        (act, host, key): (&Act, &str, TenancyKey),
        target: Target,
        event: &Event,
        world: &World,
    ) {
        let ladder = world.baseline.ladder(&self.place);
        let subject = Subject { act, host, key, ladder: &ladder };
        let p = subject.tail();
        // The least likely one is told, and of those the largest.
        let rank = (p, std::cmp::Reverse(act.bytes));
        let known = self.known_dossier(target).and_then(|d| d.finding(Detector::ForeignTenant));
        let is_outdone = known
            .is_some_and(|known| (known.p, std::cmp::Reverse(known.observed.value as u64)) <= rank);
        if p >= NOTABLE || is_outdone {
            return;
        }
        self.hold(target, subject.finding(&self.origin), world);
        self.dossier(target).note(event);
    }
}
