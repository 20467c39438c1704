//! What an attacker has settled before it begins: how fast, and under which name it is known.

use super::{Attack, Pace};
use crate::simulate::dice::Dice;
use crate::simulate::programs::Program;
use crate::simulate::session::{Call, Over, Session, Visit};
use crate::simulate::world::{Host, hostile};

/// Words that attackers' names are made of. They say nothing, so that no name gives itself away.
const FIRST: [&str; 16] = [
    "quiet", "amber", "north", "pillow", "lantern", "copper", "maple", "silver", "harvest",
    "river", "cobalt", "meadow", "winter", "paper", "marble", "velvet",
];
const SECOND: [&str; 16] = [
    "harbor", "fort", "moth", "vault", "parcel", "orchard", "signal", "bridge", "garden", "kite",
    "anchor", "ledger", "window", "compass", "thicket", "beacon",
];

/// One attacker's plan; all its sessions share it.
#[derive(Debug)]
pub(crate) struct Mission {
    pace: &'static Pace,
    /// When so many bytes are stolen in a session, it ends early.
    most_bytes: Option<usize>,
    /// The attacker's name for itself: its domain, its account, its bucket.
    pub(crate) handle: String,
    /// Which of the documentation addresses its server has.
    number: u8,
}

impl Mission {
    /// A mission in the words and numbers that `dice` give.
    pub(crate) fn draw(pace: &'static Pace, most_bytes: Option<usize>, dice: &mut Dice) -> Self {
        let handle = format!("{}-{}", dice.pick(&FIRST), dice.pick(&SECOND));
        Self { pace, most_bytes, handle, number: dice.count(1..255) as u8 }
    }

    /// The attacker's own server, called `label` there.
    pub(crate) fn host(&self, label: &str) -> Host {
        hostile(&format!("{label}.{}.example", self.handle), self.number)
    }

    /// One of many servers, each of another domain.
    pub(crate) fn numbered_host(&self, number: usize) -> Host {
        hostile(&format!("{}-{number}.example", self.handle), (number % 254) as u8 + 1)
    }

    /// The attacker's own server, called by nothing but its address.
    pub(crate) fn address(&self, v6: bool) -> Host {
        let host = self.host("host");
        Host { name: host.address(v6).to_string(), ..host }
    }

    /// Has `contact` make each contact of the pace, with the bytes that it is to carry.
    pub(crate) fn each(&self, session: &mut Session, mut contact: impl FnMut(&mut Session, usize)) {
        let Pace { contacts, bytes, apart_ms } = self.pace;
        let mut left = self.most_bytes.unwrap_or(usize::MAX);
        for turn in 0..session.dice.count(contacts.clone()) {
            if turn > 0 {
                session.wait(apart_ms.clone());
            }
            let carried = session.dice.count(bytes.clone()).min(left);
            contact(session, carried);
            left -= carried;
            if left == 0 {
                return;
            }
        }
    }

    /// Sends what the pace says to `host`: a connection for each contact, with the calls that
    /// `calls` makes of the bytes it is to carry.
    pub(crate) fn send(
        &self,
        session: &mut Session,
        (host, program): (&Host, &'static Program),
        calls: impl FnMut(&mut Dice, usize) -> Vec<Call>,
    ) -> Attack {
        self.send_over(Over::Tls, session, (host, program), calls)
    }

    /// As [`Self::send`], in connections of another kind.
    pub(crate) fn send_over(
        &self,
        over: Over,
        session: &mut Session,
        (host, program): (&Host, &'static Program),
        mut calls: impl FnMut(&mut Dice, usize) -> Vec<Call>,
    ) -> Attack {
        let mut attack = Attack::to(host, session);
        self.each(session, |session, bytes| {
            let calls = calls(&mut session.dice, bytes);
            let visit = Visit { over, ..Visit::https(host, program, &calls) };
            attack.add(session.visit(&visit), bytes);
        });
        attack
    }
}
