//! How the pipeline is doing, as the binary tells the API.

use egret_analyzer::Stage;
use egret_event::{LedgerReading, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

/// How the pipeline is doing: `GET /v1/status`, `/readyz`, `egret doctor`, the page's coverage.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Status {
    /// Egret's version.
    pub version: String,
    /// When this process started.
    pub started_at: Timestamp,
    /// The server's clock.
    pub now: Timestamp,
    /// How much the engine knows by now.
    pub stage: Stage,
    /// Sessions that the current baseline learned from.
    pub baseline_sessions: u64,
    /// When the current baseline was frozen. `None`: nothing was learned yet.
    pub baseline_frozen_at: Option<Timestamp>,
    /// Sessions that the engine is following.
    pub live_sessions: u64,
    /// Batches waiting between collectors and engine.
    pub queued_batches: u64,
    /// Units waiting between engine and store.
    pub queued_writes: u64,
    /// Why the store cannot be written, if it cannot.
    pub store_error: Option<String>,
    /// The sources, in the order of the configuration.
    pub sources: Vec<SourceStatus>,
    /// The stages behind the sources, in the order in which events pass them.
    pub stages: Vec<StageStatus>,
    /// The alert targets, in the order of the configuration; then those that are no longer there and have alerts.
    pub targets: Vec<TargetStatus>,
}

impl Status {
    /// Why Egret cannot do its work, in words that everybody may read. Nothing: it can.
    pub fn not_ready(&self) -> Vec<String> {
        let store = self.store_error.is_some().then(|| "the store cannot be written".to_owned());
        let failed = self.sources.iter().filter(|source| source.state == SourceState::Failed);
        let failed = failed.map(|source| format!("source {:?} has failed", source.name));
        store.into_iter().chain(failed).collect()
    }
}

/// The account of one stage behind the sources, in events.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StageStatus {
    /// `queue` (between sources and engine), `engine` or `store`.
    pub name: SmolStr,
    /// The account. What is in hand at this moment is in none of its sums but the received.
    pub ledger: LedgerReading,
}

/// How one source is doing.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceStatus {
    /// Its configured name.
    pub name: SmolStr,
    /// `capture`, `live` or `log`.
    pub kind: SmolStr,
    /// Whether it runs.
    pub state: SourceState,
    /// Why it stopped, if it failed.
    pub error: Option<String>,
    /// The account: packets or lines.
    pub ledger: LedgerReading,
    /// How far its own time has come.
    pub seen_until: Option<Timestamp>,
    /// Packets dropped by the kernel (live only).
    pub kernel_drops: u64,
}

/// Whether a source runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// It does.
    Running,
    /// It came to the end of its input.
    Ended,
    /// It stopped because of an error.
    Failed,
}

/// How one alert target is doing.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TargetStatus {
    /// Its configured name.
    pub name: SmolStr,
    /// Alerts that wait for delivery.
    pub waiting: u64,
    /// Alerts that were given up.
    pub dead: u64,
    /// Since when it took nothing that was sent to it. `None`: it took the last, or nothing was sent since the start.
    pub failing_since: Option<Timestamp>,
    /// What the last failure was.
    pub error: Option<String>,
}
