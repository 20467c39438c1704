//! Looking for a way out: many hosts are tried, and every one is kept out of reach (T1046).

use super::{Attack, Channel, Kind, Mission, Pace, Role};
use crate::simulate::programs::CURL;
use crate::simulate::session::{Block, Session, Visited};
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

pub(super) static KIND: Kind = Kind {
    name: "blocked-probes",
    about: "dozens of hosts are tried, and every one is kept out of reach",
    technique: "T1046",
    channel: Channel::Blocked,
    found_by: &["blocked_probes"],
    // A host a contact: the list as fast as each attempt fails, in a loose rhythm, over a day.
    paces: [
        Pace { contacts: 40..41, bytes: 0..1, apart_ms: 200..201 },
        Pace { contacts: 30..41, bytes: 0..1, apart_ms: 200..6_000 },
        Pace { contacts: 20..31, bytes: 0..1, apart_ms: 240_000..900_000 },
    ],
    roles: &Role::direct(act),
    sessions: 1,
};

fn act(session: &mut Session, mission: &Mission) -> Attack {
    let mut attack = Attack { route: "mixed".to_owned(), ..Attack::towards("*", session) };
    let mut names: Vec<String> = TOP_LEVEL_DOMAINS
        .iter()
        .flat_map(|tld| NAMES.iter().map(move |name| format!("{name}.{tld}")))
        .collect();
    session.dice.shuffle(&mut names);
    let mut untried = names.iter().enumerate();
    mission.each(session, |session, _| {
        let Some((number, name)) = untried.next() else { return };
        let host = hostile(name, 40 + number as u8);
        let attempts = if session.dice.chance(RETRY_CHANCE) { 2 } else { 1 };
        for _ in 0..attempts {
            let began = session.now;
            session.try_blocked(&host, &CURL, BLOCKS[number % BLOCKS.len()]);
            attack.add(Visited { up_bytes: 0, began, ended: session.now }, 0);
        }
        attack.blocked_destinations += 1;
    });
    attack
}
