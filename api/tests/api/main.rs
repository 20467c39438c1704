//! Claims about the API, against the real router and a real store.

mod access;
mod answers;
mod dashboard;
mod forgery;
mod garbage;
mod incidents;
mod problems;
mod stream;
mod suppressions;
mod world;
