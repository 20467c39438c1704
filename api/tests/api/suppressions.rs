//! Suppressions: previewed, made, listed, removed.

use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::world::{local, opened, request};

#[tokio::test]
async fn a_preview_counts_what_would_match_and_makes_nothing() {
    let world = local();
    world.write(&[], &[opened(1, "a.example"), opened(2, "a.example"), opened(3, "b.example")]);
    let wanted = json!({"destination": "A.example.", "reason": "our bucket",
        "expires_at": "2026-02-01T00:00:00Z"});
    let preview = world.send(Method::POST, "/v1/suppressions/preview", &wanted).await.json();
    let counts = [&preview["days"], &preview["would_match"], &preview["would_hide"]];
    assert_eq!(counts, [&json!(30), &json!(2), &json!(2)]);
    let newest = preview["newest"].as_array().unwrap();
    assert_eq!(newest.len(), 2);
    assert!(newest.iter().all(|row| row["destination"] == "a.example"), "{preview}");
    assert_eq!(world.get("/v1/suppressions").await.json(), json!({"items": []}));
    assert_eq!(world.told.suppressions_changed.load(Relaxed), 0);
}

#[tokio::test]
async fn a_suppression_is_made_listed_and_removed_and_the_engine_is_told() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    let wanted = json!({"destination": "a.example", "detector": "upload_size",
        "reason": "our bucket", "expires_at": "2026-02-01T00:00:00Z"});
    let made = world.send(Method::POST, "/v1/suppressions", &wanted).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    assert_eq!(
        (&made["matched"], &made["suppression"]["created_by"]),
        (&json!(1), &json!("local"))
    );
    let listed = world.get("/v1/suppressions").await.json();
    assert_eq!(listed["items"], json!([made["suppression"]]));
    let path = format!("/v1/suppressions/{}", made["suppression"]["id"].as_str().unwrap());
    let delete = || request(Method::DELETE, &path).body(Body::empty()).unwrap();
    assert_eq!(world.ask(delete()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.ask(delete()).await.problem().status, 404);
    assert_eq!(world.told.suppressions_changed.load(Relaxed), 2);
}

#[tokio::test]
async fn a_suppression_of_everything_without_reason_or_in_the_past_is_refused() {
    let world = local();
    for (body, expected) in [
        (json!({"reason": "x", "expires_at": "2026-02-01T00:00:00Z"}), "at least one of"),
        (
            json!({"tenant": "acme", "reason": " ", "expires_at": "2026-02-01T00:00:00Z"}),
            "key reason",
        ),
        (
            json!({"tenant": "acme", "reason": "x", "expires_at": "2026-01-31T09:00:00Z"}),
            "in the future",
        ),
        (
            json!({"tenant": "", "reason": "x", "expires_at": "2026-02-01T00:00:00Z"}),
            "1 to 256 bytes",
        ),
        (json!({"tenant": "acme", "reason": "x"}), "missing field `expires_at`"),
    ] {
        let problem = world.send(Method::POST, "/v1/suppressions", &body).await.problem();
        assert_eq!(problem.status, 400);
        assert!(problem.detail.contains(expected), "{}", problem.detail);
    }
}
