//! The files of a scenario.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use egret_event::{ExecutorRegistration, Timestamp};

use super::cast::Played;
use super::session::Remains;
use super::truth::{SessionTruth, Truth};
use super::wire::capture::CaptureWriter;
use super::wire::track::Track;
use super::wire::{frame, merge};
use super::{Plan, SimulateError, Written, world};

/// Writes all files of a played plan.
pub(crate) fn write(
    plan: &Plan,
    played: Vec<Played>,
    out: &Path,
) -> Result<Written, SimulateError> {
    std::fs::create_dir_all(out).map_err(|source| failed(out, source))?;
    let (remains, sessions) = together(played);
    let executors: Vec<_> = sessions.iter().map(|session| session.executor.clone()).collect();
    let mut truth = Truth::of(plan, sessions);
    let mut written = Written {
        capture: out.join("traffic.pcap"),
        squid_log: out.join("squid.log"),
        envoy_log: out.join("envoy.jsonl"),
        truth: out.join("truth.json"),
        registrations: out.join("executors.json"),
        configuration: out.join("egret.toml"),
        executors,
        packets: 0,
        capture_bytes: 0,
        lines: 0,
    };
    (truth.packets, written.capture_bytes) =
        create(&written.capture, |file| write_capture(remains.tracks.into_iter(), file))?;
    truth.squid_lines = create(&written.squid_log, |file| write_lines(remains.squid, file))?;
    truth.envoy_lines = create(&written.envoy_log, |file| write_lines(remains.envoy, file))?;
    (written.packets, written.lines) = (truth.packets, truth.squid_lines + truth.envoy_lines);
    create(&written.truth, |file| write_json(&truth, file))?;
    create(&written.registrations, |file| write_json(&written.executors, file))?;
    let text = configuration_text(plan, &written.executors);
    create(&written.configuration, |file| file.write_all(text.as_bytes()))?;
    Ok(written)
}

/// What all sessions left behind, flows in the order in which they begin; and their truths.
fn together(played: Vec<Played>) -> (Remains, Vec<SessionTruth>) {
    let mut all = Remains::default();
    let mut sessions = Vec::new();
    for Played { truth, remains } in played {
        all.tracks.extend(remains.tracks);
        all.squid.extend(remains.squid);
        all.envoy.extend(remains.envoy);
        sessions.push(truth);
    }
    all.tracks.sort_by_key(Track::begins);
    (all, sessions)
}

/// Makes a file, has it written, and flushes it.
pub(crate) fn create<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, SimulateError> {
    let filled = File::create(path).and_then(|file| {
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        let filled = fill(&mut writer)?;
        writer.flush()?;
        Ok(filled)
    });
    filled.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> SimulateError {
    SimulateError::Write { path: PathBuf::from(path), source }
}

/// Writes flows, given in the order in which they begin; gives packets and bytes of frames.
pub(crate) fn write_capture(
    tracks: impl Iterator<Item = Track>,
    writer: &mut BufWriter<File>,
) -> io::Result<(u64, u64)> {
    let mut capture = CaptureWriter::begin(writer)?;
    let mut bytes = Vec::with_capacity(2048);
    merge::merge(tracks, |track, packet, number| {
        frame::encode(track, packet, number, &mut bytes);
        capture.write(packet.at, &bytes)
    })?;
    capture.finish()
}

/// Proxies write a line when a request ends.
fn write_lines(
    mut lines: Vec<(Timestamp, String)>,
    writer: &mut BufWriter<File>,
) -> io::Result<u64> {
    lines.sort_by_key(|(at, _)| *at);
    for (_, line) in &lines {
        writeln!(writer, "{line}")?;
    }
    Ok(lines.len() as u64)
}

fn write_json(value: &impl serde::Serialize, writer: &mut BufWriter<File>) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *writer, value)?;
    writeln!(writer)
}

/// A configuration that reads the files beside it. All names in it are the simulator's own, so
/// none needs escaping.
fn configuration_text(plan: &Plan, executors: &[ExecutorRegistration]) -> String {
    let [segment_v4, segment_v6] = world::SEGMENT_RANGES;
    let [services_v4, services_v6] = world::SERVICE_RANGES;
    let mut text = format!(
        "# Written by: egret simulate {} --manner {} --seed {} --start {}\n\
         # Paths are those of the files beside this one: run egret in this folder.\n\n\
         [analyzer]\n\
         # The resolver, the proxies and the internal services.\n\
         allow_private = [\"{services_v4}\", \"{services_v6}\"]\n\n\
         [[collector.segments]]\n\
         name = \"executors\"\n\
         ranges = [\"{segment_v4}\", \"{segment_v6}\"]\n\n\
         [[collector.sources]]\n\
         kind = \"capture\"\nname = \"tap\"\npath = \"traffic.pcap\"\n\n\
         [[collector.sources]]\n\
         kind = \"log\"\nname = \"squid\"\npath = \"squid.log\"\n\
         dialect = \"squid-egret\"\nfollow = false\n\n\
         [[collector.sources]]\n\
         kind = \"log\"\nname = \"envoy\"\npath = \"envoy.jsonl\"\n\
         dialect = \"envoy-json\"\nfollow = false\n\n\
         # Executors whose address was theirs alone. Those that followed each other at one\n\
         # address are in executors.json, with their times (`egret analyze --executors`).\n",
        plan.scenario, plan.manner, plan.seed, plan.start,
    );
    let mut tenants_of = BTreeMap::new();
    for executor in executors {
        *tenants_of.entry(executor.address).or_insert(0) += 1;
    }
    for executor in executors.iter().filter(|executor| tenants_of[&executor.address] == 1) {
        text.push_str(&format!(
            "\n[[collector.executors]]\nid = \"{}\"\naddress = \"{}\"\n",
            executor.id, executor.address
        ));
        for (key, value) in [("template", &executor.template), ("tenant", &executor.tenant)] {
            if let Some(value) = value {
                text.push_str(&format!("{key} = \"{value}\"\n"));
            }
        }
    }
    text
}
