//! The formulas of other tools that Egret is compared with are those that were published.

use std::process::Command;

use egret_tests::capability::{Need, have};
use egret_tests::repository;

#[test]
fn the_formulas_of_the_peers_are_as_published() {
    if !have("the_formulas_of_the_peers_are_as_published", &[Need::Program("python3")]) {
        return;
    }
    let mut python = Command::new("python3");
    let python = python
        .args(["-B", "-m", "unittest"])
        .current_dir(repository().join("tests/evaluation/peers"));
    let output = python.output().expect("python3 can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{said}");
}
