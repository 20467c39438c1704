//! A CI run: tests call an internal API many times in clear, then report their coverage.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::{CURL, UNDICI};
use crate::simulate::session::{Call, Over, Session, Visit};
use crate::simulate::world::{INTERNAL_API, internal, public};

/// Test files, each with its own connection, and calls in each.
const FILES: Range<usize> = 3..10;
const CALLS: Range<usize> = 2..9;

/// A JSON body up, a JSON body down.
const BODY_BYTES: Range<usize> = 120..2_400;
const ANSWER_BYTES: Range<usize> = 200..6_000;

/// Between two test files: starting a worker.
const WORKER_MS: Range<u64> = 150..1_400;

/// A coverage report, compressed.
const COVERAGE_BYTES: Range<usize> = 3_000..30_000;

pub(super) const ACTIVITY: Activity = Activity { name: "ci-tests", run };

fn run(session: &mut Session) {
    session.past_the_proxy(call_internal_api);
    let size = session.dice.size(COVERAGE_BYTES);
    let report = [Call::post("/upload/v4", size, 120)];
    session.visit(&Visit::https(&public("ingest.codecov.io"), &CURL, &report));
}

fn call_internal_api(session: &mut Session) {
    let api = internal("api.internal.test", INTERNAL_API);
    for _ in 0..session.dice.count(FILES) {
        let count = session.dice.count(CALLS);
        let calls: Vec<Call> = (0..count)
            .map(|call| {
                let up = session.dice.size(BODY_BYTES);
                let down = session.dice.size(ANSWER_BYTES);
                Call::post(format!("/v1/orders/{call}"), up, down)
            })
            .collect();
        let visit = Visit { over: Over::Clear, ..Visit::https(&api, &UNDICI, &calls) };
        session.visit(&visit);
        session.wait(WORKER_MS);
    }
}
