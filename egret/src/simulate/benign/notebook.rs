//! A notebook: cells that read data from the web, one after the other, with somebody looking at the
//! results in between; and the server's own line to the hub that started it.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::REQUESTS;
use crate::simulate::session::{Call, Over, Session, Visit};
use crate::simulate::world::{INTERNAL_API, internal, public};

/// Cells that reach out, until the question is answered.
const CELLS: Range<usize> = 3..8;

/// A table in CSV, at a twentieth: most examples are of a few MB; or an API's answer, not scaled.
const TABLE_BYTES: Range<usize> = 8_000..250_000;
const ANSWER_BYTES: Range<usize> = 600..40_000;

/// Looking at a plot.
const LOOKING_MS: Range<u64> = 4_000..30_000;

/// Telling the hub that it is in use.
const REPORT_BYTES: Range<usize> = 60..140;

/// Where tables and answers are kept.
const TABLES: [&str; 4] =
    ["raw.githubusercontent.com", "archive.ics.uci.edu", "data.cdc.gov", "ourworldindata.org"];
const APIS: [&str; 4] =
    ["api.worldbank.org", "api.census.gov", "api.open-meteo.com", "query1.finance.yahoo.com"];

pub(super) const ACTIVITY: Activity = Activity { name: "notebook", run };

fn run(session: &mut Session) {
    for _ in 0..session.dice.count(CELLS) {
        read(session);
        session.past_the_proxy(report);
        session.wait(LOOKING_MS);
    }
}

fn read(session: &mut Session) {
    let is_table = session.dice.chance(0.5);
    let (places, sizes) = if is_table { (&TABLES, TABLE_BYTES) } else { (&APIS, ANSWER_BYTES) };
    let name = session.dice.pick(places);
    let host = public(name);
    let get = [Call::get("/data/series.csv", session.dice.size(sizes))];
    session.visit(&Visit::https(&host, &REQUESTS, &get));
}

fn report(session: &mut Session) {
    let hub = internal("hub.internal.test", INTERNAL_API);
    let report = [Call::post("/hub/api/activity", session.dice.count(REPORT_BYTES), 2)];
    session.visit(&Visit { over: Over::Clear, ..Visit::https(&hub, &REQUESTS, &report) });
}
