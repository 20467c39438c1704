//! Looking for a way out: many hosts are tried, and every one is kept out of reach (T1046).

use std::ops::Range;

use super::Attack;
use crate::simulate::programs::CURL;
use crate::simulate::session::{Block, Session};
use crate::simulate::wire::tcp::Refusal;
use crate::simulate::world::hostile;

/// Names of places to leave something, each under two reserved top-level domains: 40 hosts.
const NAMES: [&str; 20] = [
    "pastebox",
    "filedrop",
    "tinyhook",
    "requestpit",
    "sharebin",
    "quickput",
    "tunnelr",
    "webrelay",
    "dropmark",
    "gistlike",
    "upfast",
    "keepfile",
    "hookbay",
    "bytehost",
    "logsink",
    "copycave",
    "putbucket",
    "oasthub",
    "mailcatch",
    "notebin",
];
const TOP_LEVEL_DOMAINS: [&str; 2] = ["example", "test"];

/// How the attempts end, in turn: two in five at the proxy, one in five in each other way.
const BLOCKS: [Block; 5] = [
    Block::Denied,
    Block::Refused(Refusal::Reset),
    Block::Denied,
    Block::Refused(Refusal::Prohibited),
    Block::Refused(Refusal::Silence),
];

/// A second attempt now and then: retries must not count as destinations.
const RETRY_CHANCE: f64 = 0.25;

/// Between two attempts.
const APART_MS: Range<u64> = 200..2_500;

pub(super) fn sweep(session: &mut Session) -> Attack {
    let found_by = ["blocked_probes"];
    let mut attack = Attack::begin("*", "mixed", session.now, &found_by);
    let mut names: Vec<String> = TOP_LEVEL_DOMAINS
        .iter()
        .flat_map(|tld| NAMES.iter().map(move |name| format!("{name}.{tld}")))
        .collect();
    session.dice.shuffle(&mut names);
    for (number, name) in names.iter().enumerate() {
        let host = hostile(name, 40 + number as u8);
        let attempts = if session.dice.chance(RETRY_CHANCE) { 2 } else { 1 };
        for _ in 0..attempts {
            session.try_blocked(&host, &CURL, BLOCKS[number % BLOCKS.len()]);
            attack.contacts += 1;
            attack.end = session.now;
            session.wait(APART_MS);
        }
        attack.blocked_destinations += 1;
    }
    attack
}
