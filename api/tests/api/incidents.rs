//! Incidents: the list, one of them, and what people do about them.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use egret_analyzer::Severity;
use serde_json::{Value, json};

use crate::world::{World, id, local, opened, request};

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

async fn act(world: &World, n: u64, action: &str, body: &Value) -> Value {
    world.send(Method::POST, &format!("/v1/incidents/{}/{action}", id(n)), body).await.json()
}

#[tokio::test]
async fn every_filter_of_the_list_restricts_it() {
    let world = local();
    let mut urgent = opened(2, "b.example");
    urgent.incident.severity = Severity::Critical;
    urgent.incident.origin.executor = "job-2".into();
    urgent.incident.origin.tenant = Some("umbrella".into());
    urgent.incident.origin.template = Some("node".into());
    urgent.incident.title = "Ünusual".into();
    world.write(&[], &[opened(1, "a.example"), urgent, opened(3, "a.example")]);
    act(&world, 2, "acknowledge", &json!({})).await;
    act(&world, 3, "close", &json!({})).await;
    for (query, expected) in [
        ("status=acknowledged", vec![2]),
        ("status=open&status=acknowledged&sort=opened_at&order=ascending", vec![1, 2]),
        ("min_severity=high", vec![2]),
        ("destination=b.example", vec![2]),
        ("executor=job-2", vec![2]),
        ("tenant=umbrella", vec![2]),
        ("template=node", vec![2]),
        ("search=B.EXAMPLE", vec![2]),
        ("sort=severity&limit=1", vec![2]),
        ("until=2026-01-31T09:00:00Z", vec![]),
        ("status=", vec![1, 2, 3]),
    ] {
        let answer = world.get(&format!("/v1/incidents?{query}")).await;
        if query == "status=" {
            assert_eq!(answer.problem().status, 400);
            continue;
        }
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        assert_eq!(ids(&answer.json()), expected, "{query}");
    }
}

#[tokio::test]
async fn an_incident_carries_its_history() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    act(&world, 1, "acknowledge", &json!({"comment": "mine"})).await;
    act(&world, 1, "comments", &json!({"comment": "it is a backup"})).await;
    let outcome = act(&world, 1, "close", &json!({})).await;
    assert_eq!(
        (&outcome["changed"], &outcome["incident"]["status"]),
        (&json!(true), &json!("closed"))
    );
    act(&world, 1, "reopen", &json!({})).await;
    let detail = world.get(&format!("/v1/incidents/{}", id(1))).await.json();
    let history = detail["history"].as_array().unwrap();
    let kinds: Vec<_> = history.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["opened", "acknowledged", "commented", "closed", "reopened"]);
    assert_eq!(history[1]["by"], json!({"analyst": "local"}));
    assert_eq!(history[2]["words"], "it is a backup");
    assert_eq!(detail["status"], "open");
}

#[tokio::test]
async fn an_action_needs_no_body_and_says_when_it_changed_nothing() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    let path = format!("/v1/incidents/{}/acknowledge", id(1));
    let post = || request(Method::POST, &path).body(Body::empty()).unwrap();
    assert_eq!(world.ask(post()).await.json()["changed"], true);
    assert_eq!(world.ask(post()).await.json()["changed"], false);
    let null = world.send(Method::POST, &path, &Value::Null).await;
    assert_eq!(null.json()["changed"], false);
}

#[tokio::test]
async fn an_action_queues_an_alert_for_the_targets_and_wakes_the_outbox() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    act(&world, 1, "acknowledge", &json!({})).await;
    assert_eq!(world.state.store.outbox_counts().unwrap(), [("siem".to_owned(), 1, 0)]);
    // Returns at once only because a permit was left there.
    world.state.wake_outbox.notified().await;
}

#[tokio::test]
async fn a_step_that_the_incident_does_not_allow_is_a_conflict() {
    let world = local();
    world.write(&[], &[opened(1, "a.example")]);
    act(&world, 1, "close", &json!({})).await;
    let path = format!("/v1/incidents/{}/acknowledge", id(1));
    let problem = world.send(Method::POST, &path, &json!({})).await.problem();
    assert_eq!(problem.status, 409);
    assert!(problem.detail.contains("reopen it"), "{}", problem.detail);
}

#[tokio::test]
async fn one_request_acts_on_many_and_tells_of_each() {
    let world = local();
    world.write(&[], &[opened(1, "a.example"), opened(2, "b.example"), opened(3, "c.example")]);
    act(&world, 1, "acknowledge", &json!({})).await;
    act(&world, 3, "close", &json!({})).await;
    let bulk = json!({"ids": [id(1), id(2), id(2), id(3), id(9)], "action": "acknowledge"});
    let outcome = world.send(Method::POST, "/v1/incidents/actions", &bulk).await.json();
    assert_eq!(
        outcome,
        json!({"changed": [id(2)], "unchanged": [id(1)], "refused": [id(3)], "not_found": [id(9)]})
    );
}

#[tokio::test]
async fn a_bulk_action_is_bounded_and_a_comment_needs_words() {
    let world = local();
    let many: Vec<_> = (0..501).map(id).collect();
    for (body, expected) in [
        (json!({"ids": [], "action": "close"}), "1 to 500"),
        (json!({"ids": many, "action": "close"}), "not 501"),
        (json!({"ids": [id(1)], "action": "comment", "comment": " "}), "a text is expected"),
        (json!({"ids": [id(1)], "action": "burn"}), "expected one of `acknowledge`"),
        (json!({"ids": ["7"], "action": "close"}), "key ids[0]: \"7\" is not an id"),
    ] {
        let problem = world.send(Method::POST, "/v1/incidents/actions", &body).await.problem();
        assert_eq!(problem.status, 400);
        assert!(problem.detail.contains(expected), "{}", problem.detail);
    }
    let long = json!({"comment": "x".repeat(10_001)});
    let path = format!("/v1/incidents/{}/comments", id(1));
    assert_eq!(world.send(Method::POST, &path, &long).await.status, StatusCode::BAD_REQUEST);
}
