//! CONTRACT STUB: the query API, the live stream, and the hosting of the dashboard.
#![allow(missing_docs, unused_variables, clippy::todo)]

use std::sync::Arc;

use egret_analyzer::{ChangeKind, Incident, IncidentChange, Stage};
use egret_event::{ExecutorRegistration, LedgerReading, SmolStr, Timestamp};
use egret_store::Store;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

/// What the API needs from its surroundings.
#[derive(Clone)]
pub struct ApiState {
    pub store: Store,
    /// Whether requests need a token. `false` only on loopback.
    pub require_token: bool,
    /// The wall clock.
    pub now: fn() -> Timestamp,
    /// Everything that happens to incidents, for the live stream; the API sends what people do.
    pub stream: broadcast::Sender<Arc<IncidentChange>>,
    /// Names of the targets that want an alert about such a change.
    pub targets: Arc<dyn Fn(&Incident, ChangeKind) -> Vec<String> + Send + Sync>,
    /// Told after something was put into the outbox.
    pub wake_outbox: Arc<tokio::sync::Notify>,
    /// Told of every registration, after it is stored.
    pub register: Arc<dyn Fn(&ExecutorRegistration) + Send + Sync>,
    /// Told after suppressions changed.
    pub suppressions_changed: Arc<dyn Fn() + Send + Sync>,
    /// How the pipeline is doing.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// The metrics page (Prometheus text format).
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// How the pipeline is doing: `GET /v1/status`, `/readyz`, `egret doctor`, the page's coverage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub started_at: Timestamp,
    pub now: Timestamp,
    pub stage: Stage,
    /// Sessions that the current baseline learned from.
    pub baseline_sessions: u64,
    pub baseline_frozen_at: Option<Timestamp>,
    pub live_sessions: u64,
    /// Batches waiting between collectors and engine, and between engine and store.
    pub queued_batches: u64,
    pub queued_writes: u64,
    /// Why the store cannot be written, if it cannot.
    pub store_error: Option<String>,
    pub sources: Vec<SourceStatus>,
    pub targets: Vec<TargetStatus>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceStatus {
    pub name: SmolStr,
    /// `capture`, `live` or `log`.
    pub kind: SmolStr,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    Running,
    Ended,
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetStatus {
    pub name: SmolStr,
    pub waiting: u64,
    pub dead: u64,
}

/// The whole application as a router.
pub fn router(state: ApiState) -> axum::Router {
    todo!()
}

/// The OpenAPI document, as pretty JSON with a trailing newline.
pub fn openapi() -> String {
    todo!()
}

/// A new token: the secret to show once, and its hash to store.
pub fn new_token() -> (String, [u8; 32]) {
    todo!()
}

/// Serves until `stop` turns true, then finishes what is under way.
pub async fn serve(
    listener: tokio::net::TcpListener,
    state: ApiState,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    todo!()
}
