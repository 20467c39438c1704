//! The subcommands, one file each.

pub mod analyze;
pub mod check;
pub mod demo;
pub mod dlq;
pub mod doctor;
pub mod learn;
pub mod notify;
pub mod read;
pub mod replay;
pub mod run;
pub mod simulate;
pub mod token;
