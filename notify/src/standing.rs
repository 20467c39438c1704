//! How each target is doing, for whoever looks after Egret itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use egret_event::Timestamp;

/// How the targets are doing, by name. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Standings(Arc<Mutex<BTreeMap<String, Standing>>>);

/// How one target is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Since when nothing that was sent to it was taken. `None`: the last was, or there was none yet.
    pub failing_since: Option<Timestamp>,
    /// What the last failure was. `None`: it takes alerts.
    pub error: Option<String>,
    /// Whether it said that it wants no more alerts: it is off until the next start.
    pub is_off: bool,
}

impl Standings {
    /// How the targets that anything was sent to are doing.
    pub fn read(&self) -> BTreeMap<String, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a target took something.
    pub(crate) fn took(&self, name: &str) {
        self.change(name, |standing| *standing = Standing::default());
    }

    /// Notes that a target took nothing, and why.
    pub(crate) fn failed(&self, name: &str, at: Timestamp, error: &str, is_off: bool) {
        self.change(name, |standing| {
            standing.failing_since.get_or_insert(at);
            standing.error = Some(error.to_owned());
            standing.is_off |= is_off;
        });
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Standing)) {
        let mut standings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match standings.get_mut(name) {
            Some(standing) => change(standing),
            None => change(standings.entry(name.to_owned()).or_default()),
        }
    }
}
