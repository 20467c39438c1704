//! Events on their way between threads, and where in the input they came from.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Event, Timestamp};

/// Most events in a batch. Large enough to hide the cost of a channel, small enough for a cache.
pub const MAX_BATCH_EVENTS: usize = 512;

/// Longest time, in milliseconds, that a source keeps a batch that is not full.
pub const MAX_BATCH_AGE_MS: u64 = 50;

/// Events of one source, in the order in which it saw them.
#[derive(Debug, Clone, PartialEq)]
pub struct EventBatch {
    /// The configured name of the source.
    pub source: SmolStr,
    /// At most [`MAX_BATCH_EVENTS`] events.
    pub events: Vec<Event>,
    /// Where the source stands after the last of them. `None` where it cannot be repeated (live).
    pub position: Option<InputPosition>,
    /// How far the source's own time has come. Set even when there are no events.
    pub seen_until: Timestamp,
}

/// A place in a log file to which reading can return after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputPosition {
    /// Path of the file as configured.
    pub path: String,
    /// Device that holds the file.
    pub device: u64,
    /// Inode of the file: it tells a rotated file from its successor.
    pub inode: u64,
    /// Hash of the file's first line: it tells a reused inode or a rewritten file.
    pub first_line: u64,
    /// Bytes consumed: the offset of the next line.
    pub offset: u64,
}
