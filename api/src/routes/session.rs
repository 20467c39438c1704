//! Who the caller is, and how a browser gets and loses its cookie.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json as JsonBody};
use egret_event::{SmolStr, Timestamp};
use egret_store::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::auth::{COOKIE_NAME, Caller, Proof};
use crate::extract::Json;
use crate::origin::refuse_other_origins;
use crate::problem::{Kind, Outcome, Problem};

/// How long a browser stays logged in: a working week and the weekend after it.
const COOKIE_LIFETIME: Duration = Duration::from_secs(7 * 86_400);

/// Who the caller is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Me {
    /// The name of the caller's token; `local` where no token is needed.
    name: SmolStr,
    /// What the caller may do.
    role: Role,
    /// Whether this server asks for tokens: `false` on loopback, where nobody has to log in.
    token_required: bool,
}

/// What a browser logs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A token as `egret token create` showed it.
    token: String,
}

/// Says who the caller is.
#[utoipa::path(
    get, path = "/v1/me", tag = "session",
    responses((status = 200, description = "The caller", body = Me))
)]
pub(crate) async fn get_me(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> JsonBody<Me> {
    JsonBody(me(&app, caller.name, caller.role))
}

/// Logs a browser in: from then on its cookie carries the token.
#[utoipa::path(
    post, path = "/v1/login", tag = "session", request_body = Login, security(()),
    responses((status = 200, description = "Logged in", body = Me))
)]
pub(crate) async fn log_in(
    State(app): State<Shared>,
    headers: HeaderMap,
    Json(login): Json<Login>,
) -> Outcome<impl IntoResponse> {
    // A foreign page must not log this browser in under a name of its choice.
    refuse_other_origins(&app, &headers, &Proof::Local)?;
    if !app.outside.require_token {
        let caller = app.caller(&headers).await?;
        return Ok((AppendHeaders(None), JsonBody(me(&app, caller.name, caller.role))));
    }
    let token = login.token.trim();
    let Some(row) = app.token_of_secret(token).await? else {
        let what = "the token is not known, was removed, or has expired";
        return Err(Problem::new(Kind::Unauthenticated, what));
    };
    let lifetime = lifetime(app.now(), row.expires_at);
    let cookie = cookie(&app, token, lifetime);
    Ok((AppendHeaders(Some((SET_COOKIE, cookie))), JsonBody(me(&app, row.name, row.role))))
}

/// Logs a browser out: its cookie is taken away.
#[utoipa::path(
    post, path = "/v1/logout", tag = "session", security(()),
    responses((status = 204, description = "Logged out"))
)]
pub(crate) async fn log_out(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Outcome<impl IntoResponse> {
    refuse_other_origins(&app, &headers, &Proof::Local)?;
    let gone = cookie(&app, "", Duration::ZERO);
    Ok((axum::http::StatusCode::NO_CONTENT, AppendHeaders([(SET_COOKIE, gone)])))
}

fn me(app: &App, name: SmolStr, role: Role) -> Me {
    Me { name, role, token_required: app.outside.require_token }
}

fn lifetime(now: Timestamp, expires_at: Option<Timestamp>) -> Duration {
    expires_at.map_or(COOKIE_LIFETIME, |expires_at| COOKIE_LIFETIME.min(expires_at.since(now)))
}

/// The token needs no quoting: one that was found is `egret_` and base64url.
fn cookie(app: &App, token: &str, lifetime: Duration) -> String {
    let public = app.outside.config.public_origin.as_deref().unwrap_or_default();
    let secure = if public.starts_with("https:") { "; Secure" } else { "" };
    let seconds = lifetime.as_secs();
    format!("{COOKIE_NAME}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}
