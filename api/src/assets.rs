//! The dashboard: files that were built into this binary.

use axum::extract::Request;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::problem::{Kind, Problem};

#[derive(Embed)]
#[folder = "../dashboards/dist"]
struct Dashboard;

/// The page that runs the dashboard, whatever the path says.
const INDEX: &str = "index.html";

/// Files under this folder have a hash of their content in their name: they never change.
const HASHED: &str = "assets/";

/// Answers everything that is no route of the API.
pub(crate) async fn serve_dashboard(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let missing = || Problem::new(Kind::NotFound, "there is nothing at this path").into_response();
    if path == "v1" || path.starts_with("v1/") {
        return missing();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let what = "this path allows GET and HEAD";
        return Problem::new(Kind::MethodNotAllowed, what).into_response();
    }
    let name = if path.is_empty() { INDEX } else { path };
    if let Some(file) = Dashboard::get(name) {
        return respond(name, file, request.headers());
    }
    // The page's own router knows paths such as /incidents/…; a missing script is just missing.
    match Dashboard::get(INDEX) {
        Some(page) if wants_page(request.headers()) => respond(INDEX, page, request.headers()),
        _ => missing(),
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn respond(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag = format!("\"{}\"", hash[..16].iter().map(|b| format!("{b:02x}")).collect::<String>());
    let caching =
        if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&tag) || known == "*") {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, media_type(name))], file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// The media types of the files that a web build makes.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
