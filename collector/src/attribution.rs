//! CONTRACT STUB: who has which address when.
#![allow(unused_variables, missing_docs, clippy::todo)]
use egret_event::{Attribution, ExecutorRegistration, SmolStr, Timestamp};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// A network range that holds executors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub name: SmolStr,
    pub ranges: Vec<IpNet>,
}
/// An executor with a fixed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticExecutor {
    pub id: SmolStr,
    pub address: IpAddr,
    pub template: Option<SmolStr>,
    pub tenant: Option<SmolStr>,
}

/// Who has which address when. Shared by all sources; registrations may come at any time.
#[derive(Debug)]
pub struct AttributionTable {}
impl AttributionTable {
    pub fn new(segments: Vec<Segment>, executors: Vec<StaticExecutor>) -> Self {
        todo!()
    }
    /// For `egret analyze` without a configuration: every private address is an executor of the
    /// segment "private"; a public address that starts a flow is one of the segment "public".
    pub fn any_initiator() -> Self {
        todo!()
    }
    /// Takes a registration. The newest word about an interval wins.
    pub fn register(&self, registration: &ExecutorRegistration) {
        todo!()
    }
    /// Whether the address is in a watched segment.
    pub fn is_watched(&self, address: IpAddr) -> bool {
        todo!()
    }
    /// Who had `address` at `at`. `None`: it is in no watched segment.
    pub fn attribute(&self, address: IpAddr, at: Timestamp) -> Option<Arc<Attribution>> {
        todo!()
    }
}
