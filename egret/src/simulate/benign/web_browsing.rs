//! A browser agent reads several pages: each a document, then its parts from other hosts at once.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::BROWSER;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::wire::tcp::Ending;
use crate::simulate::world::{Host, public};

/// Pages until the question is answered.
const PAGES: Range<usize> = 2..6;

/// A document, compressed, at a quarter.
const DOCUMENT_BYTES: Range<usize> = 3_000..30_000;

/// Connections for the parts of a page, and what comes over each, at a tenth of the parts' bytes:
/// the median page weighs about 2 MB.
const PART_CONNECTIONS: Range<usize> = 2..5;
const PARTS_EACH: Range<usize> = 1..4;
const PART_BYTES: Range<usize> = 800..10_000;

/// Reading, by a model: seconds, not minutes.
const READING_MS: Range<u64> = 2_500..14_000;

/// A page's connections are opened as the document is parsed.
const APART_MS: Range<u64> = 3..60;

/// How often a connection is broken off because the agent has gone to the next page.
const ABORT_CHANCE: f64 = 0.05;

/// Sites that agents read.
const SITES: [&str; 10] = [
    "en.wikipedia.org",
    "stackoverflow.com",
    "docs.python.org",
    "developer.mozilla.org",
    "news.ycombinator.com",
    "arxiv.org",
    "www.bbc.co.uk",
    "www.nature.com",
    "doc.rust-lang.org",
    "www.weather.gov",
];

/// Hosts of parts that many sites share.
const SHARED: [&str; 5] = [
    "fonts.googleapis.com",
    "fonts.gstatic.com",
    "cdn.jsdelivr.net",
    "cdnjs.cloudflare.com",
    "www.googletagmanager.com",
];

pub(super) const ACTIVITY: Activity = Activity { name: "web-browsing", run };

fn run(session: &mut Session) {
    for _ in 0..session.dice.count(PAGES) {
        read_page(session);
        session.wait(READING_MS);
    }
}

fn read_page(session: &mut Session) {
    let name = session.dice.pick(&SITES);
    let site = public(name);
    let document = [Call::get("/article", session.dice.size(DOCUMENT_BYTES))];
    session.visit(&Visit::https(&site, &BROWSER, &document));
    let connections = session.dice.count(PART_CONNECTIONS);
    let plans: Vec<(Host, Vec<Call>, Ending)> = (0..connections).map(|_| parts(session)).collect();
    let visits: Vec<Visit<'_>> =
        plans.iter().map(|(host, calls, ending)| visit(host, calls, *ending)).collect();
    session.visit_together(APART_MS, &visits);
}

fn visit<'a>(host: &'a Host, calls: &'a [Call], ending: Ending) -> Visit<'a> {
    Visit { ending, ..Visit::https(host, &BROWSER, calls) }
}

fn parts(session: &mut Session) -> (Host, Vec<Call>, Ending) {
    let name = session.dice.pick(&SHARED);
    let host = public(name);
    let count = session.dice.count(PARTS_EACH);
    let calls = (0..count)
        .map(|part| Call::get(format!("/part-{part}.js"), session.dice.size(PART_BYTES)))
        .collect();
    let aborts = session.dice.chance(ABORT_CHANCE);
    (host, calls, if aborts { Ending::ClientResets } else { Ending::ClientCloses })
}
