//! `cargo build`: the sparse index, then the crates, each over one HTTP/2 connection.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::CARGO;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Crates of a small command-line program with its dependencies.
const CRATES: Range<usize> = 12..45;

/// An index file, at a quarter: one JSON line per version, compressed.
const INDEX_BYTES: Range<usize> = 400..3_000;

/// A `.crate` file, at a fifth: most are some tens of KB.
const CRATE_BYTES: Range<usize> = 1_500..10_000;

pub(super) const ACTIVITY: Activity = Activity { name: "cargo-build", run };

fn run(session: &mut Session) {
    let index = public("index.crates.io").behind(&["d1y5ic5cbqyuxv.cloudfront.net"]);
    let crates = public("static.crates.io");
    let count = session.dice.count(CRATES);
    let mut asked = Vec::new();
    let mut fetched = Vec::new();
    for number in 0..count {
        let entry = session.dice.size(INDEX_BYTES);
        let archive = session.dice.size(CRATE_BYTES);
        asked.push(Call::get(format!("/cr/at/crate-{number}"), entry));
        fetched.push(Call::get(format!("/crates/crate-{number}.crate"), archive));
    }
    session.visit(&Visit::https(&index, &CARGO, &asked));
    session.visit(&Visit::https(&crates, &CARGO, &fetched));
}
