//! A real squid that is told to rotate its log, and restarted, while a client goes on.

use std::path::{Path, PathBuf};
use std::process::Command;

use egret_event::GapReason;
use egret_tests::capability::{Need, have};
use egret_tests::faults::{Row, end_and_count, following, until_stored};
use egret_tests::parts::free_port;
use egret_tests::process::Process;
use egret_tests::running::Running;
use egret_tests::stored::Stored;
use egret_tests::wait::until;

/// Requests of one part of the test.
const SOME: u64 = 120;

/// squid with the log format that Egret recommends, in front of one web server.
struct Proxy {
    folder: PathBuf,
    port: u16,
    web: u16,
    requests: u64,
    answered: u64,
    process: Process,
    _server: Process,
}

impl Proxy {
    fn start(folder: &Path) -> Self {
        let (port, web) = (free_port(), free_port());
        let mut server = Command::new("python3");
        let (address, web_text) = ("127.0.0.1", web.to_string());
        server.args(["-m", "http.server", "--bind", address, &web_text]).current_dir(folder);
        let server = Process::start(server, &folder.join("web.log"));
        egret_tests::parts::configure_squid(
            folder,
            &format!("http_port 127.0.0.1:{port}\nhttp_access allow all\nlogfile_rotate 3\n"),
        );
        let process = egret_tests::parts::start_squid(folder, Command::new("squid"));
        let folder = folder.to_owned();
        Self { folder, port, web, requests: 0, answered: 0, process, _server: server }
    }

    /// Sends requests; those that squid took are in its log, the others never were anywhere.
    fn request(&mut self, requests: u64) {
        let script = format!(
            "import socket\nok = 0\nfor n in range({from}, {to}):\n  try:\n    \
             s = socket.create_connection(('127.0.0.1', {port}), 5)\n    \
             s.sendall(b'GET http://127.0.0.1:{web}/r%d HTTP/1.0\\r\\n\\r\\n' % n)\n    \
             got = b''\n    while True:\n      part = s.recv(65536)\n      \
             if not part: break\n      got += part\n    ok += got.startswith(b'HTTP/1')\n  \
             except OSError: pass\nprint(ok)",
            from = self.requests,
            to = self.requests + requests,
            port = self.port,
            web = self.web,
        );
        let output = Command::new("timeout").args(["30", "python3", "-c", &script]).output();
        let output = output.expect("python3 is installed");
        let answered = String::from_utf8_lossy(&output.stdout).trim().parse::<u64>();
        self.answered += answered.expect("the client counts");
        self.requests += requests;
    }

    /// `squid -k rotate`: the log is renamed and opened anew.
    fn rotate(&self) {
        let mut command = Command::new("squid");
        command.args(["-k", "rotate", "-f"]).arg(self.folder.join("squid.conf"));
        let status = command.status();
        assert!(status.is_ok_and(|status| status.success()), "squid does not rotate");
        let first = self.folder.join("access.log.0");
        until("squid to rotate its log", || first.is_file().then_some(()));
    }

    fn restart(&mut self) {
        self.process.terminate();
        self.process = egret_tests::parts::start_squid(&self.folder, Command::new("squid"));
    }
}

#[test]
fn a_proxy_that_rotates_and_restarts_loses_nothing() {
    let needs = [Need::Program("squid"), Need::Program("python3"), Need::Program("curl")];
    if !have("a_proxy_that_rotates_and_restarts_loses_nothing", &needs) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    egret_tests::parts::open_to_all(folder.path());
    let mut proxy = Proxy::start(folder.path());
    let log = folder.path().join("access.log");
    let configuration = following(&log, folder.path()).replace("10.20.0.0/16", "127.0.0.0/8");
    let egret = Running::start(folder.path(), &configuration);
    proxy.request(SOME);
    proxy.rotate();
    proxy.request(SOME);
    proxy.restart();
    proxy.request(SOME);
    proxy.rotate();
    proxy.request(SOME);
    let stored = Stored::open(folder.path());
    until_stored(&stored, proxy.answered);
    assert_eq!(proxy.answered, 4 * SOME, "squid answered");
    assert_eq!(stored.gaps("squid", GapReason::LogLost), []);
    let stored = end_and_count(egret, folder.path());
    Row {
        fault: "proxy restarted, its log rotated",
        done: "real squid: `-k rotate`, stopped and started, `-k rotate`; clients went on",
        written: proxy.answered,
        stored,
        unreadable: 0,
        told: "nothing to tell",
    }
    .tell();
}
