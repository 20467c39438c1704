//! Roll-ups: incidents of one story, listed and told.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{id, local, opened};

fn counts(page: &Value) -> Vec<(&str, u64)> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|row| (row["destination"].as_str().unwrap(), row["incidents"].as_u64().unwrap()))
        .collect()
}

#[tokio::test]
async fn incidents_of_one_story_are_one_row_and_each_says_so() {
    let world = local();
    let mut elsewhere = opened(2, "bad.example");
    elsewhere.incident.session = "task-2".into();
    elsewhere.incident.origin.tenant = Some("umbrella".into());
    world.write(&[], &[opened(1, "bad.example"), elsewhere, opened(3, "other.example")]);
    let close = format!("/v1/incidents/{}/close", id(1));
    world.send(Method::POST, &close, &json!({})).await.json();
    for (query, expected) in [
        ("", vec![("other.example", 1), ("bad.example", 2)]),
        ("?status=closed", vec![("bad.example", 2)]),
        ("?tenant=umbrella&status=open", vec![("bad.example", 2)]),
        ("?destination=other.example", vec![("other.example", 1)]),
        ("?min_severity=critical", vec![]),
        ("?limit=1", vec![("other.example", 1)]),
    ] {
        let page = world.get(&format!("/v1/roll-ups{query}")).await.json();
        assert_eq!(counts(&page), expected, "{query}");
    }
    let first = world.get("/v1/roll-ups?limit=1").await.json();
    let after = first["next"].as_str().unwrap();
    let second = world.get(&format!("/v1/roll-ups?limit=1&after={after}")).await.json();
    let row = &second["items"][0];
    assert_eq!(
        row["story"],
        json!({"kind": "destination", "destination": "bad.example", "place": null})
    );
    assert_eq!((&row["sessions"], &row["open"], &row["closed"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(row["tenants"], json!({"count": 2, "names": ["acme", "umbrella"]}));

    let detail = world.get(&format!("/v1/incidents/{}", id(2))).await.json();
    assert_eq!(detail["roll_up"], *row);
    let of_it =
        world.get(&format!("/v1/incidents?roll_up_of={}&sort=opened_at", id(1))).await.json();
    let ids: Vec<_> = of_it["items"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [&json!(id(2)), &json!(id(1))]);
}

#[tokio::test]
async fn what_roll_ups_cannot_be_asked_is_refused() {
    let world = local();
    for query in ["sort=severity", "order=ascending", "after=x", "limit=0"] {
        let problem = world.get(&format!("/v1/roll-ups?{query}")).await.problem();
        assert_eq!(problem.status, 400, "{query}");
    }
    let problem = world.get("/v1/incidents?roll_up_of=none").await.problem();
    assert!(problem.detail.contains("roll_up_of"), "{}", problem.detail);
}
