//! `pip install`: the index, then a wheel for each package.

use std::ops::Range;

use super::Activity;
use crate::simulate::programs::PIP;
use crate::simulate::session::{Call, Session, Visit};
use crate::simulate::world::public;

/// Packages with their dependencies: a web client is 5, a notebook stack 30; most tasks need few.
const PACKAGES: Range<usize> = 3..10;

/// An index page, at a quarter: compressed JSON has 5 KB for a young project, 60 KB for an old one.
const INDEX_BYTES: Range<usize> = 1_000..15_000;

/// A wheel, at a fiftieth of the larger ones: pure Python 20 to 400 KB, compiled ones several MB.
const WHEEL_BYTES: Range<usize> = 4_000..60_000;

/// Resolving and unpacking between requests.
const WORK_MS: Range<u64> = 40..900;

pub(super) const ACTIVITY: Activity = Activity { name: "pip-install", run };

fn run(session: &mut Session) {
    let index = public("pypi.org");
    let files = public("files.pythonhosted.org").behind(&["dualstack.python.map.fastly.net"]);
    let packages = session.dice.count(PACKAGES);
    let mut asked = Vec::new();
    let mut fetched = Vec::new();
    for package in 0..packages {
        let after = session.dice.ms(WORK_MS);
        let page = session.dice.size(INDEX_BYTES);
        let wheel = session.dice.size(WHEEL_BYTES);
        asked.push(Call { after, ..Call::get(format!("/simple/package-{package}/"), page) });
        fetched.push(Call { after, ..Call::get(format!("/packages/{package}.whl"), wheel) });
    }
    session.visit(&Visit::https(&index, &PIP, &asked));
    session.visit(&Visit::https(&files, &PIP, &fetched));
    session.wait(WORK_MS);
}
