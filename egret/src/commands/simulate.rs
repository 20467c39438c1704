//! `egret simulate`: captures and logs of an attack among ordinary traffic.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Result;

use crate::cli::SimulateArgs;
use crate::simulate::{Plan, write};
use crate::terminal::{bytes, shown};

/// Writes the scenario and says what was written.
pub fn run(args: &SimulateArgs) -> Result<()> {
    let plan = Plan {
        scenario: args.scenario,
        manner: args.manner,
        seed: args.seed,
        start: args.start,
        benign_sessions: args.sessions,
        most_bytes: args.bytes.map(NonZeroUsize::get),
    };
    let written = write(&plan, &args.out)?;
    for path in [&written.capture, &written.squid_log, &written.envoy_log, &written.truth] {
        let size = path.metadata().map_or(0, |metadata| metadata.len());
        println!("{}  {}", shown(&path.display().to_string()), bytes(size));
    }
    println!("{} packets, {} log lines", written.packets, written.lines);
    let name = |path: &Path| shown(&path.display().to_string());
    println!(
        "now try: egret analyze --config {} --executors {} {}",
        name(&written.configuration),
        name(&written.registrations),
        written.inputs().map(name).collect::<Vec<_>>().join(" ")
    );
    Ok(())
}
