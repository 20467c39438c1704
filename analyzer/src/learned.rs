//! What sessions teach: integer counts whose merging is commutative and associative.
//!
//! A session adds to the delta of its partition when it ends; deltas are merged when an epoch
//! ends. Nothing here is a floating-point number and nothing depends on the order of merging.

use std::collections::BTreeMap;

use egret_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::TenancyKey;
use crate::calibration::Calibration;
use crate::drops::Drops;
use crate::histogram::Histogram;
use crate::hyperloglog::Distinct;
use crate::moments::Moments;
use crate::questions::CARRIED;
use crate::size::Cell;

/// The scope that holds all sessions.
pub(crate) const FLEET: u64 = 0;

/// Destinations that are remembered for each domain that is remembered for what was asked below
/// it: only few domains have more than a few names. Egret's own choice.
pub(crate) const SEEN_PER_ASKED: usize = 10;

/// The same for each place of a tenant: few sessions leave something at more than one. Egret's own choice.
pub(crate) const SEEN_PER_TENANCY: usize = 5;

/// The same for each young place at which sessions leave something: they come and go within two weeks.
/// Egret's own choice.
const SEEN_PER_DROP: usize = 16;

/// The levels that a session belongs to, each by the hash of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) template: u64,
    pub(crate) tenant: Option<u64>,
    pub(crate) segment: u64,
}

impl Place {
    /// The place of an executor. Executors without a template share one nameless template.
    pub(crate) fn of(origin: &egret_event::Attribution) -> Self {
        let name = |level: &[u8], name: &str| crate::hash::key(&[level, name.as_bytes()]);
        Self {
            template: name(b"template", origin.template.as_deref().unwrap_or("")),
            tenant: origin.tenant.as_deref().map(|tenant| name(b"tenant", tenant)),
            segment: name(b"segment", &origin.segment),
        }
    }

    /// Its scopes, widest first.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = u64> {
        [Some(FLEET), Some(self.segment), self.tenant, Some(self.template)].into_iter().flatten()
    }
}

/// What was learned, about scopes and about destinations within scopes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Learned {
    pub(crate) scopes: BTreeMap<u64, Scope>,
    /// By (scope, destination).
    pub(crate) seen: BTreeMap<(u64, u64), Seen>,
    /// What names below a domain were asked for, by (template, domain).
    pub(crate) asked: BTreeMap<(u64, u64), Asked>,
    /// Where something was left on services that everybody uses, by (scope, place).
    pub(crate) tenancies: BTreeMap<(u64, TenancyKey), Tenancy>,
    /// How unlikely sessions were, by template.
    pub(crate) calibrations: BTreeMap<u64, Calibration>,
    /// Where sessions leave something that was new to the whole fleet.
    pub(crate) drops: Drops,
}

/// What was learned about the sessions of one scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// Sessions that ended.
    pub(crate) sessions: u64,
    /// The largest size or count of each session, where it had one.
    pub(crate) sizes: BTreeMap<Cell, Histogram>,
    /// Distinct blocked destinations of each session.
    pub(crate) blocked: Moments,
}

/// What was learned about one destination in one scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Sessions that contacted it.
    pub(crate) sessions: u64,
    /// The first contact.
    pub(crate) first: Timestamp,
    /// The last contact.
    pub(crate) last: Timestamp,
    /// Tenants whose sessions contacted it; kept for the fleet only.
    pub(crate) tenants: Distinct,
    /// What a session sent it, by measure; kept for templates only, where there is any.
    #[serde(with = "sizes_if_any")]
    pub(crate) sizes: Option<Box<[Histogram; 2]>>,
}

/// What a template's sessions asked for below one domain, where that was more than a few names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The last question.
    pub(crate) last: Timestamp,
    /// What the questions of a session carried, by [`crate::questions::Carried`].
    pub(crate) sizes: [Histogram; CARRIED],
}

/// What was learned about one tenant's place in one scope.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tenancy {
    /// Sessions that left something there, or (by its key) fetched something.
    pub(crate) sessions: u64,
    /// The last time.
    pub(crate) last: Timestamp,
}

impl Tenancy {
    /// Adds what others learned about it.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.last = self.last.max(other.last);
    }
}

impl Asked {
    /// By no session yet; `last` is the time of the question to come.
    pub(crate) fn until(last: Timestamp) -> Self {
        Self { last, sizes: Default::default() }
    }

    /// Sessions that asked.
    pub(crate) fn sessions(&self) -> u64 {
        self.sizes[0].total()
    }

    fn merge(&mut self, other: &Self) {
        self.last = self.last.max(other.last);
        for (own, other) in self.sizes.iter_mut().zip(&other.sizes) {
            own.merge(other);
        }
    }
}

impl Seen {
    /// Contacted by no session yet; `first` and `last` are the times of the contacts to come.
    pub(crate) fn between(first: Timestamp, last: Timestamp) -> Self {
        Self { sessions: 0, first, last, tenants: Distinct::default(), sizes: None }
    }

    fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.tenants.merge(&other.tenants);
        if let Some(other) = &other.sizes {
            let sizes = self.sizes.get_or_insert_default();
            sizes.iter_mut().zip(other.iter()).for_each(|(own, other)| own.merge(other));
        }
    }
}

/// Sizes in bytes as two histograms, empty ones where there are none: of all entries, which are most of
/// what is learned, only those of templates need the room in memory.
mod sizes_if_any {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::histogram::Histogram;

    type Sizes = Option<Box<[Histogram; 2]>>;

    pub(super) fn serialize<S: Serializer>(sizes: &Sizes, to: S) -> Result<S::Ok, S::Error> {
        sizes.as_deref().unwrap_or(&Default::default()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sizes, D::Error> {
        let sizes = <[Histogram; 2]>::deserialize(from)?;
        let is_any = sizes.iter().any(|sizes| sizes.total() > 0);
        Ok(is_any.then(|| Box::new(sizes)))
    }
}

impl Scope {
    fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        for (cell, sizes) in &other.sizes {
            self.sizes.entry(*cell).or_default().merge(sizes);
        }
        self.blocked.merge(&other.blocked);
    }
}

impl Learned {
    /// Whether nothing was learned.
    pub(crate) fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.calibrations.is_empty() && self.drops.young.is_empty()
    }

    /// Sessions that were learned from, over the fleet.
    pub(crate) fn sessions(&self) -> u64 {
        self.scopes.get(&FLEET).map_or(0, |scope| scope.sessions)
    }

    /// Adds all that `other` learned.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, scope) in &other.scopes {
            self.scopes.entry(*key).or_default().merge(scope);
        }
        for (key, seen) in &other.seen {
            self.seen
                .entry(*key)
                .or_insert_with(|| Seen::between(seen.first, seen.last))
                .merge(seen);
        }
        for (key, asked) in &other.asked {
            self.asked.entry(*key).or_insert_with(|| Asked::until(asked.last)).merge(asked);
        }
        for (key, tenancy) in &other.tenancies {
            let none = Tenancy { sessions: 0, ..*tenancy };
            self.tenancies.entry(*key).or_insert(none).merge(tenancy);
        }
        for (key, calibration) in &other.calibrations {
            self.calibrations.entry(*key).or_default().merge(calibration);
        }
        self.drops.merge(&other.drops);
    }

    /// Forgets the least known entries beyond the limits; how many destinations were forgotten.
    /// The fleet is never forgotten.
    pub(crate) fn shrink_to(&mut self, max_scopes: usize, max_seen: usize) -> u64 {
        let excess = self.scopes.len().saturating_sub(max_scopes);
        let mut rank: Vec<_> =
            self.scopes.iter().map(|(key, s)| (*key == FLEET, s.sessions, *key)).collect();
        rank.sort_unstable();
        for (_, _, key) in rank.into_iter().take(excess) {
            self.scopes.remove(&key);
        }
        self.shrink_calibrations(max_scopes);
        let before = self.seen.len();
        self.seen.retain(|(scope, _), _| self.scopes.contains_key(scope));
        let excess = self.seen.len().saturating_sub(max_seen);
        if excess > 0 {
            let mut rank: Vec<_> =
                self.seen.iter().map(|(key, seen)| (seen.sessions, seen.last, *key)).collect();
            rank.select_nth_unstable(excess - 1);
            for (_, _, key) in &rank[..excess] {
                self.seen.remove(key);
            }
        }
        (before - self.seen.len()) as u64
            + self.shrink_asked(max_seen / SEEN_PER_ASKED)
            + self.shrink_tenancies(max_seen / SEEN_PER_TENANCY)
            + self.drops.shrink_to(max_seen / SEEN_PER_DROP)
    }

    /// As [`Self::shrink_to`], for tenants' places.
    fn shrink_tenancies(&mut self, most: usize) -> u64 {
        let before = self.tenancies.len();
        self.tenancies.retain(|(scope, _), _| self.scopes.contains_key(scope));
        let excess = self.tenancies.len().saturating_sub(most);
        if excess > 0 {
            let ranked = |(key, tenancy): (&(u64, TenancyKey), &Tenancy)| {
                (tenancy.sessions, tenancy.last, *key)
            };
            let mut rank: Vec<_> = self.tenancies.iter().map(ranked).collect();
            rank.select_nth_unstable(excess - 1);
            for (_, _, key) in &rank[..excess] {
                self.tenancies.remove(key);
            }
        }
        (before - self.tenancies.len()) as u64
    }

    /// Forgets the scores of a template's sessions.
    pub(crate) fn calibrate_anew(&mut self, template: u64) {
        self.calibrations.remove(&template);
    }

    fn shrink_calibrations(&mut self, most: usize) {
        let excess = self.calibrations.len().saturating_sub(most);
        let mut rank: Vec<_> =
            self.calibrations.iter().map(|(key, known)| (known.sessions(), *key)).collect();
        rank.sort_unstable();
        for (_, key) in rank.into_iter().take(excess) {
            self.calibrations.remove(&key);
        }
    }

    /// As [`Self::shrink_to`], for the domains that were asked for.
    fn shrink_asked(&mut self, most: usize) -> u64 {
        let before = self.asked.len();
        self.asked.retain(|(scope, _), _| self.scopes.contains_key(scope));
        let excess = self.asked.len().saturating_sub(most);
        if excess > 0 {
            let mut rank: Vec<_> = self
                .asked
                .iter()
                .map(|(key, asked)| (asked.sessions(), asked.last, *key))
                .collect();
            rank.select_nth_unstable(excess - 1);
            for (_, _, key) in &rank[..excess] {
                self.asked.remove(key);
            }
        }
        (before - self.asked.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Baseline;
    use crate::size::{Class, Kind, Measure};
    use proptest::prelude::*;

    const CELL: Cell = Cell::of_upload(Class::New, Kind::Web, Measure::Sum);

    /// What one session teaches: (scope, destination, bytes, tenant).
    type Lesson = (u64, u64, u64, u64);

    fn delta(lessons: &[Lesson]) -> Learned {
        let mut delta = Learned::default();
        for (scope, destination, bytes, tenant) in lessons {
            let at = Timestamp::from_secs(*bytes as i64 % 1000);
            let level = delta.scopes.entry(*scope).or_default();
            level.sessions += 1;
            level.sizes.entry(CELL).or_default().add(*bytes);
            level.blocked.add(*destination as u32);
            let seen =
                delta.seen.entry((*scope, *destination)).or_insert_with(|| Seen::between(at, at));
            let mut one = Seen::between(at, at);
            one.sessions = 1;
            one.tenants.insert(crate::hash::key(&[&tenant.to_le_bytes()]));
            one.sizes.get_or_insert_default()[1].add(*bytes);
            seen.merge(&one);
            let mut asked = Asked::until(at);
            asked.sizes.iter_mut().for_each(|sizes| sizes.add(*bytes));
            let key = (*scope, *destination);
            delta.asked.entry(key).or_insert_with(|| Asked::until(at)).merge(&asked);
            let place = TenancyKey { kind: *bytes as u8 % 3, place: *destination };
            let once = Tenancy { sessions: 1, last: at };
            let none = Tenancy { sessions: 0, ..once };
            delta.tenancies.entry((*scope, place)).or_insert(none).merge(&once);
        }
        delta
    }

    fn lessons() -> impl Strategy<Value = Vec<Lesson>> {
        prop::collection::vec((0u64..4, 0u64..20, any::<u64>(), 0u64..30), 0..60)
    }

    proptest! {
        #[test]
        fn deltas_merge_in_any_order_and_grouping(a in lessons(), b in lessons(), c in lessons()) {
            let [da, db, dc] = [&a, &b, &c].map(|lessons| delta(lessons));
            let merged = |deltas: &[&Learned]| {
                let mut sum = Learned::default();
                deltas.iter().for_each(|delta| sum.merge(delta));
                sum
            };
            let one_by_one = merged(&[&da, &db, &dc]);
            let grouped = merged(&[&merged(&[&dc, &db]), &da]);
            prop_assert_eq!(&one_by_one, &grouped);
            prop_assert_eq!(&one_by_one, &delta(&[c, a, b].concat()));
            let id = |learned| Baseline::freeze(learned, None, 0).id();
            prop_assert_eq!(id(one_by_one), id(grouped));
        }

        #[test]
        fn shrinking_keeps_the_best_known_and_the_fleet(lessons in lessons(), most in 0usize..20) {
            let mut learned = delta(&lessons);
            let before = learned.clone();
            let forgotten = learned.shrink_to(2, most);
            prop_assert!(learned.seen.len() <= most && learned.scopes.len() <= 2);
            prop_assert!(learned.asked.len() <= most / SEEN_PER_ASKED);
            prop_assert!(learned.tenancies.len() <= most / SEEN_PER_TENANCY);
            let entries = |of: &Learned| of.seen.len() + of.asked.len() + of.tenancies.len();
            prop_assert_eq!(entries(&before), entries(&learned) + forgotten as usize);
            prop_assert!(!before.seen.keys().any(|(scope, _)| *scope == FLEET)
                || learned.scopes.contains_key(&FLEET));
        }
    }
}
