//! What a shard reads while it observes: the same for all shards, and changed between events only.

use std::collections::VecDeque;
use std::sync::Arc;

use egret_event::{Event, Gap};

use crate::AnalyzerConfig;
use crate::baseline::Baseline;
use crate::detect::policy::Policy;
use crate::incident::GapSeen;

/// Gaps that are remembered.
const MOST_GAPS: usize = 16;

/// What a shard reads while it observes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: AnalyzerConfig,
    pub(crate) policy: Policy,
    pub(crate) baseline: Arc<Baseline>,
    /// The newest gaps of all sources, oldest first.
    pub(crate) gaps: VecDeque<GapSeen>,
}

impl World {
    /// Remembers a gap.
    pub(crate) fn note_gap(&mut self, event: &Event, gap: &Gap) {
        self.note_gap_seen(GapSeen {
            source: event.source.clone(),
            reason: gap.reason,
            count: gap.count,
            from: gap.from,
            until: event.at,
        });
    }

    /// Remembers a gap; one that goes on replaces what was known of it.
    pub(crate) fn note_gap_seen(&mut self, gap: GapSeen) {
        let is_same = |known: &GapSeen| {
            known.source == gap.source && known.reason == gap.reason && known.from == gap.from
        };
        self.gaps.retain(|known| !is_same(known));
        if self.gaps.len() == MOST_GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }
}
