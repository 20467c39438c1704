//! What the attacker's code does inside an executor. One attack per file; each is preceded by
//! ordinary work in the same session, and says what it did.
//!
//! A new attack is a file that holds a [`Kind`], and a line in one of the tables below. None is
//! made to be found: numbers come from what tools do, and each file says which.

mod alphabet;
mod deed;
mod manner;
mod mission;

mod api_key;
mod beacon;
mod blocked_probes;
mod bulk_upload;
mod burst;
mod direct_ipv4;
mod direct_ipv6;
mod dns_null;
mod dns_question;
mod dns_trickle;
mod dns_tunnel;
mod dns_txt;
mod doh_tunnel;
mod ech_quic;
mod encoded_secret;
mod env_query;
mod fleet_drip;
mod foreign_bucket;
mod foreign_push;
mod fronting;
mod gist;
mod many_destinations;
mod metadata;
mod mirror_requests;
mod model_hub;
mod other_protocols;
mod package_publish;
mod paste;
mod slow_drip;
mod tunnel_service;
mod webhook;

use std::ops::Range;
use std::time::Duration;

use super::SHORT_SPAN;
use super::session::{Route, Session};

pub use deed::{Attack, Contact};
pub use manner::Manner;
pub(crate) use manner::Pace;
pub(crate) use mission::Mission;

/// The attacks that the published figures are means of, in their order there.
pub(crate) const LISTED: [&Kind; 28] = [
    &bulk_upload::KIND,
    &env_query::KIND,
    &slow_drip::KIND,
    &fleet_drip::KIND,
    &dns_tunnel::KIND,
    &dns_txt::KIND,
    &dns_trickle::KIND,
    &doh_tunnel::KIND,
    &gist::KIND,
    &foreign_push::KIND,
    &foreign_bucket::KIND,
    &model_hub::KIND,
    &api_key::KIND,
    &package_publish::KIND,
    &mirror_requests::KIND,
    &webhook::KIND,
    &paste::KIND,
    &tunnel_service::KIND,
    &fronting::KIND,
    &ech_quic::KIND,
    &direct_ipv4::KIND,
    &direct_ipv6::KIND,
    &many_destinations::KIND,
    &beacon::KIND,
    &blocked_probes::KIND,
    &metadata::KIND,
    &encoded_secret::KIND,
    &other_protocols::KIND,
];

/// Further attacks.
pub(crate) const FURTHER: [&Kind; 2] = [&burst::KIND, &dns_null::KIND];

/// A kind of attack.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What happens, in a line.
    pub(crate) about: &'static str,
    /// Its ATT&CK technique.
    pub(crate) technique: &'static str,
    pub(crate) channel: Channel,
    /// Detectors that should find it, most certain first.
    pub(crate) found_by: &'static [&'static str],
    /// What it does in each manner, in the order of [`Manner::ALL`].
    pub(crate) paces: [Pace; 3],
    /// The attackers: each by another way.
    pub(crate) roles: &'static [Role],
    /// Sessions of each attacker.
    pub(crate) sessions: usize,
}

/// What carries the stolen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Sealed requests.
    Https,
    /// Requests in clear, or sealed ones where only a proxy that looks into TLS sees them.
    Http,
    /// DNS questions.
    Dns,
    /// QUIC, or TLS with the same hello.
    Quic,
    /// Neither the web nor DNS.
    Other,
    /// Nothing is carried: attempts are stopped.
    Blocked,
}

impl Channel {
    /// The word used in the truth.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Quic => "quic",
            Self::Other => "other",
            Self::Blocked => "blocked",
        }
    }
}

/// An attacker: its way out, and what it does.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) route: Route,
    /// Whether its executor has an IPv6 address, and no other.
    pub(crate) v6: bool,
    pub(crate) act: fn(&mut Session, &Mission) -> Attack,
}

impl Role {
    /// One attacker without a proxy.
    const fn direct(act: fn(&mut Session, &Mission) -> Attack) -> [Self; 1] {
        [Self { route: Route::Direct, v6: false, act }]
    }

    /// Three attackers that do the same: without a proxy, through one that sees tunnels, and
    /// through one that sees the requests inside.
    const fn each_way(act: fn(&mut Session, &Mission) -> Attack) -> [Self; 3] {
        [
            Self { route: Route::Direct, v6: false, act },
            Self { route: Route::Squid, v6: false, act },
            Self { route: Route::Bump, v6: false, act },
        ]
    }
}

/// An attack that takes longer than this is surrounded by a working day.
const LONG_MS: u64 = 15 * 60 * 1000;

/// Within what the sessions of one attacker begin, if it has several and takes its time.
const CAMPAIGN_SPAN: Duration = Duration::from_secs(12 * 3600);

impl Kind {
    pub(crate) const fn pace(&self, manner: Manner) -> &Pace {
        &self.paces[manner as usize]
    }

    /// See [`super::Scenario::span`].
    pub(crate) fn span(&self, manner: Manner) -> Duration {
        let longest_ms = self.pace(manner).longest_ms();
        if self.sessions > 1 && manner == Manner::LowAndSlow {
            CAMPAIGN_SPAN
        } else if longest_ms > LONG_MS {
            // A quarter more, for a late beginning and for the contacts themselves.
            let hours = (longest_ms * 5 / 4).div_ceil(3_600_000);
            SHORT_SPAN + Duration::from_secs(hours * 3600)
        } else {
            SHORT_SPAN
        }
    }

    /// The part of the span, in percent, in which attacks begin: late enough that there is
    /// something to compare with, early enough that they end in time.
    pub(crate) const fn begins_percent(&self, manner: Manner) -> Range<u64> {
        if self.sessions > 1 {
            5..85
        } else if self.pace(manner).longest_ms() > LONG_MS {
            10..20
        } else {
            65..85
        }
    }
}
