//! Real exporters, read over loopback: what they tell of a capture is what is in it.

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use egret_tests::binary::succeed;
use egret_tests::capability::{Need, have};
use egret_tests::parts::{free_port, free_udp_ports, until_udp_listens};
use egret_tests::process::Process;
use egret_tests::running::Running;
use egret_tests::stored::Stored;
use egret_tests::wait::until;
use serde_json::Value;

/// Silence after which an exporter that has ended has nothing more to say.
const SILENCE: Duration = Duration::from_millis(500);

/// How long an exporter may take for a capture.
const PATIENCE: Duration = Duration::from_secs(60);

/// What events add up to: contacts, bytes and packets each way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
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

fn sums<'a>(events: impl IntoIterator<Item = &'a Value>) -> Sums {
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

/// What was lost. That a source was quiet is no loss: flows of a past hour, sent in a second, jump.
fn losses(events: &[Value]) -> Vec<&Value> {
    let is_loss =
        |event: &&Value| event.pointer("/fact/gap/reason").is_some_and(|reason| reason != "quiet");
    events.iter().filter(is_loss).collect()
}

/// What a capture holds, by egret's own reading.
struct Truth {
    all: Sums,
    ipv4: Sums,
}

impl Truth {
    fn of(capture: &Path) -> Self {
        let seen = events(capture);
        let (all, ipv4) = (sums(&seen), sums(seen.iter().filter(|event| is_ipv4(event))));
        assert!(ipv4.contacts > 100 && ipv4.up > 1_000_000, "{ipv4:?}");
        assert!(all.contacts > ipv4.contacts, "{all:?} {ipv4:?}");
        Self { all, ipv4 }
    }

    /// What can be told of it: version 5 has no room for addresses of IPv6.
    fn in_version(&self, version: &str) -> Sums {
        if version == "5" { self.ipv4 } else { self.all }
    }
}

fn is_ipv4(event: &Value) -> bool {
    event["client"][0].as_str().is_some_and(|address| !address.contains(':'))
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
    let truth = Truth::of(&capture);
    for version in ["5", "9", "10"] {
        let told = events(&exported(&capture, version, folder.path()));
        assert_eq!(sums(&told), truth.in_version(version), "version {version}");
        assert_eq!(losses(&told), [] as [&Value; 0], "version {version}: nothing was lost");
    }
}

/// What argus and `ra` tell of a capture, as text.
fn told_by_argus(capture: &Path, folder: &Path) -> PathBuf {
    let (flows, log) = (folder.join("argus.out"), folder.join("argus.csv"));
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().expect("argus is installed");
        assert!(output.status.success(), "{program}: {output:?}");
        output.stdout
    };
    run("argus", &["-F", "/dev/null", "-r", text(capture), "-w", text(&flows)]);
    let columns = "stime,dur,proto,saddr,sport,dir,daddr,dport,state,pkts,bytes,spkts,sbytes";
    let mut args =
        vec!["-F", "/dev/null", "-r", text(&flows), "-nn", "-u", "-c", ",", "-L", "0", "-s"];
    args.extend(columns.split(','));
    std::fs::write(&log, run("ra", &args)).expect("the folder can be written to");
    log
}

#[test]
fn what_argus_tells_adds_up_to_what_the_capture_holds() {
    let name = "what_argus_tells_adds_up_to_what_the_capture_holds";
    if !have(name, &["argus", "ra"].map(Need::Program)) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let capture = simulated(folder.path());
    let told = events(&told_by_argus(&capture, folder.path()));
    assert_eq!(sums(&told), Truth::of(&capture).in_version("argus"));
    assert_eq!(losses(&told), [] as [&Value; 0]);
}

/// A program that sends what it saw to a collector.
#[derive(Debug, Clone, Copy)]
enum Exporter {
    /// nfdump's files of flows, sent again.
    Nfreplay,
    /// pmacct's probe.
    Pmacctd,
}

/// Who exports to which source in which version.
const EXPORTS: [(&str, Exporter, &str); 5] = [
    ("nfreplay-5", Exporter::Nfreplay, "5"),
    ("nfreplay-9", Exporter::Nfreplay, "9"),
    ("pmacctd-5", Exporter::Pmacctd, "5"),
    ("pmacctd-9", Exporter::Pmacctd, "9"),
    ("pmacctd-10", Exporter::Pmacctd, "10"),
];

impl Exporter {
    /// Starts sending what `capture` holds (or the flows made of it) to this port of loopback.
    fn start(self, version: &str, port: u16, capture: &Path, flows: &Path) -> Process {
        let folder = capture.parent().expect("a capture is in a folder");
        let name = format!("{self:?}-{version}");
        let command = match self {
            Self::Nfreplay => {
                let mut command = Command::new("nfreplay");
                command.args(["-H", "127.0.0.1", "-p", &port.to_string(), "-v", version]);
                command.args(["-r", text(flows)]);
                command
            }
            Self::Pmacctd => {
                let file = folder.join(format!("{name}.conf"));
                let configuration = format!(
                    "daemonize: false\npcap_savefile: {}\nplugins: nfprobe\n\
                     nfprobe_receiver: 127.0.0.1:{port}\nnfprobe_version: {version}\n",
                    text(capture)
                );
                std::fs::write(&file, configuration).expect("the folder can be written to");
                let mut command = Command::new("pmacctd");
                command.args(["-f", text(&file)]);
                command
            }
        };
        Process::start(command, &folder.join(format!("{name}.log")))
    }
}

/// A file of nfdump's with the flows of a capture.
fn flows_of(capture: &Path, folder: &Path) -> PathBuf {
    let (parts, whole) = (folder.join("nfcapd"), folder.join("flows"));
    std::fs::create_dir(&parts).expect("the folder can be written to");
    for (program, args) in [
        ("nfpcapd", ["-r", text(capture), "-w", text(&parts)]),
        ("nfdump", ["-R", text(&parts), "-w", text(&whole)]),
    ] {
        let output = Command::new(program).args(args).output().expect("nfdump is installed");
        assert!(output.status.success(), "{program}: {output:?}");
    }
    whole
}

/// A configuration that listens for each of the [`EXPORTS`] at one of these ports.
fn listening_at(ports: &[u16], folder: &Path) -> String {
    let mut configuration = format!(
        "[[collector.segments]]\nname = \"a\"\nranges = [\"10.0.0.0/8\", \"fc00::/7\"]\n\
         [store]\npath = \"{}/egret.db\"\nkeep_events = \"3650d\"\n\
         [api]\nlisten = \"127.0.0.1:{}\"\n",
        text(folder),
        free_port()
    );
    for ((name, ..), port) in EXPORTS.iter().zip(ports) {
        let source = format!(
            "[[collector.sources]]\nkind = \"netflow\"\nname = \"{name}\"\n\
             listen = \"127.0.0.1:{port}\"\n"
        );
        configuration.write_str(&source).expect("text can be written to");
    }
    configuration
}

/// What the store holds of all sources.
fn stored(folder: &Path) -> Vec<Value> {
    let events = Stored::open(folder).events();
    events.iter().map(|event| serde_json::to_value(event).expect("an event is JSON")).collect()
}

fn of_source<'a>(events: &'a [Value], name: &str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["source"] == name)
}

#[test]
fn what_nfreplay_and_pmacctd_send_adds_up_to_what_the_capture_holds() {
    let name = "what_nfreplay_and_pmacctd_send_adds_up_to_what_the_capture_holds";
    if !have(name, &["nfpcapd", "nfdump", "nfreplay", "pmacctd"].map(Need::Program)) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path();
    let capture = simulated(path);
    let flows = flows_of(&capture, path);
    let truth = Truth::of(&capture);
    let ports = free_udp_ports(EXPORTS.len());
    let mut egret = Running::start(path, &listening_at(&ports, path));
    until_udp_listens(&ports);
    let start = |((_, exporter, version), port): (&(&str, Exporter, &str), &u16)| {
        exporter.start(version, *port, &capture, &flows)
    };
    let exporters: Vec<Process> = EXPORTS.iter().zip(&ports).map(start).collect();
    // What arrived is the test: pmacctd's status depends on which of its processes ends first.
    for mut exporter in exporters {
        exporter.wait_for_end(PATIENCE);
    }
    for (name, _, version) in EXPORTS {
        until(&format!("the flows of {name}"), || {
            let contacts = sums(of_source(&stored(path), name)).contacts;
            (contacts >= truth.in_version(version).contacts).then_some(())
        });
    }
    egret.process.terminate();
    let stored = stored(path);
    for (name, _, version) in EXPORTS {
        assert_eq!(sums(of_source(&stored, name)), truth.in_version(version), "{name}");
    }
    assert_eq!(losses(&stored), [] as [&Value; 0], "nothing was lost on loopback");
}
