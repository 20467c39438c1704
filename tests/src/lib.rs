//! What the integration tests stand on: the built binary, child processes that never outlive a
//! test, network namespaces, a certificate authority, and the real programs that Egret talks to.

pub mod binary;
pub mod capability;
pub mod certificates;
pub mod namespaces;
pub mod parts;
pub mod process;
pub mod wait;

use std::path::PathBuf;

/// The root of the repository.
pub fn repository() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
