//! Verdicts: what it would do to judge an incident benign. They are given when it is closed.

use axum::Json as JsonBody;
use axum::extract::State;
use egret_analyzer::Feedback;
use egret_event::EventId;
use egret_store::IncidentRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::suppressions::{DAY, PREVIEWED_DAYS};
use crate::app::Shared;
use crate::extract::Path;
use crate::problem::Outcome;

/// What it would do to judge an incident a false positive.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct VerdictPreview {
    /// What would count as benign until it expires. Nothing for what was observed and not estimated, such as
    /// a secret or a broken policy: there a verdict changes nothing.
    feedback: Vec<Feedback>,
    /// The days looked back, as far as the store goes back.
    days: u64,
    /// How many other incidents of these days would not have opened, closed ones too.
    would_prevent: u64,
    /// How many other incidents that are not closed it would hide, of any time.
    would_hide: u64,
    /// The newest that would not have opened, at most five.
    newest: Vec<IncidentRow>,
}

/// Says what it would do to judge an incident a false positive, without doing it.
#[utoipa::path(
    get, path = "/v1/incidents/{id}/verdict-preview", tag = "incidents",
    params(("id" = EventId, Path, description = "The incident's id")),
    responses((status = 200, description = "What it would do", body = VerdictPreview))
)]
pub(crate) async fn preview_verdict(
    State(app): State<Shared>,
    Path(id): Path<EventId>,
) -> Outcome<JsonBody<VerdictPreview>> {
    let now = app.now();
    let since = now - DAY * PREVIEWED_DAYS;
    let found = app.ask(move |outside| outside.store.preview_feedback(id, now, since)).await?;
    Ok(JsonBody(VerdictPreview {
        feedback: found.feedback,
        days: u64::from(PREVIEWED_DAYS),
        would_prevent: found.incidents.recent,
        would_hide: found.incidents.open,
        newest: found.incidents.newest,
    }))
}
