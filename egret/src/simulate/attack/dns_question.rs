//! What all tunnels inside DNS questions need: an alphabet, labels, and asking.

use super::{Attack, Mission};
use crate::simulate::session::{Session, Visited};
use crate::simulate::wire::dns::{Exchange, LONGEST_LABEL, Record, RecordType};

/// An alphabet that bytes are written in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alphabet {
    letters: &'static [u8],
    /// Bits in a letter.
    bits: usize,
}

/// As iodine writes it: letters and the first six digits.
pub(super) const BASE32: Alphabet =
    Alphabet { letters: b"abcdefghijklmnopqrstuvwxyz012345", bits: 5 };
pub(super) const HEX: Alphabet = Alphabet { letters: b"0123456789abcdef", bits: 4 };

impl Alphabet {
    /// `bytes` of stolen data, which is compressed or encrypted and so looks like noise.
    pub(super) fn write(self, session: &mut Session, bytes: usize) -> String {
        session.dice.text(self.letters, (bytes * 8).div_ceil(self.bits))
    }

    /// The same as labels of a name, with their dots.
    pub(super) fn labels(self, session: &mut Session, bytes: usize) -> String {
        let text = self.write(session, bytes);
        let labels = text.as_bytes().chunks(LONGEST_LABEL).map(String::from_utf8_lossy);
        labels.collect::<Vec<_>>().join(".")
    }
}

/// The attacker's zone: questions below it arrive at its own name server.
pub(super) fn zone(mission: &Mission) -> String {
    format!("{}.example", mission.handle)
}

/// A tunnel into `zone` that has asked nothing yet.
pub(super) fn tunnel(zone: &str, session: &Session) -> Attack {
    Attack { route: "resolver".to_owned(), ..Attack::towards(zone, session) }
}

/// A question that is answered with `records`.
pub(super) fn found(name: String, asked: RecordType, records: Vec<Record>) -> Exchange {
    Exchange { name, asked, code: 0, records }
}

/// Asks, and writes down what left in the question.
pub(super) fn ask(
    session: &mut Session,
    attack: &mut Attack,
    (exchange, stolen_bytes): (Exchange, usize),
) {
    let began = session.now;
    let up_bytes = session.ask(&[exchange]);
    attack.add(Visited { up_bytes, began, ended: session.now }, stolen_bytes);
}
