//! What the engine promises, on made-up traffic.

mod properties;
mod scenarios;
mod traffic;
