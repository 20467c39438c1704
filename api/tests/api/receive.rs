//! What PagerDuty tells back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use egret_analyzer::{ChangeKind, IncidentChange};
use egret_event::Timestamp;
use egret_store::{Addressee, OutboxEntry, WriteUnit};
use serde_json::{Value, json};

use crate::world::{Answer, START, World, id, opened, request};

const PAGER: &str = "pager";

/// A world with tokens, in which a SIEM and a pager are told of everything.
fn world() -> World {
    World::new(|state| {
        state.require_token = true;
        state.targets = Arc::new(|_, _| vec![Addressee::of_all("siem"), pager()]);
    })
}

fn pager() -> Addressee {
    Addressee { is_selective: true, ..Addressee::of_all(PAGER) }
}

async fn tell(world: &World, signature: &str, n: u64, kind: ChangeKind) -> Answer {
    tell_of(world, signature, n, (kind, START)).await
}

async fn tell_of(
    world: &World,
    signature: &str,
    n: u64,
    (kind, at): (ChangeKind, Timestamp),
) -> Answer {
    let request = request(Method::POST, "/v1/receive/pagerduty")
        .header("x-pagerduty-signature", signature)
        .header("content-type", "application/json");
    world.ask(request.body(Body::from(json!([id(n), kind, at]).to_string())).unwrap()).await
}

/// Where incident `n` stands, and who has it.
fn standing(world: &World, n: u64) -> (Value, Option<String>) {
    let row = world.state.store.incident(id(n).parse().unwrap()).unwrap().unwrap().row;
    (json!(row.status), row.acknowledged_by.map(Into::into))
}

/// Writes incidents and queues alerts about them for the pager.
fn call(world: &World, changes: &[IncidentChange]) {
    let entry = |change: &IncidentChange| OutboxEntry {
        alert: change.alert_id(),
        incident: change.incident.id,
        to: pager(),
        signal: change.kind.signal().unwrap(),
        severity: change.incident.severity,
        body: serde_json::to_string(change).unwrap(),
    };
    let alerts: Vec<_> = changes.iter().map(entry).collect();
    let unit = WriteUnit { changes, alerts: &alerts, now: START, ..WriteUnit::default() };
    world.state.store.commit(&unit).unwrap();
}

#[tokio::test]
async fn what_is_done_there_is_done_here_under_the_name_of_who_did_it() {
    let world = world();
    world.write(&[], &[opened(1, "a.example")]);
    let jo = Some("Jo (PagerDuty)".to_owned());
    let steps = [
        (ChangeKind::Acknowledged, "acknowledged", jo.clone()),
        (ChangeKind::Reopened, "open", None),
        (ChangeKind::Acknowledged, "acknowledged", jo.clone()),
        (ChangeKind::Closed, "closed", jo.clone()),
    ];
    for (kind, status, by) in steps {
        assert_eq!(tell(&world, "v1=good", 1, kind).await.status, 202);
        assert_eq!(standing(&world, 1), (json!(status), by), "{kind:?}");
    }
    assert_eq!(world.state.store.outbox_waiting("siem").unwrap(), 4, "it hears of each");
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_what_is_not_ours_is_let_be() {
    let world = world();
    world.write(&[], &[opened(1, "a.example")]);
    let unsigned = tell(&world, "v1=bad", 1, ChangeKind::Closed).await;
    assert_eq!((unsigned.status.as_u16(), unsigned.problem().status), (401, 401));
    assert_eq!(tell(&world, "deaf", 1, ChangeKind::Closed).await.problem().status, 404);
    assert_eq!(tell(&world, "mute", 1, ChangeKind::Closed).await.problem().status, 503);
    assert_eq!(standing(&world, 1), (json!("open"), None));
    assert_eq!(tell(&world, "v1=good", 7, ChangeKind::Closed).await.status, 204);
    // What is closed here cannot be taken on there.
    assert_eq!(tell(&world, "v1=good", 1, ChangeKind::Closed).await.status, 202);
    assert_eq!(tell(&world, "v1=good", 1, ChangeKind::Acknowledged).await.status, 204);
}

#[tokio::test]
async fn what_was_done_before_an_incident_was_opened_anew_is_outdated() {
    let world = world();
    world.write(&[], &[opened(1, "a.example")]);
    assert_eq!(tell(&world, "v1=good", 1, ChangeKind::Closed).await.status, 202);
    let reopened = START + Duration::from_secs(3600);
    let grew = IncidentChange {
        kind: ChangeKind::Grew,
        number: 1,
        at: reopened,
        ..opened(1, "a.example")
    };
    world.write(&[], &[grew]);
    assert_eq!(standing(&world, 1).0, json!("open"));
    let closed = |at| tell_of(&world, "v1=good", 1, (ChangeKind::Closed, at));
    assert_eq!(closed(START).await.status, 204);
    assert_eq!(standing(&world, 1).0, json!("open"));
    // Clocks differ a little.
    assert_eq!(closed(reopened - Duration::from_secs(60)).await.status, 202);
    assert_eq!(standing(&world, 1).0, json!("closed"));
}

#[tokio::test]
async fn who_takes_on_an_alert_about_many_takes_on_all_of_them() {
    let world = world();
    let changes: Vec<_> = (1..=20).map(|n| opened(n, "a.example")).collect();
    call(&world, &changes);
    let later = START + Duration::from_secs(1);
    assert_eq!(world.state.store.outbox_gather(PAGER, later, 1).unwrap(), 19);
    let led = world.state.store.outbox_due(PAGER, later, 9).unwrap()[0].change.incident.id;
    let n = (1..=20).find(|n| id(*n) == led.to_string()).unwrap();
    assert_eq!(tell(&world, "v1=good", n, ChangeKind::Closed).await.status, 202);
    assert_eq!(standing(&world, n).0, json!("closed"));
    let is_taken = |n: u64| standing(&world, n).0 == json!("acknowledged");
    for _ in 0..1000 {
        if (1..=20).filter(|n| is_taken(*n)).count() == 19 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the others were not taken on");
}
