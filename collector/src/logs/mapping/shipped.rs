//! The mappings that are shipped, and what tells their lines.

use std::sync::{LazyLock, Mutex, PoisonError};

use memchr::memmem;
use serde::Deserialize;

use super::{Mapping, RawMapping};

#[derive(Deserialize)]
struct Shipped {
    mappings: Vec<RawMapping>,
}

static SHIPPED: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let shipped: Shipped = toml::from_str(include_str!("shipped.toml"))
        .expect("shipped.toml is part of the program and read by a test");
    let compiled = shipped.mappings.iter().map(RawMapping::compile);
    compiled.collect::<Result<_, _>>().expect("shipped mappings are compiled by a test")
});

/// What objects of shipped mappings hold, and no others: all of these.
const SIGNS: [(&str, &[&str]); 6] = [
    ("nginx-json", &["\"by\":\"nginx\""]),
    ("haproxy-json", &["\"by\":\"haproxy\""]),
    ("mitmproxy", &["\"by\":\"mitmproxy\""]),
    ("caddy", &["\"logger\":\"http.log.access"]),
    ("traefik-json", &["\"RequestMethod\":", "\"DownstreamStatus\":"]),
    ("gh-aw-firewall-audit", &["\"dest\":\"", "\"decision\":\"", "\"client\":\""]),
];

/// All that there are, those first of whose lines others may take some for theirs.
pub fn all() -> &'static [Mapping] {
    &SHIPPED
}

/// The shipped mapping of this name.
pub fn named(name: &str) -> Option<&'static Mapping> {
    SHIPPED.iter().find(|mapping| mapping.name() == name)
}

/// The mapping, kept for as long as the process runs: sources refer to it from many places, and a
/// configuration is read once. The same mapping is kept once, so that reading it again costs
/// nothing.
pub(crate) fn kept(mapping: Mapping) -> &'static Mapping {
    static KEPT: Mutex<Vec<&'static Mapping>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = kept.iter().find(|other| ***other == mapping) {
        return same;
    }
    let mapping: &'static Mapping = Box::leak(Box::new(mapping));
    kept.push(mapping);
    mapping
}

/// The shipped mapping that a line is of, if it is of one.
pub(crate) fn looks_like(line: &[u8]) -> Option<&'static Mapping> {
    if memchr::memchr(b'{', line).is_some() {
        let holds = |sign: &&str| memmem::find(line, sign.as_bytes()).is_some();
        let known = SIGNS.iter().find(|(_, signs)| signs.iter().all(holds));
        if let Some((name, _)) = known {
            return named(name);
        }
    }
    SHIPPED.iter().find(|mapping| mapping.is_text() && mapping.fits(line))
}
