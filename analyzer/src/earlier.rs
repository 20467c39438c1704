//! An incident goes on: with what later sessions of the same executor do again.
//!
//! An executor that gives its sessions no names has them cut where it falls silent. What it does after such
//! a pause is the same story to whoever is called for it, and no second incident: its next session goes on
//! with the incidents of those before it, under the id and the number of changes that they had. Where it
//! opens one of its own, that is: an ordinary visit to the destination is no reason.
//!
//! Only what is told goes on. What the sessions teach, and the scores that thresholds come from, are each
//! session's own.

use std::cmp::Reverse;
use std::sync::Arc;

use egret_event::{Attribution, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dossier::Dossier;
use crate::incident::{Observed, Severity};
use crate::roll_up::FOLLOWS_WITHIN;
use crate::session::{Session, Target};
use crate::tally::{Seen, add_observed};

/// Incidents of one executor that can go on: the gravest.
const MOST_INCIDENTS: usize = 8;

/// What an incident is from the sessions before the live one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Earlier {
    /// Name and start of the session that opened it: its id is made of them.
    pub(crate) session: SmolStr,
    pub(crate) started_at: Timestamp,
    /// Sessions that have part in it, without the live one.
    pub(crate) sessions: u32,
    observed: Observed,
    seen: Seen,
}

/// An incident that can go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PastIncident {
    destination: SmolStr,
    earlier: Earlier,
    dossier: Dossier,
}

impl PastIncident {
    fn severity(&self) -> Option<Severity> {
        self.dossier.opened.map(|opened| opened.severity)
    }

    fn is_over(&self, at: Timestamp) -> bool {
        at.since(self.earlier.seen.last) > FOLLOWS_WITHIN
    }
}

/// What ended sessions of an executor leave to its next one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) origin: Arc<Attribution>,
    /// Until when it is of use.
    pub(crate) until: Timestamp,
    incidents: Vec<PastIncident>,
}

impl Past {
    /// Whether whoever is at `origin` may be who left it: an address that another kind of executor uses, or
    /// one that works for another tenant, is another executor's.
    pub(crate) fn is_of(&self, origin: &Attribution) -> bool {
        let own = &*self.origin;
        (&own.executor, &own.session) == (&origin.executor, &origin.session)
            && (&own.template, &own.tenant) == (&origin.template, &origin.tenant)
            && own.segment == origin.segment
    }
}

impl Session {
    /// What it leaves to the executor's next session, when it has ended at `at`.
    pub(crate) fn leave_past(&mut self, at: Timestamp) -> Option<Past> {
        if self.origin.session.is_some() {
            return None;
        }
        let mut incidents: Vec<PastIncident> = self
            .open_targets()
            .into_iter()
            .filter_map(|target| {
                let (session, started_at) = self.session_of_incident(target);
                let before = self.earlier(target).map_or(0, |earlier| earlier.sessions);
                let earlier = Earlier {
                    session,
                    started_at,
                    sessions: before.saturating_add(1),
                    observed: self.incident_observed(target),
                    seen: self.incident_seen(target),
                };
                let mut dossier = self.take_dossier(target)?;
                dossier.earlier = None;
                Some(PastIncident { destination: self.destination(target), earlier, dossier })
            })
            .collect();
        let past = self.seldom.as_deref_mut().and_then(|seldom| seldom.past.take());
        let unchanged = past.map_or_else(Vec::new, |past| past.incidents);
        incidents.extend(unchanged.into_iter().filter(|incident| !incident.is_over(at)));
        incidents.sort_by(|a, b| {
            let order = |of: &PastIncident| Reverse((of.severity(), of.earlier.seen.last));
            order(a).cmp(&order(b)).then_with(|| a.destination.cmp(&b.destination))
        });
        incidents.truncate(MOST_INCIDENTS);
        let last = incidents.iter().map(|incident| incident.earlier.seen.last).max()?;
        Some(Past { origin: Arc::clone(&self.origin), until: last + FOLLOWS_WITHIN, incidents })
    }

    /// Goes on at `at` with an incident of the sessions before it, where one is about the same destination.
    /// Whether there is one.
    pub(crate) fn go_on(&mut self, target: Target, at: Timestamp) -> bool {
        let destination = self.destination(target);
        let Some(seldom) = &mut self.seldom else { return false };
        let Some(past) = &mut seldom.past else { return false };
        past.incidents.retain(|incident| !incident.is_over(at));
        let same = past.incidents.iter().position(|incident| incident.destination == destination);
        let found = same.map(|at| past.incidents.remove(at));
        if past.incidents.is_empty() {
            seldom.past = None;
        }
        let Some(PastIncident { earlier, dossier, .. }) = found else { return false };
        self.dossier(target).go_on_with(dossier, earlier);
        true
    }

    /// Whether sessions before it left incidents that may go on.
    pub(crate) fn has_past(&self) -> bool {
        self.seldom.as_deref().is_some_and(|seldom| seldom.past.is_some())
    }

    /// What a target's incident is from sessions before this one.
    pub(crate) fn earlier(&self, target: Target) -> Option<&Earlier> {
        self.known_dossier(target)?.earlier.as_deref()
    }

    /// Name and start of the session that opened a target's incident, or would open it.
    pub(crate) fn session_of_incident(&self, target: Target) -> (SmolStr, Timestamp) {
        let own = || (self.name(), self.started_at);
        self.earlier(target)
            .map_or_else(own, |earlier| (earlier.session.clone(), earlier.started_at))
    }

    /// What was observed in the time of a target's incident.
    pub(crate) fn incident_observed(&self, target: Target) -> Observed {
        let mut observed = self.observed(target);
        if let Some(earlier) = self.earlier(target) {
            let distinct_blocked = observed.distinct_blocked.max(earlier.observed.distinct_blocked);
            add_observed(&mut observed, &earlier.observed);
            // The same ones most often: a lower bound.
            observed.distinct_blocked = distinct_blocked;
        }
        observed
    }

    /// Payload bytes sent in the time of a target's incident.
    pub(crate) fn incident_up_bytes(&self, target: Target) -> u64 {
        let before = self.earlier(target).map_or(0, |earlier| earlier.observed.up_bytes);
        self.up_bytes(target).saturating_add(before)
    }

    /// The time of a target's incident.
    pub(crate) fn incident_seen(&self, target: Target) -> Seen {
        let mut seen = self.seen_at(target);
        if let Some(earlier) = self.earlier(target) {
            seen.include(earlier.seen.first);
            seen.include(earlier.seen.last);
        }
        seen
    }
}
