//! Findings are held against a target: with how new it is, and with what analysts judged of the like.

use crate::detect::new_destination;
use crate::feedback::Subject;
use crate::incident::{Detector, Finding};
use crate::session::{Session, Target};
use crate::world::World;

impl Session {
    /// Holds a finding against a target.
    pub(crate) fn hold(&mut self, target: Target, finding: Finding, world: &World) {
        self.open_dossier(target, world);
        self.put(target, finding, world);
    }

    /// Makes sure that a slot's dossier exists and says how new the destination is.
    pub(crate) fn open_dossier(&mut self, target: Target, world: &World) {
        if let Target::Slot(at) = target
            && self.slots[at].dossier.is_none()
        {
            self.hold_novelty(at, world);
        }
    }

    /// Says in a slot's dossier how new the destination is.
    pub(crate) fn hold_novelty(&mut self, at: usize, world: &World) {
        let ladder = world.baseline.ladder(&self.place);
        let slot = &self.slots[at];
        let novelty = new_destination::finding(&ladder, &slot.domain, slot.key);
        self.put(Target::Slot(at), novelty, world);
    }

    /// Puts a finding into a target's dossier.
    fn put(&mut self, target: Target, mut finding: Finding, world: &World) {
        let ladder = world.baseline.ladder(&self.place);
        let subject = Subject {
            template: self.origin.template.as_ref(),
            destination: &self.destination(target),
            up_bytes: self.up_bytes(target),
            sessions: ladder.template_sessions(),
        };
        world.feedback.weigh(&mut finding, &subject, self.seen.last);
        let is_spared = finding.judged_benign.is_some();
        self.is_spared |= is_spared && finding.detector != Detector::NewDestination;
        self.dossier(target).set_finding(finding, &ladder);
    }

    /// Brings findings about bytes up to the last one: they were made at the last look.
    pub(crate) fn renew_size_findings(&mut self, target: Target, world: &World) {
        self.renew_upload_finding(target, world);
        if let Some(finding) = self.finding_of_questions(target, world) {
            self.hold(target, finding, world);
        }
    }

    fn renew_upload_finding(&mut self, target: Target, world: &World) {
        let Target::Slot(at) = target else { return };
        let dossier = self.slots[at].dossier.as_deref();
        let Some(last) = dossier.and_then(|dossier| dossier.finding(Detector::UploadSize)) else {
            return;
        };
        let ladder = world.baseline.ladder(&self.place);
        let slot = &self.slots[at];
        let finding = slot.subject(&ladder).finding(&ladder, slot.sent(), &self.origin);
        if finding.observed == last.observed {
            // Nothing more was sent: what it was judged by stays.
            return;
        }
        self.hold(target, finding, world);
    }
}
