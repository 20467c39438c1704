//! A DNS tunnel inside HTTPS: the resolver outside sees the questions, nobody here does (T1572).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::GO;
use crate::simulate::session::{Call, Session};
use crate::simulate::world::public;

/// Resolvers that answer anybody.
const RESOLVERS: [&str; 3] = ["dns.google", "cloudflare-dns.com", "dns.quad9.net"];

/// Stolen bytes in a question, and what a message has beside them: a header of 12, the zone, and
/// base 32 for the rest.
const QUESTION_BYTES: usize = 90;
const AROUND_BYTES: usize = 50;

const ANSWER_BYTES: usize = 180;

pub(super) static KIND: Kind = Kind {
    name: "doh-tunnel",
    about: "a DNS tunnel inside HTTPS",
    technique: "T1572",
    channel: Channel::Https,
    found_by: &["protocol_mismatch", "new_destination"],
    paces: [
        // A hundred questions on a connection, one after the other.
        Pace { contacts: 6..10, bytes: 9_000..9_001, apart_ms: 100..101 },
        Pace { contacts: 12..31, bytes: 300..6_000, apart_ms: 500..30_000 },
        // A few questions every few minutes.
        Pace { contacts: 50..71, bytes: 90..360, apart_ms: 180_000..480_000 },
    ],
    roles: &Role::each_way(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let name = session.dice.pick(&RESOLVERS);
    let host = public(name);
    mission.send(session, (&host, &GO), |_, bytes| {
        let questions =
            (0..bytes).step_by(QUESTION_BYTES).map(|from| QUESTION_BYTES.min(bytes - from));
        questions
            .map(|bytes| Call::post("/dns-query", bytes * 8 / 5 + AROUND_BYTES, ANSWER_BYTES))
            .collect()
    })
}
