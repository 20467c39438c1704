//! The real programs that Egret talks to, started for one test each.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::certificates::Certificate;
pub use crate::ports::free_port;
use crate::process::Process;
use crate::repository;
use crate::wait::until;

/// A secret that webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// As many ports of loopback as asked for, that nobody listens on for UDP now.
pub fn free_udp_ports(count: usize) -> Vec<u16> {
    let is_free = |port: &u16| UdpSocket::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(free_port).filter(is_free).take(count).collect()
}

/// Waits until somebody listens at each of these UDP ports of loopback: what is sent before is lost. The
/// kernel's table is read, because to try a port is to take it.
pub fn until_udp_listens(ports: &[u16]) {
    until("the UDP ports to listen", || {
        let table = std::fs::read_to_string("/proc/net/udp").expect("Linux has a table of UDP");
        let listens = |port: &u16| table.contains(&format!(" 0100007F:{port:04X} "));
        ports.iter().all(listens).then_some(())
    });
}

/// What curl is answered at `url`; nothing while nobody answers.
pub fn get(url: &str) -> Option<String> {
    let output = Command::new("curl").args(["-sS", "--max-time", "10", url]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same as JSON.
pub fn get_json(url: &str) -> Option<Value> {
    serde_json::from_str(&get(url)?).ok()
}

/// The answer to this, sent as JSON to `url`; nothing while nobody answers.
pub fn post_json(url: &str, body: &Value) -> Option<Value> {
    let body = body.to_string();
    let args =
        ["-sS", "--max-time", "10", "-H", "content-type: application/json", "-d", &body, url];
    let output = Command::new("curl").args(args).output().ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
}

/// A script of `tests/parts`.
pub fn script(name: &str) -> PathBuf {
    repository().join("tests/parts").join(name)
}

/// The Python of the tests' own environment.
pub fn python() -> PathBuf {
    let path = repository().join("target/python/bin/python3");
    assert!(path.is_file(), "{} is missing: run `deploy/setup.sh test`", path.display());
    path
}

/// Lets every user into a folder and read what is in it: squid changes to one of its own.
pub fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // squid gives up root and must still write its log here.
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(path, mode).expect("the folder is ours");
}

/// Writes `squid.conf` into `folder`: these lines, and a log `access.log` beside it in the format
/// that Egret recommends.
pub fn configure_squid(folder: &Path, lines: &str) {
    let shipped = std::fs::read_to_string(repository().join("deploy/squid/egret.conf"))
        .expect("the recommended log format is in the repository");
    let is_of_format = |line: &&str| {
        line.starts_with("logformat egret ") || line.starts_with("strip_query_terms ")
    };
    let format: Vec<&str> = shipped.lines().filter(is_of_format).collect();
    assert_eq!(format.len(), 2, "deploy/squid/egret.conf defines the format");
    let format = format.join("\n");
    let text = format!(
        "{lines}{format}\naccess_log stdio:{folder}/access.log egret\n\
         cache_log {folder}/squid.cache.log\npid_filename {folder}/squid.pid\n\
         coredump_dir {folder}\ncache deny all\nshutdown_lifetime 0 seconds\n",
        folder = folder.display()
    );
    std::fs::write(folder.join("squid.conf"), text).expect("the folder can be written");
}

/// Starts squid, as the command `squid` runs it, with the `squid.conf` of `folder`.
pub fn start_squid(folder: &Path, mut squid: Command) -> Process {
    squid.args(["-N", "-d1", "-f"]).arg(folder.join("squid.conf"));
    let mut process = Process::start(squid, &folder.join("squid.log"));
    process.wait_for_output("Accepting HTTP Socket connections");
    process
}

/// rsyslog, listening for RFC 5424 over TLS, writing each message as it came.
#[derive(Debug)]
pub struct Rsyslog {
    process: Process,
    received: PathBuf,
}

impl Rsyslog {
    /// Starts it on 127.0.0.1:`port`. `in_space` makes the command that runs a program there.
    pub fn start(
        folder: &Path,
        port: u16,
        root: &Path,
        own: &Certificate,
        in_space: impl Fn(&str) -> Command,
    ) -> Self {
        let received = folder.join("rsyslog.received");
        let configuration = format!(
            "global(workDirectory=\"{folder}\" DefaultNetstreamDriver=\"gtls\"\n\
             DefaultNetstreamDriverCAFile=\"{root}\"\n\
             DefaultNetstreamDriverCertFile=\"{certificate}\"\n\
             DefaultNetstreamDriverKeyFile=\"{key}\" maxMessageSize=\"64k\")\n\
             module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\"\n\
             StreamDriver.AuthMode=\"anon\")\n\
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
             template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
             action(type=\"omfile\" file=\"{received}\" template=\"raw\")\n",
            folder = folder.display(),
            root = root.display(),
            certificate = own.certificate.display(),
            key = own.key.display(),
            received = received.display(),
        );
        let file = folder.join("rsyslog.conf");
        std::fs::write(&file, configuration).expect("the folder can be written");
        let mut command = in_space("rsyslogd");
        command.args(["-n", "-f"]).arg(&file).arg("-i").arg(folder.join("rsyslog.pid"));
        let process = Process::start(command, &folder.join("rsyslog.log"));
        until("rsyslog to listen", || {
            let state = in_space("ss").args(["-Hltn"]).output().ok()?;
            let text = String::from_utf8_lossy(&state.stdout).into_owned();
            text.contains(&format!("127.0.0.1:{port}")).then_some(())
        });
        Self { process, received }
    }

    /// The messages received so far, one a line.
    pub fn received(&self) -> Vec<String> {
        let text = std::fs::read(&self.received).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }

    /// What it says of itself.
    pub fn output(&self) -> String {
        self.process.output()
    }
}

/// A webhook receiver that checks signatures with the published `standardwebhooks` package.
#[derive(Debug)]
pub struct WebhookReceiver {
    process: Process,
}

impl WebhookReceiver {
    /// Starts it on 127.0.0.1:`port`.
    pub fn start(folder: &Path, port: u16, in_space: impl Fn(&str) -> Command) -> Self {
        let python = python();
        let mut command = in_space(python.to_str().expect("the path is UTF-8"));
        command.arg(script("webhook_receiver.py")).args([
            "127.0.0.1",
            &port.to_string(),
            WEBHOOK_SECRET,
        ]);
        let mut process = Process::start(command, &folder.join("webhooks.log"));
        process.wait_for_output("listening");
        Self { process }
    }

    /// The webhooks received so far: `received_at`, `id`, `verified`, `body`.
    pub fn received(&self) -> Vec<Value> {
        let output = self.process.output();
        output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
