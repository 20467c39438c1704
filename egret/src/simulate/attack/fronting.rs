//! The connection names a content network's well-known customer, the request inside another (T1090.004).

use super::deed::registrable;
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::BROWSER;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Customers of content networks that executors fetch from anyway.
const FRONTS: [&str; 3] = ["cdn.jsdelivr.net", "cdnjs.cloudflare.com", "ajax.googleapis.com"];

pub(super) static KIND: Kind = Kind {
    name: "fronting",
    about: "requests for a hidden host inside connections to a well-known one",
    technique: "T1090.004",
    channel: Channel::Https,
    found_by: &["protocol_mismatch", "upload_size"],
    paces: [
        // An archive.
        Pace { contacts: 1..2, bytes: 300_000..1_000_000, apart_ms: 0..1 },
        // In parts of any size.
        Pace { contacts: 5..13, bytes: 20_000..300_000, apart_ms: 500..30_000 },
        // A file every few minutes.
        Pace { contacts: 40..61, bytes: 4_000..20_000, apart_ms: 240_000..600_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

/// Only a proxy that looks into TLS sees the host that the request is for.
fn act(session: &mut Session, mission: &Mission) -> Attack {
    let name = session.dice.pick(&FRONTS);
    let front = public(name);
    let hidden = mission.host("edge").name;
    let seen_as = vec![registrable(&front.name)];
    let mut attack =
        Attack { destination: registrable(&hidden), seen_as, ..Attack::to(&front, session) };
    mission.each(session, |session, bytes| {
        let post = [Call::post("/assets/upload", bytes, 2)];
        let visit = Visit { hidden: Some(&hidden), ..Visit::https(&front, &BROWSER, &post) };
        attack.add(session.visit(&visit), bytes);
    });
    attack
}
