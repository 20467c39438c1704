//! What others watch Egret with: Prometheus rules, and what SIEMs are given.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn promtool(args: &[&str]) {
    let output = Command::new("promtool")
        .args(args)
        .current_dir(deploy().join("prometheus"))
        .output()
        .expect("promtool is needed: apt-get install prometheus");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn promtool_takes_the_rules_and_they_call_when_they_should() {
    promtool(&["check", "rules", "egret.rules.yml"]);
    promtool(&["test", "rules", "egret.test.yml"]);
}

/// The text of all sources of the program.
fn sources() -> String {
    let root = deploy().join("..");
    let mut all = String::new();
    let mut folders: Vec<_> = ["egret", "collector", "store", "notify", "api"]
        .map(|room| root.join(room).join("src"))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all += &std::fs::read_to_string(path).expect("a source");
            }
        }
    }
    all
}

/// The metrics that expressions ask for.
fn metrics(expressions: &[String]) -> BTreeSet<&str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = expressions.iter().flat_map(|text| text.split(move |part| !is_part(part)));
    words.filter(|word| word.starts_with("egret_")).collect()
}

#[test]
fn every_metric_of_the_rules_and_the_board_is_one_that_egret_has() {
    let read = |path: &str| std::fs::read_to_string(deploy().join(path)).expect(path);
    let rules = read("prometheus/egret.rules.yml");
    let rules = rules.lines().filter(|line| line.trim_start().starts_with("expr:"));
    let rules: Vec<_> = rules.map(str::to_owned).collect();
    let board: Value = serde_json::from_str(&read("grafana/egret.json")).expect("JSON");
    let mut queries = Vec::new();
    collect_queries(&board, &mut queries);
    let (rules, queries) = (metrics(&rules), metrics(&queries));
    assert!(rules.len() >= 8 && queries.len() >= 30, "{rules:?} {queries:?}");
    let sources = sources();
    for name in rules.union(&queries) {
        // A histogram is told as a summary, with its sum and its count.
        let base = name.strip_suffix("_sum").or_else(|| name.strip_suffix("_count"));
        let has = |name: &str| sources.contains(&format!("\"{name}\""));
        assert!(has(name) || base.is_some_and(has), "no source has {name}");
    }
}

fn collect_queries(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            queries.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect_queries(value, queries));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_queries(value, queries)),
        _ => {}
    }
}

#[test]
fn promtool_takes_every_query_of_the_board() {
    let text = std::fs::read_to_string(deploy().join("grafana/egret.json")).expect("the board");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let mut queries = Vec::new();
    collect_queries(&board, &mut queries);
    let rules: Vec<_> = queries
        .iter()
        .enumerate()
        .map(|(n, query)| {
            let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
            let query = query.replace("$__interval", "1m").replace("$instance", ".*");
            serde_json::json!({ "record": format!("query:{n}"), "expr": query })
        })
        .collect();
    let rules = serde_json::json!({ "groups": [{ "name": "board", "rules": rules }] });
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("rules.yml");
    // YAML reads JSON.
    std::fs::write(&file, rules.to_string()).expect("the folder can be written");
    promtool(&["check", "rules", file.to_str().expect("UTF-8")]);
}

#[test]
fn what_siems_are_given_is_well_formed_and_sentinels_rule_has_its_tables_columns() {
    let read = |path: &str| -> Value {
        let text = std::fs::read_to_string(deploy().join("siem").join(path)).expect(path);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let table = read("sentinel/table.json");
    let rule = read("sentinel/rule.json");
    assert_eq!(
        table["properties"]["schema"]["columns"],
        rule["properties"]["streamDeclarations"]["Custom-EgretAlerts_CL"]["columns"]
    );
    let template = read("elastic/index-template.json");
    assert_eq!(template["index_patterns"][0], "logs-egret.alert-*");
    // Splunk's files are read by the rules of its configuration: stanzas, `key = value`, `\` goes on.
    for file in ["props.conf", "savedsearches.conf"] {
        let path = deploy().join("siem/splunk").join(file);
        let text = std::fs::read_to_string(path).expect(file).replace("\\\n", " ");
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let is_stanza = line.starts_with('[') && line.ends_with(']');
            assert!(is_stanza || line.contains(" = "), "{file}: {line}");
        }
    }
}
