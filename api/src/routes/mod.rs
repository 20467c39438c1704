//! The routes, one file per subject.

pub(crate) mod destinations;
pub(crate) mod events;
pub(crate) mod executors;
pub(crate) mod health;
pub(crate) mod incidents;
pub(crate) mod receive;
pub(crate) mod roll_ups;
pub(crate) mod series;
pub(crate) mod session;
pub(crate) mod stream;
pub(crate) mod suppressions;
pub(crate) mod verdicts;

use std::sync::LazyLock;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Shared;
use crate::auth::{Need, require};
use crate::extract::MAX_BODY_BYTES;
use crate::openapi::{Head, add_problems};
use crate::{assets, observe, origin, problem};

fn known() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(session::get_me))
}

fn read() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(incidents::list_incidents))
        .routes(routes!(incidents::get_incident))
        .routes(routes!(roll_ups::list_roll_ups))
        .routes(routes!(verdicts::preview_verdict))
        .routes(routes!(events::list_events))
        .routes(routes!(destinations::list_destinations))
        .routes(routes!(executors::list_executors))
        .routes(routes!(series::get_series))
        .routes(routes!(suppressions::list_suppressions))
        .routes(routes!(stream::stream_changes))
        .routes(routes!(health::get_status))
        .routes(routes!(health::get_metrics))
}

fn work() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(incidents::acknowledge_incident))
        .routes(routes!(incidents::close_incident))
        .routes(routes!(incidents::reopen_incident))
        .routes(routes!(incidents::comment_on_incident))
        .routes(routes!(incidents::act_on_incidents))
        .routes(routes!(suppressions::add_suppression))
        .routes(routes!(suppressions::preview_suppression))
        .routes(routes!(suppressions::remove_suppression))
}

fn register() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(executors::register_executor))
}

fn open() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(session::log_in))
        .routes(routes!(session::log_out))
        .routes(routes!(receive::hear_pagerduty))
}

fn probes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health::get_health)).routes(routes!(health::get_readiness))
}

/// What the routes say about themselves.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let all = OpenApiRouter::with_openapi(Head::openapi())
        .merge(known())
        .merge(read())
        .merge(work())
        .merge(register())
        .merge(open())
        .merge(probes());
    let mut document = all.into_openapi();
    add_problems(&mut document);
    document
}

/// All routes, with what happens around each of them. The last layer is the outermost.
pub(crate) fn router(app: &Shared) -> Router {
    let guarded = |routes: OpenApiRouter<Shared>, need: Need| {
        Router::from(routes).route_layer(from_fn_with_state((app.clone(), need), require))
    };
    Router::new()
        .merge(guarded(known(), Need::AnyRole))
        .merge(guarded(read(), Need::Read))
        .merge(guarded(work(), Need::Work))
        .merge(guarded(register(), Need::Register))
        .merge(Router::from(open()))
        .route("/openapi.json", axum::routing::get(get_openapi))
        .fallback(assets::serve_dashboard)
        .layer(from_fn_with_state(app.clone(), origin::refuse_rebinding))
        // Probes come from outside and under any name, and learn nothing.
        .merge(Router::from(probes()))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(app.clone(), observe::limit_time))
        .layer(from_fn(observe::catch_panic))
        .layer(from_fn(problem::render))
        .layer(from_fn(observe::secure))
        .layer(from_fn_with_state(app.clone(), observe::measure))
        .with_state(app.clone())
}

/// The OpenAPI document. It holds no secret, so it is open to everybody.
async fn get_openapi() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(crate::openapi);
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}
