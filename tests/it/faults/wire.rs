//! What happens to a live capture, while another source goes on.

use egret_event::{Event, GapReason};
use egret_tests::capability::{Need, have};
use egret_tests::faults::{Log, Row, until_stored};
use egret_tests::namespaces::{GATEWAY_INTERFACE, Namespaces};
use egret_tests::running::{Place, Running};
use egret_tests::stored::Stored;
use egret_tests::wait::until;

const NEEDS: [Need; 3] = [Need::Namespaces, Need::Program("python3"), Need::Program("curl")];

/// Where the executor connects to; nobody listens, so each connection is refused at once.
const TARGET: &str = "203.0.113.1";

/// Connections of one part of a test.
const SOME: u64 = 200;

/// A gateway that captures and follows a log at the same time.
struct Site {
    spaces: Namespaces,
    folder: tempfile::TempDir,
    log: Log,
    configuration: String,
    connections: u64,
}

impl Site {
    fn new(label: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let log = Log::at(folder.path().join("access.log"));
        let configuration = format!(
            "[[collector.sources]]\nname = \"wire\"\nkind = \"live\"\n\
             interface = \"{GATEWAY_INTERFACE}\"\nfilter = \"tcp\"\n\
             [[collector.segments]]\nname = \"inside\"\nranges = [\"10.77.0.0/24\"]\n{}",
            egret_tests::faults::following(log.path(), folder.path())
        );
        Self { spaces: Namespaces::new(label), folder, log, configuration, connections: 0 }
    }

    fn start(&self) -> Running {
        let gateway = Place::Namespace(self.spaces.gateway.clone());
        Running::start_in(gateway, self.folder.path(), &self.configuration)
    }

    /// Makes connections to [`TARGET`], each to a port of its own.
    fn connect(&mut self, connections: u64) {
        let from = 1_000 + self.connections;
        let code = format!(
            "import socket\nfor port in range({from}, {to}):\n  \
             s = socket.socket()\n  s.settimeout(2)\n  s.connect_ex(('{TARGET}', port))\n  s.close()",
            to = from + connections
        );
        self.spaces.run(&self.spaces.executor, "timeout", &["30", "python3", "-c", &code]);
        self.connections += connections;
    }

    /// Connections of ours that are stored, each by its port once.
    fn stored_connections(&self) -> u64 {
        let events = Stored::open(self.folder.path()).events();
        let ours = |event: &&Event| event.source == "wire" && event.is_contact();
        let ports = events.iter().filter(ours).map(|event| event.destination.port);
        let mut ports: Vec<u16> = ports.filter(|port| *port >= 1_000).collect();
        let all = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), all, "a connection is stored twice");
        all as u64
    }

    /// Waits until egret captures, makes [`SOME`] connections, and waits until those are stored.
    fn capture_some(&mut self, egret: &Running) {
        egret.wait_until_capturing("wire", || {
            // To a port that does not count.
            let code = format!("import socket\nsocket.socket().connect_ex(('{TARGET}', 99))");
            self.spaces.run(&self.spaces.executor, "timeout", &["5", "python3", "-c", &code]);
        });
        let captured = self.stored_connections();
        self.connect(SOME);
        until("the connections to be stored", || {
            (self.stored_connections() >= captured + SOME).then_some(())
        });
    }

    /// Sets the captured interface up or down.
    fn set_interface(&self, to: &str) {
        let line = ["link", "set", GATEWAY_INTERFACE, to];
        self.spaces.run(&self.spaces.gateway, "ip", &line);
    }

    /// Writes to the log, and waits until egret has read that.
    fn go_on_with_the_log(&mut self, egret: &Running) {
        self.log.write(SOME);
        until("the other source to go on", || {
            (egret.source("squid")["ledger"]["passed"] == SOME).then_some(())
        });
    }
}

#[test]
fn killed_while_it_captures_egret_says_how_long_it_was_blind() {
    if !have("killed_while_it_captures_egret_says_how_long_it_was_blind", &NEEDS) {
        return;
    }
    let mut site = Site::new("kill");
    let mut egret = site.start();
    site.log.write(SOME);
    site.capture_some(&egret);
    until_stored(&Stored::open(site.folder.path()), SOME);
    egret.process.kill();
    let unseen = SOME / 4;
    site.connect(unseen);
    let mut egret = site.start();
    site.capture_some(&egret);
    let gaps = Stored::open(site.folder.path()).gaps("wire", GapReason::Stopped);
    assert_eq!(gaps.len(), 1, "one time without anyone listening: {gaps:?}");
    assert_eq!(egret.process.terminate().code(), Some(0), "egret ends in order");
    Row {
        fault: "killed while it captures",
        done: "kill -9, 50 of 450 connections while it is dead, started again",
        written: site.connections,
        stored: site.stored_connections(),
        unreadable: unseen,
        told: "gap stopped, from the last snapshot to the start",
    }
    .tell();
}

#[test]
fn an_interface_that_is_pulled_is_told_of_and_taken_up_again() {
    if !have("an_interface_that_is_pulled_is_told_of_and_taken_up_again", &NEEDS) {
        return;
    }
    let mut site = Site::new("pull");
    let mut egret = site.start();
    site.capture_some(&egret);
    site.spaces.disconnect_executor();
    let failed = until("egret to say that the interface is gone", || {
        let source = egret.source("wire");
        (source["state"] == "failed").then_some(source)
    });
    let error = failed["error"].as_str().unwrap_or_default();
    assert!(error.contains(GATEWAY_INTERFACE), "{error}");
    site.go_on_with_the_log(&egret);
    site.spaces.connect_executor();
    until("egret to capture again", || (egret.source("wire")["state"] == "running").then_some(()));
    site.capture_some(&egret);
    let gaps = Stored::open(site.folder.path()).gaps("wire", GapReason::Stopped);
    assert!(!gaps.is_empty(), "the time without the interface is a gap");
    assert_eq!(egret.process.terminate().code(), Some(0), "egret ends in order");
    Row {
        fault: "interface pulled",
        done: "deleted under the capture, put back; a log went on meanwhile",
        written: site.connections,
        stored: site.stored_connections(),
        unreadable: 0,
        told: "source failed, with the reason; gap stopped; running again",
    }
    .tell();
}

#[test]
fn an_interface_that_goes_down_and_up_is_captured_from_again() {
    if !have("an_interface_that_goes_down_and_up_is_captured_from_again", &NEEDS) {
        return;
    }
    let mut site = Site::new("down");
    let mut egret = site.start();
    site.capture_some(&egret);
    site.set_interface("down");
    site.go_on_with_the_log(&egret);
    site.set_interface("up");
    site.capture_some(&egret);
    let told = Stored::open(site.folder.path()).gaps("wire", GapReason::Stopped);
    assert_eq!(egret.process.terminate().code(), Some(0), "egret ends in order");
    Row {
        fault: "interface down and up",
        done: "`ip link set down`, then up; a log went on meanwhile",
        written: site.connections,
        stored: site.stored_connections(),
        unreadable: 0,
        told: if told.is_empty() { "nothing passed, nothing to tell" } else { "gap stopped" },
    }
    .tell();
}
