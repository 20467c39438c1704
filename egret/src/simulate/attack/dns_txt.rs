//! Both ways through TXT and CNAME questions in hexadecimal, as dnscat2 does it (T1071.004).

use std::ops::Range;

use super::alphabet::HEX;
use super::dns_question::{ask, found, labels, tunnel, zone};
use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::session::Session;
use crate::simulate::wire::dns::{Exchange, Record, RecordType};

/// What comes back: commands, or that there are none.
const TEXT_BYTES: Range<usize> = 10..60;
const ALIAS_BYTES: usize = 18;

pub(super) static KIND: Kind = Kind {
    name: "dns-txt",
    about: "a shell in DNS questions for TXT records, and in their answers",
    technique: "T1071.004",
    channel: Channel::Dns,
    found_by: &["dns_tunnel"],
    // A message has 9 bytes of header, then what the shell has to say. It polls every second.
    paces: [
        Pace { contacts: 500..700, bytes: 54..55, apart_ms: 1_000..1_001 },
        Pace { contacts: 500..700, bytes: 9..54, apart_ms: 300..1_600 },
        Pace { contacts: 250..350, bytes: 9..30, apart_ms: 30_000..90_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let zone = zone(mission);
    let mut attack = tunnel(&zone, session);
    let mut turn = 0;
    mission.each(session, |session, bytes| {
        let exchange = exchange(session, &zone, (turn, bytes));
        ask(session, &mut attack, (exchange, bytes));
        turn += 1;
    });
    attack
}

/// A question that carries `bytes`; every third asks for an alias, the others for text.
fn exchange(session: &mut Session, zone: &str, (turn, bytes): (usize, usize)) -> Exchange {
    let name = format!("{}.{zone}", labels(HEX, session, bytes));
    if turn % 3 == 0 {
        let alias = format!("{}.{zone}", labels(HEX, session, ALIAS_BYTES));
        found(name, RecordType::CNAME, vec![Record::Alias(alias)])
    } else {
        let size = session.dice.count(TEXT_BYTES);
        let text = HEX.noise(&mut session.dice, size).into_bytes();
        found(name, RecordType::TXT, vec![Record::Text(text)])
    }
}
