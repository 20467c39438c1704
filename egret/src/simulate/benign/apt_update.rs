//! `apt-get update` and one install, in clear over HTTP.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::APT;
use crate::simulate::session::{Call, Over, Session, Visit};
use crate::simulate::world::{Host, public};

/// Package lists, at a fiftieth: 8 MB for main; those for updates are not scaled.
const LIST_BYTES: Range<usize> = 12_000..150_000;

/// A signed release file, at half.
const RELEASE_BYTES: Range<usize> = 22_000..76_000;

/// Packages of the install that follows, and their sizes at a tenth.
const PACKAGES: Range<usize> = 1..6;
const PACKAGE_BYTES: Range<usize> = 2_000..40_000;

/// Unpacking lists between the two commands.
const BETWEEN_MS: Range<u64> = 900..4_000;

pub(super) const ACTIVITY: Activity = Activity { name: "apt-update", run };

fn run(session: &mut Session) {
    let mirror = public("deb.debian.org").behind(&["debian.map.fastlydns.net"]);
    let mut update = Vec::new();
    for suite in ["bookworm", "bookworm-updates"] {
        let release = session.dice.size(RELEASE_BYTES);
        let list = session.dice.size(LIST_BYTES);
        let path = format!("/debian/dists/{suite}");
        update.push(Call::get(format!("{path}/InRelease"), release));
        update.push(Call::get(format!("{path}/main/binary-amd64/Packages.xz"), list));
    }
    fetch(session, &mirror, &update);
    session.wait(BETWEEN_MS);
    let mut install = Vec::new();
    for package in 0..session.dice.count(PACKAGES) {
        let size = session.dice.size(PACKAGE_BYTES);
        install.push(Call::get(format!("/debian/pool/main/p/p{package}_1.0_amd64.deb"), size));
    }
    fetch(session, &mirror, &install);
}

fn fetch(session: &mut Session, mirror: &Host, calls: &[Call]) {
    session.visit(&Visit { over: Over::Clear, ..Visit::https(mirror, &APT, calls) });
}
