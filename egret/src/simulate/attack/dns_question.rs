//! What all tunnels inside DNS questions need: labels, and asking.

use super::alphabet::Alphabet;
use super::{Attack, Mission};
use crate::simulate::session::{Session, Visited};
use crate::simulate::wire::dns::{Exchange, LONGEST_LABEL, Record, RecordType};
use crate::simulate::world::resolver;

/// `bytes` of stolen data as the labels of a name.
pub(super) fn labels(alphabet: Alphabet, session: &mut Session, bytes: usize) -> String {
    let text = alphabet.noise(&mut session.dice, bytes);
    let labels = text.as_bytes().chunks(LONGEST_LABEL).map(String::from_utf8_lossy);
    labels.collect::<Vec<_>>().join(".")
}

/// The attacker's zone: questions below it arrive at its own name server.
pub(super) fn zone(mission: &Mission) -> String {
    format!("{}.example", mission.handle)
}

/// A tunnel into `zone` that has asked nothing yet. Many questions are a burst at the resolver too.
pub(super) fn tunnel(zone: &str, session: &Session) -> Attack {
    let resolver = resolver(session.is_v6()).ip().to_string();
    let attack = Attack::towards(zone, session);
    Attack { route: "resolver".to_owned(), seen_as: vec![resolver], ..attack }
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
