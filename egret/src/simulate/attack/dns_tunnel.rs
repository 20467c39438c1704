//! Bytes leave inside DNS questions, in the manner of two well-known tools (T1071.004).

use std::ops::Range;

use super::Attack;
use crate::simulate::session::Session;
use crate::simulate::wire::dns::{Exchange, LONGEST_LABEL, Record, RecordType};

/// Questions of the fast tunnel, and how far apart: as fast as the resolver answers.
const FAST_QUESTIONS: Range<usize> = 1_400..2_000;
const FAST_APART_MS: Range<u64> = 1..20;

/// Questions of the slow tunnel: a polling shell.
const SLOW_QUESTIONS: Range<usize> = 500..700;
const SLOW_APART_MS: Range<u64> = 300..1_600;

/// Labels of encoded bytes in a question of the fast tunnel; it fills a name.
const FAST_LABELS: usize = 3;

/// A message of the slow tunnel: 9 bytes of header, then what the shell has to say.
const SLOW_MESSAGE_BYTES: Range<usize> = 9..54;

/// What comes back with an answer.
const CNAME_ANSWER_LETTERS: usize = 36;
const NULL_ANSWER_BYTES: Range<usize> = 60..900;
const TEXT_ANSWER_BYTES: Range<usize> = 20..120;

/// Bits in a letter of each alphabet.
const BASE32_BITS: usize = 5;
const HEX_BITS: usize = 4;

const BASE32: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";
const HEX: &[u8] = b"0123456789abcdef";

const FOUND_BY: [&str; 1] = ["dns_tunnel"];

/// NULL questions with full labels in base 32, as iodine asks them.
pub(super) fn null_records(session: &mut Session) -> Attack {
    let domain = "pillow-fort.example";
    let mut attack = Attack::begin(domain, "resolver", session.now, &FOUND_BY);
    for _ in 0..session.dice.count(FAST_QUESTIONS) {
        let letters: Vec<String> =
            (0..FAST_LABELS).map(|_| session.dice.text(BASE32, LONGEST_LABEL)).collect();
        let name = format!("{}.t.{domain}", letters.join("."));
        let size = session.dice.count(NULL_ANSWER_BYTES);
        let record = Record::Null(session.dice.noise(size));
        ask(session, &mut attack, found(name, RecordType::NULL, vec![record]));
        attack.stolen_bytes += (FAST_LABELS * LONGEST_LABEL * BASE32_BITS / 8) as u64;
        session.wait(FAST_APART_MS);
    }
    attack
}

/// TXT and CNAME questions in hexadecimal, as dnscat2 asks them.
pub(super) fn text_records(session: &mut Session) -> Attack {
    let domain = "lantern-moth.example";
    let mut attack = Attack::begin(domain, "resolver", session.now, &FOUND_BY);
    for turn in 0..session.dice.count(SLOW_QUESTIONS) {
        let length = 2 * session.dice.count(SLOW_MESSAGE_BYTES);
        let exchange = text_exchange(session, domain, (turn, length));
        ask(session, &mut attack, exchange);
        attack.stolen_bytes += (length * HEX_BITS / 8) as u64;
        session.wait(SLOW_APART_MS);
    }
    attack
}

/// A question of `length` letters; every third asks for an alias, the others for text.
fn text_exchange(session: &mut Session, domain: &str, (turn, length): (usize, usize)) -> Exchange {
    let letters = session.dice.text(HEX, length);
    let labels: Vec<&str> = letters
        .as_bytes()
        .chunks(LONGEST_LABEL - 1)
        .filter_map(|label| std::str::from_utf8(label).ok())
        .collect();
    let name = format!("{}.{domain}", labels.join("."));
    if turn % 3 == 0 {
        let reply = session.dice.text(HEX, CNAME_ANSWER_LETTERS);
        let alias = Record::Alias(format!("{reply}.{domain}"));
        found(name, RecordType::CNAME, vec![alias])
    } else {
        let size = session.dice.count(TEXT_ANSWER_BYTES);
        let text = session.dice.text(HEX, size).into_bytes();
        found(name, RecordType::TXT, vec![Record::Text(text)])
    }
}

fn found(name: String, asked: RecordType, records: Vec<Record>) -> Exchange {
    Exchange { name, asked, code: 0, records }
}

fn ask(session: &mut Session, attack: &mut Attack, exchange: Exchange) {
    attack.up_bytes += session.ask(&[exchange]);
    attack.contacts += 1;
    attack.end = session.now;
}
