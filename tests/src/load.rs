//! A gateway under more traffic than it may be able to capture, and the account of it.
//!
//! What passed the interface is taken from the interface's own counters, so that nothing has to
//! be believed: received + dropped by the kernel must be equal to it, to the packet.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use egret::simulate::{Load, write_load_capture};
use egret_event::Timestamp;
use serde_json::Value;

use crate::namespaces::{EXECUTOR, GATEWAY, GATEWAY_INTERFACE, Namespaces};
use crate::process::Process;
use crate::rows;
use crate::running::{Place, Running, received};
use crate::wait::{Deadline, until};

/// Where iperf3 sends to.
const SINK: &str = "203.0.113.7";

/// What goes on is told to an incident every 30 s; a few more for the way into the store.
const TOLD_WITHIN: Duration = Duration::from_secs(45);

/// Between two looks at the incident.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Two loads at once would be one and a half.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the rows of a run go: `tests/load.sh` makes `tests/LOAD.md` of them.
pub const ROWS: &str = "target/load";

/// How long the loads run: as long as `EGRET_LOAD_SECONDS` says, or else `usual`.
pub fn seconds(usual: u32) -> u32 {
    let asked = std::env::var("EGRET_LOAD_SECONDS").ok();
    asked.map_or(usual, |text| text.parse().expect("EGRET_LOAD_SECONDS is a number of seconds"))
}

/// How the gateway captures, and for how long it is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Seconds of each of the two loads, which run at the same time.
    pub seconds: u32,
    /// The kernel's buffer, as in the configuration.
    pub buffer: &'static str,
    /// Capturing threads.
    pub threads: usize,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Packets that passed the interface, both ways, by its own counters.
    pub sent: u64,
    /// Bytes of them.
    pub sent_bytes: u64,
    /// Packets that egret received.
    pub received: u64,
    /// Of these, understood and used.
    pub passed: u64,
    /// Of these, not passed on, by reason.
    pub lost: Vec<(String, u64)>,
    /// Packets that the kernel dropped, as egret was told.
    pub kernel_drops: u64,
    /// Events that egret dropped because the engine's queue was full.
    pub events_dropped: u64,
    /// Packets dropped by the kernel, as the stored gap events tell them.
    pub gap_packets: u64,
    /// Of these, dropped before the load began: a small buffer may not hold even a ping.
    pub early_drops: u64,
    /// Packets dropped by the kernel, as the incident about the load tells them.
    pub incident_packets: u64,
    /// What became of that incident, in its order.
    pub incident_steps: Vec<String>,
}

impl Account {
    /// Writes the account down as a row of the table of loads.
    pub fn tell(&self, trial: Trial) {
        let Trial { seconds, buffer, threads } = trial;
        let per_second = |count: u64| count as f64 / f64::from(seconds);
        let row = format!(
            "| {buffer} | {threads} | {seconds} | {} | {:.0} | {:.1} | {} | {} | {} | {} |",
            self.sent,
            per_second(self.sent) / 1e3,
            per_second(self.sent_bytes) * 8.0 / 1e9,
            self.received,
            self.kernel_drops,
            self.gap_packets,
            self.incident_packets,
        );
        rows::tell(ROWS, &format!("{buffer}-{threads}"), &row);
    }
}

/// Loads a gateway with iperf3 (TCP in frames as large as they get) and tcpreplay (a mix of small
/// and large packets in many flows) at once, as fast as they can.
pub fn load(trial: Trial) -> Account {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let spaces = Namespaces::new("load");
    let folder = tempfile::tempdir().expect("a folder for the load");
    let path = folder.path();
    make_quiet(&spaces);
    let capture = make_capture(path);
    let mut egret = start(&spaces, path, trial);
    let before = when_capturing(&spaces, &egret);
    let mut server = spaces.command(&spaces.outside, "iperf3");
    server.args(["--server", "--one-off", "--forceflush", "--bind", SINK]);
    let mut server = Process::start(server, &path.join("iperf3-server.log"));
    // Its client gives up at once where nobody listens.
    server.wait_for_output("Server listening");
    let seconds = trial.seconds.to_string();
    let limit = (trial.seconds + 120).to_string();
    let mut upload = spaces.command(&spaces.executor, "timeout");
    upload.args([&limit, "iperf3", "--client", SINK, "--time", &seconds]);
    let mut small = spaces.command(&spaces.executor, "timeout");
    small.args([&limit, "tcpreplay", "--topspeed", "--loop", "0", "--duration", &seconds]);
    small.args(["--preload-pcap", "--intf1", "up0"]).arg(&capture);
    let small = Process::start(small, &path.join("tcpreplay.log"));
    let upload = Process::start(upload, &path.join("iperf3.log"));
    let patience = Duration::from_secs(u64::from(trial.seconds) + 130);
    upload.wait_for_success(patience);
    small.wait_for_success(patience);
    drop(server);
    let mut account = settle(&spaces, &egret, before);
    let told = account.gap_packets.saturating_sub(account.early_drops);
    (account.incident_packets, account.incident_steps) = incident(&egret, told);
    assert_eq!(egret.process.terminate().code(), Some(0), "egret ends in order");
    account
}

/// Neighbour discovery would send packets at times of its own.
fn make_quiet(spaces: &Namespaces) {
    for space in [&spaces.executor, &spaces.gateway, &spaces.outside] {
        spaces.run(space, "sysctl", &["-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
    }
    // The addresses' owners are known, so that nobody needs to ask later.
    spaces.run(&spaces.executor, "ping", &["-c1", "-W2", GATEWAY]);
}

fn make_capture(folder: &Path) -> std::path::PathBuf {
    let capture = folder.join("load.pcap");
    let load = Load {
        seed: 1,
        start: Timestamp::from_secs(1_767_600_000),
        packets: 100_000,
        flows: 7_000,
        span: Duration::from_secs(20),
    };
    write_load_capture(&load, &capture).expect("the capture can be written");
    capture
}

/// Packets and bytes that passed the gateway's inner interface.
fn counters(spaces: &Namespaces) -> (u64, u64) {
    let output = spaces.run(
        &spaces.gateway,
        "ip",
        &["-json", "-statistics", "link", "show", "dev", GATEWAY_INTERFACE],
    );
    let said: Value = serde_json::from_slice(&output.stdout).expect("ip writes JSON");
    let of = |way: &str, what: &str| said[0]["stats64"][way][what].as_u64().expect("a counter");
    (of("rx", "packets") + of("tx", "packets"), of("rx", "bytes") + of("tx", "bytes"))
}

fn start(spaces: &Namespaces, folder: &Path, trial: Trial) -> Running {
    let Trial { buffer, threads, .. } = trial;
    let text = format!(
        r#"
[[collector.segments]]
name = "executors"
ranges = ["10.0.0.0/8"]

[[collector.sources]]
name = "wire"
kind = "live"
interface = "{GATEWAY_INTERFACE}"
buffer = "{buffer}"
threads = {threads}

[store]
path = "{}/egret.db"

[api]
listen = "127.0.0.1:0"
"#,
        folder.display()
    );
    let egret = Running::start_in(Place::Namespace(spaces.gateway.clone()), folder, &text);
    until("the source to run", || (egret.source("wire")["state"] == "running").then_some(()));
    egret
}

/// What was before the load.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// The interface's packets that egret neither received nor was told to be dropped.
    packets: u64,
    /// The interface's bytes.
    bytes: u64,
    /// Packets that the kernel dropped.
    drops: u64,
}

/// Waits until egret captures, and nothing passes.
fn when_capturing(spaces: &Namespaces, egret: &Running) -> Before {
    egret.wait_until_capturing("wire", || spaces.ping_gateway());
    let mut last = (0, 0, (0, 0));
    let mut unchanged = 0;
    until("the pings to be counted", || {
        std::thread::sleep(Duration::from_millis(500));
        let source = egret.source("wire");
        let now = (received(&source), drops(&source), counters(spaces));
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
        (unchanged >= 3).then_some(())
    });
    let (received, drops, (packets, bytes)) = last;
    Before { packets: packets - received - drops, bytes, drops }
}

/// Packets that the kernel dropped, by a source's status.
fn drops(source: &Value) -> u64 {
    source["kernel_drops"].as_u64().unwrap_or_default()
}

/// Waits until all that passed is accounted for, or nothing changes any more.
fn settle(spaces: &Namespaces, egret: &Running, before: Before) -> Account {
    let mut last = None;
    let mut unchanged = 0;
    until("the account to settle", || {
        std::thread::sleep(Duration::from_secs(1));
        let account = account(spaces, egret, before);
        let is_balanced = account.received + account.kernel_drops == account.sent;
        unchanged = if last.as_ref() == Some(&account) { unchanged + 1 } else { 0 };
        last = Some(account);
        ((is_balanced && account_is_told(&last)) || unchanged >= 5).then_some(())
    });
    last.expect("it was looked at")
}

/// Whether what was dropped is in the store too: it is written a moment later.
fn account_is_told(account: &Option<Account>) -> bool {
    account.as_ref().is_some_and(|account| account.gap_packets == account.kernel_drops)
}

fn gap_packets(egret: &Running) -> u64 {
    let listed = egret.get("v1/events?kind=gap&limit=1000").unwrap_or_default();
    let gaps = listed["items"].as_array().into_iter().flatten().map(|event| &event["fact"]["gap"]);
    gaps.filter(|gap| gap["reason"] == "kernel_drop").filter_map(|gap| gap["count"].as_u64()).sum()
}

/// Packets dropped by the kernel as the incident about the upload to [`SINK`] tells them, once it
/// tells of `dropped` or its time for that is over; and its history.
fn incident(egret: &Running, dropped: u64) -> (u64, Vec<String>) {
    let path = format!("v1/incidents?executor={EXECUTOR}&destination={SINK}");
    let told_by = Deadline::after(TOLD_WITHIN);
    until("the upload's incident", || {
        std::thread::sleep(LOOK_PAUSE);
        let listed = egret.get(&path)?;
        let incident = &listed["items"][0];
        let gaps = incident["explanation"]["gaps"].as_array()?.iter();
        let told = gaps.filter(|gap| gap["reason"] == "kernel_drop");
        let told: u64 = told.filter_map(|gap| gap["count"].as_u64()).sum();
        if told < dropped && !told_by.has_passed() {
            return None;
        }
        let detail = egret.get(&format!("v1/incidents/{}", incident["id"].as_str()?))?;
        let steps = detail["history"].as_array()?.iter();
        let steps = steps.filter_map(|step| Some(step["kind"].as_str()?.to_owned()));
        Some((told, steps.collect()))
    })
}

fn account(spaces: &Namespaces, egret: &Running, before: Before) -> Account {
    let now = counters(spaces);
    let source = egret.source("wire");
    let ledger = &source["ledger"];
    let lost: Vec<(String, u64)> = ledger["lost"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_u64()?)))
        .collect();
    let events_dropped =
        lost.iter().filter(|(reason, _)| reason == "queue_full").map(|(_, n)| n).sum::<u64>();
    let received = ledger["received"].as_u64().unwrap_or_default();
    Account {
        sent: now.0 - before.packets,
        sent_bytes: now.1 - before.bytes,
        // Dropped events are units of the same account: here packets count.
        received: received - events_dropped,
        passed: ledger["passed"].as_u64().unwrap_or_default(),
        lost,
        kernel_drops: drops(&source),
        events_dropped,
        gap_packets: gap_packets(egret),
        early_drops: before.drops,
        incident_packets: 0,
        incident_steps: Vec::new(),
    }
}
