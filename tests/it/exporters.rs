//! Real exporters, read over loopback: what they tell of a capture is what is in it.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use egret_tests::binary::succeed;
use egret_tests::capability::{Need, have};
use egret_tests::process::Process;
use serde_json::Value;

/// Silence after which an exporter that has ended has nothing more to say.
const SILENCE: Duration = Duration::from_millis(500);

/// What events add up to: contacts, bytes and packets each way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    contacts: u64,
    up: u64,
    down: u64,
    packets: u64,
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

fn events(input: &Path) -> Vec<Value> {
    let printed = succeed(&["analyze", "--format", "events", text(input)]);
    printed.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

fn sums(events: &[Value]) -> Sums {
    let mut sums = Sums::default();
    for event in events {
        let Some(flow) = event.pointer("/fact/flow") else { continue };
        let count = |place: &str| event.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        sums.contacts += u64::from(flow["number"] == 0);
        sums.up += count("/up/wire_bytes");
        sums.down += count("/down/wire_bytes");
        sums.packets += count("/up/packets") + count("/down/packets");
    }
    sums
}

fn gaps(events: &[Value]) -> usize {
    events.iter().filter(|event| event.pointer("/fact/gap").is_some()).count()
}

fn simulated(folder: &Path) -> PathBuf {
    let out = folder.join("simulated");
    succeed(&["simulate", "bulk-upload", "--out", text(&out), "--sessions", "24"]);
    out.join("traffic.pcap")
}

/// What softflowd exports of a capture, one datagram after the other.
fn exported(capture: &Path, version: &str, folder: &Path) -> PathBuf {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(SILENCE)).expect("a time-out");
    let to = socket.local_addr().expect("its address").to_string();
    let mut command = Command::new("softflowd");
    command.args(["-v", version, "-m", "500000", "-n", &to, "-r", text(capture)]);
    command.current_dir(folder);
    let mut exporter = Process::start(command, &folder.join("softflowd.log"));
    let mut datagrams = Vec::new();
    let mut buffer = [0; 65_535];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => datagrams.extend_from_slice(&buffer[..length]),
            Err(_) if exporter.has_ended() => break,
            Err(_) => {}
        }
    }
    let file = folder.join(format!("v{version}.dat"));
    std::fs::write(&file, datagrams).expect("the folder can be written to");
    file
}

#[test]
fn what_softflowd_exports_adds_up_to_what_the_capture_holds() {
    let name = "what_softflowd_exports_adds_up_to_what_the_capture_holds";
    if !have(name, &[Need::Program("softflowd")]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let capture = simulated(folder.path());
    let truth = sums(&events(&capture));
    assert!(truth.contacts > 100 && truth.up > 1_000_000, "{truth:?}");
    for version in ["9", "10"] {
        let told = events(&exported(&capture, version, folder.path()));
        assert_eq!(sums(&told), truth, "version {version}");
        assert_eq!(gaps(&told), 0, "version {version}: nothing was lost on loopback");
    }
}
