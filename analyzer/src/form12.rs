//! What was learned, in the form of snapshots of versions 8 to 12: of bursts a level knew how many
//! there were in the mean and how much they vary. Read, and never written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::baseline::TenancyKey;
use crate::calibration::Calibration;
use crate::detect::rate_burst::WINDOWS;
use crate::drops::Drops;
use crate::histogram::Histogram;
use crate::learned::{Asked, Learned, Scope, Seen, Tenancy};
use crate::moments::Moments;
use crate::size::Cell;

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, Clone))]
pub(crate) struct LearnedForm12 {
    pub(crate) scopes: BTreeMap<u64, ScopeForm12>,
    pub(crate) seen: BTreeMap<(u64, u64), Seen>,
    pub(crate) asked: BTreeMap<(u64, u64), Asked>,
    pub(crate) tenancies: BTreeMap<(u64, TenancyKey), Tenancy>,
    pub(crate) calibrations: BTreeMap<u64, Calibration>,
    pub(crate) drops: Drops,
}

/// A level, from version 3 on.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, Clone))]
pub(crate) struct ScopeForm12 {
    pub(crate) sessions: u64,
    pub(crate) sizes: BTreeMap<Cell, Histogram>,
    #[cfg_attr(not(test), expect(dead_code, reason = "not kept, and in the way of what is"))]
    pub(crate) bursts: [[Moments; WINDOWS]; 2],
    pub(crate) blocked: Moments,
}

/// Levels in today's form.
pub(crate) fn renewed(scopes: BTreeMap<u64, ScopeForm12>) -> BTreeMap<u64, Scope> {
    scopes.into_iter().map(|(key, scope)| (key, scope.into())).collect()
}

impl From<LearnedForm12> for Learned {
    fn from(old: LearnedForm12) -> Self {
        let LearnedForm12 { scopes, seen, asked, tenancies, calibrations, drops } = old;
        Self { scopes: renewed(scopes), seen, asked, tenancies, calibrations, drops }
    }
}

/// Bursts are learned anew: how often each count was seen does not follow from their moments. So is what
/// goes to many destinations together, of which sessions that had not so many taught that it is nothing.
impl From<ScopeForm12> for Scope {
    fn from(old: ScopeForm12) -> Self {
        let ScopeForm12 { sessions, mut sizes, blocked, .. } = old;
        sizes.retain(|cell, _| !cell.is_of_many());
        Self { sessions, sizes, blocked }
    }
}

/// The old form of levels.
#[cfg(test)]
pub(crate) fn of(scopes: BTreeMap<u64, Scope>) -> BTreeMap<u64, ScopeForm12> {
    let old = |(key, scope)| {
        let Scope { sessions, sizes, blocked } = scope;
        (key, ScopeForm12 { sessions, sizes, bursts: Default::default(), blocked })
    };
    scopes.into_iter().map(old).collect()
}
