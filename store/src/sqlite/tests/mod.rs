//! Claims about the SQLite store, on real files.

mod commit;
mod events;

mod made;
