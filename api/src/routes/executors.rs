//! Executors: who was seen, and who is registered at which address.

use std::net::IpAddr;

use axum::Json as JsonBody;
use axum::extract::State;
use egret_event::{ExecutorRegistration, SmolStr, Timestamp};
use egret_store::{Cursor, ExecutorQuery, ExecutorRow, Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::extract::{Json, Path, Query, text, whole};
use crate::problem::{Kind, Outcome, Problem};

/// Which executors.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExecutorParams {
    /// Totals over the time at or after.
    since: Option<Timestamp>,
    /// Totals over the time before.
    until: Option<Timestamp>,
    /// Text in id, template or tenant.
    #[serde(default, deserialize_with = "text")]
    search: Option<SmolStr>,
    /// After this: the `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1000. Default 50.
    #[serde(default, deserialize_with = "whole::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

impl From<ExecutorParams> for ExecutorQuery {
    fn from(params: ExecutorParams) -> Self {
        Self {
            since: params.since,
            until: params.until,
            search: params.search.map(String::from),
            after: params.after.map(Cursor),
            limit: params.limit.map(|limit| limit as usize),
        }
    }
}

/// Lists executors, last seen first, with their totals over the time asked for.
#[utoipa::path(
    get, path = "/v1/executors", tag = "executors", params(ExecutorParams),
    responses((status = 200, description = "One page of executors", body = Page<ExecutorRow>))
)]
pub(crate) async fn list_executors(
    State(app): State<Shared>,
    Query(params): Query<ExecutorParams>,
) -> Outcome<JsonBody<Page<ExecutorRow>>> {
    let query = ExecutorQuery::from(params);
    app.ask(move |outside| outside.store.executors(&query)).await.map(JsonBody)
}

/// "This address is this executor's, from then until then."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    /// The address its traffic comes from.
    address: IpAddr,
    /// The kind of executor (image, task type).
    template: Option<SmolStr>,
    /// Who it works for.
    tenant: Option<SmolStr>,
    /// The task it runs. Without it, the session is the executor's lifetime.
    session: Option<SmolStr>,
    /// The first moment at which the address is this executor's.
    from: Timestamp,
    /// The first moment at which it no longer is. Without it: still running.
    until: Option<Timestamp>,
}

impl Registration {
    fn of(self, id: SmolStr) -> ExecutorRegistration {
        ExecutorRegistration {
            id,
            address: self.address.to_canonical(),
            template: self.template,
            tenant: self.tenant,
            session: self.session,
            from: self.from,
            until: self.until,
        }
    }
}

/// Registers an executor at an address. The same `from` again replaces what was registered, which
/// is how `until` is set when the executor ends.
#[utoipa::path(
    put, path = "/v1/executors/{id}", tag = "executors",
    params(("id" = String, Path, description = "The executor's id, 1 to 256 bytes")),
    request_body = Registration,
    responses((status = 200, description = "Registered", body = Registration))
)]
pub(crate) async fn register_executor(
    State(app): State<Shared>,
    Path(id): Path<SmolStr>,
    Json(registration): Json<Registration>,
) -> Outcome<JsonBody<Registration>> {
    let wanted = registration.clone().of(id);
    wanted.check().map_err(|error| Problem::new(Kind::BadBody, error.to_string()))?;
    app.ask(move |outside| {
        outside.store.put_executor(&wanted)?;
        (outside.register)(&wanted);
        Ok(())
    })
    .await?;
    Ok(JsonBody(registration))
}
