//! Tools that phone home: most are let through, a few are blocked and try again.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::TELEMETRY;
use crate::simulate::session::{Block, Call, Route, Session, Visit};
use crate::simulate::wire::tcp::Refusal;
use crate::simulate::world::public;

/// Reports that get through, and their size: a batch of spans, compressed.
const REPORTS: Range<usize> = 2..7;
const REPORT_BYTES: Range<usize> = 400..6_000;

/// Between two reports: the exporter's interval of 5 s, with its jitter.
const INTERVAL_MS: Range<u64> = 4_200..6_000;

/// How often the network blocks one of the tools' hosts, and how many of them.
const BLOCKED_CHANCE: f64 = 0.4;
const BLOCKED_HOSTS: Range<usize> = 1..3;

/// Attempts at a blocked host: retries with back-off.
const ATTEMPTS: Range<usize> = 1..4;
const BACK_OFF_MS: Range<u64> = 800..3_000;

/// Hosts that security teams like to block.
const OFTEN_BLOCKED: [&str; 4] = [
    "telemetry.nextjs.org",
    "analytics.python-poetry.org",
    "stats.setuptools.net",
    "browser.events.data.microsoft.com",
];

pub(super) const ACTIVITY: Activity = Activity { name: "telemetry", run };

fn run(session: &mut Session) {
    let collector = public("o450.ingest.us.sentry.io");
    if session.dice.chance(BLOCKED_CHANCE) {
        for _ in 0..session.dice.count(BLOCKED_HOSTS) {
            knock(session);
        }
    }
    // A resolver's search list makes names that do not exist.
    session.look_up_in_vain("collector.agents.svc.cluster.local");
    for _ in 0..session.dice.count(REPORTS) {
        let size = session.dice.size(REPORT_BYTES);
        let report = [Call::post("/api/450/envelope/", size, 40)];
        session.visit(&Visit::https(&collector, &TELEMETRY, &report));
        session.wait(INTERVAL_MS);
    }
}

fn knock(session: &mut Session) {
    let name = session.dice.pick(&OFTEN_BLOCKED);
    let host = public(name);
    let block = match session.route {
        Route::Direct => Block::Refused(*session.dice.pick(&[Refusal::Reset, Refusal::Silence])),
        Route::Squid | Route::Bump | Route::Envoy => Block::Denied,
    };
    for _ in 0..session.dice.count(ATTEMPTS) {
        session.try_blocked(&host, &TELEMETRY, block);
        session.wait(BACK_OFF_MS);
    }
}
