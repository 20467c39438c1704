//! `git clone` over HTTPS: the references, then a pack.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::GIT;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// What the client wants and has: little on a clone.
const WANTS_BYTES: Range<usize> = 180..900;

/// References of a repository, protocol version 2.
const REFERENCES_BYTES: Range<usize> = 1_000..20_000;

/// A pack, at a seventieth: shallow clones of services are 1 to 15 MB.
const PACK_BYTES: Range<usize> = 20_000..200_000;

/// Counting and compressing on the server.
const PACKING_MS: Range<u64> = 150..1_800;

/// Checking out, and reading what was cloned.
const READING_MS: Range<u64> = 2_000..15_000;

pub(super) const ACTIVITY: Activity = Activity { name: "git-clone", run };

fn run(session: &mut Session) {
    let owner = *session.dice.pick(&["acme", "globex", "initech"]);
    let references = session.dice.size(REFERENCES_BYTES);
    let wants = session.dice.size(WANTS_BYTES);
    let pack = session.dice.size(PACK_BYTES);
    let think = session.dice.ms(PACKING_MS);
    let path = format!("/{owner}/service.git");
    let calls = [
        Call::get(format!("{path}/info/refs?service=git-upload-pack"), references),
        Call { think, ..Call::post(format!("{path}/git-upload-pack"), wants, pack) },
    ];
    session.visit(&Visit::https(&public("github.com"), &GIT, &calls));
    session.wait(READING_MS);
}
