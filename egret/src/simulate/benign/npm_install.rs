//! `npm install`: metadata and tarballs over several connections at once.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::NPM;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Connections to the registry: npm opens up to 15 (`maxsockets`), fewer when packages are cached.
const CONNECTIONS: Range<usize> = 3..9;

/// Packages per connection.
const PACKAGES_EACH: Range<usize> = 2..6;

/// Abbreviated metadata of a package (`application/vnd.npm.install-v1+json`), at a quarter.
const METADATA_BYTES: Range<usize> = 600..8_000;

/// A tarball, at a fiftieth of the larger ones; most on the registry are a few tens of KB.
const TARBALL_BYTES: Range<usize> = 1_000..12_000;

/// The audit request at the end: names and versions of all packages, compressed.
const AUDIT_BYTES: Range<usize> = 1_200..9_000;

/// Sockets are opened as the tree is resolved, not all at once.
const APART_MS: Range<u64> = 5..120;

pub(super) const ACTIVITY: Activity = Activity { name: "npm-install", run };

fn run(session: &mut Session) {
    let registry = public("registry.npmjs.org");
    let connections = session.dice.count(CONNECTIONS);
    let plans: Vec<Vec<Call>> = (0..connections).map(|_| packages(session)).collect();
    let visits: Vec<Visit<'_>> =
        plans.iter().map(|calls| Visit::https(&registry, &NPM, calls)).collect();
    session.visit_together(APART_MS, &visits);
    let size = session.dice.size(AUDIT_BYTES);
    let audit = [Call::post("/-/npm/v1/security/advisories/bulk", size, 900)];
    session.visit(&Visit::https(&registry, &NPM, &audit));
}

fn packages(session: &mut Session) -> Vec<Call> {
    let packages = session.dice.count(PACKAGES_EACH);
    let mut calls = Vec::new();
    for package in 0..packages {
        let metadata = session.dice.size(METADATA_BYTES);
        let tarball = session.dice.size(TARBALL_BYTES);
        calls.push(Call::get(format!("/package-{package}"), metadata));
        calls.push(Call::get(format!("/package-{package}/-/package-{package}.tgz"), tarball));
    }
    calls
}
