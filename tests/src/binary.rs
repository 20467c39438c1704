//! The built `egret`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::Process;
use crate::running::address;

/// The binary beside this test, which `make test` builds first; or the one that `EGRET_BINARY`
/// names (an absolute path): `make load` takes the optimized one.
///
/// # Panics
/// Where it was not built.
pub fn egret() -> PathBuf {
    if let Some(binary) = std::env::var_os("EGRET_BINARY") {
        return binary.into();
    }
    let test = std::env::current_exe().expect("a running program has a path");
    let folder = test.ancestors().find(|folder| folder.join("egret").is_file());
    folder
        .map(|folder| folder.join("egret"))
        .unwrap_or_else(|| panic!("no egret beside {}: run `make test`", test.display()))
}

/// Runs `egret` with these arguments to its end, in an environment of its own.
pub fn run(args: &[&str]) -> Output {
    Command::new(egret())
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(std::env::temp_dir())
        .output()
        .expect("egret can be started")
}

/// Starts `egret run` with this configuration; its address, such as `http://127.0.0.1:9000/`.
pub fn start(config: &Path, folder: &Path) -> (Process, String) {
    let mut command = Command::new(egret());
    command.args(["run", "--config"]).arg(config);
    let mut process = Process::start(command, &folder.join("egret.log"));
    let address = address(&mut process);
    (process, address)
}

/// What `run` printed, after checking that it succeeded.
pub fn succeed(args: &[&str]) -> String {
    let output = run(args);
    assert!(
        output.status.success(),
        "egret {args:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("egret prints UTF-8")
}
