//! What an attack did, written down while it is played.

use std::net::IpAddr;

use egret_event::{Destination, NameSource, Timestamp};
use serde::{Deserialize, Serialize};

use crate::simulate::session::{Route, Session, Visited};
use crate::simulate::world::Host;

/// What an attack did in one session: the truth that detection is measured against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attack {
    /// Sessions of one attacker have the same number: they are one attack.
    pub campaign: u32,
    /// Where it went: a registrable domain or an address, or `"*"` for many.
    pub destination: String,
    /// Other places under which an observer sees it: a front, a public name, a resolver.
    pub seen_as: Vec<String>,
    /// Addresses of the other side, where it was reached directly.
    pub addresses: Vec<IpAddr>,
    /// `direct`, `squid`, `squid-bump`, `envoy`, `resolver` or `mixed`.
    pub route: String,
    /// Its first packet.
    pub start: Timestamp,
    /// Its last packet.
    pub end: Timestamp,
    /// Transport payload bytes sent, as the capture shows them.
    pub up_bytes: u64,
    /// Of these, the bytes that were stolen.
    pub stolen_bytes: u64,
    /// Distinct destinations that were kept out of reach.
    pub blocked_destinations: u64,
    /// Detectors that should find it, most certain first.
    pub found_by: Vec<String>,
    /// Connections tried, or questions asked, one after the other.
    pub contacts: Vec<Contact>,
}

/// One connection, or one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Its first packet.
    pub began: Timestamp,
    /// Its last packet.
    pub ended: Timestamp,
    /// Stolen bytes in it.
    pub stolen_bytes: u64,
}

impl Attack {
    /// An attack on the way to `host` that has done nothing yet.
    pub(crate) fn to(host: &Host, session: &Session) -> Self {
        let mut attack = Self::towards(&registrable(&host.name), session);
        if session.route == Route::Direct {
            attack.addresses.push(host.address(session.is_v6()));
        }
        attack
    }

    /// An attack on the way to `destination` that has done nothing yet.
    pub(crate) fn towards(destination: &str, session: &Session) -> Self {
        Self {
            campaign: 0,
            destination: destination.to_owned(),
            seen_as: Vec::new(),
            addresses: Vec::new(),
            route: session.route.word().to_owned(),
            start: session.now,
            end: session.now,
            up_bytes: 0,
            stolen_bytes: 0,
            blocked_destinations: 0,
            found_by: Vec::new(),
            contacts: Vec::new(),
        }
    }

    /// Adds a connection that carried `stolen_bytes`.
    pub(crate) fn add(&mut self, visited: Visited, stolen_bytes: usize) {
        let stolen_bytes = stolen_bytes as u64;
        let Visited { began, ended, up_bytes } = visited;
        self.contacts.push(Contact { began, ended, stolen_bytes });
        self.up_bytes += up_bytes;
        self.stolen_bytes += stolen_bytes;
        self.end = self.end.max(ended);
    }
}

/// The domain that a name belongs to; an address stands for itself.
pub(crate) fn registrable(name: &str) -> String {
    Destination::named(name, NameSource::Dns, None, 0).domain.to_string()
}
