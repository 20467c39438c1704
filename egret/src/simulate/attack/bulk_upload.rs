//! A large archive goes up in one request to a host that nobody has ever contacted (T1048).

use std::ops::Range;

use super::Attack;
use crate::simulate::programs::{CURL, Program, REQUESTS};
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::{Host, hostile};

/// The archive: a repository with its history, or a small data set.
const ARCHIVE_BYTES: Range<usize> = 5 << 20..8 << 20;

/// The server writes it down and says so.
const RECEIPT_BYTES: usize = 96;

/// Packing the archive before.
const PACKING_MS: Range<u64> = 2_000..8_000;

const FOUND_BY: [&str; 2] = ["upload_size", "new_destination"];

/// By itself.
pub(super) fn past_the_proxy(session: &mut Session) -> Attack {
    let host = hostile("ingest.dropvault.example", 17);
    let mut attack = upload(session, &host, "dropvault.example", &CURL);
    attack.addresses = vec![host.address(false)];
    attack
}

/// Through Squid, where only the log tells how much.
pub(super) fn through_the_proxy(session: &mut Session) -> Attack {
    let host = hostile("up.cloud-parcel.example", 200);
    upload(session, &host, "cloud-parcel.example", &REQUESTS)
}

fn upload(session: &mut Session, host: &Host, domain: &str, program: &'static Program) -> Attack {
    session.wait(PACKING_MS);
    let size = session.dice.count(ARCHIVE_BYTES);
    let start = session.now;
    let post = [Call::post("/u/archive.tar.zst", size, RECEIPT_BYTES)];
    let visited = session.visit(&Visit::https(host, program, &post));
    let mut attack = Attack::begin(domain, session.route.word(), start, &FOUND_BY);
    attack.add(visited, size);
    attack
}
