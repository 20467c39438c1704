//! Files go up one by one, as fast as connections can be made: hundreds in ten seconds.

use std::ops::Range;

use super::Attack;
use crate::simulate::programs::CURL;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::{Host, hostile};

/// Connections, and how far apart: several hundred in about ten seconds.
const CONTACTS: Range<usize> = 380..460;
const APART_MS: Range<u64> = 8..40;

/// A file each: keys, settings, notes.
const FILE_BYTES: Range<usize> = 200..2_400;

/// Hosts of the same domain that take turns.
const HOSTS: [(&str, u8); 3] = [
    ("a.metrics-sink.example", 31),
    ("b.metrics-sink.example", 32),
    ("c.metrics-sink.example", 33),
];

pub(super) fn flood(session: &mut Session) -> Attack {
    let hosts: Vec<Host> = HOSTS.iter().map(|(name, number)| hostile(name, *number)).collect();
    let found_by = ["rate_burst", "new_destination"];
    let mut attack =
        Attack::begin("metrics-sink.example", session.route.word(), session.now, &found_by);
    attack.addresses = hosts.iter().map(|host| host.address(false)).collect();
    for host in &hosts {
        session.look_up(host);
    }
    let mut begin = session.now;
    for turn in 0..session.dice.count(CONTACTS) {
        let size = session.dice.size(FILE_BYTES);
        let post = [Call::post("/m", size, 2)];
        let host = &hosts[turn % hosts.len()];
        let visited = session.connect(begin, &Visit::https(host, &CURL, &post));
        attack.add(visited, size);
        begin = begin + session.dice.ms(APART_MS);
    }
    session.now = attack.end;
    attack
}
