//! `git push` of a small change: the one thing a CI executor is meant to send out.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::GIT;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// A pack with the changed files of a task: some source files, compressed.
const PACK_BYTES: Range<usize> = 900..40_000;

/// References that the server tells before a push.
const REFERENCES_BYTES: Range<usize> = 1_000..20_000;

/// Hooks on the server.
const HOOKS_MS: Range<u64> = 200..1_500;

pub(super) const ACTIVITY: Activity = Activity { name: "git-push", run };

fn run(session: &mut Session) {
    let references = session.dice.size(REFERENCES_BYTES);
    let pack = session.dice.size(PACK_BYTES);
    let think = session.dice.ms(HOOKS_MS);
    let calls = [
        Call::get("/acme/service.git/info/refs?service=git-receive-pack", references),
        Call { think, ..Call::post("/acme/service.git/git-receive-pack", pack, 320) },
    ];
    session.visit(&Visit::https(&public("github.com"), &GIT, &calls));
}
