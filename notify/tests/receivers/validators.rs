//! What others publish to tell whether a document is as it should be.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The Python that has what the tests need.
pub(crate) fn python() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python3")
}

/// One document per line, to be read from the begin.
pub(crate) fn lines_in_a_file(lines: impl Iterator<Item = Value>) -> File {
    let mut file = tempfile::tempfile().unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file.rewind().unwrap();
    file
}

/// Checks (kind, argument, document) by `validate.py`.
pub(crate) fn validate(documents: &[(&str, Value, Value)]) {
    assert!(!documents.is_empty());
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let lines = documents.iter().map(|document| json!(document));
    let output = Command::new(python())
        .arg(here.join("tests/receivers/validate.py"))
        .stdin(lines_in_a_file(lines))
        .stderr(Stdio::inherit())
        .output()
        .expect("the validators are needed: deploy/setup.sh test");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
