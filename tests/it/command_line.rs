//! `egret analyze` and `egret simulate`, as a person would use them.

use std::collections::BTreeSet;
use std::path::Path;

use egret_store::{IncidentQuery, RawStore, Store};
use egret_tests::binary::{run, succeed};
use serde_json::Value;

/// Of the first seed the burst is one of those that are missed: it comes from a session of a kind
/// that makes hundreds of contacts anyway.
const SEED: &str = "2";

/// Simulates `scenario` in `folder` and analyzes what was written.
fn simulate_and_analyze(scenario: &str, folder: &Path) -> Value {
    let out = folder.join(scenario);
    let text = |path: &Path| path.to_str().expect("the path is UTF-8").to_owned();
    succeed(&["simulate", scenario, "--seed", SEED, "--out", &text(&out), "--sessions", "24"]);
    let printed = succeed(&[
        "analyze",
        "--format",
        "json",
        "--config",
        &text(&out.join("egret.toml")),
        &text(&out.join("traffic.pcap")),
        &text(&out.join("squid.log")),
        &text(&out.join("envoy.jsonl")),
    ]);
    serde_json::from_str(&printed).expect("egret prints JSON")
}

fn destinations(report: &Value) -> BTreeSet<String> {
    let incidents = report["incidents"].as_array().expect("a list of incidents");
    incidents
        .iter()
        .map(|incident| incident["destination"].as_str().expect("a destination").to_owned())
        .collect()
}

/// Destinations that the scenario's attacks go to, by its own truth.
pub(super) fn attacked(folder: &Path, scenario: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder.join(scenario).join("truth.json"))
        .expect("the scenario says what it did");
    let truth: Value = serde_json::from_str(&text).expect("truth.json is JSON");
    let sessions = truth["sessions"].as_array().expect("a list of sessions");
    sessions
        .iter()
        .filter_map(|session| session.pointer("/attack/destination")?.as_str())
        .map(str::to_owned)
        .collect()
}

#[test]
fn ordinary_traffic_gives_no_incident() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let report = simulate_and_analyze("benign", folder.path());
    assert_eq!(destinations(&report), BTreeSet::new());
    assert!(report["events"].as_u64() > Some(1000), "something was looked at");
}

#[test]
fn bulk_uploads_are_found_where_they_went_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let report = simulate_and_analyze("bulk-upload", folder.path());
    let attacked = attacked(folder.path(), "bulk-upload");
    assert!(!attacked.is_empty());
    assert_eq!(destinations(&report), attacked);
}

#[test]
fn a_burst_a_sweep_of_blocked_probes_and_a_dns_tunnel_are_each_one_incident() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for (scenario, detector) in
        [("burst", "rate_burst"), ("blocked-probes", "blocked_probes"), ("dns-txt", "dns_tunnel")]
    {
        let report = simulate_and_analyze(scenario, folder.path());
        let incidents = report["incidents"].as_array().expect("a list of incidents");
        assert_eq!(incidents.len(), 1, "{scenario}: {:?}", destinations(&report));
        let first = &incidents[0]["explanation"]["findings"][0]["detector"];
        assert_eq!(first, detector, "{scenario}");
    }
}

#[test]
fn what_is_left_with_strangers_is_found_however_little_is_seen_of_it() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for scenario in ["paste", "tunnel-service", "package-publish"] {
        let report = simulate_and_analyze(scenario, folder.path());
        assert_eq!(destinations(&report), attacked(folder.path(), scenario), "{scenario}");
        let incidents = report["incidents"].as_array().expect("a list of incidents");
        assert_eq!(
            incidents.len(),
            3,
            "directly, through a proxy, and through one that sees inside"
        );
        for incident in incidents {
            let findings =
                incident["explanation"]["findings"].as_array().expect("a list of findings");
            let mut detectors = findings.iter().map(|finding| &finding["detector"]);
            assert!(detectors.any(|detector| detector == "foreign_tenant"), "{scenario}");
        }
    }
}

#[test]
fn every_input_balances() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let report = simulate_and_analyze("bulk-upload", folder.path());
    for input in report["inputs"].as_array().expect("a list of inputs") {
        let ledger = &input["ledger"];
        let lost = ledger["lost"].as_array().expect("a list of losses");
        let lost: u64 = lost.iter().filter_map(|entry| entry[1].as_u64()).sum();
        let received = ledger["received"].as_u64().expect("a count");
        assert!(received > 0, "{input}");
        assert_eq!(received, ledger["passed"].as_u64().expect("a count") + lost, "{input}");
    }
}

#[test]
fn the_same_files_give_the_same_bytes_on_any_number_of_shards() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let out = folder.path().join("x");
    let out = out.to_str().expect("the path is UTF-8");
    succeed(&["simulate", "blocked-probes", "--out", out, "--sessions", "12"]);
    let files = ["traffic.pcap", "squid.log", "envoy.jsonl"].map(|file| format!("{out}/{file}"));
    let config = format!("{out}/egret.toml");
    let analyze = |shards: &str| {
        let setting = format!("analyzer.shards={shards}");
        let mut args = vec!["analyze", "--format", "json", "--config", &config, "--set", &setting];
        args.extend(files.iter().map(String::as_str));
        succeed(&args)
    };
    let once = analyze("1");
    assert!(once.contains("blocked_probes"), "there is something to compare");
    for shards in ["1", "2", "7"] {
        assert!(analyze(shards) == once, "{shards} shards give other bytes");
    }
}

#[test]
fn the_demo_catches_its_attacks_and_keeps_the_baselines_that_its_incidents_name() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let dir = folder.path().join("demo");
    let dir = dir.to_str().expect("the path is UTF-8");
    let printed = succeed(&["demo", "--once", "--listen", "127.0.0.1:0", "--dir", dir]);
    let places = ["bulk-upload", "burst"].map(|scenario| attacked(Path::new(dir), scenario));
    assert_eq!(places.iter().map(BTreeSet::len).sum::<usize>(), 4);
    for caught in places.iter().flatten().map(String::as_str).chain(["blocked"]) {
        assert!(printed.contains(caught), "{caught} was not caught: {printed}");
    }
    let path = Some(Path::new(dir).join("egret.db"));
    let store = Store::open(&RawStore { path, ..RawStore::default() }.check())
        .expect("the demo's store opens");
    let page = store.incidents(&IncidentQuery::default()).expect("incidents can be read");
    let named = page.items.iter().map(|row| &row.incident.explanation);
    for explanation in named.filter(|explanation| explanation.baseline_frozen_at.is_some()) {
        let kept = store.baseline(explanation.baseline).expect("baselines can be read");
        let kept = kept.expect("the baseline that an incident names is kept");
        assert_eq!(Some(kept.frozen_at), explanation.baseline_frozen_at);
    }
}

#[test]
fn fail_on_sets_the_exit_status() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let out = folder.path().join("x");
    let out = out.to_str().expect("the path is UTF-8");
    succeed(&["simulate", "bulk-upload", "--out", out, "--sessions", "4"]);
    let (config, capture) = (format!("{out}/egret.toml"), format!("{out}/traffic.pcap"));
    let args = ["analyze", "--config", &config, &capture];
    assert_eq!(run(&args).status.code(), Some(0));
    let failing = [&args[..], &["--fail-on", "low"]].concat();
    assert_eq!(run(&failing).status.code(), Some(3));
}

#[test]
fn completions_and_the_api_document_are_printed() {
    assert!(succeed(&["completions", "bash"]).contains("complete -F _egret"));
    let document: Value =
        serde_json::from_str(&succeed(&["openapi"])).expect("the document is JSON");
    assert!(document["paths"]["/v1/incidents"].is_object());
}

/// A proxy's log of three clients' uploads of 5 MiB each to one place, and of one to another place.
const UPLOADS: &str = "\
    1795888455.100 900 10.0.0.1:40001 TCP_MISS/200 up=5242880 down=224 POST http://drop.example.net/a 203.0.113.9:80 hier=HIER_DIRECT user=- sni=- bump=- ua=-
1795888515.100 900 10.0.0.2:40001 TCP_MISS/200 up=5242880 down=224 POST http://drop.example.net/b 203.0.113.9:80 hier=HIER_DIRECT user=- sni=- bump=- ua=-
1795888575.100 900 10.0.0.3:40001 TCP_MISS/200 up=5242880 down=224 POST http://drop.example.net/c 203.0.113.9:80 hier=HIER_DIRECT user=- sni=- bump=- ua=-
1795888635.100 900 10.0.0.3:40002 TCP_MISS/200 up=5242880 down=224 POST http://other.example.org/d 203.0.113.8:80 hier=HIER_DIRECT user=- sni=- bump=- ua=-
";

#[test]
fn incidents_about_one_place_are_counted_as_one_story_below_the_table() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let log = folder.path().join("access.log");
    std::fs::write(&log, UPLOADS).expect("the folder can be written");
    let printed = succeed(&["analyze", log.to_str().expect("the path is UTF-8")]);
    let (table, below) = printed.split_once("4 incidents make 2 roll-ups:\n").expect("it says so");
    assert_eq!(table.matches("example.net").count(), 3, "{printed}");
    let first = below.lines().next().expect("a roll-up").trim();
    let expected = "example.net: 3 incidents, 3 sessions, 3 executors, since 2026-11-28T";
    assert!(first.starts_with(expected), "{first}");
    assert_eq!(below.lines().nth(1), Some(""), "what stands alone is in the table: {below}");
}
