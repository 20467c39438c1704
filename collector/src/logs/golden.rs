//! Lines that real proxies wrote (`tests/golden/make.py`) are read as it says beside them.

use std::path::{Path, PathBuf};

use egret_event::Timestamp;

use super::entry::Entry;
use super::reader::Reader;
use super::record::LogRecord;
use super::testing::in_short;
use crate::{Dialect, dialects};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// What each line of a log tells.
fn told(log: &[u8], dialect: Dialect) -> String {
    let mut reader = Reader::new(Some(dialect));
    reader.next_file(Timestamp::from_secs(0));
    let mut told = String::new();
    for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        told += &match reader.read(line) {
            Ok(Entry::Request(record)) => in_full(&record),
            Ok(other) => panic!("no request: {other:?}"),
            Err(problem) => problem.to_string(),
        };
        told.push('\n');
    }
    told
}

/// What a request's line tells, with what only some lines have.
fn in_full(record: &LogRecord<'_>) -> String {
    let mut told = in_short(record);
    if let Some(address) = record.address {
        told += &format!(" server {address}");
    }
    for (what, value) in [("user", &record.user), ("sni", &record.sni)] {
        if let Some(value) = value {
            told += &format!(" {what} {:?}", String::from_utf8_lossy(value));
        }
    }
    told
}

#[test]
fn what_real_proxies_logged_is_read_as_it_happened() {
    let mut dialects_seen = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(log) = std::fs::read(path.join("access.log")) else { continue };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // DIALECT or DIALECT.VARIANT.
        let dialect = name.split('.').next().unwrap_or(&name);
        let dialect = dialects::named(dialect, &[]).unwrap_or_else(|| panic!("no {dialect}"));
        let (told, expected) = (told(&log, dialect), path.join("expected.txt"));
        if std::env::var_os("EGRET_UPDATE").is_some() {
            std::fs::write(&expected, &told).unwrap();
        }
        let expected = std::fs::read_to_string(expected).unwrap_or_default();
        assert_eq!(told, expected, "{name}");
        dialects_seen.push(name);
    }
    assert!(dialects_seen.len() >= 9, "only {dialects_seen:?}");
}

#[test]
fn what_real_proxies_logged_is_recognized() {
    for name in [
        "nginx-json",
        "haproxy-json",
        "haproxy-http",
        "squid-egret",
        "squid-native",
        "gh-aw-firewall",
    ] {
        let log = folder().join(name).join("access.log");
        let recognized = crate::recognize(&log).unwrap();
        let expected = dialects::named(name, &[]).unwrap();
        assert_eq!(recognized, crate::Recognized::Log(expected), "{name}");
    }
}
