//! Straight to an IPv6 address, which fewer people watch (T1048).

use super::direct_ipv4::act;
use super::{Channel, Kind, Pace, Role};
use crate::simulate::session::Route;

pub(super) static KIND: Kind = Kind {
    name: "direct-ipv6",
    about: "an archive goes to an IPv6 address that no name led to",
    technique: "T1048",
    channel: Channel::Https,
    found_by: &["direct_address", "upload_size"],
    paces: [
        // As over IPv4.
        Pace { contacts: 1..2, bytes: 300_000..1_500_000, apart_ms: 0..1 },
        Pace { contacts: 5..13, bytes: 20_000..200_000, apart_ms: 500..30_000 },
        Pace { contacts: 40..61, bytes: 8_000..40_000, apart_ms: 240_000..600_000 },
    ],
    roles: &[Role { route: Route::Direct, v6: true, act }],
    sessions: 1,
};
