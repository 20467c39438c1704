//! Events in, incidents out.
//!
//! This crate is pure: no thread, no file, no clock, no random state. The engine sees event time
//! and `tick(now)` only, so the same events give the same incidents, byte for byte, on any
//! number of shards and however they were cut into batches.

mod config;
mod incident;
mod suppression;

pub use config::{AnalyzerConfig, RawAnalyzer};
pub use incident::{
    AlertId, ChangeBy, ChangeKind, Detector, Evidence, Explanation, Finding, GapSeen, Incident,
    IncidentChange, Level, Normal, Observed, Quantity, Severity, Stage, Tail, Technique,
};
pub use suppression::Suppression;
