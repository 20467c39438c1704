//! NULL questions with full labels in base 32, as iodine asks them (T1071.004).

use std::ops::Range;

use super::alphabet::BASE32;
use super::dns_question::{ask, found, labels, tunnel, zone};
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::session::Session;
use crate::simulate::wire::dns::{Record, RecordType};

/// What comes back with an answer.
const ANSWER_BYTES: Range<usize> = 60..900;

pub(super) static KIND: Kind = Kind {
    name: "dns-null",
    about: "a tunnel in DNS questions for NULL records",
    technique: "T1071.004",
    channel: Channel::Dns,
    found_by: &["dns_tunnel"],
    // Three labels fill a name: 117 bytes. As fast as the resolver answers, then slower.
    paces: [
        Pace { contacts: 1_400..2_000, bytes: 117..118, apart_ms: 1..20 },
        Pace { contacts: 800..1_200, bytes: 40..118, apart_ms: 5..900 },
        Pace { contacts: 250..350, bytes: 20..60, apart_ms: 30_000..90_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let zone = zone(mission);
    let mut attack = tunnel(&zone, session);
    mission.each(session, |session, bytes| {
        let name = format!("{}.t.{zone}", labels(BASE32, session, bytes));
        let size = session.dice.count(ANSWER_BYTES);
        let record = Record::Null(session.dice.noise(size));
        ask(session, &mut attack, (found(name, RecordType::NULL, vec![record]), bytes));
    });
    attack
}
