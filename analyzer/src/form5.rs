//! What was learned, in the form of snapshots of versions 3 to 5: without tenants' places and
//! calibrations. Read, and never written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::form12::{ScopeForm12, renewed};
use crate::learned::{Asked, Learned, Seen};

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, Clone))]
pub(crate) struct LearnedForm5 {
    pub(crate) scopes: BTreeMap<u64, ScopeForm12>,
    pub(crate) seen: BTreeMap<(u64, u64), Seen>,
    pub(crate) asked: BTreeMap<(u64, u64), Asked>,
}

impl From<LearnedForm5> for Learned {
    fn from(old: LearnedForm5) -> Self {
        let LearnedForm5 { scopes, seen, asked } = old;
        Self { scopes: renewed(scopes), seen, asked, ..Self::default() }
    }
}
