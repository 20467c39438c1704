//! What the integration tests stand on: the built binary, child processes that never outlive a
//! test, network namespaces, a certificate authority, and the real programs that Egret talks to.

pub mod binary;
pub mod capability;
pub mod certificates;
pub mod evaluation;
pub mod faults;
pub mod load;
pub mod namespaces;
pub mod parts;
pub mod ports;
pub mod process;
pub mod receiver;
pub mod rows;
pub mod running;
pub mod stored;
pub mod wait;

use std::io::Write;
use std::path::PathBuf;

/// Says something to whoever runs the tests, also when the test passes: the harness keeps what
/// the print macros write to itself.
pub fn say(text: &str) {
    // A test must not fail because nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
