//! A session sees an event: it counts, asks the detectors, and says what changed.

use std::time::Duration;

use egret_event::{Contradiction, ContradictionKind, Event, Fact, FlowPhase, Timestamp};

use crate::calibration::Score;
use crate::detect::blocked_probes::NOTED_FROM;
use crate::detect::policy::{Rule, SCAN_TARGETS, is_noise, is_private};
use crate::detect::rate_burst::{Lane, Look};
use crate::detect::upload_size::{NextLook, Subject};
use crate::detect::{NOTABLE, beacon, contradiction, new_destination, slow_drip};
use crate::hash::quick;
use crate::incident::{ChangeKind, Detector, IncidentChange};
use crate::join::{Joined, Out, event_of};
use crate::session::{MOST_SLOTS, NEVER_S, Session, Slot, Target};
use crate::size::{Class, Kind, Measure};
use crate::slot::first_looks;
use crate::tally::{Tally, uploaded};
use crate::views::View;
use crate::world::World;

/// Where questions can be read, unlike where they are asked over TLS.
const RESOLVER_PORT: u16 = 53;

impl Session {
    /// Takes in an event of this session. What it causes is appended to `out`.
    pub(crate) fn observe(&mut self, event: &Event, world: &World, out: &mut Out<'_>) {
        if matches!(event.fact, Fact::Gap(_) | Fact::Contradiction(_)) || is_noise(event) {
            return;
        }
        if let Fact::Dns(asked) = &event.fact {
            return self.ask(event, asked, world, out.changes);
        }
        let sight = self.joins.see(event, world.observers.is_one());
        let joined;
        let mut event = event;
        if let Some(also_seen_by) = sight.also_seen_by {
            let twice = Joined::SeenTwice { event: event.id, also_seen_by: also_seen_by.clone() };
            out.joined.push(twice);
            joined = Event { also_seen_by: Some(also_seen_by), ..event.clone() };
            event = &joined;
        }
        if !sight.is_repeat {
            self.weigh(event, sight.contradiction, world, out);
        }
    }

    /// Counts an event and asks the detectors.
    fn weigh(
        &mut self,
        event: &Event,
        contradiction: Option<Contradiction>,
        world: &World,
        out: &mut Out<'_>,
    ) {
        let target = self.count(event, world);
        let mut many_is_touched = target == Target::Many;
        many_is_touched |= self.check_policy(target, event, world);
        if event.is_contact() {
            many_is_touched |= self.check_contact(target, event, world);
        }
        many_is_touched |= self.check_size(target, event, world);
        self.check_drip(target, event, world);
        self.check_tenant(target, event, world);
        self.check_certificate(target, event, world);
        self.check_not_found(target, event, world);
        many_is_touched |= self.check_content(target, event, world);
        if let Some(contradiction) = contradiction {
            many_is_touched |= self.note_contradiction(target, &contradiction, (event, world), out);
        }
        let out = &mut *out.changes;
        let first = out.len();
        if let Target::Slot(_) = target {
            self.report(target, event, world, out);
        }
        if many_is_touched {
            self.report(Target::Many, event, world, out);
        }
        out[first..].sort_by_key(|change| (change.at, change.incident.id, change.number));
    }

    /// Judges anew after a baseline was frozen. Open incidents keep what was found.
    pub(crate) fn refresh(&mut self, world: &World) {
        let ladder = world.baseline.ladder(&self.place);
        for slot in &mut self.slots {
            slot.class = new_destination::class_of(&ladder, &slot.domain, slot.key);
            slot.next_look = first_looks(&slot.subject(&ladder), &ladder);
            if let Some(drip) = &mut slot.drip {
                drip.look_again();
            }
            if let Some(rhythm) = &mut slot.rhythm {
                rhythm.look_again();
            }
        }
        for at in 0..self.slots.len() {
            let dossier = self.slots[at].dossier.as_deref_mut();
            if let Some(dossier) = dossier.filter(|dossier| dossier.opened.is_none()) {
                dossier.forget_estimates();
                self.hold_novelty(at, world);
            }
        }
        if let Some(many) = self.many.as_deref_mut().filter(|many| many.opened.is_none()) {
            many.forget_estimates();
        }
        if let Some(overflow) = &mut self.overflow {
            overflow.next_look = None;
        }
        if let Some(questions) = &mut self.questions {
            questions.look_again();
        }
        if let Some(not_found) = &mut self.not_found {
            not_found.look_again();
        }
    }

    /// Counts the event where it belongs.
    fn count(&mut self, event: &Event, world: &World) -> Target {
        let domain = &event.destination.domain;
        let target = match self.find(domain) {
            Some(at) => {
                if self.slots[at].is_only_asked_for() {
                    self.slots[at].meet(event, &world.baseline.ladder(&self.place));
                }
                Target::Slot(at)
            }
            None => self.place_slot(Slot::new(event, &world.baseline.ladder(&self.place))),
        };
        let up_bytes = uploaded(event);
        let of_contact = match &event.fact {
            Fact::Flow(flow) if self.flows.is_some() || flow.phase == FlowPhase::Open => {
                self.flows.get_or_insert_default().add(flow, up_bytes)
            }
            _ => up_bytes,
        };
        match target {
            Target::Slot(at) => {
                let minute = self.age_min(event.at);
                self.slots[at].count(event, of_contact, minute);
            }
            Target::Many => {
                let mut tally = Tally::default();
                tally.add(event);
                let overflow = self.overflow();
                crate::tally::add_observed(&mut overflow.observed, &tally.observed());
            }
        }
        target
    }

    /// Whether the dossier about many destinations was touched.
    fn check_policy(&mut self, target: Target, event: &Event, world: &World) -> bool {
        let destination = &event.destination;
        let transport = match &event.fact {
            Fact::Flow(flow) => Some(flow.transport),
            _ => None,
        };
        let judge = || world.policy.judge(destination, transport, event.client.1);
        let (rule, is_fresh) = match target {
            Target::Many => (judge(), false),
            Target::Slot(at) => {
                let what = quick((&destination.host, destination.address, destination.port));
                let slot = &mut self.slots[at];
                let is_fresh = slot.judged != what;
                if is_fresh {
                    (slot.judged, slot.judgement) = (what, judge());
                }
                (slot.judgement, is_fresh)
            }
        };
        // Not every flow shows its beginning, and names come late: a first sight counts too.
        let is_known = |rule| {
            let dossier = self.known_dossier(target);
            dossier.is_some_and(|dossier| dossier.rules.iter().any(|hits| hits.rule == rule))
        };
        match rule {
            Some(rule) if event.is_contact() || (is_fresh && !is_known(rule)) => {
                self.note_rule(rule, target, event, world)
            }
            _ => false,
        }
    }

    fn note_rule(&mut self, rule: Rule, target: Target, event: &Event, world: &World) -> bool {
        let is_open = self.known_dossier(target).is_some_and(|d| d.opened.is_some());
        let (rule, target) = match rule {
            Rule::Private if self.is_scan(event) && !is_open => (Rule::PrivateScan, Target::Many),
            Rule::Outside if event.verdict.is_blocked() && !is_open && self.has_many_open() => {
                (rule, Target::Many)
            }
            _ => (rule, target),
        };
        self.open_dossier(target, world);
        self.dossier(target).hit(rule, event);
        if target == Target::Many {
            self.dossier(target).note(event);
        }
        target == Target::Many
    }

    fn is_scan(&mut self, event: &Event) -> bool {
        let private = &mut self.seldom().private;
        private.insert(quick((event.destination.address, event.destination.port)));
        private.count() >= SCAN_TARGETS
    }

    /// Whether half of the slots hold open incidents: the other half is left for what matters
    /// more than a further blocked attempt.
    fn has_many_open(&self) -> bool {
        self.slots.iter().filter(|slot| slot.is_open()).count() >= MOST_SLOTS / 2
    }

    /// Rhythms, bursts, new and blocked destinations. Whether the dossier about many destinations was touched.
    fn check_contact(&mut self, target: Target, event: &Event, world: &World) -> bool {
        let lane = match target {
            Target::Slot(at) if self.slots[at].class.is_familiar() => Lane::Familiar,
            _ => Lane::New,
        };
        if let Target::Slot(at) = target {
            self.check_rhythm(at, event, world);
            self.check_direct(at, event, world);
        }
        let looks = self.burst.contact(begin_of(event), (lane, View::of(event)), &self.bars);
        let mut touched = false;
        for look in looks.into_iter().flatten() {
            touched |= self.note_burst(look, target, event, world);
        }
        touched |= self.check_fan_out(target, event, world);
        touched | self.check_probe(event, world)
    }

    /// Contacts at even intervals with a destination that is new.
    fn check_rhythm(&mut self, at: usize, event: &Event, world: &World) {
        let slot = &mut self.slots[at];
        if slot.class != Class::New || beacon::is_asked_by_timers(event.destination.port) {
            return;
        }
        let Some(gap) = beacon::gap(&mut slot.last_beat, begin_of(event)) else { return };
        if !slot.rhythm.get_or_insert_default().add(gap) {
            return;
        }
        let ladder = world.baseline.ladder(&self.place);
        let contacts = slot.beats();
        if beacon::CONTACTS.tail(&ladder, contacts) >= NOTABLE {
            return;
        }
        let Some(rhythm) = slot.rhythm.as_deref() else { return };
        let finding = rhythm.finding(contacts, &ladder, &self.origin);
        self.hold(Target::Slot(at), finding, world);
        self.dossier(Target::Slot(at)).note(event);
    }

    fn note_burst(&mut self, look: Look, target: Target, event: &Event, world: &World) -> bool {
        let ladder = world.baseline.ladder(&self.place);
        let p = look.tail(&ladder);
        // Four of five contacts went to this destination: the burst is about it alone.
        let alone = match target {
            Target::Slot(at) => {
                self.slots[at].recent.count().saturating_mul(5) >= look.count.saturating_mul(4)
            }
            Target::Many => false,
        };
        let target = if alone { target } else { Target::Many };
        let known = self.known_dossier(target).and_then(|d| d.finding(Detector::RateBurst));
        if p >= NOTABLE || known.is_some_and(|known| known.p < p) {
            return false;
        }
        self.hold(target, look.finding(&ladder, &self.origin), world);
        self.dossier(target).note(event);
        target == Target::Many
    }

    fn check_probe(&mut self, event: &Event, world: &World) -> bool {
        let destination = &event.destination;
        let name = destination.host.as_ref().unwrap_or(&destination.domain);
        let target = || quick((name, destination.port));
        if !event.verdict.is_blocked() {
            if let Some(probes) = &mut self.probes {
                probes.reach(target());
            }
            return false;
        }
        let probes = self.probes.get_or_insert_default();
        if !probes.block(target()) {
            return false;
        }
        if self.many.is_none() && probes.distinct_blocked() < NOTED_FROM {
            return false;
        }
        let ladder = world.baseline.ladder(&self.place);
        let finding =
            (probes.tail(&ladder) < NOTABLE).then(|| probes.finding(&ladder, &self.origin));
        self.dossier(Target::Many).note(event);
        if let Some(finding) = finding {
            self.hold(Target::Many, finding, world);
        }
        true
    }

    /// Whether the dossier about many destinations was touched.
    fn check_size(&mut self, target: Target, event: &Event, world: &World) -> bool {
        if let Target::Slot(at) = target {
            self.check_slot_size(at, event, world);
        }
        self.overflow.is_some() && self.check_overflow_size(event, world)
    }

    fn check_slot_size(&mut self, at: usize, event: &Event, world: &World) {
        let slot = &self.slots[at];
        let is_usual = slot.class == Class::Known;
        if is_usual && slot.kind == Kind::Dns && event.destination.port == RESOLVER_PORT {
            // What a session asks of its usual resolver grows with its life; D6 looks into it.
            return;
        }
        let sent = slot.sent();
        if !sent.iter().zip(&slot.next_look).any(|(sent, next)| next.is_due(*sent)) {
            return;
        }
        let ladder = world.baseline.ladder(&self.place);
        let subject = slot.subject(&ladder);
        let (p, _) = subject.tail(&ladder, sent);
        let finding = (p < NOTABLE).then(|| subject.finding(&ladder, sent, &self.origin));
        let next = &mut self.slots[at].next_look;
        for (next, sent) in next.iter_mut().zip(sent) {
            *next = NextLook::after(sent).max(*next);
        }
        if let Some(finding) = finding {
            self.hold(Target::Slot(at), finding, world);
            self.dossier(Target::Slot(at)).note(event);
        }
    }

    fn check_drip(&mut self, target: Target, event: &Event, world: &World) {
        let Target::Slot(at) = target else { return };
        let slot = &mut self.slots[at];
        let Some(drip) = slot.drip.as_deref_mut().filter(|drip| drip.is_due()) else { return };
        drip.looked();
        let drip = *drip;
        if !slow_drip::is_judged(slot) || is_private(&event.destination) {
            return;
        }
        let ladder = world.baseline.ladder(&self.place);
        let finding = drip.finding(&ladder, &self.origin);
        if finding.p < NOTABLE {
            self.hold(target, finding, world);
        }
    }

    fn check_overflow_size(&mut self, event: &Event, world: &World) -> bool {
        let Some(overflow) = self.overflow.as_deref_mut() else { return false };
        let sum = overflow.observed.up_bytes;
        if overflow.next_look.is_some_and(|next| !next.is_due(sum)) {
            return false;
        }
        let ladder = world.baseline.ladder(&self.place);
        let subject = Subject { class: Class::Many, kind: Kind::Web, own: None, leaves_out: 0 };
        let quiet = NextLook::at(subject.first_below(&ladder, Measure::Sum, NOTABLE));
        overflow.next_look = Some(NextLook::after(sum).max(quiet));
        let sent = [0, sum, 0];
        if subject.tail(&ladder, sent).0 >= NOTABLE {
            return false;
        }
        self.hold(Target::Many, subject.finding(&ladder, sent, &self.origin), world);
        self.dossier(Target::Many).note(event);
        true
    }

    /// Tells a contradiction and adds it to what is held against the target; whether the dossier
    /// about many destinations was touched.
    fn note_contradiction(
        &mut self,
        target: Target,
        contradiction: &Contradiction,
        (event, world): (&Event, &World),
        out: &mut Out<'_>,
    ) -> bool {
        let is_known = matches!(target, Target::Slot(at) if self.slots[at].class == Class::Known);
        if contradiction.about == ContradictionKind::AroundProxy && is_known {
            // Sessions of this template go there anyway.
            return false;
        }
        out.joined.push(Joined::Contradiction(Box::new(event_of(contradiction, event))));
        self.open_dossier(target, world);
        let dossier = self.dossier(target);
        dossier.note(event);
        dossier.add_observed(contradiction::finding(contradiction));
        target == Target::Many
    }

    /// Adds the change that is due at a target, if any.
    pub(crate) fn report(
        &mut self,
        target: Target,
        event: &Event,
        world: &World,
        out: &mut Vec<IncidentChange>,
    ) {
        if self.known_dossier(target).is_none() {
            return;
        }
        let dossier = self.dossier(target);
        if matches!(target, Target::Slot(_)) {
            dossier.note(event);
        }
        if dossier.earlier.is_none() {
            // Thresholds are the same with and without verdicts.
            let score = Score::of(dossier.combined_unjudged());
            self.score = self.score.max(score);
        }
        let goes_on =
            self.has_past() && self.is_due_to_open(target) && self.go_on(target, event.at);
        let up_bytes = self.incident_up_bytes(target);
        let missed = self.mark_of_gaps(target, world);
        let dossier = self.dossier(target);
        let mut change = dossier.change(event.at, (up_bytes, missed));
        if goes_on && change.is_none() {
            dossier.resume(event.at, missed);
            change = Some(ChangeKind::Resumed);
        }
        if let Some(kind) = change {
            self.renew_size_findings(target, world);
            out.extend(self.change(target, kind, world));
        } else if let Some(due) =
            self.dossier(target).opened.and_then(|open| open.growth_due(up_bytes))
        {
            // It may have been the last event: then only time can bring the growth out.
            let due_s = due.as_secs().saturating_add(1);
            self.growth_due_s = self.growth_due_s.min(due_s);
        }
    }

    fn is_due_to_open(&self, target: Target) -> bool {
        let up_bytes = self.up_bytes(target);
        self.known_dossier(target).is_some_and(|dossier| dossier.is_due_to_open(up_bytes))
    }

    /// Tells growth that was held back and is due at `now_s`.
    pub(crate) fn tell_growth(&mut self, now_s: i64, world: &World, out: &mut Vec<IncidentChange>) {
        if self.growth_due_s > now_s {
            return;
        }
        self.growth_due_s = NEVER_S;
        for target in self.open_targets() {
            let up_bytes = self.incident_up_bytes(target);
            let missed = self.mark_of_gaps(target, world);
            let dossier = self.dossier(target);
            let due = dossier.opened.and_then(|open| open.growth_due(up_bytes));
            if let Some(kind) = due.and_then(|due| dossier.change(due, (up_bytes, missed))) {
                self.renew_size_findings(target, world);
                out.extend(self.change(target, kind, world));
            }
        }
    }

    /// Tells what could not be seen in the time of open incidents, where that is not told yet.
    pub(crate) fn look_at_gaps(
        &mut self,
        world: &World,
        now: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) {
        for target in self.open_targets() {
            let missed = self.mark_of_gaps(target, world);
            if self.dossier(target).obscure(now, missed) {
                self.renew_size_findings(target, world);
                out.extend(self.change(target, ChangeKind::Obscured, world));
            }
        }
    }

    /// What could not be seen in the time of a target, as a number.
    fn mark_of_gaps(&self, target: Target, world: &World) -> u64 {
        world.gaps.mark_of(&self.origin.segment, self.incident_seen(target))
    }

    /// The changes that the end of the session makes, at `at`.
    pub(crate) fn end(&mut self, at: Timestamp, world: &World, out: &mut Vec<IncidentChange>) {
        for target in self.open_targets() {
            if let Some(opened) = &mut self.dossier(target).opened {
                opened.number += 1;
                opened.changed_at = opened.changed_at.max(at);
            }
            self.renew_size_findings(target, world);
            out.extend(self.change(target, ChangeKind::Ended, world));
        }
    }
}

/// When a contact began: flows are told of later, and requests when they have ended.
fn begin_of(contact: &Event) -> Timestamp {
    match &contact.fact {
        Fact::Flow(flow) => flow.from,
        Fact::Http(request) => contact.at - Duration::from_millis(request.duration_ms.unwrap_or(0)),
        _ => contact.at,
    }
}
