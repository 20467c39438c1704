//! The SQLite store: one file, one writer, a few readers.
//!
//! Owns the tables and every statement. It must not know the engine, the network or the clock:
//! "now" is always an argument.
//!
//! Durability: the file is in WAL mode with `synchronous = NORMAL`. A transaction that was
//! committed survives the death of the process, by whatever signal. A power failure may take the
//! last transactions with it, whole, but never leaves half of one. Because the input positions
//! are written in the same transaction as what was read up to them, both cases lead back to a
//! state in which every input line was counted exactly once.
//!
//! Several processes may open the file at the same time (`egret run`, and beside it
//! `egret token create`): what one keeps in memory is dropped when another has written.

mod baselines;
mod changes;
mod commit;
mod destinations;
mod dictionary;
mod event_body;
mod events;
mod executors;
mod feedback;
mod filter;
mod gather;
mod incidents;
mod migrations;
mod open;
mod outbox;
mod paging;
mod periods;
mod readers;
mod retention;
mod roll_ups;
mod series;
mod snapshots;
mod stored;
mod sums;
mod suppressions;
mod tokens;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::StoreConfig;
use readers::Readers;
use writer::Writer;

/// A store in one SQLite file. Clones share its connections.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    config: StoreConfig,
    /// Held while waiting for the writer, so that waiters are served before latecomers.
    turn: Mutex<()>,
    writer: Mutex<Writer>,
    readers: Readers,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.shared.config.path).finish()
    }
}
