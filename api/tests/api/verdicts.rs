//! Verdicts: previewed, given with closing, changed, taken back.

use std::sync::atomic::Ordering::Relaxed;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{World, id, local, opened};

async fn close(world: &World, n: u64, body: &Value) -> Value {
    let path = format!("/v1/incidents/{}/close", id(n));
    world.send(Method::POST, &path, body).await.json()
}

async fn preview(world: &World, n: u64) -> Value {
    world.get(&format!("/v1/incidents/{}/verdict-preview", id(n))).await.json()
}

#[tokio::test]
async fn a_preview_says_what_a_false_positive_would_prevent_and_gives_no_verdict() {
    let world = local();
    world.write(&[], &[opened(1, "a.example"), opened(2, "a.example"), opened(3, "b.example")]);
    let found = preview(&world, 1).await;
    let counts = [&found["days"], &found["would_prevent"], &found["would_hide"]];
    assert_eq!(counts, [&json!(30), &json!(1), &json!(1)]);
    assert_eq!(found["newest"][0]["id"], id(2));
    let feedback = &found["feedback"][0];
    assert_eq!(
        [&feedback["detector"], &feedback["destination"], &feedback["expires_at"]],
        [&json!("upload_size"), &json!("a.example"), &json!("2026-03-02T09:00:00Z")]
    );
    assert_eq!(world.told.feedback_changed.load(Relaxed), 0);
    let answer = world.get(&format!("/v1/incidents/{}/verdict-preview", id(9))).await;
    assert_eq!(answer.problem().status, 404);
}

#[tokio::test]
async fn a_verdict_closes_is_shown_and_the_engine_is_told() {
    let world = local();
    world.write(&[], &[opened(1, "a.example"), opened(2, "a.example")]);
    let body = json!({"verdict": "false_positive", "comment": "the backup"});
    let outcome = close(&world, 1, &body).await;
    let expected = json!({"verdict": "false_positive", "by": "local", "at": "2026-01-31T09:00:00Z",
        "note": "the backup"});
    assert_eq!(
        [&outcome["incident"]["status"], &outcome["incident"]["verdict"]],
        [&json!("closed"), &expected]
    );
    assert_eq!(world.told.feedback_changed.load(Relaxed), 1);
    let detail = world.get(&format!("/v1/incidents/{}", id(1))).await.json();
    let last = &detail["history"][1];
    assert_eq!([&last["kind"], &last["verdict"]], [&json!("closed"), &json!("false_positive")]);
    let list = world.get("/v1/incidents?status=open").await.json();
    assert_eq!(list["items"], json!([]), "the other one is like it");
    let all = world.get("/v1/incidents?status=open&with_suppressed=true").await.json();
    assert_eq!(all["items"][0]["judged_like"], id(1));

    let again = close(&world, 1, &json!({"verdict": "true_positive"})).await;
    assert_eq!(
        [&again["changed"], &again["incident"]["verdict"]["verdict"]],
        [&json!(true), &json!("true_positive")]
    );
    let path = format!("/v1/incidents/{}/reopen", id(1));
    let reopened = world.send(Method::POST, &path, &json!({})).await.json();
    assert_eq!(reopened["incident"]["verdict"], Value::Null);
    assert_eq!(world.told.feedback_changed.load(Relaxed), 3);
    let list = world.get("/v1/incidents?status=open").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn one_request_judges_many_and_only_with_closing() {
    let world = local();
    world.write(&[], &[opened(1, "a.example"), opened(2, "b.example")]);
    let bulk = json!({"ids": [id(1), id(2)], "action": "close", "verdict": "true_positive"});
    let outcome = world.send(Method::POST, "/v1/incidents/actions", &bulk).await.json();
    assert_eq!(outcome["changed"], json!([id(1), id(2)]));
    assert_eq!(world.told.feedback_changed.load(Relaxed), 1, "once for all of them");
    for (action, verdict, expected) in [
        ("acknowledge", "true_positive", "only what is closed is judged"),
        ("close", "benign", "expected `true_positive` or `false_positive`"),
    ] {
        let bulk = json!({"ids": [id(1)], "action": action, "verdict": verdict});
        let problem = world.send(Method::POST, "/v1/incidents/actions", &bulk).await.problem();
        assert_eq!(problem.status, 400);
        assert!(problem.detail.contains(expected), "{}", problem.detail);
    }
}

#[tokio::test]
async fn closing_without_a_verdict_tells_the_engine_nothing() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    assert_eq!(close(&world, 1, &json!({})).await["incident"]["verdict"], Value::Null);
    let path = format!("/v1/incidents/{}/reopen", id(1));
    world.send(Method::POST, &path, &json!({})).await.json();
    assert_eq!(world.told.feedback_changed.load(Relaxed), 0);
}
