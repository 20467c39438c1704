//! What the attacker's code does inside an executor. One attack per file; each is preceded by
//! ordinary work in the same session, and says what it did.

mod blocked_probes;
mod bulk_upload;
mod burst;
mod dns_tunnel;
mod slow_drip;

use std::net::IpAddr;

use egret_event::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scenario;
use super::session::{Route, Session, Visited};

/// What an attack did: the truth that detection is measured against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// Where it went: a registrable domain, or `"*"` for many.
    pub destination: String,
    /// Addresses of the other side, where it was reached directly.
    pub addresses: Vec<IpAddr>,
    /// `direct`, `squid`, `envoy`, `resolver` or `mixed`.
    pub route: String,
    /// Its first packet.
    pub start: Timestamp,
    /// Its last packet.
    pub end: Timestamp,
    /// Connections tried, or questions asked.
    pub contacts: u64,
    /// Transport payload bytes sent, as the capture shows them.
    pub up_bytes: u64,
    /// Of these, the bytes that were stolen.
    pub stolen_bytes: u64,
    /// Distinct destinations that were kept out of reach.
    pub blocked_destinations: u64,
    /// Detectors that should find it, most certain first.
    pub found_by: Vec<String>,
}

/// An attack and the way out that its session has.
pub(crate) struct Role {
    pub(crate) route: Route,
    pub(crate) act: fn(&mut Session) -> Attack,
}

/// The attackers of a scenario, a session each.
pub(crate) fn roles(scenario: Scenario) -> &'static [Role] {
    match scenario {
        Scenario::BulkUpload => &[
            Role { route: Route::Direct, act: bulk_upload::past_the_proxy },
            Role { route: Route::Squid, act: bulk_upload::through_the_proxy },
        ],
        Scenario::Burst => &[Role { route: Route::Direct, act: burst::flood }],
        Scenario::BlockedProbes => &[Role { route: Route::Direct, act: blocked_probes::sweep }],
        Scenario::SlowDrip => &[Role { route: Route::Direct, act: slow_drip::drip }],
        Scenario::DnsTunnel => &[
            Role { route: Route::Direct, act: dns_tunnel::null_records },
            Role { route: Route::Direct, act: dns_tunnel::text_records },
        ],
        Scenario::Benign => &[],
    }
}

impl Attack {
    /// An attack that begins at `start` and has done nothing yet.
    fn begin(destination: &str, route: &str, start: Timestamp, found_by: &[&str]) -> Self {
        Self {
            destination: destination.to_owned(),
            addresses: Vec::new(),
            route: route.to_owned(),
            start,
            end: start,
            contacts: 0,
            up_bytes: 0,
            stolen_bytes: 0,
            blocked_destinations: 0,
            found_by: found_by.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// Adds a connection that carried `stolen_bytes`.
    fn add(&mut self, visited: Visited, stolen_bytes: usize) {
        self.contacts += 1;
        self.up_bytes += visited.up_bytes;
        self.stolen_bytes += stolen_bytes as u64;
        self.end = self.end.max(visited.ended);
    }
}
