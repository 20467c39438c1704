//! The query API, the live stream, and the hosting of the dashboard.
//!
//! This crate answers from the store only: it never sees the engine's memory. What else it needs
//! (the clock, the state of the pipeline, whom to tell of a change) is handed to it in
//! [`ApiState`]. It must not know how events come in, nor how alerts go out.
//!
//! Everything that comes out of the store may have been chosen by an attacker (host names, user
//! agents). Here it is JSON and nothing else; the page must escape it.

mod app;
mod assets;
mod auth;
mod config;
mod extract;
mod observe;
mod openapi;
mod origin;
mod problem;
mod routes;
mod server;
mod status;

pub use app::{ApiState, Hear, TargetsOf};
pub use auth::new_token;
pub use config::{ApiConfig, ApiConfigError, ListenError, RawApi, check_listen};
pub use openapi::openapi;
pub use problem::ProblemDocument;
pub use server::{router, serve};
pub use status::{SourceState, SourceStatus, StageStatus, Status, TargetStatus};
