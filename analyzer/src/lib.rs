//! Events in, incidents out.
//!
//! This crate is pure: no thread, no file, no clock, no random state. The engine sees event time
//! and `tick(now)` only, so the same events give the same incidents, byte for byte, on any
//! number of shards and however they were cut into batches.
//!
//! The way of an event: `engine` keeps time and finds the partition of its executor; `partition`
//! finds the session; `join` recognizes what another observer told of before, and where the two
//! contradict; `watch` counts, asks the detectors (`detect`) and decides whether an incident opens
//! or grows, and `ask` does so for DNS questions, `leave` for what is left at a tenant's place on a
//! service that many share (`tenancy` tells whose that is); `explain` writes it out, and `earlier` lets an incident
//! go on from the sessions before. What they find is put
//! into a dossier in `hold`, where `feedback` lets count what analysts judged benign. `blind`
//! watches the sources themselves, `health` the other parts of Egret, and `drops` the places at which many sessions leave something. When a session ends, `teach` adds integer counts to a delta
//! (`learned`) and its score to the `calibration` of thresholds; when an epoch ends, the deltas
//! become the next frozen `baseline`, which is all that scoring reads. What incidents are one story, `roll_up`
//! tells of any set of them; where one stands after each change, `life`.
//!
//! What must not be here: state that one executor's events share with another's within an epoch,
//! maps with random order, and floating-point numbers in anything that is merged.

mod ask;
mod baseline;
mod blind;
mod calibration;
mod carry;
mod config;
mod corroborate;
mod detect;
mod domains;
mod dossier;
mod drops;
mod earlier;
mod engine;
mod explain;
mod feedback;
mod form12;
mod form2;
mod form5;
mod form7;
mod gaps;
mod hash;
mod health;
mod histogram;
mod hold;
mod hyperloglog;
mod incident;
mod information;
mod join;
mod label_model;
mod learned;
mod leave;
mod life;
mod moments;
mod observers;
mod partition;
mod pitman_yor;
mod priors;
mod questions;
mod roll_up;
mod room;
mod seen_set;
mod session;
mod shard;
mod size;
mod slot;
mod snapshot;
mod spread;
mod standing;
mod steps;
mod suppression;
mod tails;
mod tally;
mod teach;
mod tenancy;
mod vain;
mod views;
mod watch;
mod words;
mod world;

pub use config::{AnalyzerConfig, ConfigProblem, RawAnalyzer};
pub use detect::policy::is_private_address;
pub use engine::{Engine, EngineSummary, FrozenBaseline};
pub use feedback::{Feedback, FeedbackSet};
pub use health::{Complaint, Health};
pub use incident::{
    AlertId, ChangeBy, ChangeKind, Detector, Evidence, Explanation, Finding, GapSeen, Incident,
    IncidentChange, IncidentStatus, JudgedBenign, Level, Normal, Observed, Quantity, Severity,
    Stage, Tail, Technique,
};
pub use join::{Joined, join_into};
pub use life::{IsClosed, Signal};
pub use roll_up::{Member, Names, RollUp, RollUps, Story, StrongestDetector, roll_up, roll_up_new};
pub use snapshot::RestoreError;
pub use suppression::Suppression;
