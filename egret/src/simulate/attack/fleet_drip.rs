//! Fifty sessions leave a little each, at the same place (T1030).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Session};

pub(super) static KIND: Kind = Kind {
    name: "fleet-drip",
    about: "fifty sessions leave a little each at one place",
    technique: "T1030",
    channel: Channel::Https,
    found_by: &["slow_drip", "new_destination"],
    paces: [
        // A small file from each.
        Pace { contacts: 1..2, bytes: 2_000..2_001, apart_ms: 0..1 },
        Pace { contacts: 1..4, bytes: 500..4_000, apart_ms: 2_000..60_000 },
        // A secret from each, in twelve hours.
        Pace { contacts: 1..2, bytes: 100..400, apart_ms: 0..1 },
    ],
    roles: &Role::direct(act),
    sessions: 50,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = mission.host("api");
    mission.send(session, (&host, &REQUESTS), |_, bytes| vec![Call::post("/v1/usage", bytes, 2)])
}
