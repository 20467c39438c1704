//! The roles of the process, joined by bounded channels.
//!
//! ```text
//! sources ──EventBatch──▶ analyze ──Write──▶ write ──▶ store ──▶ API, outbox
//! ```
//!
//! `watchdog` looks at all of them, and writes incidents about Egret itself into the same store.
//!
//! Every queue is bounded. A full one makes files and logs wait (`WhenFull::Block`) and makes live
//! capture drop its newest events and count them (`WhenFull::DropNewest`).

pub mod analyze;
pub mod board;
pub mod collect;
pub mod merge;
pub mod serve;
pub mod watchdog;
pub mod write;

/// Batches between the sources and the engine: at 512 events each, about 10 MiB at most.
pub const ENGINE_QUEUE: usize = 64;

/// Messages between the engine and the store.
pub const WRITE_QUEUE: usize = 64;
