//! A secret leaves in drops for hours, each no larger than a heartbeat (T1029, T1030).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Session};

pub(super) static KIND: Kind = Kind {
    name: "slow-drip",
    about: "100 bytes a minute, for hours",
    technique: "T1029",
    channel: Channel::Https,
    found_by: &["slow_drip", "new_destination"],
    paces: [
        Pace { contacts: 150..180, bytes: 100..101, apart_ms: 60_000..60_001 },
        Pace { contacts: 140..190, bytes: 20..400, apart_ms: 15_000..110_000 },
        // Less than 20 bytes a minute, over a working day.
        Pace { contacts: 50..70, bytes: 60..140, apart_ms: 300_000..720_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let host = mission.host("status");
    mission.send(session, (&host, &REQUESTS), |_, bytes| vec![Call::post("/health", bytes, 2)])
}
