//! `make bench`: how fast each stage is, and how much memory it takes, next to the tools people
//! know, all on the same files in the same run.
//!
//! Every figure is of a whole process, measured by `/usr/bin/time`: CPU seconds (user + system)
//! and peak resident memory, the median of several runs. Machines are noisy, so what counts is the
//! ratio between two rows of one run.

mod peers;
mod stages;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use egret::simulate::{Load, write_load_capture, write_load_envoy, write_load_squid};
use egret_event::Timestamp;

/// Runs of each row; the median is shown.
const RUNS: usize = 3;

/// Packets and flows of the capture: that of the peers' published comparison.
const PACKETS: u64 = 3_000_000;
const FLOWS: u64 = 220_000;

/// Lines of each log.
const LINES: u64 = 2_000_000;

/// Events through the engine, and into the store.
const ENGINE_EVENTS: u64 = 5_000_000;
const STORE_EVENTS: u64 = 1_000_000;

/// The long run: packets and live flows.
const MANY_PACKETS: u64 = 100_000_000;
const MANY_FLOWS: u64 = 1_000_000;

/// The first packet and line: any time will do.
const START: Timestamp = Timestamp::from_secs(1_767_600_000);

/// What a row of the table measured.
pub(crate) struct Measured {
    cpu_s: f64,
    peak_mib: f64,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["stage", name, ref rest @ ..] => stages::run(name, rest),
        _ => bail!("usage: egret-bench [stage NAME …]"),
    }
}

fn compare() -> Result<()> {
    let folder = PathBuf::from("target/bench");
    std::fs::create_dir_all(&folder).context("cannot make target/bench")?;
    let (capture, squid, envoy) = inputs(&folder)?;
    println!("median of {RUNS} runs; CPU is user + system of the whole process\n");

    println!("capture: {PACKETS} packets, {FLOWS} flows");
    let nfpcapd = peers::nfpcapd(&capture, &folder)?;
    row("nfpcapd", &nfpcapd, PACKETS, "packet", Some(&nfpcapd));
    row("tcpdump -w /dev/null", &peers::tcpdump(&capture)?, PACKETS, "packet", Some(&nfpcapd));
    let floor = stage(&["floor", text(&capture)])?;
    row("libpcap's loop, no work", &floor, PACKETS, "packet", Some(&nfpcapd));
    let ours = stage(&["capture", text(&capture)])?;
    row("egret, all decoding", &ours, PACKETS, "packet", Some(&nfpcapd));

    println!("\nlogs: {LINES} lines each");
    row("egret, Squid", &stage(&["log", text(&squid)])?, LINES, "line", None);
    row("egret, Envoy JSON", &stage(&["log", text(&envoy)])?, LINES, "line", None);

    println!("\nengine, one shard, one core: {ENGINE_EVENTS} events of 10,000 live sessions");
    let none = stage(&["engine", "0"])?;
    let engine = stage(&["engine", &ENGINE_EVENTS.to_string()])?;
    row("egret, engine", &engine.less(&none), ENGINE_EVENTS, "event", None);

    println!("\nSQLite, with roll-ups: {STORE_EVENTS} events of 200 live sessions");
    let none = stage(&["store", "0"])?;
    let store = stage(&["store", &STORE_EVENTS.to_string()])?;
    row("egret, store", &store.less(&none), STORE_EVENTS, "row", None);

    println!("\nlong run: {MANY_PACKETS} packets, {MANY_FLOWS} live flows");
    let many = measure_once(Command::new(std::env::current_exe()?).args([
        "stage",
        "flows",
        &MANY_PACKETS.to_string(),
        &MANY_FLOWS.to_string(),
    ]))?;
    row("egret, decode", &many, MANY_PACKETS, "packet", None);
    Ok(())
}

impl Measured {
    /// The work alone: what was prepared for it taken off the CPU time.
    fn less(&self, preparation: &Self) -> Self {
        Self { cpu_s: self.cpu_s - preparation.cpu_s, peak_mib: self.peak_mib }
    }
}

/// The files to read, made once and kept below `target/`.
fn inputs(folder: &Path) -> Result<(PathBuf, PathBuf, PathBuf)> {
    let capture = folder.join("load.pcap");
    if !capture.exists() {
        let load = Load {
            seed: 1,
            start: START,
            packets: PACKETS,
            flows: FLOWS,
            span: Duration::from_secs(600),
        };
        write_load_capture(&load, &capture)?;
    }
    let squid = folder.join("load-squid.log");
    if !squid.exists() {
        write_load_squid(LINES, 1, START, &squid)?;
    }
    let envoy = folder.join("load-envoy.jsonl");
    if !envoy.exists() {
        write_load_envoy(LINES, 1, START, &envoy)?;
    }
    Ok((capture, squid, envoy))
}

fn stage(args: &[&str]) -> Result<Measured> {
    measure(|| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("stage").args(args);
        Ok(command)
    })
}

/// The median run by CPU time.
fn measure(command: impl Fn() -> Result<Command>) -> Result<Measured> {
    let mut runs = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        runs.push(measure_once(&mut command()?)?);
    }
    runs.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
    Ok(runs.swap_remove(RUNS / 2))
}

fn measure_once(command: &mut Command) -> Result<Measured> {
    let output = Command::new("/usr/bin/time")
        .args(["-f", "TIMED %U %S %M"])
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .context("cannot start /usr/bin/time (Debian package `time`)")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let timed = said.lines().find_map(|line| line.strip_prefix("TIMED "));
    let figures: Vec<f64> =
        timed.unwrap_or_default().split(' ').filter_map(|figure| figure.parse().ok()).collect();
    let [user, system, peak_kib] = figures[..] else {
        bail!("{:?} was not measured: {said}", command.get_program());
    };
    if !output.status.success() {
        bail!("{:?} failed: {said}", command.get_program());
    }
    Ok(Measured { cpu_s: user + system, peak_mib: peak_kib / 1024.0 })
}

fn row(name: &str, measured: &Measured, units: u64, unit: &str, peer: Option<&Measured>) {
    let per_second = units as f64 / measured.cpu_s / 1e6;
    let nanos = measured.cpu_s * 1e9 / units as f64;
    let ratio = peer.map_or_else(String::new, |peer| {
        format!("  {:5.2} × nfpcapd's speed", peer.cpu_s / measured.cpu_s)
    });
    println!(
        "  {name:26} {:7.2} CPU s  {per_second:7.2} M {unit}s/s  {nanos:7.0} ns/{unit}  \
         {:6.0} MiB{ratio}",
        measured.cpu_s, measured.peak_mib
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path was made of ASCII here")
}
