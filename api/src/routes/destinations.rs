//! Destinations with their totals.

use axum::Json;
use axum::extract::State;
use egret_event::{SmolStr, Timestamp};
use egret_store::{Cursor, DestinationQuery, DestinationRow, DestinationSort, Page};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Shared;
use crate::extract::{Query, text, whole};
use crate::problem::Outcome;

/// Which destinations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DestinationParams {
    /// Totals over the time at or after; rounded down to the minute (to the hour where the span
    /// is over six hours).
    since: Option<Timestamp>,
    /// Totals over the time before.
    until: Option<Timestamp>,
    /// Contacted by this executor.
    #[serde(default, deserialize_with = "text")]
    executor: Option<SmolStr>,
    /// Text in the name.
    #[serde(default, deserialize_with = "text")]
    search: Option<SmolStr>,
    /// Sorted by, largest or newest first. Default `up_bytes`.
    sort: Option<DestinationSort>,
    /// After this: the `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1000. Default 50.
    #[serde(default, deserialize_with = "whole::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

impl From<DestinationParams> for DestinationQuery {
    fn from(params: DestinationParams) -> Self {
        Self {
            since: params.since,
            until: params.until,
            executor: params.executor,
            search: params.search.map(String::from),
            sort: params.sort.unwrap_or_default(),
            after: params.after.map(Cursor),
            limit: params.limit.map(|limit| limit as usize),
        }
    }
}

/// Lists destinations with their totals over the time asked for.
#[utoipa::path(
    get, path = "/v1/destinations", tag = "destinations", params(DestinationParams),
    responses((status = 200, description = "One page of destinations", body = Page<DestinationRow>))
)]
pub(crate) async fn list_destinations(
    State(app): State<Shared>,
    Query(params): Query<DestinationParams>,
) -> Outcome<Json<Page<DestinationRow>>> {
    let query = DestinationQuery::from(params);
    app.ask(move |outside| outside.store.destinations(&query)).await.map(Json)
}
