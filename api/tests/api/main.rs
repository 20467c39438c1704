//! Claims about the API, against the real router and a real store.
#![allow(clippy::unwrap_used, reason = "clippy takes functions shared by tests for no tests")]

mod access;
mod answers;
mod dashboard;
mod forgery;
mod garbage;
mod incidents;
mod limits;
mod observed;
mod problems;
mod receive;
mod roll_ups;
mod stream;
mod suppressions;
mod verdicts;
mod world;
