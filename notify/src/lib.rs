//! CONTRACT STUB: alerts to syslog and webhook, by way of the store's durable outbox.
#![allow(missing_docs, unused_variables, clippy::todo)]

use egret_analyzer::{IncidentChange, Severity};
use egret_event::{SmolStr, Timestamp};
use egret_store::{OutboxEntry, Store};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// The `[notify]` section as written (`[[notify.targets]]`); to be completed.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawNotify {}

/// A target, checked. Secrets are held in a type whose Debug hides them.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub min_severity: Severity,
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("{0}")]
    Config(String),
}

impl RawNotify {
    /// Checks the section; secrets are read from their files or environment variables here.
    pub fn check(&self) -> Result<Vec<Target>, NotifyError> {
        todo!()
    }
}

/// The outbox entries that tell the targets of `changes` (by severity and kind of change).
pub fn route(targets: &[Target], changes: &[IncidentChange]) -> Vec<OutboxEntry> {
    todo!()
}

/// Delivers what is in the outbox, each target on its own task, until `stop` turns true.
/// `wake` is notified when the outbox got something new.
pub async fn run(
    store: Store,
    targets: Vec<Target>,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
    now: fn() -> Timestamp,
) -> Result<(), NotifyError> {
    todo!()
}
