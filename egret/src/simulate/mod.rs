//! `egret simulate`: captures and proxy logs of an attack among ordinary traffic, with the truth
//! about it, for demonstrations, tests and benchmarks.
//!
//! Everything follows from a seed and a start time: the same [`Plan`] gives the same bytes. No
//! packet is sent anywhere; frames are written to a file. The parts, bottom up: `wire` knows
//! protocols, `world` and `programs` know places and clients, `session` plays one executor,
//! `benign` and `attack` say what executors do, `cast` decides who does what when, and `output`
//! writes it down.
//!
//! It must not know the collector or the analyzer: what it writes is judged by them.

mod attack;
mod benign;
mod cast;
mod dice;
mod load;
mod logs;
mod output;
mod programs;
mod recording;
mod scenario;
mod sensors;
mod session;
mod truth;
mod wire;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use egret_event::{ExecutorRegistration, Timestamp};

pub use attack::{Attack, Contact, Manner};
pub use load::{
    Load, LoadLog, LoadWritten, USUAL_PACKETS_PER_FLOW, write_load_capture, write_load_log,
};
pub use recording::{FIRST_HELD_OUT_SEED, Part, Recording, recordings};
pub use scenario::{ParseScenarioError, Scenario};
pub use truth::{SessionTruth, Truth};
pub use world::{SEGMENT_RANGES, SERVICE_RANGES};

/// Benign sessions of a scenario unless told otherwise: enough variety, and some 30 MB.
pub const DEFAULT_BENIGN_SESSIONS: u32 = 48;

/// Most benign sessions: each takes an address of the segment, and memory while it is written.
pub const MAX_BENIGN_SESSIONS: u32 = 5_000;

/// How long a scenario takes whose attack is over in minutes.
const SHORT_SPAN: Duration = Duration::from_secs(2 * 3600);

/// What to write: the same plan gives the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The attack, or none.
    pub scenario: Scenario,
    /// How the attack is gone about.
    pub manner: Manner,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// The time at which the simulated hours begin.
    pub start: Timestamp,
    /// Sessions without an attack, at most [`MAX_BENIGN_SESSIONS`].
    pub benign_sessions: u32,
    /// Stolen bytes of a session after which its attack ends. `None`: as many as its manner says.
    pub most_bytes: Option<usize>,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// `traffic.pcap`: the executors' segment, as a tap at its router sees it.
    pub capture: PathBuf,
    /// `squid.log`, in `logformat egret`.
    pub squid_log: PathBuf,
    /// `envoy.jsonl`.
    pub envoy_log: PathBuf,
    /// `truth.json`: a [`Truth`].
    pub truth: PathBuf,
    /// `executors.json`: an array of [`ExecutorRegistration`].
    pub registrations: PathBuf,
    /// `egret.toml`: a configuration that reads the files beside it.
    pub configuration: PathBuf,
    /// Who had which address when.
    pub executors: Vec<ExecutorRegistration>,
    /// Packets in the capture.
    pub packets: u64,
    /// Bytes of their frames.
    pub capture_bytes: u64,
    /// Lines of both logs.
    pub lines: u64,
}

impl Written {
    /// What can be analyzed: the capture and the logs. One that nobody wrote to has no kind that could
    /// be told, and is left out.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        let all = [&self.capture, &self.squid_log, &self.envoy_log].map(PathBuf::as_path);
        all.into_iter().filter(|path| path.metadata().is_ok_and(|file| file.len() > 0))
    }
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// A file or folder cannot be written.
    #[error("cannot write {path:?}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More sessions than the segment and the memory are good for.
    #[error("{asked} benign sessions are too many: at most {MAX_BENIGN_SESSIONS}")]
    TooManySessions {
        /// How many were asked for.
        asked: u32,
    },
    /// The capture format holds times from 1970 to 2106.
    #[error("start {start} is outside the years 1970 to 2105 that a capture can hold")]
    StartOutOfRange {
        /// The start asked for.
        start: Timestamp,
    },
}

/// Writes the files of a scenario into the folder `out`, which is made if it is not there. Files
/// of these names that are there are replaced.
///
/// # Errors
/// A plan that cannot be written down, or a file that cannot be written.
pub fn write(plan: &Plan, out: &Path) -> Result<Written, SimulateError> {
    if plan.benign_sessions > MAX_BENIGN_SESSIONS {
        return Err(SimulateError::TooManySessions { asked: plan.benign_sessions });
    }
    check_start(plan.start)?;
    let played = cast::play(plan);
    output::write(plan, played, out)
}

/// 2105-01-01T00:00:00Z: leaves a year for what is simulated before 32 bits of seconds end.
const LATEST_START_S: i64 = 4_260_211_200;

fn check_start(start: Timestamp) -> Result<(), SimulateError> {
    if (0..LATEST_START_S).contains(&start.as_secs()) {
        Ok(())
    } else {
        Err(SimulateError::StartOutOfRange { start })
    }
}
