//! Scraping: many pages of many sites, most of which nobody here has contacted before, and some of
//! which are gone.

use std::ops::Range;

use super::Activity;
use crate::simulate::dice::Dice;
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Block, Call, Route, Session, Visit};
use crate::simulate::wire::tcp::Refusal;
use crate::simulate::world::{Host, public};

/// Sites of a list of results, and pages of each.
const SITES: Range<usize> = 4..25;
const PAGES: Range<usize> = 1..8;

/// A page, compressed, at a quarter.
const PAGE_BYTES: Range<usize> = 2_000..30_000;

/// Between two sites: a polite crawler waits, and parses.
const APART_MS: Range<u64> = 300..3_000;

/// How often a link leads nowhere: no such name, or a server that does not answer. A few in a
/// hundred links a year old are dead.
const NO_NAME_CHANCE: f64 = 0.03;
const NO_SERVER_CHANCE: f64 = 0.02;

/// Words that names of small sites are made of, below a reserved domain like those of attackers:
/// a name's ending must not tell the two apart.
const FIRST: [&str; 12] = [
    "garden", "bike", "coffee", "vintage", "mountain", "local", "green", "daily", "open", "little",
    "city", "craft",
];
const SECOND: [&str; 12] = [
    "notes", "repair", "review", "archive", "club", "recipes", "weather", "news", "studio",
    "guide", "journal", "market",
];

pub(super) const ACTIVITY: Activity = Activity { name: "scraping", run };

fn run(session: &mut Session) {
    for _ in 0..session.dice.count(SITES) {
        let host = site(&mut session.dice);
        if session.dice.chance(NO_NAME_CHANCE) {
            session.look_up_in_vain(&host.name);
        } else if session.route == Route::Direct && session.dice.chance(NO_SERVER_CHANCE) {
            session.try_blocked(&host, &REQUESTS, Block::Refused(Refusal::Silence));
        } else {
            read(session, &host);
        }
        session.wait(APART_MS);
    }
}

fn site(dice: &mut Dice) -> Host {
    let (first, second) = (dice.pick(&FIRST), dice.pick(&SECOND));
    public(&format!("www.{first}-{second}-{}.example", dice.count(1..100)))
}

fn read(session: &mut Session, host: &Host) {
    let pages: Vec<Call> = (0..session.dice.count(PAGES))
        .map(|page| Call::get(format!("/posts/{page}"), session.dice.size(PAGE_BYTES)))
        .collect();
    session.visit(&Visit::https(host, &REQUESTS, &pages));
}
