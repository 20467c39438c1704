//! `make bench`: how fast each stage is, and how much memory it takes, next to the tools people
//! know, all on the same files in the same run. The table is kept in `tests/bench/RESULTS.md`.
//!
//! Every figure is of a whole process, measured by `/usr/bin/time`: CPU seconds (user + system)
//! and peak resident memory, of several runs the one that took least: what others do on the same
//! processor can only add to it. Machines are noisy all the same, so what counts is the ratio between
//! two rows of one run. A peer that is not installed is said and left out.

mod engine;
mod measure;
mod peers;
mod stages;
mod table;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use egret::simulate::{Load, LoadLog, write_load_capture, write_load_log};
use egret_event::Timestamp;

use measure::{Measured, Runs, measure};
use peers::Peer;
use table::Table;

/// The allocator that the `egret` binary has too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of each row of ours.
const RUNS: Runs = Runs::of(7);

/// Where the table is kept.
const RESULTS: &str = "tests/bench/RESULTS.md";

/// Packets and flows of the capture: that of the peers' published comparison.
const PACKETS: u64 = 3_000_000;
const FLOWS: u64 = 220_000;

/// Lines of each log.
const LINES: u64 = 2_000_000;

/// Events through the engine, and into the store.
const ENGINE_EVENTS: u64 = 5_000_000;
const STORE_EVENTS: u64 = 1_000_000;

/// What is held in memory at once.
const LIVE_SESSIONS: u64 = 100_000;
const KNOWN_DESTINATIONS: u64 = 1_000_000;

/// The long run: packets and live flows.
const MANY_PACKETS: u64 = 100_000_000;
const MANY_FLOWS: u64 = 1_000_000;

/// The first packet and line: any time will do.
const START: Timestamp = Timestamp::from_secs(1_767_600_000);

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
    std::fs::create_dir_all(folder.join("nfpcapd")).context("cannot make target/bench")?;
    let (capture, logs) = inputs(&folder)?;
    let [squid, native, envoy, zeek, suricata] = logs.each_ref().map(|path| text(path));
    let folder = text(&folder);
    let mut table = Table::new();

    table.section(&format!("Capture: {PACKETS} packets, {FLOWS} flows"), PACKETS, "packet");
    let ours = stage(&["capture", text(&capture)])?;
    table.row("**egret, all decoding**", &ours, &ours);
    let floor = stage(&["floor", text(&capture)])?;
    table.row("libpcap's loop, no work", &floor, &ours);
    beside(&mut table, &[peers::nfpcapd(text(&capture), &format!("{folder}/nfpcapd"))], &ours);
    beside(&mut table, &peers::of_captures(text(&capture), folder), &ours);

    table.section("Squid log, our format", LINES, "line");
    let ours = log(&mut table, squid)?;
    beside(&mut table, &peers::of_squid(squid, folder), &ours);

    table.section("Squid log, its native format", LINES, "line");
    log(&mut table, native)?;

    table.section("Envoy log, JSON", LINES, "line");
    let ours = log(&mut table, envoy)?;
    beside(&mut table, &peers::of_envoy(envoy, folder), &ours);

    table.section("Zeek conn log, JSON", LINES, "line");
    log(&mut table, zeek)?;

    table.section("Suricata EVE log: flows and TLS handshakes", LINES, "line");
    log(&mut table, suricata)?;

    ours_alone(&mut table)?;
    table.keep(Path::new(RESULTS))
}

/// The row of a log.
fn log(table: &mut Table, path: &str) -> Result<Measured> {
    let ours = stage(&["log", path])?;
    table.row("**egret, lines to events**", &ours, &ours);
    Ok(ours)
}

/// The stages that no peer has.
fn ours_alone(table: &mut Table) -> Result<()> {
    table.section(
        "Engine, one shard, all detectors: events of 10,000 live sessions",
        ENGINE_EVENTS,
        "event",
    );
    let engine =
        |events: u64, sources, order| stage(&["engine", &events.to_string(), sources, order]);
    let none = engine(0, "one", "capture")?;
    let ours = engine(ENGINE_EVENTS, "one", "capture")?.less(&none);
    table.row("egret, one source, in a capture's order", &ours, &ours);
    for (sources, name) in [("one", "one source"), ("several", "several sources, joined")] {
        let apart = engine(ENGINE_EVENTS, sources, "apart")?.less(&none);
        table.row(&format!("egret, {name}, each event of another session"), &apart, &ours);
    }
    room(table)?;

    table.section("SQLite, with roll-ups: events of 200 live sessions", STORE_EVENTS, "row");
    let none = stage(&["store", "0"])?;
    let store = stage(&["store", &STORE_EVENTS.to_string()])?.less(&none);
    table.row("egret, store", &store, &store);

    table.section(&format!("Long run: {MANY_FLOWS} live flows"), MANY_PACKETS, "packet");
    let many = [MANY_PACKETS.to_string(), MANY_FLOWS.to_string()];
    let many = measure(Runs::of(1), &stage_command(&["flows", &many[0], &many[1]])?)?;
    table.row("egret, decode", &many, &many);
    Ok(())
}

/// What live sessions take in memory, and what they do beside known destinations.
fn room(table: &mut Table) -> Result<()> {
    let once = Runs::of(1);
    let live = LIVE_SESSIONS.to_string();
    let none = measure(once, &stage_command(&["sessions", "0", "2", "one"])?)?;
    for (sources, words) in [("one", "one source"), ("several", "several sources")] {
        for destinations in [4, 10, 32] {
            let stage = stage_command(&["sessions", &live, &destinations.to_string(), sources])?;
            let sessions = measure(once, &stage)?;
            let each = (sessions.peak_mib - none.peak_mib) * 1024.0 / LIVE_SESSIONS as f64;
            table.note(&format!(
                "{LIVE_SESSIONS} live sessions with {destinations} destinations each, {words}, \
                 take {each:.1} KiB each.",
            ));
        }
    }
    let all = stage_command(&["destinations", &live, "10", &KNOWN_DESTINATIONS.to_string()])?;
    let all = measure(once, &all)?;
    table.note(&format!(
        "{LIVE_SESSIONS} live sessions with 10 destinations each, beside {KNOWN_DESTINATIONS} known \
         destinations, take {:.0} MiB at most.",
        all.peak_mib,
    ));
    Ok(())
}

/// Rows of the peers that are here; of the others, that they are not.
fn beside(table: &mut Table, peers: &[Peer], ours: &Measured) {
    for peer in peers {
        if !peer.is_here() {
            table.missing(peer.name, "not installed");
            continue;
        }
        match measure(peer.runs, &peer.command()) {
            Ok(measured) => table.row(peer.name, &measured, ours),
            Err(error) => table.missing(peer.name, &format!("{error:#}")),
        }
    }
}

/// The capture and the logs to read, these in the order of [`LoadLog::ALL`]; made once and kept
/// below `target/`.
fn inputs(folder: &Path) -> Result<(PathBuf, [PathBuf; LoadLog::ALL.len()])> {
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
    let logs =
        LoadLog::ALL.map(|log| (log, folder.join(format!("load-{log:?}.log").to_lowercase())));
    for (log, path) in &logs {
        if !path.exists() {
            write_load_log(*log, LINES, (1, START), path)?;
        }
    }
    Ok((capture, logs.map(|(_, path)| path)))
}

fn stage(args: &[&str]) -> Result<Measured> {
    measure(RUNS, &stage_command(args)?)
}

fn stage_command(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("stage").args(args);
    Ok(command)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path was made of ASCII here")
}
