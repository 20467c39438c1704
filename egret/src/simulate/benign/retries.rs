//! A service has trouble, and a well-behaved client tries again, each time after twice as long: the
//! same bytes several times, at intervals that are regular in their way.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Attempts until it works, or the client gives up.
const ATTEMPTS: Range<usize> = 2..7;

/// The first pause; each next one is twice as long (full jitter would make them look like chance).
const FIRST_PAUSE_MS: u64 = 1_000;

/// What is to be delivered: a job's result.
const BODY_BYTES: Range<usize> = 800..60_000;

/// Busy, or asked too often; how long the page is that says so.
const TROUBLES: [u16; 2] = [503, 429];
const TROUBLE_BYTES: usize = 190;

/// Services that executors deliver to.
const SERVICES: [&str; 3] = ["api.github.com", "sqs.eu-west-1.amazonaws.com", "api.stripe.com"];

pub(super) const ACTIVITY: Activity = Activity { name: "retries", run };

fn run(session: &mut Session) {
    let name = session.dice.pick(&SERVICES);
    let host = public(name);
    let size = session.dice.size(BODY_BYTES);
    let trouble = *session.dice.pick(&TROUBLES);
    let attempts = session.dice.count(ATTEMPTS);
    for attempt in 0..attempts {
        let status = if attempt + 1 == attempts { 200 } else { trouble };
        let call = [Call { status, ..Call::post("/v1/results", size, TROUBLE_BYTES) }];
        session.visit(&Visit::https(&host, &REQUESTS, &call));
        let pause = FIRST_PAUSE_MS << attempt;
        session.wait(pause * 9 / 10..pause * 11 / 10);
    }
}
