//! Files go up one by one, as fast as connections can be made: hundreds in ten seconds (T1020).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::Host;

/// Hosts of the same domain that take turns.
const HOSTS: [&str; 3] = ["a", "b", "c"];

pub(super) static KIND: Kind = Kind {
    name: "burst",
    about: "several hundred small uploads in ten seconds",
    technique: "T1020",
    channel: Channel::Https,
    found_by: &["rate_burst", "new_destination"],
    // A file each: keys, settings, notes. Connections overlap: gaps are between beginnings.
    paces: [
        Pace { contacts: 380..460, bytes: 600..1_200, apart_ms: 24..25 },
        Pace { contacts: 380..460, bytes: 200..2_400, apart_ms: 8..40 },
        Pace { contacts: 380..460, bytes: 200..2_400, apart_ms: 8_000..60_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let hosts: Vec<Host> = HOSTS.iter().map(|label| mission.host(label)).collect();
    let mut attack = Attack::to(&hosts[0], session);
    for host in &hosts {
        session.look_up(host);
    }
    let mut turn = 0;
    mission.each(session, |session, bytes| {
        let post = [Call::post("/m", bytes, 2)];
        let visit = Visit::https(&hosts[turn % hosts.len()], &CURL, &post);
        attack.add(session.connect(session.now, &visit), bytes);
        turn += 1;
    });
    session.now = attack.end;
    attack
}
