//! An `egret run` under test: started in a folder, alone or in a network namespace, and asked
//! through its API.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binary::egret;
use crate::namespaces::command_in;
use crate::process::Process;
use crate::wait::until;

/// What egret says once it serves.
const SERVES: &str = "the dashboard and the API are at";

/// A running egret, killed when dropped.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub process: Process,
    /// Where it answers, such as `http://127.0.0.1:9000/`.
    pub address: String,
    place: Place,
}

/// Where a program runs.
#[derive(Debug, Clone)]
pub enum Place {
    /// Here.
    Here,
    /// In the network namespace of this name.
    Namespace(String),
    /// Here, as the user and group of this number, with no privileges.
    User(u32),
}

impl Place {
    /// A command that runs there.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Here => Command::new(program),
            Self::Namespace(space) => command_in(space, program),
            Self::User(id) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={id}")).arg(format!("--regid={id}"));
                command.args(["--clear-groups", "--inh-caps=-all"]).arg(program);
                command
            }
        }
    }
}

impl Running {
    /// Starts it with this configuration, written to a file of `folder`; its log goes there too.
    pub fn start(folder: &Path, configuration: &str) -> Self {
        Self::start_in(Place::Here, folder, configuration)
    }

    /// The same in some place.
    pub fn start_in(place: Place, folder: &Path, configuration: &str) -> Self {
        let (mut process, _) = Self::launch(&place, folder, configuration);
        let address = address(&mut process);
        Self { process, address, place }
    }

    /// Starts it without waiting for anything; the file that it logs to.
    pub fn launch(place: &Place, folder: &Path, configuration: &str) -> (Process, PathBuf) {
        let file = folder.join("egret.toml");
        std::fs::write(&file, configuration).expect("the folder can be written");
        let mut command = place.command(egret());
        command.args(["run", "--config"]).arg(&file);
        let log = folder.join("egret.log");
        (Process::start(command, &log), log)
    }

    /// What the API answers at `path` (`v1/status`), if it answers.
    pub fn get(&self, path: &str) -> Option<Value> {
        let url = format!("{}{path}", self.address);
        let mut command = self.place.command("curl");
        let output = command.args(["-sS", "--max-time", "20", &url]).output().ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// How it is doing; null while it does not answer.
    pub fn status(&self) -> Value {
        self.get("v1/status").unwrap_or_default()
    }

    /// How the source of this name is doing.
    pub fn source(&self, name: &str) -> Value {
        let status = self.status();
        let mut sources = status["sources"].as_array().into_iter().flatten();
        sources.find(|source| source["name"] == name).cloned().unwrap_or_default()
    }

    /// Waits until the live source `name` captures: until it has counted what `send` sends.
    pub fn wait_until_capturing(&self, name: &str, mut send: impl FnMut()) {
        let before = received(&self.source(name));
        until("the capture to start", || {
            send();
            (received(&self.source(name)) > before).then_some(())
        });
    }
}

/// Units that a source has received, by its status.
pub fn received(source: &Value) -> u64 {
    source["ledger"]["received"].as_u64().unwrap_or_default()
}

/// Waits until this `egret run` serves; where.
pub fn address(process: &mut Process) -> String {
    process.wait_for_output(SERVES);
    let output = process.output();
    let start = output.find("http://").expect("the address is logged");
    output[start..].split_whitespace().next().expect("an address").to_owned()
}
