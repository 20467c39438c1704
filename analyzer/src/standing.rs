//! An incident about no session: about many together, as an epoch's end shows it.

use egret_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::incident::{ChangeBy, ChangeKind, Incident, IncidentChange};

/// An incident as it was last told, and how often it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) incident: Incident,
    told: u32,
}

impl Standing {
    /// Not told yet.
    pub(crate) fn new(incident: Incident) -> Self {
        Self { incident, told: 0 }
    }

    /// The next change of it.
    pub(crate) fn change(&mut self, kind: ChangeKind, at: Timestamp) -> IncidentChange {
        let number = self.told;
        self.told += 1;
        self.incident.updated_at = at;
        IncidentChange { kind, at, by: ChangeBy::Engine, number, incident: self.incident.clone() }
    }
}
