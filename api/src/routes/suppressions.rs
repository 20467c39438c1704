//! Suppressions: what a person has decided not to be alerted about.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json as JsonBody};
use egret_analyzer::{Detector, Suppression};
use egret_event::{EventId, SmolStr, Timestamp, clean_name};
use egret_store::IncidentRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Caller;
use crate::extract::{Json, Path};
use crate::problem::{Kind, Outcome, Problem};

/// Longest reason, in bytes: a paragraph.
const MAX_REASON_BYTES: usize = 2000;

/// Days that a preview looks back: a month shows what comes weekly.
pub(crate) const PREVIEWED_DAYS: u32 = 30;
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Longest template or tenant, in bytes, as for registrations.
const MAX_NAME_BYTES: usize = 256;

/// A suppression to be made. At least one of the first four fields must be given: what matches
/// everything would switch Egret off.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSuppression {
    /// A domain or address: matches destinations that are it or lie below it. Without it: any.
    destination: Option<SmolStr>,
    /// Without it: any template.
    template: Option<SmolStr>,
    /// Without it: any tenant.
    tenant: Option<SmolStr>,
    /// Matches only when this is the strongest detector. Without it: any.
    detector: Option<Detector>,
    /// Why.
    reason: String,
    /// When it stops to apply.
    expires_at: Timestamp,
}

/// A suppression that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SuppressionMade {
    /// The suppression.
    suppression: Suppression,
    /// How many stored incidents it matches.
    matched: u64,
}

/// What a suppression would do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SuppressionPreview {
    /// The days looked back, as far as the store goes back.
    days: u64,
    /// How many incidents of these days it would have silenced, closed ones too.
    would_match: u64,
    /// How many incidents that are not closed it would hide, of any time.
    would_hide: u64,
    /// The newest that it would have silenced, at most five.
    newest: Vec<IncidentRow>,
}

/// The suppressions in force.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Suppressions {
    /// All that have not expired.
    items: Vec<Suppression>,
}

impl NewSuppression {
    fn of(self, by: SmolStr, now: Timestamp) -> Outcome<Suppression> {
        let wrong = |what: &str| Err(Problem::new(Kind::BadBody, what));
        let blank = |name: &SmolStr| name.is_empty() || name.len() > MAX_NAME_BYTES;
        let names = [&self.destination, &self.template, &self.tenant];
        if names.into_iter().flatten().any(blank) {
            return wrong("destination, template and tenant must be 1 to 256 bytes where given");
        }
        if self.detector.is_none() && names.into_iter().all(Option::is_none) {
            return wrong("give at least one of destination, template, tenant and detector");
        }
        if self.reason.trim().is_empty() || self.reason.len() > MAX_REASON_BYTES {
            return wrong("key reason: 1 to 2000 bytes are expected");
        }
        if self.expires_at <= now {
            return wrong("key expires_at: must be in the future");
        }
        let made_at = now.as_nanos().to_le_bytes();
        let about = format!("{:?}", (names, self.detector, &self.reason, self.expires_at));
        Ok(Suppression {
            id: EventId::of(&[b"suppression", by.as_bytes(), &made_at, about.as_bytes()]),
            destination: self.destination.map(|name| clean_name(&name)),
            template: self.template,
            tenant: self.tenant,
            detector: self.detector,
            reason: self.reason,
            created_by: by,
            created_at: now,
            expires_at: self.expires_at,
        })
    }
}

/// Lists the suppressions in force.
#[utoipa::path(
    get, path = "/v1/suppressions", tag = "suppressions",
    responses((status = 200, description = "All that have not expired", body = Suppressions))
)]
pub(crate) async fn list_suppressions(
    State(app): State<Shared>,
) -> Outcome<JsonBody<Suppressions>> {
    let now = app.now();
    let items = app.ask(move |outside| outside.store.suppressions(now)).await?;
    Ok(JsonBody(Suppressions { items }))
}

/// Makes a suppression.
#[utoipa::path(
    post, path = "/v1/suppressions", tag = "suppressions", request_body = NewSuppression,
    responses((status = 201, description = "Made", body = SuppressionMade))
)]
pub(crate) async fn add_suppression(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<NewSuppression>,
) -> Outcome<(StatusCode, JsonBody<SuppressionMade>)> {
    let suppression = wanted.of(caller.name, app.now())?;
    let made = app
        .ask(move |outside| {
            let matched = outside.store.add_suppression(&suppression)?;
            (outside.suppressions_changed)();
            Ok(SuppressionMade { suppression, matched })
        })
        .await?;
    Ok((StatusCode::CREATED, JsonBody(made)))
}

/// Says what a suppression would do, without making it.
#[utoipa::path(
    post, path = "/v1/suppressions/preview", tag = "suppressions", request_body = NewSuppression,
    responses((status = 200, description = "What it would do", body = SuppressionPreview))
)]
pub(crate) async fn preview_suppression(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<NewSuppression>,
) -> Outcome<JsonBody<SuppressionPreview>> {
    let suppression = wanted.of(caller.name, app.now())?;
    let since = app.now() - DAY * PREVIEWED_DAYS;
    let matches =
        app.ask(move |outside| outside.store.preview_suppression(&suppression, since)).await?;
    Ok(JsonBody(SuppressionPreview {
        days: u64::from(PREVIEWED_DAYS),
        would_match: matches.recent,
        would_hide: matches.open,
        newest: matches.newest,
    }))
}

/// Removes a suppression.
#[utoipa::path(
    delete, path = "/v1/suppressions/{id}", tag = "suppressions",
    params(("id" = EventId, Path, description = "The suppression's id")),
    responses((status = 204, description = "Removed"))
)]
pub(crate) async fn remove_suppression(
    State(app): State<Shared>,
    Path(id): Path<EventId>,
) -> Outcome<StatusCode> {
    let removed = app
        .ask(move |outside| {
            let removed = outside.store.remove_suppression(id)?;
            if removed {
                (outside.suppressions_changed)();
            }
            Ok(removed)
        })
        .await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(Kind::NotFound, format!("no suppression {id}")))
    }
}
