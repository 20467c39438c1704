//! Serves the API and the dashboard, delivers alerts, and keeps the store within its bounds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use egret_analyzer::{Feedback, IncidentChange};
use egret_api::{ApiConfig, ApiState, TargetStatus};
use egret_collector::AttributionTable;
use egret_event::SmolStr;
use egret_notify::{Deliveries, Standings, Target};
use egret_store::{Heard, NotHeard, Store};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};

use super::board::Board;
use crate::clock;

/// Time between two looks at what the store may forget.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// What serving needs.
pub struct Serve {
    /// The store.
    pub store: Store,
    /// Where alerts go.
    pub targets: Arc<[Target]>,
    /// How the pipeline is doing.
    pub board: Arc<Board>,
    /// Everything that happens to incidents.
    pub stream: broadcast::Sender<Arc<IncidentChange>>,
    /// Told when the outbox got something new.
    pub wake_outbox: Arc<Notify>,
    /// Tells the engine what people judged benign.
    pub tell_feedback: watch::Sender<Vec<Feedback>>,
    /// Learns of registrations.
    pub attribution: Arc<AttributionTable>,
    /// The metrics page.
    pub metrics: PrometheusHandle,
    /// How the API serves.
    pub api: ApiConfig,
    /// Whether requests need a token.
    pub require_token: bool,
    /// Turns true when the process ends.
    pub stop: watch::Receiver<bool>,
}

/// Serves on `listener` until told to stop, then finishes what is under way.
pub async fn run(serve: Serve, listener: TcpListener) -> Result<()> {
    let deliveries = Deliveries {
        store: serve.store.clone(),
        targets: serve.targets.to_vec(),
        wake: Arc::clone(&serve.wake_outbox),
        wellness: {
            let board = Arc::clone(&serve.board);
            Arc::new(move || board.status(clock::now(), Vec::new()).not_ready())
        },
        standings: serve.board.standings.clone(),
        now: clock::now,
    };
    let deliveries = tokio::spawn(egret_notify::run(deliveries, serve.stop.clone()));
    let pruning = tokio::spawn(prune(serve.store.clone(), serve.stop.clone()));
    let stop = serve.stop.clone();
    egret_api::serve(listener, api_state(serve), stop).await.context("the API stopped")?;
    deliveries.await.context("the delivery of alerts failed")??;
    pruning.await.context("pruning failed")?;
    Ok(())
}

fn api_state(serve: Serve) -> ApiState {
    let Serve { store, targets, board, stream, wake_outbox, attribution, metrics, .. } = serve;
    let names = target_names(&targets);
    let tell_feedback = serve.tell_feedback;
    let [counted, judged] = [store.clone(), store.clone()];
    ApiState {
        config: serve.api,
        store,
        require_token: serve.require_token,
        now: clock::now,
        stream,
        hear: {
            let targets = Arc::clone(&targets);
            Arc::new(move |signature, body| Box::pin(hear(Arc::clone(&targets), signature, body)))
        },
        targets: Arc::new(move |incident, kind| {
            egret_notify::targets_for(&targets, incident, kind, clock::now())
        }),
        wake_outbox,
        register: Arc::new(move |registration| attribution.register(registration)),
        feedback_changed: Arc::new(move || tell_judged(&judged, &tell_feedback)),
        suppressions_changed: Arc::new(|| tracing::info!("suppressions changed")),
        metrics: {
            let board = Arc::clone(&board);
            Arc::new(move || {
                board.publish_metrics();
                metrics.render()
            })
        },
        status: Arc::new(move || {
            board.status(clock::now(), target_status(&counted, &names, &board.standings))
        }),
    }
}

/// What PagerDuty tells back.
async fn hear(
    targets: Arc<[Target]>,
    signature: String,
    body: Vec<u8>,
) -> Result<Option<Heard>, NotHeard> {
    egret_notify::hear(&targets, &signature, &body, clock::now()).await
}

/// Tells the engine what people judged benign. Read while the channel is held: of two changes at the same
/// time, the later one's state is what stays.
fn tell_judged(store: &Store, tell: &watch::Sender<Vec<Feedback>>) {
    tell.send_if_modified(|told| match store.feedback(clock::now()) {
        Ok(feedback) => {
            tracing::info!(findings = feedback.len(), "what is judged benign changed");
            *told = feedback;
            true
        }
        Err(error) => {
            tracing::error!(%error, "cannot read what is judged benign");
            false
        }
    });
}

fn target_names(targets: &[Target]) -> Vec<SmolStr> {
    targets.iter().map(|target| target.name.as_str().into()).collect()
}

/// The targets in their order, then those that are configured no more and still have alerts.
fn target_status(store: &Store, names: &[SmolStr], standings: &Standings) -> Vec<TargetStatus> {
    let counts = store.outbox_counts().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot count the alerts that wait");
        Vec::new()
    });
    let standings = standings.read();
    let status = |name: &SmolStr| {
        let counts = counts.iter().find(|(target, _, _)| name == target);
        let (waiting, dead) = counts.map_or((0, 0), |(_, waiting, dead)| (*waiting, *dead));
        let standing = standings.get(name.as_str());
        TargetStatus {
            name: name.clone(),
            waiting,
            dead,
            failing_since: standing.and_then(|standing| standing.failing_since),
            error: standing.and_then(|standing| standing.error.clone()),
        }
    };
    let left = counts.iter().map(|(name, _, _)| SmolStr::from(name.as_str()));
    let left: Vec<_> = left.filter(|name| !names.contains(name)).collect();
    names.iter().chain(&left).map(status).collect()
}

async fn prune(store: Store, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PRUNE_EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let store = store.clone();
        match tokio::task::spawn_blocking(move || store.prune(clock::now())).await {
            Ok(Ok(pruned)) if pruned.events > 0 => {
                tracing::info!(events = pruned.events, "forgot what is past its retention");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "cannot prune the store"),
            Err(error) => tracing::error!(%error, "pruning failed"),
        }
    }
}
