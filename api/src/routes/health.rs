//! How Egret itself is doing.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::app::Shared;
use crate::problem::{Kind, Outcome, Problem};
use crate::status::Status;

/// How the pipeline is doing: sources, losses, engine, queues, alert targets.
#[utoipa::path(
    get, path = "/v1/status", tag = "health",
    responses((status = 200, description = "The state of the pipeline", body = Status))
)]
pub(crate) async fn get_status(State(app): State<Shared>) -> Json<Status> {
    Json((app.outside.status)())
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"))
)]
pub(crate) async fn get_metrics(State(app): State<Shared>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (app.outside.metrics)())
}

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
pub(crate) async fn get_health() -> &'static str {
    "ok\n"
}

/// Whether Egret can do its work. What is not ready is named, and why is in `/v1/status`: this
/// page is open to everybody.
#[utoipa::path(
    get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, description = "It can", body = String, content_type = "text/plain"))
)]
pub(crate) async fn get_readiness(State(app): State<Shared>) -> Outcome<&'static str> {
    let status = (app.outside.status)();
    let reasons = status.not_ready();
    if reasons.is_empty() {
        return Ok("ready\n");
    }
    Err(Problem::new(Kind::NotReady, format!("{}; see /v1/status", reasons.join(", "))))
}
