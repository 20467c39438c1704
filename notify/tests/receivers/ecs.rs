//! The Elastic Common Schema, as Elastic publishes its fields.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::validators::lines_in_a_file;

/// Checks documents by `tests/ecs/check.js`.
pub(crate) fn check(documents: &[Value]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/ecs");
    assert!(folder.join("node_modules").exists(), "ECS is needed: deploy/setup.sh test");
    let own = folder.join("../../../target/node/bin/node");
    let node = if own.exists() { own } else { "node".into() };
    let output = Command::new(node)
        .arg(folder.join("check.js"))
        .stdin(lines_in_a_file(documents.iter().cloned()))
        .stderr(Stdio::inherit())
        .output()
        .expect("Node.js is needed: deploy/setup.sh test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
