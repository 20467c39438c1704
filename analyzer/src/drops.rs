//! Places that are new to the whole fleet and at which session after session leaves something and
//! takes little away: what D14 ([`crate::detect::fleet_drip`]) counts.
//!
//! A place is young for two weeks from the first session that left something there. Then how many
//! sessions it had becomes part of what is normal for young places, and it is forgotten. All counts
//! are integers that merge in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use egret_event::{SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::baseline::SHARED_BY;
use crate::histogram::Histogram;
use crate::hyperloglog::Distinct;
use crate::learned::Learned;
use crate::priors::{is_known_service, is_platform};
use crate::session::{Session, Slot};
use crate::size::Kind;
use crate::tally::LITTLE;
use crate::world::World;

/// How long a place is young. Egret's own choice: as long as an analyst has to object to what is
/// learned, twice.
pub(crate) const YOUTH: Duration = Duration::from_secs(14 * 86_400);

/// Sessions that are remembered by name.
const MOST_NAMED: usize = 8;

/// Young places of one partition's delta.
const MOST_PER_PARTITION: usize = 512;

/// The young places, and what became of earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drops {
    /// By destination.
    pub(crate) young: BTreeMap<SmolStr, Drop>,
    /// How many sessions places had at the end of their youth, by [`Reach`].
    pub(crate) grown: [Histogram; 2],
}

/// A young place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drop {
    /// The first contact.
    pub(crate) first: Timestamp,
    /// The last contact.
    pub(crate) last: Timestamp,
    /// Sessions that left something and took little away.
    pub(crate) sessions: u64,
    /// Their tenants.
    pub(crate) tenants: Distinct,
    /// What they sent, fetched, and in how many contacts.
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
    pub(crate) contacts: u64,
    /// The first of the sessions, by the time of their first contact.
    pub(crate) named: BTreeSet<(Timestamp, SmolStr)>,
}

/// Whose sessions a place has: a customer's own service is young once for each customer, what all
/// use at once is much rarer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of one tenant or two, or of nobody known.
    Few,
    /// Those of several.
    Several,
}

impl Drop {
    /// By one session.
    fn of(slot: &Slot, session: &Session) -> Self {
        let observed = slot.tally.observed();
        let mut tenants = Distinct::default();
        session.place.tenant.into_iter().for_each(|tenant| tenants.insert(tenant));
        Self {
            first: slot.seen.first,
            last: slot.seen.last,
            sessions: 1,
            tenants,
            up_bytes: observed.up_bytes,
            down_bytes: observed.down_bytes,
            contacts: observed.contacts_allowed,
            named: [(slot.seen.first, session.name())].into(),
        }
    }

    /// Whose sessions it has.
    pub(crate) fn reach(&self) -> Reach {
        if self.tenants.count() >= SHARED_BY { Reach::Several } else { Reach::Few }
    }

    fn is_grown(&self, at: Timestamp) -> bool {
        at.since(self.first) >= YOUTH
    }

    fn merge(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.sessions += other.sessions;
        self.tenants.merge(&other.tenants);
        self.up_bytes = self.up_bytes.saturating_add(other.up_bytes);
        self.down_bytes = self.down_bytes.saturating_add(other.down_bytes);
        self.contacts += other.contacts;
        self.named.extend(other.named.iter().cloned());
        while self.named.len() > MOST_NAMED {
            self.named.pop_last();
        }
    }
}

impl Drops {
    /// Adds what others saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (destination, drop) in &other.young {
            self.add(destination, drop);
        }
        for (own, other) in self.grown.iter_mut().zip(&other.grown) {
            own.merge(other);
        }
    }

    fn add(&mut self, destination: &SmolStr, drop: &Drop) {
        match self.young.get_mut(destination) {
            Some(known) => known.merge(drop),
            None => {
                self.young.insert(destination.clone(), drop.clone());
            }
        }
    }

    /// Ends the youth of the places for which it is time at `at`.
    pub(crate) fn grow(&mut self, at: Timestamp) {
        let grown = &mut self.grown;
        self.young.retain(|_, drop| {
            let is_grown = drop.is_grown(at);
            if is_grown {
                grown[drop.reach() as usize].add(drop.sessions);
            }
            !is_grown
        });
    }

    /// Forgets the places with the fewest sessions beyond `most`; how many.
    pub(crate) fn shrink_to(&mut self, most: usize) -> u64 {
        let excess = self.young.len().saturating_sub(most);
        if excess > 0 {
            let ranked = |(name, drop): (&SmolStr, &Drop)| (drop.sessions, drop.last, name.clone());
            let mut rank: Vec<_> = self.young.iter().map(ranked).collect();
            rank.select_nth_unstable(excess - 1);
            for (_, _, name) in &rank[..excess] {
                self.young.remove(name);
            }
        }
        excess as u64
    }

    /// How many sessions places of a reach had or have.
    pub(crate) fn sessions(&self, reach: Reach) -> Histogram {
        let mut sessions = self.grown[reach as usize].clone();
        let young = self.young.values().filter(|drop| drop.reach() == reach);
        young.for_each(|drop| sessions.add(drop.sessions));
        sessions
    }
}

impl Session {
    /// Adds the young places at which it left something to `delta`; how many found no room. It does
    /// so at once, however unlikely the session was: what many sessions do is to be seen soon.
    pub(crate) fn teach_drops(&self, world: &World, delta: &mut Learned) -> u64 {
        let ladder = world.baseline.ladder(&self.place);
        if !ladder.knows_what_is_new_to_all() {
            return 0;
        }
        let mut lost = 0;
        let left = self.slots.iter().filter(|slot| is_left_at(slot));
        for slot in left.filter(|slot| ladder.is_young(&slot.domain, slot.key)) {
            let young = &mut delta.drops.young;
            if young.len() >= MOST_PER_PARTITION && !young.contains_key(&slot.domain) {
                lost += 1;
                continue;
            }
            delta.drops.add(&slot.domain, &Drop::of(slot, self));
        }
        lost
    }
}

/// Whether a session left something at a destination and took little away.
fn is_left_at(slot: &Slot) -> bool {
    let observed = slot.tally.observed();
    let little = LITTLE.saturating_mul(observed.contacts_allowed).max(observed.up_bytes);
    observed.contacts_allowed > 0
        && observed.up_bytes > 0
        && observed.down_bytes <= little
        && slot.kind != Kind::Dns
        && !slot.is_private
        && !is_known_service(&slot.domain)
        && !is_platform(&slot.domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What one session left: (place, second, bytes, tenant).
    type Left = (u8, u32, u16, u8);

    fn of(left: &[Left]) -> Drops {
        let mut drops = Drops::default();
        for (place, second, bytes, tenant) in left {
            let at = Timestamp::from_secs(i64::from(*second));
            let mut tenants = Distinct::default();
            tenants.insert(crate::hash::key(&[&[*tenant]]));
            let drop = Drop {
                first: at,
                last: at,
                sessions: 1,
                tenants,
                up_bytes: u64::from(*bytes),
                down_bytes: 0,
                contacts: 1,
                named: [(at, format!("session of {tenant}").into())].into(),
            };
            drops.add(&format!("place-{place}.example").into(), &drop);
        }
        drops
    }

    fn left() -> impl Strategy<Value = Vec<Left>> {
        prop::collection::vec((0u8..6, any::<u32>(), any::<u16>(), any::<u8>()), 0..80)
    }

    proptest! {
        #[test]
        fn drops_merge_in_any_order_and_grouping(a in left(), b in left(), c in left()) {
            let [da, db, dc] = [&a, &b, &c].map(|left| of(left));
            let merged = |parts: &[&Drops]| {
                let mut sum = Drops::default();
                parts.iter().for_each(|part| sum.merge(part));
                sum
            };
            let one_by_one = merged(&[&da, &db, &dc]);
            prop_assert_eq!(&one_by_one, &merged(&[&merged(&[&dc, &db]), &da]));
            prop_assert_eq!(&one_by_one, &of(&[c, a, b].concat()));
        }

        #[test]
        fn no_session_is_lost_when_places_grow_up(left in left(), at in any::<u32>()) {
            let mut drops = of(&left);
            let places = drops.young.len() as u64;
            drops.grow(Timestamp::from_secs(i64::from(at)) + YOUTH);
            let grown: u64 = drops.grown.iter().map(Histogram::total).sum();
            prop_assert_eq!(drops.young.len() as u64 + grown, places);
            prop_assert!(drops.young.values().all(|drop| drop.first.as_secs() > i64::from(at)));
        }
    }
}
