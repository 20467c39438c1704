//! Requests that another site's page makes a browser send.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use egret_store::Role;

use crate::world::{World, guarded, id, local, opened};

/// Acknowledges incident 1 with these headers.
async fn acknowledge(world: &World, headers: &[(&str, &str)]) -> StatusCode {
    let path = format!("/v1/incidents/{}/acknowledge", id(1));
    let mut request = Request::builder().method(Method::POST).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.ask(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn without_tokens_another_sites_page_cannot_change_anything() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    let host = ("host", "localhost:8787");
    for foreign in ["https://evil.example", "null", "http://localhost:9999", "localhost:8787"] {
        let status = acknowledge(&world, &[host, ("origin", foreign)]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{foreign}");
    }
    for own in [&[host][..], &[host, ("origin", "http://localhost:8787")]] {
        assert_eq!(acknowledge(&world, own).await, StatusCode::OK, "{own:?}");
    }
}

#[tokio::test]
async fn without_tokens_a_rebound_name_reaches_nothing_but_the_probes() {
    let world = local();
    for (path, expected) in [
        ("/v1/incidents", StatusCode::FORBIDDEN),
        ("/v1/stream", StatusCode::FORBIDDEN),
        ("/", StatusCode::FORBIDDEN),
        ("/healthz", StatusCode::OK),
        ("/readyz", StatusCode::OK),
    ] {
        let request = Request::builder().uri(path).header("host", "evil.example:8787");
        let answer = world.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, expected, "{path}");
    }
}

#[tokio::test]
async fn with_tokens_any_host_name_will_do() {
    let world = guarded();
    let token = world.token("ana", Role::Viewer, None);
    let request = Request::builder()
        .uri("/v1/me")
        .header("host", "egret.example.org")
        .header("authorization", format!("Bearer {token}"));
    let answer = world.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let world = guarded();
    world.write(&[], &[opened(1, "a.example")]);
    let token = world.token("ana", Role::Analyst, None);
    let cookie = format!("egret_token={token}");
    let base = [("host", "egret.example.org"), ("cookie", cookie.as_str())];
    for (more, expected) in [
        (None, StatusCode::FORBIDDEN),
        (Some(("origin", "https://evil.example")), StatusCode::FORBIDDEN),
        (Some(("origin", "https://egret.example.org.evil.example")), StatusCode::FORBIDDEN),
        (Some(("x-egret-request", "0")), StatusCode::FORBIDDEN),
        (Some(("x-egret-request", "1")), StatusCode::OK),
        (Some(("origin", "https://egret.example.org")), StatusCode::OK),
    ] {
        let headers: Vec<_> = base.into_iter().chain(more).collect();
        assert_eq!(acknowledge(&world, &headers).await, expected, "{more:?}");
    }
}

#[tokio::test]
async fn a_token_in_the_header_needs_no_origin() {
    let world = guarded();
    world.write(&[], &[opened(1, "a.example")]);
    let bearer = format!("Bearer {}", world.token("ana", Role::Analyst, None));
    let headers = [("host", "egret.example.org"), ("authorization", bearer.as_str())];
    assert_eq!(acknowledge(&world, &headers).await, StatusCode::OK);
}

#[tokio::test]
async fn the_configured_public_origin_is_our_own() {
    let world = World::new(|state| {
        state.require_token = true;
        state.config.public_origin = Some("https://egret.example.org".into());
    });
    world.write(&[], &[opened(1, "a.example")]);
    let cookie = format!("egret_token={}", world.token("ana", Role::Analyst, None));
    let from = |origin| [("host", "backend:8787"), ("cookie", cookie.as_str()), ("origin", origin)];
    assert_eq!(acknowledge(&world, &from("https://egret.example.org")).await, StatusCode::OK);
    let plain = acknowledge(&world, &from("http://egret.example.org")).await;
    assert_eq!(plain, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn another_sites_page_cannot_log_a_browser_in() {
    let world = guarded();
    let token = world.token("mallory", Role::Viewer, None);
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/login")
        .header("host", "egret.example.org")
        .header("origin", "https://evil.example")
        .header("content-type", "application/json");
    let body = serde_json::json!({"token": token}).to_string();
    let answer = world.ask(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.problem().kind, "urn:egret:problem:cross-origin");
}
