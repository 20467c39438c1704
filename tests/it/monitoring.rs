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

#[test]
fn every_metric_of_the_rules_is_one_that_egret_has() {
    let rules =
        std::fs::read_to_string(deploy().join("prometheus/egret.rules.yml")).expect("rules");
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let expressions = rules.lines().filter(|line| line.trim_start().starts_with("expr:"));
    let names: BTreeSet<&str> = expressions
        .flat_map(|line| line.split(|character| !is_part(character)))
        .filter(|word| word.starts_with("egret_"))
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    let sources = sources();
    for name in names {
        assert!(sources.contains(&format!("\"{name}\"")), "no source has {name}");
    }
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
