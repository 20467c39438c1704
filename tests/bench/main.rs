//! `make bench`: how fast each stage is, and how much memory it takes, next to the tools people
//! know, all on the same files in the same run. The table is kept in `tests/bench/RESULTS.md`.
//!
//! Every figure is of a whole process, measured by `/usr/bin/time`: CPU seconds (user + system)
//! and peak resident memory, of several runs the one that took least: what others do on the same
//! processor can only add to it. Machines are noisy all the same, so the rows take turns, and what counts
//! is the ratio between two rows of one run. A peer that is not installed is said and left out.

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

use measure::{Row, Runs, measure, measure_in_rounds};
use table::{Section, Table};

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
    let mut sections =
        beside_peers((text(&capture), logs.each_ref().map(|path| text(path))), text(&folder))?;
    sections.extend(ours_alone()?);
    measure_in_rounds(sections.iter_mut().flat_map(Section::all_rows))?;

    let mut table = Table::new();
    for section in &sections {
        table.section(section)?;
    }
    room(&mut table)?;
    table.keep(Path::new(RESULTS))
}

/// What others do too.
fn beside_peers(
    (capture, [squid, native, envoy, zeek, suricata]): (&str, [&str; LoadLog::ALL.len()]),
    folder: &str,
) -> Result<Vec<Section>> {
    let decoding = vec![
        stage("**egret, all decoding**", RUNS, &["capture", capture])?,
        stage("libpcap's loop, no work", RUNS, &["floor", capture])?,
        peers::nfpcapd(capture, &format!("{folder}/nfpcapd")),
    ];
    let log = |title: &str, log, peers| {
        let ours = stage("**egret, lines to events**", RUNS, &["log", log])?;
        anyhow::Ok(Section {
            title: title.to_owned(),
            units: LINES,
            unit: "line",
            preparation: None,
            rows: both(vec![ours], peers),
        })
    };
    Ok(vec![
        Section {
            title: format!("Capture: {PACKETS} packets, {FLOWS} flows"),
            units: PACKETS,
            unit: "packet",
            preparation: None,
            rows: both(decoding, peers::of_captures(capture, folder)),
        },
        log("Squid log, our format", squid, peers::of_squid(squid, folder))?,
        log("Squid log, its native format", native, vec![])?,
        log("Envoy log, JSON", envoy, peers::of_envoy(envoy, folder))?,
        log("Zeek conn log, JSON", zeek, vec![])?,
        log("Suricata EVE log: flows and TLS handshakes", suricata, vec![])?,
    ])
}

/// The stages that no peer has.
fn ours_alone() -> Result<[Section; 3]> {
    let engine = |name: &str, events: u64, sources, order| {
        stage(name, RUNS, &["engine", &events.to_string(), sources, order])
    };
    let all = ENGINE_EVENTS;
    let many = [MANY_PACKETS.to_string(), MANY_FLOWS.to_string()];
    Ok([
        Section {
            title: "Engine, one shard, all detectors: events of 10,000 live sessions".to_owned(),
            units: ENGINE_EVENTS,
            unit: "event",
            preparation: Some(engine("preparation", 0, "one", "capture")?),
            rows: vec![
                engine("egret, one source, in a capture's order", all, "one", "capture")?,
                engine("egret, one source, each event of another session", all, "one", "apart")?,
                engine(
                    "egret, several sources, joined, in a capture's order",
                    all,
                    "several",
                    "capture",
                )?,
                engine(
                    "egret, several sources, joined, each event of another session",
                    all,
                    "several",
                    "apart",
                )?,
            ],
        },
        Section {
            title: "SQLite, with roll-ups: events of 200 live sessions".to_owned(),
            units: STORE_EVENTS,
            unit: "row",
            preparation: Some(stage("preparation", RUNS, &["store", "0"])?),
            rows: vec![stage("egret, store", RUNS, &["store", &STORE_EVENTS.to_string()])?],
        },
        Section {
            title: format!("Long run: {MANY_FLOWS} live flows"),
            units: MANY_PACKETS,
            unit: "packet",
            preparation: None,
            rows: vec![stage("egret, decode", Runs::of(1), &["flows", &many[0], &many[1]])?],
        },
    ])
}

/// What live sessions take in memory, and what they do beside known destinations.
fn room(table: &mut Table) -> Result<()> {
    table.heading("Room: live sessions in one shard");
    let live = LIVE_SESSIONS.to_string();
    let none = measure(&stage_command(&["sessions", "0", "2", "one"])?)?;
    for (sources, words) in [("one", "one source"), ("several", "several sources")] {
        for destinations in [4, 10, 32] {
            let stage = stage_command(&["sessions", &live, &destinations.to_string(), sources])?;
            let sessions = measure(&stage)?;
            let each = (sessions.peak_mib - none.peak_mib) * 1024.0 / LIVE_SESSIONS as f64;
            table.note(&format!(
                "{LIVE_SESSIONS} live sessions with {destinations} destinations each, {words}, \
                 take {each:.1} KiB each.",
            ));
        }
    }
    let all = stage_command(&["destinations", &live, "10", &KNOWN_DESTINATIONS.to_string()])?;
    let all = measure(&all)?;
    table.note(&format!(
        "{LIVE_SESSIONS} live sessions with 10 destinations each, beside {KNOWN_DESTINATIONS} known \
         destinations, take {:.0} MiB at most.",
        all.peak_mib,
    ));
    Ok(())
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

fn stage(name: &str, runs: Runs, args: &[&str]) -> Result<Row> {
    Ok(Row::new(name, runs, stage_command(args)?))
}

fn stage_command(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("stage").args(args);
    Ok(command)
}

fn both(mut ours: Vec<Row>, peers: Vec<Row>) -> Vec<Row> {
    ours.extend(peers);
    ours
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path was made of ASCII here")
}
