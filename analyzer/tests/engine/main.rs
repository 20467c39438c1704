//! What the engine promises, on made-up traffic.

#![allow(clippy::unwrap_used, reason = "this crate is a test")]

mod beacons;
mod blind;
mod corroborating;
mod dns;
mod drip;
mod feedback;
mod fleet;
mod joins;
mod learning;
mod limits;
mod not_found;
mod properties;
mod resumed;
mod roll_ups;
mod scenarios;
mod secrets;
mod tenants;
mod traffic;
