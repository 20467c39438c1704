//! Events in, incidents out.
//!
//! This crate is pure: no thread, no file, no clock, no random state. The engine sees event time
//! and `tick(now)` only, so the same events give the same incidents, byte for byte, on any
//! number of shards and however they were cut into batches.

mod baseline;
mod config;
mod detect;
mod dossier;
mod engine;
mod explain;
mod hash;
mod histogram;
mod hyperloglog;
mod incident;
mod learned;
mod moments;
mod partition;
mod pitman_yor;
mod priors;
mod seen_set;
mod session;
mod shard;
mod size;
mod snapshot;
mod steps;
mod suppression;
mod tails;
mod tally;
mod teach;
mod watch;
mod words;
mod world;

pub use config::{AnalyzerConfig, ConfigProblem, RawAnalyzer};
pub use engine::{Engine, EngineSummary};
pub use incident::{
    AlertId, ChangeBy, ChangeKind, Detector, Evidence, Explanation, Finding, GapSeen, Incident,
    IncidentChange, Level, Normal, Observed, Quantity, Severity, Stage, Tail, Technique,
};
pub use snapshot::RestoreError;
pub use suppression::Suppression;
