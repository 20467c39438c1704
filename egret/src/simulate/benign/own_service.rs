//! Trying out a service of the customer's own: a preview of what is being worked on, at a name that was
//! made for it a minute ago. Tests or a script call it many times, and send what such a service takes.

use std::ops::Range;

use super::Activity;
use crate::simulate::dice::Dice;
use crate::simulate::programs::{REQUESTS, UNDICI};
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Test files, each with its own connection, and calls in each.
const FILES: Range<usize> = 2..7;
const CALLS: Range<usize> = 2..9;

/// How often a call sends something, and how much: a JSON body.
const WRITE_CHANCE: f64 = 0.4;
const BODY_BYTES: Range<usize> = 120..2_400;

/// What comes back: JSON, or a page, compressed.
const ANSWER_BYTES: Range<usize> = 200..12_000;

/// Between two test files, or two looks at whether a job is done.
const BETWEEN_MS: Range<u64> = 300..6_000;

/// Services and branches that previews are named after, as hosting platforms do; below a reserved
/// domain like the names of attackers.
const SERVICES: [&str; 6] = ["shop", "docs", "admin", "billing", "search", "portal"];
const BRANCHES: [&str; 6] = ["main", "fix-login", "new-cart", "upgrade", "dark-mode", "speed"];

pub(super) const ACTIVITY: Activity = Activity { name: "own-service", run };

fn run(session: &mut Session) {
    let host = public(&preview(&mut session.dice));
    let program = *session.dice.pick(&[&UNDICI, &REQUESTS]);
    for _ in 0..session.dice.count(FILES) {
        let calls: Vec<Call> =
            (0..session.dice.count(CALLS)).map(|number| call(&mut session.dice, number)).collect();
        session.visit(&Visit::https(&host, program, &calls));
        session.wait(BETWEEN_MS);
    }
}

fn preview(dice: &mut Dice) -> String {
    let (service, branch) = (dice.pick(&SERVICES), dice.pick(&BRANCHES));
    format!("{service}-git-{branch}-{:05x}.example", dice.count(0..1 << 20))
}

fn call(dice: &mut Dice, number: usize) -> Call {
    let down = dice.size(ANSWER_BYTES);
    if dice.chance(WRITE_CHANCE) {
        Call::post(format!("/api/items/{number}"), dice.size(BODY_BYTES), down)
    } else {
        Call::get(format!("/items/{number}"), down)
    }
}
