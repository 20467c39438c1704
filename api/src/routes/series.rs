//! Sums over time.

use axum::Json;
use axum::extract::State;
use egret_event::{SmolStr, Timestamp};
use egret_store::{GroupBy, Series, SeriesQuery};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::Shared;
use crate::extract::{Query, text, whole};
use crate::problem::{Kind, Outcome, Problem};

/// Length of a step that nobody asked for, in seconds: that of the finest sums.
const DEFAULT_STEP_S: u64 = 60;

/// Which sums over time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesParams {
    /// At or after.
    since: Timestamp,
    /// Before.
    until: Timestamp,
    /// Length of a step in seconds: rounded up to whole minutes, to whole hours from one hour on,
    /// and so that there are at most 1,000 steps. Default 60.
    #[serde(default, deserialize_with = "whole::<_, 1, 31_622_400>")]
    #[param(minimum = 1, maximum = 31_622_400)]
    step_s: Option<u64>,
    /// This destination only.
    #[serde(default, deserialize_with = "text")]
    destination: Option<SmolStr>,
    /// This executor only.
    #[serde(default, deserialize_with = "text")]
    executor: Option<SmolStr>,
    /// Split by. Default `nothing`.
    group_by: Option<GroupBy>,
}

/// Sums over time: bytes, contacts and what was missed, per step.
#[utoipa::path(
    get, path = "/v1/series", tag = "series", params(SeriesParams),
    responses((status = 200, description = "The sums, in order of time", body = Series))
)]
pub(crate) async fn get_series(
    State(app): State<Shared>,
    Query(params): Query<SeriesParams>,
) -> Outcome<Json<Series>> {
    if params.until <= params.since {
        return Err(Problem::new(Kind::BadQuery, "parameter until: must be after since"));
    }
    let query = SeriesQuery {
        since: params.since,
        until: params.until,
        step_s: params.step_s.unwrap_or(DEFAULT_STEP_S),
        destination: params.destination,
        executor: params.executor,
        group_by: params.group_by.unwrap_or_default(),
    };
    app.ask(move |outside| outside.store.series(&query)).await.map(Json)
}
