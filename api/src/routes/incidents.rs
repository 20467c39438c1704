//! Incidents, and what people do about them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json as JsonBody};
use egret_analyzer::{ChangeKind, Severity};
use egret_event::{EventId, SmolStr, Timestamp};
use egret_store::{
    Action, Cursor, IncidentDetail, IncidentQuery, IncidentRow, IncidentSort, IncidentStatus,
    IncidentVerdict, Page, SortOrder, StoreError,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::{ApiState, Shared};
use crate::auth::Caller;
use crate::extract::{Json, OptionalJson, Path, Query, text, whole};
use crate::problem::{Kind, Outcome, Problem};

/// Longest comment, in bytes: about three pages.
const MAX_COMMENT_BYTES: usize = 10_000;

/// Most incidents that one request acts on.
const MAX_BULK: usize = 500;

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct IncidentParams {
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
    /// Those that are one roll-up with this incident, given by its id.
    roll_up_of: Option<EventId>,
    /// Whether suppressed incidents, and those like one that was judged benign, are wanted too. Default
    /// `false`.
    #[serde(default)]
    with_suppressed: bool,
    /// Sorted by. Default `updated_at`.
    sort: Option<IncidentSort>,
    /// Sorted how. Default `descending`.
    order: Option<SortOrder>,
    /// After this: the `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1000. Default 50.
    #[serde(default, deserialize_with = "whole::<_, 1, 1000>")]
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

impl From<IncidentParams> for IncidentQuery {
    fn from(params: IncidentParams) -> Self {
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
            roll_up_of: params.roll_up_of,
            with_suppressed: params.with_suppressed,
            sort: params.sort.unwrap_or_default(),
            order: params.order.unwrap_or_default(),
            after: params.after.map(Cursor),
            limit: params.limit.map(|limit| limit as usize),
        }
    }
}

/// Lists incidents.
#[utoipa::path(
    get, path = "/v1/incidents", tag = "incidents", params(IncidentParams),
    responses((status = 200, description = "One page of incidents", body = Page<IncidentRow>))
)]
pub(crate) async fn list_incidents(
    State(app): State<Shared>,
    Query(params): Query<IncidentParams>,
) -> Outcome<JsonBody<Page<IncidentRow>>> {
    let query = IncidentQuery::from(params);
    app.ask(move |outside| outside.store.incidents(&query)).await.map(JsonBody)
}

/// One incident with its history and its roll-up.
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "incidents",
    params(("id" = EventId, Path, description = "The incident's id")),
    responses((status = 200, description = "The incident", body = IncidentDetail))
)]
pub(crate) async fn get_incident(
    State(app): State<Shared>,
    Path(id): Path<EventId>,
) -> Outcome<JsonBody<IncidentDetail>> {
    let found = app.ask(move |outside| outside.store.incident(id)).await?;
    found.map(JsonBody).ok_or_else(|| Problem::new(Kind::NotFound, format!("no incident {id}")))
}

/// What goes with an action.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remark {
    /// Why, for the history.
    comment: Option<String>,
}

/// What goes with closing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closing {
    /// Why, for the history.
    comment: Option<String>,
    /// What it turned out to be. A false positive counts for 30 days: the like is not reported.
    verdict: Option<IncidentVerdict>,
}

/// A comment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewComment {
    /// Its text, up to 10,000 bytes.
    comment: String,
}

/// An incident after an action.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ActionOutcome {
    /// The incident as it is now.
    incident: IncidentRow,
    /// `false`: it was already so.
    changed: bool,
}

/// Takes an incident on.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/acknowledge", tag = "incidents",
    params(("id" = EventId, Path, description = "The incident's id")),
    request_body = Option<Remark>,
    responses((status = 200, description = "The incident as it is now", body = ActionOutcome))
)]
pub(crate) async fn acknowledge_incident(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<EventId>,
    OptionalJson(remark): OptionalJson<Remark>,
) -> Outcome<JsonBody<ActionOutcome>> {
    act_on_one(app, id, action(caller, ActionKind::Acknowledge, (remark.comment, None))?).await
}

/// Closes an incident, with a verdict if there is one. What is closed may be judged anew.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/close", tag = "incidents",
    params(("id" = EventId, Path, description = "The incident's id")),
    request_body = Option<Closing>,
    responses((status = 200, description = "The incident as it is now", body = ActionOutcome))
)]
pub(crate) async fn close_incident(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<EventId>,
    OptionalJson(closing): OptionalJson<Closing>,
) -> Outcome<JsonBody<ActionOutcome>> {
    let Closing { comment, verdict } = closing;
    act_on_one(app, id, action(caller, ActionKind::Close, (comment, verdict))?).await
}

/// Opens an incident again, and takes its verdict back.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/reopen", tag = "incidents",
    params(("id" = EventId, Path, description = "The incident's id")),
    request_body = Option<Remark>,
    responses((status = 200, description = "The incident as it is now", body = ActionOutcome))
)]
pub(crate) async fn reopen_incident(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<EventId>,
    OptionalJson(remark): OptionalJson<Remark>,
) -> Outcome<JsonBody<ActionOutcome>> {
    act_on_one(app, id, action(caller, ActionKind::Reopen, (remark.comment, None))?).await
}

/// Writes a comment on an incident.
#[utoipa::path(
    post, path = "/v1/incidents/{id}/comments", tag = "incidents",
    params(("id" = EventId, Path, description = "The incident's id")),
    request_body = NewComment,
    responses((status = 200, description = "The incident as it is now", body = ActionOutcome))
)]
pub(crate) async fn comment_on_incident(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<EventId>,
    Json(comment): Json<NewComment>,
) -> Outcome<JsonBody<ActionOutcome>> {
    act_on_one(app, id, action(caller, ActionKind::Comment, (Some(comment.comment), None))?).await
}

/// What a person can do with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActionKind {
    /// Take it on.
    Acknowledge,
    /// Close it.
    Close,
    /// Open it again.
    Reopen,
    /// Write something.
    Comment,
}

/// One action on many incidents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkAction {
    /// The incidents, 1 to 500. A repeated id counts once.
    #[schema(min_items = 1, max_items = 500)]
    ids: Vec<EventId>,
    /// What to do with each.
    action: ActionKind,
    /// A comment; required for `comment`.
    comment: Option<String>,
    /// What they turned out to be; only with `close`.
    verdict: Option<IncidentVerdict>,
}

/// What became of one action on many incidents. It stops at nothing: each incident stands alone.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct BulkOutcome {
    /// Incidents that changed.
    changed: Vec<EventId>,
    /// Incidents that were already so.
    unchanged: Vec<EventId>,
    /// Incidents for which it is not the next step: closed ones cannot be acknowledged.
    refused: Vec<EventId>,
    /// Incidents that do not exist.
    not_found: Vec<EventId>,
}

/// Does the same to many incidents.
#[utoipa::path(
    post, path = "/v1/incidents/actions", tag = "incidents", request_body = BulkAction,
    responses((status = 200, description = "What became of it", body = BulkOutcome))
)]
pub(crate) async fn act_on_incidents(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Json(bulk): Json<BulkAction>,
) -> Outcome<JsonBody<BulkOutcome>> {
    let ids: BTreeSet<EventId> = bulk.ids.into_iter().collect();
    if !(1..=MAX_BULK).contains(&ids.len()) {
        let what = format!("key ids: 1 to {MAX_BULK} ids are expected, not {}", ids.len());
        return Err(Problem::new(Kind::BadBody, what));
    }
    let action = action(caller, bulk.action, (bulk.comment, bulk.verdict))?;
    app.ask(move |outside| act_on_many(outside, &ids, &action)).await.map(JsonBody)
}

fn act_on_many(
    outside: &ApiState,
    ids: &BTreeSet<EventId>,
    action: &Action,
) -> Result<BulkOutcome, StoreError> {
    telling_once(outside, |changed_feedback| {
        let mut outcome = BulkOutcome::default();
        for &id in ids {
            match act(outside, id, action, changed_feedback) {
                Ok(ActionOutcome { changed: true, .. }) => outcome.changed.push(id),
                Ok(ActionOutcome { changed: false, .. }) => outcome.unchanged.push(id),
                Err(StoreError::BadQuery(_)) => outcome.refused.push(id),
                Err(StoreError::NotFound { .. }) => outcome.not_found.push(id),
                Err(failure) => return Err(failure),
            }
        }
        Ok(outcome)
    })
}

async fn act_on_one(app: Shared, id: EventId, action: Action) -> Outcome<JsonBody<ActionOutcome>> {
    let acted = app.ask(move |outside| {
        let act = |changed_feedback: &mut bool| act(outside, id, &action, changed_feedback);
        match telling_once(outside, act) {
            // The action itself was checked before: it is the incident that does not stand so.
            Err(StoreError::BadQuery(reason)) => Ok(Err(reason)),
            other => other.map(Ok),
        }
    });
    match acted.await? {
        Ok(outcome) => Ok(JsonBody(outcome)),
        Err(reason) => Err(Problem::new(Kind::Conflict, reason)),
    }
}

/// Lets `acts` happen, and tells whoever takes feedback when they have changed any: once, because it reads
/// all that counts.
pub(crate) fn telling_once<T>(outside: &ApiState, acts: impl FnOnce(&mut bool) -> T) -> T {
    let mut changed_feedback = false;
    let acted = acts(&mut changed_feedback);
    if changed_feedback {
        (outside.feedback_changed)();
    }
    acted
}

/// Carries out an action and tells the live stream and the outbox of it.
pub(crate) fn act(
    outside: &ApiState,
    id: EventId,
    action: &Action,
    changed_feedback: &mut bool,
) -> Result<ActionOutcome, StoreError> {
    let missing = || StoreError::NotFound { what: "incident", id: id.to_string() };
    let before = outside.store.incident_row(id)?.ok_or_else(missing)?;
    let targets = (outside.targets)(&before.incident, action.kind);
    let (incident, change) = outside.store.act(id, action, (outside.now)(), &targets)?;
    let changed = change.is_some();
    let takes_back = before.verdict.is_some() && action.kind == ChangeKind::Reopened;
    *changed_feedback |= changed && (action.verdict.is_some() || takes_back);
    if let Some(change) = change {
        outside.wake_outbox.notify_one();
        // An error only says that nobody is listening.
        let _ = outside.stream.send(Arc::new(change));
    }
    Ok(ActionOutcome { incident, changed })
}

fn action(
    caller: Caller,
    kind: ActionKind,
    (comment, verdict): (Option<String>, Option<IncidentVerdict>),
) -> Outcome<Action> {
    let comment = comment.filter(|comment| !comment.trim().is_empty());
    if comment.as_ref().is_some_and(|comment| comment.len() > MAX_COMMENT_BYTES) {
        return Err(Problem::new(Kind::BadBody, "key comment: at most 10000 bytes are accepted"));
    }
    if kind == ActionKind::Comment && comment.is_none() {
        return Err(Problem::new(Kind::BadBody, "key comment: a text is expected"));
    }
    if verdict.is_some() && kind != ActionKind::Close {
        return Err(Problem::new(Kind::BadBody, "key verdict: only what is closed is judged"));
    }
    let kind = match kind {
        ActionKind::Acknowledge => ChangeKind::Acknowledged,
        ActionKind::Close => ChangeKind::Closed,
        ActionKind::Reopen => ChangeKind::Reopened,
        ActionKind::Comment => ChangeKind::Commented,
    };
    Ok(Action { by: caller.name, kind, comment, verdict })
}
