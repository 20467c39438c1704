//! The engine's state in bytes: versioned, and equal for equal states.

use std::collections::{BTreeMap, VecDeque};

use egret_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AnalyzerConfig;
use crate::baseline::Baseline;
use crate::engine::{Engine, EventTime};
use crate::incident::GapSeen;
use crate::learned::Learned;
use crate::partition::{PARTITIONS, Partition, SavedPartition};
use crate::shard::partitions;

/// All versions that can be read. The version is the first byte.
#[derive(Serialize, Deserialize)]
enum Snapshot {
    V1(Box<StateV1>),
}

#[derive(Serialize, Deserialize)]
struct StateV1 {
    time: EventTime,
    learned: Learned,
    frozen_at: Option<Timestamp>,
    generation: u32,
    waiting: BTreeMap<Timestamp, Learned>,
    forgotten_destinations: u64,
    gaps: VecDeque<GapSeen>,
    partitions: Vec<SavedPartition>,
}

/// The bytes are not a snapshot that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// They do not decode.
    #[error("cannot read the engine snapshot: {0} (delete it to start with an empty engine)")]
    Unreadable(#[from] postcard::Error),
    /// They decode to a state with the wrong number of parts.
    #[error(
        "cannot read the engine snapshot: it has {found} partitions and not {expected} (delete it \
         to start with an empty engine)"
    )]
    Partitions {
        /// Partitions in the snapshot.
        found: usize,
        /// Partitions in this version.
        expected: usize,
    },
}

impl Engine {
    /// The state, for [`Engine::restore`]. Configuration is not part of it.
    pub fn snapshot(&self) -> Vec<u8> {
        let baseline = &self.world.baseline;
        let state = StateV1 {
            time: self.time,
            learned: baseline.learned().clone(),
            frozen_at: baseline.frozen_at(),
            generation: baseline.generation(),
            waiting: self.waiting.clone(),
            forgotten_destinations: self.forgotten_destinations,
            gaps: self.world.gaps.clone(),
            partitions: partitions(&self.shards).map(Partition::save).collect(),
        };
        postcard::to_stdvec(&Snapshot::V1(Box::new(state)))
            .expect("every part has a known length and no part fails to serialize")
    }

    /// An engine that goes on where the snapshot was taken, on any number of shards.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of a known version.
    pub fn restore(config: AnalyzerConfig, bytes: &[u8]) -> Result<Self, RestoreError> {
        let Snapshot::V1(state) = postcard::from_bytes(bytes)?;
        let found = state.partitions.len();
        if found != PARTITIONS {
            return Err(RestoreError::Partitions { found, expected: PARTITIONS });
        }
        let baseline = Baseline::freeze(state.learned, state.frozen_at, state.generation);
        let partitions = state.partitions.into_iter().map(Partition::restore).collect();
        let mut engine = Self::assemble(config, partitions, baseline);
        engine.time = state.time;
        engine.waiting = state.waiting;
        engine.forgotten_destinations = state.forgotten_destinations;
        engine.world.gaps = state.gaps;
        Ok(engine)
    }
}
