//! What happens around every request: headers, timing, counting, time limit, panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use metrics::{counter, histogram};

use crate::app::Shared;
use crate::problem::{Kind, Outcome, Problem};

/// Nothing but our own files, and no code or style within a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A page of another site shares no window with ours …
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

/// … and cannot load our answers as its images or scripts.
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Middleware: adds the headers that make a browser careful.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Middleware: counts and times the request, and notes it in the log without its query.
pub(crate) async fn measure(State(app): State<Shared>, request: Request, next: Next) -> Response {
    // The route and not the path: paths are chosen by callers, and a label must have few values.
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => "dashboard".to_owned(),
    };
    let method = word(request.method());
    let started_at = app.now();
    let response = next.run(request).await;
    let took = app.now().since(started_at);
    let status = response.status().as_u16();
    counter!(
        "egret_http_requests_total",
        "route" => route.clone(), "status" => status.to_string()
    )
    .increment(1);
    histogram!("egret_http_request_seconds", "route" => route.clone()).record(took.as_secs_f64());
    tracing::debug!(method, route, status, took_ms = took.as_secs_f64() * 1e3, "request answered");
    response
}

/// The method as a word of ours: a caller may send any text as one.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Middleware: turns a panic into an answer, and counts it.
pub(crate) async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            counter!("egret_http_panics_total").increment(1);
            tracing::error!(panic = message(&*panic), "a request handler panicked");
            Problem::new(Kind::Internal, "an error in Egret: see its log").into_response()
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Middleware: ends a request that takes too long. A live stream has begun by then, and goes on.
pub(crate) async fn limit_time(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Outcome<Response> {
    let limit = app.outside.config.request_timeout;
    tokio::time::timeout(limit, next.run(request)).await.map_err(|_| {
        let limit_s = limit.as_secs_f64();
        let what = format!("not answered within {limit_s} s; what was begun is carried out still");
        Problem::new(Kind::Timeout, what)
    })
}
