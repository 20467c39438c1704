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
    paces: Pace::OF_AN_ARCHIVE,
    roles: &[Role { route: Route::Direct, v6: true, act }],
    sessions: 1,
};
