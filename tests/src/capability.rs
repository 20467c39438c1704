//! What a test needs of the machine. A test that cannot run here says so, loudly.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::parts::python;
use crate::{repository, say};

/// Where skipped tests are written down; `tests/run.sh` reads it.
pub const SKIPPED: &str = "target/skipped-tests";

/// Something that a machine may lack.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// To make network namespaces and capture in them: root, or its capabilities.
    Namespaces,
    /// To mount file systems: root, or its capabilities.
    Mounts,
    /// A program on the path.
    Program(&'static str),
    /// A program of the tests' own Python environment; some exist for some machines only.
    PythonProgram(&'static str),
}

impl Need {
    fn lacking(self) -> Option<String> {
        match self {
            Self::Namespaces => {
                // Tests run side by side, and each probe must have a name of its own.
                static PROBES: AtomicU32 = AtomicU32::new(0);
                let number = PROBES.fetch_add(1, Ordering::Relaxed);
                let name = format!("egret-probe-{}-{number}", std::process::id());
                let made = Command::new("ip").args(["netns", "add", &name]).output();
                let works = made.is_ok_and(|output| output.status.success());
                if works {
                    // Whether it can be deleted again does not change the answer.
                    let _ = Command::new("ip").args(["netns", "del", &name]).output();
                }
                (!works).then(|| "network namespaces cannot be made (needs root)".to_owned())
            }
            Self::Mounts => {
                // In a mount namespace of its own, so that nothing is left.
                let mount = ["--mount", "mount", "-t", "tmpfs", "egret-probe", "/mnt"];
                let mounted = Command::new("unshare").args(mount).output();
                let works = mounted.is_ok_and(|output| output.status.success());
                (!works).then(|| "file systems cannot be mounted (needs root)".to_owned())
            }
            Self::Program(program) => {
                let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                    .chain(["/usr/sbin".into(), "/sbin".into()])
                    .any(|folder| folder.join(program).is_file());
                (!found).then(|| format!("{program} is not installed (`deploy/setup.sh test`)"))
            }
            Self::PythonProgram(program) => {
                let is_there = python().with_file_name(program).is_file();
                (!is_there).then(|| {
                    format!(
                        "{program} is not in target/python (`deploy/setup.sh test`; PyPI may have \
                         none for this machine)"
                    )
                })
            }
        }
    }
}

/// Whether everything is there. If not, says so and writes the test down as skipped; where `CI`
/// is set that is a failure.
pub fn have(test: &str, needs: &[Need]) -> bool {
    let lacking: Vec<String> = needs.iter().filter_map(|need| need.lacking()).collect();
    if lacking.is_empty() {
        return true;
    }
    let reason = format!("SKIPPED {test}: {}", lacking.join("; "));
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    say(&reason);
    let file = OpenOptions::new().create(true).append(true).open(repository().join(SKIPPED));
    if let Ok(mut file) = file {
        let _ = writeln!(file, "{reason}");
    }
    false
}
