//! Dependencies point one way, and the pure room stays pure.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use egret_tests::repository;
use serde_json::Value;

/// For each room, the rooms it may know.
const MAY_KNOW: [(&str, &[&str]); 7] = [
    ("egret-event", &[]),
    ("egret-collector", &["egret-event"]),
    ("egret-analyzer", &["egret-event"]),
    ("egret-store", &["egret-event", "egret-analyzer"]),
    ("egret-notify", &["egret-event", "egret-analyzer", "egret-store"]),
    ("egret-api", &["egret-event", "egret-analyzer", "egret-store"]),
    (
        "egret",
        &[
            "egret-event",
            "egret-collector",
            "egret-analyzer",
            "egret-store",
            "egret-notify",
            "egret-api",
        ],
    ),
];

/// Crates that belong to one room only, with that room.
const RESERVED: [(&str, &str); 4] = [
    ("pcap", "egret-collector"),
    ("statrs", "egret-analyzer"),
    ("rusqlite", "egret-store"),
    ("axum", "egret-api"),
];

/// Ordinary dependencies (not those of tests) by package of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version=1", "--locked", "--offline"])
        .current_dir(repository())
        .output()
        .expect("cargo is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("a list") {
        let known = package["dependencies"].as_array().expect("a list").iter();
        let ordinary = known.filter(|dependency| dependency["kind"].is_null());
        found.insert(text(&package["name"]), ordinary.map(|d| text(&d["name"])).collect());
    }
    found
}

#[test]
fn rooms_know_only_the_rooms_below_them() {
    let dependencies = dependencies();
    for (room, allowed) in MAY_KNOW {
        let rooms = dependencies[room].iter().filter(|name| name.starts_with("egret"));
        for known in rooms {
            assert!(allowed.contains(&known.as_str()), "{room} must not know {known}");
        }
    }
}

#[test]
fn the_analyzer_has_no_runtime_no_files_and_no_network() {
    for name in &dependencies()["egret-analyzer"] {
        for foreign in ["tokio", "reqwest", "rusqlite", "tracing", "metrics", "rand", "jiff"] {
            assert_ne!(name, foreign, "the analyzer is pure");
        }
    }
}

#[test]
fn capture_statistics_and_sql_stay_in_their_rooms() {
    for (package, known) in dependencies() {
        for (name, home) in RESERVED {
            // What judges the product from outside is no part of it.
            assert!(
                !known.contains(name) || package == home || package == "egret-tests",
                "{name} belongs to {home}, but {package} uses it"
            );
        }
    }
}
