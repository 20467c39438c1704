//! Reading: events, destinations, executors, series, health.

use axum::http::{Method, StatusCode};
use egret_api::SourceState;
use egret_event::{BlockReason, Event, Verdict};
use egret_store::Page;
use serde_json::{Value, json};

use crate::world::{World, flow, id, local, opened};

/// Every item of a list, page by page.
async fn leaf_through(world: &World, path: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let page = world.get(&format!("{path}?limit={limit}{after}")).await.json();
        let rows = page["items"].as_array().unwrap();
        assert!(rows.len() <= limit);
        items.extend(rows.iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return items,
        }
    }
}

#[tokio::test]
async fn leafing_through_every_list_shows_each_row_once() {
    let world = local();
    let events: Vec<_> =
        (1..=25).map(|n| flow(n, n, &format!("job-{n}"), &format!("host-{n}.example"))).collect();
    let changes: Vec<_> = (1..=25).map(|n| opened(n, &format!("host-{n}.example"))).collect();
    world.write(&events, &changes);
    for (list, key) in [
        ("/v1/events", "id"),
        ("/v1/incidents", "id"),
        ("/v1/destinations", "destination"),
        ("/v1/executors", "id"),
    ] {
        let rows = leaf_through(&world, list, 10).await;
        let mut keys: Vec<_> = rows.iter().map(|row| row[key].as_str().unwrap()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((rows.len(), keys.len()), (25, 25), "{list}");
    }
}

#[tokio::test]
async fn events_come_back_as_they_were_written_and_by_every_filter() {
    let world = local();
    let mut blocked = flow(2, 20, "job-2", "b.example");
    blocked.verdict = Verdict::Blocked(BlockReason::Reset);
    let events = [flow(1, 10, "job-1", "a.example"), blocked];
    world.write(&events, &[]);
    let page: Page<Event> = serde_json::from_value(world.get("/v1/events").await.json()).unwrap();
    assert_eq!(page.items, [events[1].clone(), events[0].clone()]);
    for (query, n) in [
        ("since=2026-01-31T09:00:15Z", 2),
        ("until=2026-01-31T09:00:15Z", 1),
        ("destination=b.example", 2),
        ("executor=job-1", 1),
        ("blocked=true", 2),
        ("blocked=false&kind=flow", 1),
        ("ids=00000000000000000000000000000001&ids=00000000000000000000000000000009", 1),
    ] {
        let page = world.get(&format!("/v1/events?{query}")).await.json();
        let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|e| &e["id"]).collect();
        assert_eq!(ids, [&json!(id(n))], "{query}");
    }
}

#[tokio::test]
async fn all_events_asked_for_by_id_fit_on_one_page() {
    let world = local();
    let events: Vec<_> = (1..=60).map(|n| flow(n, n, "job-1", "a.example")).collect();
    world.write(&events, &[]);
    let query: Vec<_> = (1..=60).map(|n| format!("ids={}", id(n))).collect();
    let page = world.get(&format!("/v1/events?{}", query.join("&"))).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn destinations_and_series_sum_up_the_same_bytes() {
    let world = local();
    world.write(&[flow(1, 10, "job-1", "a.example"), flow(2, 70, "job-1", "a.example")], &[]);
    let span = "since=2026-01-31T09:00:00Z&until=2026-01-31T10:00:00Z";
    let row = &world.get(&format!("/v1/destinations?{span}")).await.json()["items"][0];
    assert_eq!((&row["destination"], &row["up_bytes"]), (&json!("a.example"), &json!(200)));
    let series = world.get(&format!("/v1/series?{span}&group_by=destination")).await.json();
    assert_eq!(series["step_s"], 60);
    let points = series["points"].as_array().unwrap();
    let sum: u64 = points.iter().map(|point| point["up_bytes"].as_u64().unwrap()).sum();
    assert_eq!((points.len(), sum), (2, 200));
    assert_eq!(points[0]["group"], "a.example");
}

#[tokio::test]
async fn a_registration_is_stored_told_of_and_may_be_ended_later() {
    let world = local();
    let mut body = json!({"address": "10.0.0.7", "template": "python", "session": "task-1",
        "from": "2026-01-31T09:00:00Z"});
    let path = "/v1/executors/pod%2Fjob-1";
    assert_eq!(world.send(Method::PUT, path, &body).await.status, StatusCode::OK);
    body["until"] = json!("2026-01-31T09:30:00Z");
    let answer = world.send(Method::PUT, path, &body).await.json();
    assert_eq!(answer["until"], "2026-01-31T09:30:00Z");
    let told = world.told.registrations.lock().unwrap().clone();
    assert_eq!(told.iter().map(|r| r.until.is_some()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(told[1].id, "pod/job-1");
    let rows = world.get("/v1/executors?search=JOB").await.json();
    assert_eq!(rows["items"].as_array().unwrap().len(), 1);
    assert_eq!(rows["items"][0]["id"], "pod/job-1");
    assert_eq!(rows["items"][0]["address"], "10.0.0.7");
}

#[tokio::test]
async fn a_registration_that_contradicts_itself_is_refused_and_nobody_is_told() {
    let world = local();
    let body = json!({"address": "10.0.0.7", "from": "2026-01-31T09:00:00Z",
        "until": "2026-01-31T09:00:00Z"});
    let problem = world.send(Method::PUT, "/v1/executors/job-1", &body).await.problem();
    assert_eq!(problem.status, 400);
    assert!(problem.detail.contains("is not after from"), "{}", problem.detail);
    let hostile = world.send(Method::PUT, "/v1/executors/a%1bb", &body).await.problem();
    assert!(hostile.detail.starts_with("id must be"), "{}", hostile.detail);
    assert!(world.told.registrations.lock().unwrap().is_empty());
}

#[tokio::test]
async fn readiness_names_what_is_not_ready_and_keeps_the_reason_to_itself() {
    let world = local();
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    {
        let mut status = world.status.lock().unwrap();
        status.store_error = Some("secret path".into());
        status.sources[0].state = SourceState::Failed;
        status.sources[0].error = Some("secret path".into());
    }
    let problem = world.get("/readyz").await.problem();
    assert_eq!(problem.status, 503);
    assert!(problem.detail.contains("store cannot be written"), "{}", problem.detail);
    assert!(problem.detail.contains("source \"squid\" has failed"), "{}", problem.detail);
    assert!(!problem.detail.contains("secret"), "{}", problem.detail);
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn status_metrics_and_the_openapi_document_are_served() {
    let world = local();
    let status = world.get("/v1/status").await.json();
    assert_eq!(status["sources"][0]["ledger"]["received"], 2);
    let metrics = world.get("/metrics").await;
    assert_eq!(metrics.text(), "egret_up 1\n");
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert_eq!(world.get("/openapi.json").await.json()["openapi"], "3.1.0");
    let me = world.get("/v1/me").await.json();
    assert_eq!(me, json!({"name": "local", "role": "admin", "token_required": false}));
}

#[tokio::test]
async fn hostile_names_come_back_as_data() {
    let world = local();
    let name = "<script>alert(1)</script>\u{202e}\"'\\\r\nset-cookie: a=b";
    let mut change = opened(1, name);
    change.incident.origin.executor = name.into();
    change.incident.title = format!("title {name}");
    world.write(&[flow(1, 1, name, name)], &[change]);
    let incident = world.get(&format!("/v1/incidents/{}", id(1))).await;
    assert_eq!(incident.json()["origin"]["executor"], name);
    assert_eq!(incident.json()["title"], format!("title {name}"));
    assert_eq!(incident.headers.get("set-cookie"), None);
    assert_eq!(world.get("/v1/events").await.json()["items"][0]["origin"]["executor"], name);
}
