//! D14: session after session leaves a little at a place that nobody knew.
//!
//! No session stands out by itself; what does is how many there are at one place that was new to
//! the whole fleet, and that they take little away: a new mirror or registry is fetched from. Of
//! two weeks it is counted how many sessions such a place has, and held against what other places
//! of that age had ([`crate::drops`]). Where a fleet's customers bring services of their own, or
//! tools report to their makers, such places are part of what is normal.
//!
//! The state is that of many sessions, so it is looked at when an epoch ends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use egret_event::{Attribution, EventId, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use super::tail_kind;
use crate::baseline::Weight;
use crate::calibration::Bar;
use crate::dossier::JudgedBy;
use crate::drops::{Drop, Drops, Reach};
use crate::explain::score;
use crate::histogram::{Histogram, TAIL_QUANTILE};
use crate::incident::{
    ChangeKind, Detector, Explanation, Finding, Incident, IncidentChange, Level, MANY, Normal,
    Observed, Quantity, Severity, Stage,
};
use crate::moments::PARENT_WEIGHT;
use crate::standing::Standing;
use crate::steps::{next_steps_of_fleet_drip, techniques_of_fleet_drip};
use crate::words::{bytes_words, count_words, duration_words, probability_words};

/// Fewer sessions than this are no pattern. Egret's own choice.
const LEAST_SESSIONS: u64 = 10;

/// Bytes from which on it is urgent, all sessions together. Egret's own choice.
const MUCH: u64 = 1 << 20;

/// The incidents that are open, by destination.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FleetDrips {
    open: BTreeMap<SmolStr, Open>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Open {
    /// Sessions when it was last told.
    sessions: u64,
    standing: Standing,
}

impl FleetDrips {
    /// Looks at the places where `news` were left, when an epoch has ended at `at`: what is open grows
    /// when its sessions have doubled, and ends when the place has grown up.
    pub(crate) fn look(
        &mut self,
        (drops, news): (&Drops, &Drops),
        (at, judged_by): (Timestamp, JudgedBy),
        out: &mut Vec<IncidentChange>,
    ) {
        self.open.retain(|destination, open| {
            let is_young = drops.young.contains_key(destination);
            if !is_young {
                out.push(open.standing.change(ChangeKind::Ended, at));
            }
            is_young
        });
        let many = news.young.keys().filter_map(|destination| {
            let drop = drops.young.get(destination)?;
            (drop.sessions >= LEAST_SESSIONS).then_some((destination, drop))
        });
        let mut usual = None;
        for (destination, drop) in many {
            let usual = usual.get_or_insert_with(|| Usual::of(drops));
            let p = usual.tail(drop);
            let kind = match self.open.get(destination) {
                Some(open) if drop.sessions >= 2 * open.sessions => ChangeKind::Grew,
                None if p < Bar::default().threshold => ChangeKind::Opened,
                _ => continue,
            };
            let fleet_sessions = judged_by.template_sessions;
            let case = Case { destination, drop, p, usual, fleet_sessions };
            let standing = self.stand(&case, (at, judged_by));
            out.push(standing.change(kind, at));
        }
    }

    /// The incident as the case makes it.
    fn stand(&mut self, case: &Case<'_>, (at, judged_by): (Timestamp, JudgedBy)) -> &mut Standing {
        let known = self.open.get(case.destination);
        let opened_at = known.map_or(at, |open| open.standing.incident.opened_at);
        let incident = case.incident(opened_at, (at, judged_by));
        let sessions = case.drop.sessions;
        let open = match self.open.entry(case.destination.clone()) {
            Entry::Occupied(known) => {
                let open = known.into_mut();
                (open.sessions, open.standing.incident) = (sessions, incident);
                open
            }
            Entry::Vacant(new) => new.insert(Open { sessions, standing: Standing::new(incident) }),
        };
        &mut open.standing
    }
}

/// How many sessions young places have.
struct Usual {
    /// By [`Reach`].
    by_reach: [Histogram; 2],
    all: Histogram,
}

impl Usual {
    fn of(drops: &Drops) -> Self {
        let by_reach = [Reach::Few, Reach::Several].map(|reach| drops.sessions(reach));
        let mut all = Histogram::default();
        by_reach.iter().for_each(|sessions| all.merge(sessions));
        Self { by_reach, all }
    }

    /// Places other than the one that is judged, which is among them.
    fn places(&self) -> u64 {
        self.all.total().saturating_sub(1)
    }

    /// P(a young place has the same reach and at least as many sessions): the part of the other places
    /// that do, joined with the belief that it is 1/n² for n sessions, which is Egret's own choice.
    fn tail(&self, drop: &Drop) -> f64 {
        let same = &self.by_reach[drop.reach() as usize];
        let as_many = same.survival(drop.sessions) * same.total() as f64;
        let n = drop.sessions.max(1) as f64;
        let [others, more] = [self.places() as f64, (as_many - 1.0).max(0.0)];
        (more + PARENT_WEIGHT / (n * n)) / (others + PARENT_WEIGHT)
    }

    /// What is normal for such places.
    fn words(&self) -> String {
        let p98 = self.all.quantile(TAIL_QUANTILE);
        match self.places() {
            0 => String::new(),
            n => format!(
                "; of {} that were as new, 98 % had fewer than {p98} in their first two weeks",
                count_words(n, "other place"),
            ),
        }
    }

    /// The level that counts most.
    fn weight(&self) -> Weight {
        let mut weight = Weight::of_prior();
        weight.narrow(Level::Fleet, self.places());
        weight
    }
}

/// What an incident is made from.
struct Case<'a> {
    destination: &'a SmolStr,
    drop: &'a Drop,
    p: f64,
    usual: &'a Usual,
    /// Sessions that the fleet learned from.
    fleet_sessions: u64,
}

impl Case<'_> {
    fn incident(&self, opened_at: Timestamp, (at, judged_by): (Timestamp, JudgedBy)) -> Incident {
        let Self { destination, drop, p, .. } = self;
        let bar = Bar::default();
        let address = destination.parse().ok();
        Incident {
            id: EventId::of(&[
                b"fleet drip",
                destination.as_bytes(),
                &drop.first.as_nanos().to_le_bytes(),
            ]),
            title: self.title(),
            severity: if drop.up_bytes >= MUCH { Severity::High } else { Severity::Medium },
            score: score(bar.margin(*p)),
            stage: Stage::Priors,
            origin: Attribution::nobody(),
            session: SmolStr::new_static(MANY),
            destination: (*destination).clone(),
            hosts: Vec::new(),
            addresses: address.into_iter().collect(),
            ports: Vec::new(),
            opened_at,
            updated_at: at,
            first_seen: drop.first,
            last_seen: drop.last,
            observed: Observed {
                up_bytes: drop.up_bytes,
                down_bytes: drop.down_bytes,
                contacts_allowed: drop.contacts,
                ..Observed::default()
            },
            explanation: self.explanation(bar, judged_by),
        }
    }

    fn title(&self) -> String {
        let Self { destination, drop, .. } = self;
        format!(
            "{} left by {} at {destination}, which was new to all",
            bytes_words(drop.up_bytes),
            count_words(drop.sessions, "session"),
        )
    }

    fn explanation(&self, bar: Bar, judged_by: JudgedBy) -> Explanation {
        let Self { destination, drop, p, .. } = self;
        let finding = self.finding();
        let named: Vec<&str> = drop.named.iter().map(|(_, name)| name.as_str()).collect();
        let summary = format!(
            "{} sent {} to {destination} in {} and fetched {}. Why: {}. A young place gets this far \
             with probability {} (joined with shipped priors). The first of the sessions: {}.",
            count_words(drop.sessions, "session"),
            bytes_words(drop.up_bytes),
            duration_words(drop.last.since(drop.first)),
            bytes_words(drop.down_bytes),
            finding.words,
            probability_words(*p),
            named.join(", "),
        );
        Explanation {
            summary,
            p_combined: *p,
            threshold: bar.threshold,
            findings: vec![finding],
            baseline: judged_by.baseline,
            baseline_frozen_at: judged_by.frozen_at,
            baseline_sessions: judged_by.template_sessions,
            evidence: Vec::new(),
            gaps: Vec::new(),
            techniques: techniques_of_fleet_drip(),
            next_steps: next_steps_of_fleet_drip(destination, &named),
        }
    }

    fn finding(&self) -> Finding {
        let Self { destination, drop, p, usual, .. } = self;
        let weight = usual.weight();
        let [median, p98] = [0.5, TAIL_QUANTILE].map(|q| usual.all.quantile(q) as f64);
        Finding {
            detector: Detector::FleetDrip,
            p: *p,
            tail: tail_kind(*p, &weight),
            share: 1.0,
            place: None,
            judged_benign: None,
            observed: Quantity {
                value: drop.sessions as f64,
                unit: SmolStr::new_static("sessions that left something"),
            },
            normal: (usual.places() > 0).then(|| Normal {
                level: Level::Fleet,
                name: SmolStr::default(),
                sessions: self.fleet_sessions,
                median,
                p98,
            }),
            words: format!(
                "no session had contacted {destination} before {}, and since then {} left something \
                 there and took little away{}",
                drop.first,
                count_words(drop.sessions, "session"),
                usual.words(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sessions: u64) -> Drop {
        let at = Timestamp::from_secs(0);
        Drop {
            first: at,
            last: at,
            sessions,
            tenants: Default::default(),
            up_bytes: 0,
            down_bytes: 0,
            contacts: sessions,
            named: Default::default(),
        }
    }

    /// The tail of a place with so many sessions among others that have these.
    fn tail(sessions: u64, others: impl IntoIterator<Item = u64>) -> f64 {
        let mut drops = Drops::default();
        others.into_iter().for_each(|n| drops.grown[Reach::Few as usize].add(n));
        drops.young.insert("judged.example".into(), place(sessions));
        Usual::of(&drops).tail(&place(sessions))
    }

    #[test]
    fn without_experience_a_hundred_sessions_are_needed() {
        let [below, at] = [99, 101].map(|n| tail(n, []));
        assert!(below > 1e-4 && at < 1e-4, "{below} {at}");
    }

    #[test]
    fn what_other_places_have_makes_fewer_or_more_sessions_unlikely() {
        let small = tail(20, (0..3_000).map(|n| 1 + n % 4));
        assert!(small < 1e-4, "{small}");
        // One place in a hundred is as large.
        let mixed = tail(20, (0..3_000).map(|n| if n % 100 == 0 { 40 } else { 1 }));
        assert!(mixed > 5e-3, "{mixed}");
    }
}
