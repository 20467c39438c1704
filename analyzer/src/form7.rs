//! What was learned, in the form of snapshots of versions 6 and 7: without the places at which many
//! sessions leave something. Read, and never written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::baseline::TenancyKey;
use crate::calibration::Calibration;
use crate::form12::{ScopeForm12, renewed};
use crate::learned::{Asked, Learned, Seen, Tenancy};

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, Clone))]
pub(crate) struct LearnedForm7 {
    pub(crate) scopes: BTreeMap<u64, ScopeForm12>,
    pub(crate) seen: BTreeMap<(u64, u64), Seen>,
    pub(crate) asked: BTreeMap<(u64, u64), Asked>,
    pub(crate) tenancies: BTreeMap<(u64, TenancyKey), Tenancy>,
    pub(crate) calibrations: BTreeMap<u64, Calibration>,
}

impl From<LearnedForm7> for Learned {
    fn from(old: LearnedForm7) -> Self {
        let LearnedForm7 { scopes, seen, asked, tenancies, calibrations } = old;
        Self { scopes: renewed(scopes), seen, asked, tenancies, calibrations, ..Self::default() }
    }
}
