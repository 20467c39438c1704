//! What callers are told when something is wrong.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::world::{World, id, local, request};

#[tokio::test]
async fn a_bad_parameter_is_named_with_what_is_accepted() {
    let world = local();
    for (query, expected) in [
        ("incidents?status=new", ["status", "expected one of `open`, `acknowledged`, `closed`"]),
        ("incidents?limit=0", ["limit", "a whole number from 1 to 1000"]),
        ("incidents?limit=x", ["limit", "a whole number from 1 to 1000"]),
        ("incidents?since=yesterday", ["since", "such as 2026-01-31T09:30:00Z"]),
        ("incidents?with_suppressed=1", ["with_suppressed", "expected \"true\""]),
        ("incidents?colour=red", ["colour", "expected one of `status`, `min_severity`"]),
        ("incidents?after=garbage", ["garbage", "start again without it"]),
        ("events?kind=smoke", ["kind", "expected one of `flow`, `dns`, `tls`, `http`, `gap`"]),
        ("events?ids=7", ["ids", "32 hexadecimal digits are expected"]),
        ("series?since=2026-01-31T09:00:00Z", ["until", "missing field"]),
        (
            "series?since=2026-01-31T09:00:00Z&until=2026-01-31T09:00:00Z",
            ["until", "must be after since"],
        ),
        ("destinations?sort=size", ["sort", "expected one of `up_bytes`"]),
    ] {
        let problem = world.get(&format!("/v1/{query}")).await.problem();
        assert_eq!((problem.status, problem.title.as_str()), (400, "The query cannot be read"));
        for part in expected {
            assert!(problem.detail.contains(part), "{query}: {}", problem.detail);
        }
    }
}

#[tokio::test]
async fn texts_and_lists_in_a_query_are_bounded() {
    let world = local();
    let long = "x".repeat(257);
    let problem = world.get(&format!("/v1/incidents?search={long}")).await.problem();
    assert!(problem.detail.contains("at most 256 bytes"), "{}", problem.detail);
    let ids = format!("ids={}&", id(1)).repeat(101);
    let problem = world.get(&format!("/v1/events?{}", ids.trim_end_matches('&'))).await.problem();
    assert!(problem.detail.contains("at most 100"), "{}", problem.detail);
}

#[tokio::test]
async fn the_instance_is_the_path_without_the_query() {
    let problem = local().get("/v1/incidents?search=secret&limit=0").await.problem();
    assert_eq!(problem.instance, "/v1/incidents");
}

#[tokio::test]
async fn what_does_not_exist_is_a_404_and_a_malformed_id_a_400() {
    let world = local();
    let missing = world.get(&format!("/v1/incidents/{}", id(1))).await.problem();
    assert_eq!((missing.status, missing.kind.as_str()), (404, "urn:egret:problem:not-found"));
    assert_eq!(world.get("/v1/incidents/7").await.problem().status, 400);
    assert_eq!(world.get("/v1/nothing").await.problem().status, 404);
    assert_eq!(world.get("/v1").await.problem().status, 404);
    let act = format!("/v1/incidents/{}/close", id(1));
    assert_eq!(world.send(Method::POST, &act, &json!({})).await.problem().status, 404);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let world = local();
    let answer = world.send(Method::PUT, "/v1/suppressions", &json!({})).await;
    assert_eq!(answer.problem().status, 405);
    assert!(answer.header("allow").contains("POST"), "{}", answer.header("allow"));
    assert_eq!(world.send(Method::POST, "/nowhere", &json!({})).await.problem().status, 405);
}

#[tokio::test]
async fn a_bad_body_is_told_apart_by_what_is_wrong_with_it() {
    let world = local();
    let path = format!("/v1/incidents/{}/comments", id(1));
    let send = |kind: &'static str, body: &'static str| {
        let request = request(Method::POST, &path).header("content-type", kind);
        world.ask(request.body(Body::from(body)).unwrap())
    };
    let json = "application/json; charset=utf-8";
    assert_eq!(send("text/plain", "{\"comment\":\"x\"}").await.problem().status, 415);
    assert_eq!(send(json, "{").await.problem().status, 400);
    assert_eq!(send(json, "{\"comment\":\"x\"} trailing").await.problem().status, 400);
    let wrong = send(json, "{\"comment\":7}").await.problem();
    assert!(wrong.detail.starts_with("key comment: invalid type"), "{}", wrong.detail);
    let unknown = send(json, "{\"comment\":\"x\",\"mood\":1}").await.problem();
    assert!(unknown.detail.contains("unknown field `mood`"), "{}", unknown.detail);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_too_large() {
    let world = local();
    let body = json!({"comment": "x".repeat(1 << 20)});
    let path = format!("/v1/incidents/{}/comments", id(1));
    let problem = world.send(Method::POST, &path, &body).await.problem();
    assert_eq!((problem.status, problem.kind.as_str()), (413, "urn:egret:problem:too-large"));
}

#[tokio::test]
async fn a_panic_is_answered_and_its_message_kept_in_the_log() {
    let world = World::new(|state| state.status = Arc::new(|| panic!("secret state")));
    let answer = world.get("/v1/status").await;
    assert_eq!(answer.problem().status, 500);
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    let stored = World::new(|state| state.register = Arc::new(|_| panic!("secret state")));
    let body = json!({"address": "10.0.0.7", "from": "2026-01-31T09:00:00Z"});
    let answer = stored.send(Method::PUT, "/v1/executors/job-1", &body).await;
    assert_eq!(answer.problem().status, 500);
}
