//! An implant asks for orders, at an interval that it keeps more or less (T1071.001).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session};

/// That there is nothing to do.
const ANSWER_BYTES: usize = 48;

pub(super) static KIND: Kind = Kind {
    name: "beacon",
    about: "an implant asks for orders, with 0, 50 or 80 % jitter",
    technique: "T1071.001",
    channel: Channel::Https,
    found_by: &["beacon", "new_destination"],
    paces: [
        // Every minute.
        Pace { contacts: 35..46, bytes: 24..25, apart_ms: 60_000..60_001 },
        // Every minute, 50 % either way.
        Pace { contacts: 35..46, bytes: 24..25, apart_ms: 30_000..90_000 },
        // Every five minutes, 80 % either way.
        Pace { contacts: 60..81, bytes: 24..25, apart_ms: 60_000..540_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

/// What leaves is who asks: an id in a cookie.
fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = mission.host("cdn");
    mission.send(session, (&host, &CURL), |_, _| vec![Call::get("/jquery.min.js", ANSWER_BYTES)])
}
