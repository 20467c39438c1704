//! What was learned, in the form of snapshots up to version 2: the sizes of a level stood in an
//! array of 18. Read, and never written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::detect::rate_burst::WINDOWS;
use crate::histogram::Histogram;
use crate::learned::{Learned, Scope, Seen};
use crate::moments::Moments;
use crate::size::{Cell, UPLOAD_CELLS};

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, Clone))]
pub(crate) struct LearnedForm2 {
    scopes: BTreeMap<u64, ScopeForm2>,
    seen: BTreeMap<(u64, u64), Seen>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, Clone))]
struct ScopeForm2 {
    sessions: u64,
    sizes: [Histogram; UPLOAD_CELLS as usize],
    #[cfg_attr(not(test), expect(dead_code, reason = "not kept, and in the way of what is"))]
    bursts: [[Moments; WINDOWS]; 2],
    blocked: Moments,
}

impl From<LearnedForm2> for Learned {
    fn from(old: LearnedForm2) -> Self {
        let scopes = old.scopes.into_iter().map(|(key, scope)| (key, scope.into()));
        Self { scopes: scopes.collect(), seen: old.seen, ..Self::default() }
    }
}

impl From<ScopeForm2> for Scope {
    fn from(old: ScopeForm2) -> Self {
        let is_kept = |(cell, sizes): &(Cell, Histogram)| !cell.is_of_many() && sizes.total() > 0;
        let sizes = Cell::uploads().zip(old.sizes).filter(is_kept);
        Self { sessions: old.sessions, sizes: sizes.collect(), blocked: old.blocked }
    }
}

/// A fleet of seven sessions, one of which sent something new.
#[cfg(test)]
pub(crate) fn sample() -> LearnedForm2 {
    let mut sizes: [Histogram; UPLOAD_CELLS as usize] = Default::default();
    sizes[1].add(5_000);
    let blocked = Moments::default();
    let scope = ScopeForm2 { sessions: 7, sizes, bursts: Default::default(), blocked };
    LearnedForm2 { scopes: [(crate::learned::FLEET, scope)].into(), seen: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::{Class, Kind, Measure};

    #[test]
    fn what_the_old_form_holds_stands_in_the_cells_of_the_new() {
        let new = Learned::from(sample());
        let cell = Cell::of_upload(Class::New, Kind::Web, Measure::Sum);
        let fleet = &new.scopes[&crate::learned::FLEET];
        assert_eq!(fleet.sessions, 7);
        assert_eq!(fleet.sizes.keys().collect::<Vec<_>>(), [&cell]);
        assert_eq!(fleet.sizes[&cell].total(), 1);
    }
}
