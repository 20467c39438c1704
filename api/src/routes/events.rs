//! Events: what was observed.

use axum::Json;
use axum::extract::State;
use egret_event::{Event, EventId, SmolStr, Timestamp};
use egret_store::{Cursor, EventQuery, Page};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::extract::{Query, text, whole};
use crate::problem::{Kind, Outcome, Problem};

/// Most events that can be asked for by id: as many as a page of them can show.
const MAX_IDS: usize = 100;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventParams {
    /// Observed at or after.
    since: Option<Timestamp>,
    /// Observed before.
    until: Option<Timestamp>,
    /// This destination (registrable domain or address).
    #[serde(default, deserialize_with = "text")]
    destination: Option<SmolStr>,
    /// This executor.
    #[serde(default, deserialize_with = "text")]
    executor: Option<SmolStr>,
    /// Blocked ones only (`true`), allowed ones only (`false`); without it, both.
    blocked: Option<bool>,
    /// This kind of fact.
    kind: Option<FactKind>,
    /// These events, such as the evidence of an incident. May be repeated, up to 100 times.
    #[serde(default)]
    ids: Vec<EventId>,
    /// After this: the `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1000. Default 50, or as many as `ids`.
    #[serde(default, deserialize_with = "whole::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// The kinds of fact.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FactKind {
    /// A part of a flow.
    Flow,
    /// A DNS question.
    Dns,
    /// A TLS ClientHello.
    Tls,
    /// An HTTP request.
    Http,
    /// Something that could not be seen.
    Gap,
    /// A certificate that a TLS server showed.
    Certificate,
    /// Two observers that do not agree.
    Contradiction,
}

impl FactKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Gap => "gap",
            Self::Certificate => "certificate",
            Self::Contradiction => "contradiction",
        }
    }
}

impl From<EventParams> for EventQuery {
    fn from(params: EventParams) -> Self {
        let limit = params.limit.map(|limit| limit as usize);
        let asked_for = Some(params.ids.len()).filter(|n| *n > 0);
        Self {
            since: params.since,
            until: params.until,
            destination: params.destination,
            executor: params.executor,
            blocked: params.blocked,
            kind: params.kind.map(|kind| kind.word().into()),
            ids: params.ids,
            after: params.after.map(Cursor),
            limit: limit.or(asked_for),
        }
    }
}

/// Lists events, newest first.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", params(EventParams),
    responses((status = 200, description = "One page of events", body = Page<Event>))
)]
pub(crate) async fn list_events(
    State(app): State<Shared>,
    Query(params): Query<EventParams>,
) -> Outcome<Json<Page<Event>>> {
    if params.ids.len() > MAX_IDS {
        return Err(Problem::new(
            Kind::BadQuery,
            format!("parameter ids: at most {MAX_IDS} are accepted"),
        ));
    }
    let query = EventQuery::from(params);
    app.ask(move |outside| outside.store.events(&query)).await.map(Json)
}
