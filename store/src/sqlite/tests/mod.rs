//! Claims about the SQLite store, on real files.

mod calls;
mod commit;
mod events;
mod executors;
mod feedback;
mod incidents;
mod made;
mod opening;
mod outbox;
mod retention;
mod roll_ups;
mod sums;
mod suppressions;
