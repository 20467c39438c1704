//! Roll-ups: incidents that are one story, so that it is told once.
//!
//! Incidents are about one session and one destination. Forty sessions that go to one bad place are forty
//! incidents and one story; so is one host whose work idle gaps cut into four sessions. A roll-up is what
//! incidents of one [`Story`] come to that follow one another within [`FOLLOWS_WITHIN`] of event time.
//!
//! It is a function of the set of incidents: of no order in which they came, and of no clock. When an
//! incident grows until it meets a later roll-up, the two become one, under the id of the earlier.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use egret_event::{EventId, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detect::policy::is_local_place;
use crate::hash::key;
use crate::incident::MANY;
use crate::{Detector, Incident, IncidentStatus, Severity};

/// Event time between the end of what was seen and the next opening up to which both are one roll-up.
/// Egret's own choice: what runs nightly is one story.
pub(crate) const FOLLOWS_WITHIN: Duration = Duration::from_secs(86_400);

/// Most names in a list; the count beside it tells of all.
const MOST_NAMES: usize = 8;

/// What incidents have in common that are one story.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Story {
    /// A public destination, whoever goes there.
    Destination {
        /// The registrable domain or the address.
        destination: SmolStr,
        /// The tenant's place on a shared service, where that is what the incidents are about: two
        /// strangers' buckets are two stories. `None`: they are about no such place.
        place: Option<SmolStr>,
    },
    /// A private address, an internal name or a metadata service: it is another host in each segment, and
    /// what contacts it is one kind of executor, or one executor where the kind is not known.
    Internal {
        /// The address or name.
        destination: SmolStr,
        /// The network segment.
        segment: SmolStr,
        /// The kind of executor.
        template: Option<SmolStr>,
        /// The executor, where its kind is not known.
        executor: Option<SmolStr>,
    },
    /// Many destinations of one executor, as long as it is of one kind and works for one tenant: executors
    /// that behave alike have no place in common that would make it one story.
    Executor {
        /// The executor.
        executor: SmolStr,
        /// Its kind.
        template: Option<SmolStr>,
        /// Who it works for.
        tenant: Option<SmolStr>,
    },
    /// The sessions of a template together.
    Template {
        /// The kind of executor. `None`: those of no known kind.
        template: Option<SmolStr>,
    },
    /// A source that does not see, or another part of Egret that cannot do its work.
    Source {
        /// Its name.
        source: SmolStr,
    },
}

impl Story {
    /// What `incident` is one of the incidents about.
    pub fn of(incident: &Incident) -> Self {
        let Incident { origin, destination, explanation, .. } = incident;
        let findings = &explanation.findings;
        if incident.is_about_egret() {
            return Self::Source { source: incident.session.clone() };
        }
        let (executor, template) = (origin.executor.clone(), origin.template.clone());
        let destination = destination.clone();
        if destination == MANY && incident.session == MANY {
            return Self::Template { template };
        }
        if destination == MANY {
            return Self::Executor { executor, template, tenant: origin.tenant.clone() };
        }
        if is_local_place(&destination) {
            let executor = template.is_none().then_some(executor);
            let segment = origin.segment.clone();
            return Self::Internal { destination, segment, template, executor };
        }
        let place = findings.iter().find_map(|finding| finding.place.clone());
        Self::Destination { destination, place }
    }

    /// The destination as incidents have it.
    pub fn destination(&self) -> SmolStr {
        match self {
            Self::Destination { destination, .. } | Self::Internal { destination, .. } => {
                destination.clone()
            }
            Self::Executor { .. } | Self::Template { .. } | Self::Source { .. } => {
                SmolStr::new_static(MANY)
            }
        }
    }

    /// The id of the roll-up that begins with an incident.
    fn roll_up_id(&self, first: EventId) -> EventId {
        let some = |name: &'_ Option<SmolStr>| name.clone().unwrap_or_default();
        let none = SmolStr::default;
        let (kind, parts) = match self.clone() {
            Self::Destination { destination, place } => {
                (0, [destination, some(&place), none(), none()])
            }
            Self::Internal { destination, segment, template, executor } => {
                (1, [destination, segment, some(&template), some(&executor)])
            }
            Self::Executor { executor, template, tenant } => {
                (2, [executor, some(&template), some(&tenant), none()])
            }
            Self::Source { source } => (3, [source, none(), none(), none()]),
            Self::Template { template } => (4, [some(&template), none(), none(), none()]),
        };
        let [a, b, c, d] = parts.each_ref().map(|part| part.as_bytes());
        EventId::of(&[b"roll-up", &[kind], a, b, c, d, &first.to_bytes()])
    }
}

/// What a roll-up needs to know of an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// What it is one of the incidents about.
    pub story: Story,
    /// Its id.
    pub incident: EventId,
    /// When it opened.
    pub opened_at: Timestamp,
    /// The last event of it.
    pub last_seen: Timestamp,
    /// How urgent it is.
    pub severity: Severity,
    /// Its score.
    pub score: f64,
    /// Its strongest detector.
    pub detector: Option<Detector>,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Its session; `"*"` for many, and a blind source's name, are none.
    pub session: SmolStr,
    /// Who did it; empty where nobody did.
    pub executor: SmolStr,
    /// The kind of executor.
    pub template: Option<SmolStr>,
    /// Who it works for.
    pub tenant: Option<SmolStr>,
}

impl Member {
    /// What is needed of an incident that stands so.
    pub fn of(incident: &Incident, status: IncidentStatus) -> Self {
        Self {
            story: Story::of(incident),
            incident: incident.id,
            opened_at: incident.opened_at,
            last_seen: incident.last_seen,
            severity: incident.severity,
            score: incident.score,
            detector: incident.strongest(),
            status,
            session: incident.session.clone(),
            executor: incident.origin.executor.clone(),
            template: incident.origin.template.clone(),
            tenant: incident.origin.tenant.clone(),
        }
    }

    fn order(&self) -> (&Story, Timestamp, EventId) {
        (&self.story, self.opened_at, self.incident)
    }

    /// Whether it is about a session, and not about many together or about a source.
    fn is_of_a_session(&self) -> bool {
        !matches!(self.story, Story::Source { .. }) && self.session != MANY
    }
}

/// What incidents of one story come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollUp {
    /// A hash of its story and of the id of its first incident.
    pub id: EventId,
    /// What its incidents have in common.
    pub story: Story,
    /// The destination, as its incidents have it.
    pub destination: SmolStr,
    /// The incident that opened first.
    pub first_incident: EventId,
    /// The incident that opened last.
    pub last_incident: EventId,
    /// When the first one opened.
    pub first_opened_at: Timestamp,
    /// When the last one opened.
    pub last_opened_at: Timestamp,
    /// The last event of any of them, or the last opening where that is later.
    pub last_seen: Timestamp,
    /// How many they are.
    pub incidents: u64,
    /// Distinct sessions.
    pub sessions: u64,
    /// The executors.
    pub executors: Names,
    /// Their kinds.
    pub templates: Names,
    /// Who they work for.
    pub tenants: Names,
    /// The highest severity.
    pub severity: Severity,
    /// The highest score among those of that severity.
    pub score: f64,
    /// The detectors that had most part in them, the most frequent first.
    pub detectors: Vec<StrongestDetector>,
    /// How many nobody has taken on.
    pub open: u64,
    /// How many somebody has.
    pub acknowledged: u64,
    /// How many are done.
    pub closed: u64,
}

/// Distinct names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Names {
    /// How many there are.
    pub count: u64,
    /// The first of them, at most 8.
    pub names: Vec<SmolStr>,
}

/// A detector that had most part in incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StrongestDetector {
    /// Which.
    pub detector: Detector,
    /// In how many.
    pub incidents: u64,
}

/// The roll-ups of incidents in any order, each incident once.
pub fn roll_up(mut members: Vec<Member>) -> Vec<RollUp> {
    members.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut roll_ups = RollUps::default();
    let mut all: Vec<RollUp> = members.iter().filter_map(|member| roll_ups.add(member)).collect();
    all.extend(roll_ups.finish());
    all
}

/// The roll-ups of incidents that nobody has done anything about.
pub fn roll_up_new(incidents: &[Incident]) -> Vec<RollUp> {
    roll_up(incidents.iter().map(|incident| Member::of(incident, IncidentStatus::Open)).collect())
}

/// Rolls up incidents that come in order. It holds one roll-up at a time, and 8 bytes for each distinct
/// session and name in it.
#[derive(Debug, Default)]
pub struct RollUps {
    growing: Option<Growing>,
}

impl RollUps {
    /// Takes in the next one: those of one story come together, in order of opening and id. What is complete
    /// by then comes back.
    pub fn add(&mut self, member: &Member) -> Option<RollUp> {
        match &mut self.growing {
            Some(growing) if growing.is_continued_by(member) => {
                growing.add(member);
                None
            }
            _ => self.growing.replace(Growing::begin(member)).map(Growing::finish),
        }
    }

    /// What is complete when there are no more.
    pub fn finish(self) -> Option<RollUp> {
        self.growing.map(Growing::finish)
    }
}

/// A roll-up that may not be complete.
#[derive(Debug)]
struct Growing {
    roll_up: RollUp,
    sessions: BTreeSet<u64>,
    executors: Distinct,
    templates: Distinct,
    tenants: Distinct,
    detectors: BTreeMap<Detector, u64>,
}

impl Growing {
    fn begin(first: &Member) -> Self {
        let mut growing = Self {
            roll_up: RollUp {
                id: first.story.roll_up_id(first.incident),
                destination: first.story.destination(),
                story: first.story.clone(),
                first_incident: first.incident,
                last_incident: first.incident,
                first_opened_at: first.opened_at,
                last_opened_at: first.opened_at,
                last_seen: first.last_seen.max(first.opened_at),
                incidents: 0,
                sessions: 0,
                executors: Names::default(),
                templates: Names::default(),
                tenants: Names::default(),
                severity: first.severity,
                score: first.score,
                detectors: Vec::new(),
                open: 0,
                acknowledged: 0,
                closed: 0,
            },
            sessions: BTreeSet::new(),
            executors: Distinct::default(),
            templates: Distinct::default(),
            tenants: Distinct::default(),
            detectors: BTreeMap::new(),
        };
        growing.add(first);
        growing
    }

    fn is_continued_by(&self, next: &Member) -> bool {
        let RollUp { story, last_seen, .. } = &self.roll_up;
        *story == next.story && next.opened_at.since(*last_seen) <= FOLLOWS_WITHIN
    }

    fn add(&mut self, member: &Member) {
        let roll_up = &mut self.roll_up;
        roll_up.last_incident = member.incident;
        roll_up.last_opened_at = member.opened_at;
        roll_up.last_seen = roll_up.last_seen.max(member.last_seen).max(member.opened_at);
        roll_up.incidents += 1;
        let worst = member.severity.cmp(&roll_up.severity);
        if worst.then(member.score.total_cmp(&roll_up.score)).is_gt() {
            (roll_up.severity, roll_up.score) = (member.severity, member.score);
        }
        *match member.status {
            IncidentStatus::Open => &mut roll_up.open,
            IncidentStatus::Acknowledged => &mut roll_up.acknowledged,
            IncidentStatus::Closed => &mut roll_up.closed,
        } += 1;
        if member.is_of_a_session() {
            self.sessions.insert(key(&[member.executor.as_bytes(), member.session.as_bytes()]));
        }
        self.executors.note(Some(&member.executor).filter(|name| !name.is_empty()));
        self.templates.note(member.template.as_ref());
        self.tenants.note(member.tenant.as_ref());
        if let Some(detector) = member.detector {
            *self.detectors.entry(detector).or_default() += 1;
        }
    }

    fn finish(self) -> RollUp {
        let mut detectors: Vec<StrongestDetector> = self
            .detectors
            .into_iter()
            .map(|(detector, incidents)| StrongestDetector { detector, incidents })
            .collect();
        // Stable: among equals the detectors' own order stays.
        detectors.sort_by_key(|one| Reverse(one.incidents));
        RollUp {
            sessions: self.sessions.len() as u64,
            executors: self.executors.names(),
            templates: self.templates.names(),
            tenants: self.tenants.names(),
            detectors,
            ..self.roll_up
        }
    }
}

/// Distinct names: all by their hashes, the first few as they are.
#[derive(Debug, Default)]
struct Distinct {
    all: BTreeSet<u64>,
    first: Vec<SmolStr>,
}

impl Distinct {
    fn note(&mut self, name: Option<&SmolStr>) {
        let Some(name) = name else { return };
        if self.all.insert(key(&[name.as_bytes()])) && self.first.len() < MOST_NAMES {
            self.first.push(name.clone());
        }
    }

    fn names(self) -> Names {
        Names { count: self.all.len() as u64, names: self.first }
    }
}

#[cfg(test)]
mod tests;
