//! Roll-ups: incidents that are one story.

use axum::Json as JsonBody;
use axum::extract::State;
use egret_analyzer::{RollUp, Severity};
use egret_event::{SmolStr, Timestamp};
use egret_store::{Cursor, IncidentQuery, IncidentStatus, Page};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Shared;
use crate::extract::{Query, text, whole};
use crate::problem::Outcome;

/// Which roll-ups: those of which an incident matches all of this.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RollUpParams {
    /// Any of these; may be repeated. Without it: all.
    #[serde(default)]
    status: Vec<IncidentStatus>,
    /// At least this.
    min_severity: Option<Severity>,
    /// Changed at or after.
    since: Option<Timestamp>,
    /// Changed before.
    until: Option<Timestamp>,
    /// This destination or one of its subdomains.
    #[serde(default, deserialize_with = "text")]
    destination: Option<SmolStr>,
    /// This executor.
    #[serde(default, deserialize_with = "text")]
    executor: Option<SmolStr>,
    /// This tenant.
    #[serde(default, deserialize_with = "text")]
    tenant: Option<SmolStr>,
    /// This template.
    #[serde(default, deserialize_with = "text")]
    template: Option<SmolStr>,
    /// Text in title, destination, host or executor, without regard to case.
    #[serde(default, deserialize_with = "text")]
    search: Option<SmolStr>,
    /// Whether suppressed incidents, and those like one that was judged benign, count too. Default `false`.
    #[serde(default)]
    with_suppressed: bool,
    /// After this: the `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1000. Default 50.
    #[serde(default, deserialize_with = "whole::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

impl From<RollUpParams> for IncidentQuery {
    fn from(params: RollUpParams) -> Self {
        Self {
            status: params.status,
            min_severity: params.min_severity,
            since: params.since,
            until: params.until,
            destination: params.destination,
            executor: params.executor,
            tenant: params.tenant,
            template: params.template,
            search: params.search.map(String::from),
            with_suppressed: params.with_suppressed,
            after: params.after.map(Cursor),
            limit: params.limit.map(|limit| limit as usize),
            ..Self::default()
        }
    }
}

/// Lists what incidents of one story come to, those seen last first. A roll-up is listed when one of its
/// incidents matches, and counts all of them.
#[utoipa::path(
    get, path = "/v1/roll-ups", tag = "incidents", params(RollUpParams),
    responses((status = 200, description = "One page of roll-ups", body = Page<RollUp>))
)]
pub(crate) async fn list_roll_ups(
    State(app): State<Shared>,
    Query(params): Query<RollUpParams>,
) -> Outcome<JsonBody<Page<RollUp>>> {
    let query = IncidentQuery::from(params);
    app.ask(move |outside| outside.store.roll_ups(&query)).await.map(JsonBody)
}
