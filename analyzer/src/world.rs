//! What a shard reads while it observes: the same for all shards, and changed between events only.

use crate::AnalyzerConfig;
use crate::baseline::Baseline;
use crate::detect::policy::Policy;
use crate::feedback::FeedbackSet;
use crate::gaps::Gaps;
use crate::observers::Observers;

/// What a shard reads while it observes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: AnalyzerConfig,
    pub(crate) policy: Policy,
    pub(crate) baseline: Baseline,
    pub(crate) gaps: Gaps,
    /// What analysts judged benign. No part of a snapshot: whoever stores it tells the engine.
    pub(crate) feedback: FeedbackSet,
    /// Who tells of events. No part of a snapshot: it is configuration.
    pub(crate) observers: Observers,
}
