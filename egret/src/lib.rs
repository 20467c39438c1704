//! The binary, as a library: configuration, roles, wiring, the clock, and the subcommands.
//!
//! It is the only crate that knows all others. Everything that decides something lives in them;
//! here they are joined by channels.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod roles;
pub mod simulate;
pub mod terminal;
