//! What one caller cannot take from the others: time, the store, connections, streams.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use egret_api::serve;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::world::{World, id, local, request};

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_told_to_come_back() {
    let world = local();
    let body =
        Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = request(Method::POST, &format!("/v1/incidents/{}/comments", id(1)))
        .header("content-type", "application/json");
    let answer = world.ask(request.body(body).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "2");
    assert!(answer.problem().detail.starts_with("not answered within 10 s"));
}

#[tokio::test]
async fn a_busy_store_sends_callers_away_and_recovers() {
    let entered = Arc::new(Semaphore::new(0));
    let (open_door, door) = std::sync::mpsc::channel::<()>();
    let world = Arc::new(World::new(|state| {
        let (entered, door) = (entered.clone(), Mutex::new(door));
        state.register = Arc::new(move |_| {
            entered.add_permits(1);
            let _ = door.lock().unwrap().recv();
        });
    }));
    let mut waiting = Vec::new();
    for n in 0..8 {
        let world = world.clone();
        waiting.push(tokio::spawn(async move {
            let body = json!({"address": "10.0.0.7", "from": "2026-01-31T09:00:00Z"});
            world.send(Method::PUT, &format!("/v1/executors/job-{n}"), &body).await.status
        }));
    }
    drop(entered.acquire_many(8).await.unwrap());
    tokio::time::pause();
    let patience = tokio::time::advance(Duration::from_secs(4));
    let (answer, ()) = tokio::join!(world.get("/v1/incidents"), patience);
    tokio::time::resume();
    assert_eq!(answer.problem().kind, "urn:egret:problem:overloaded");
    assert_eq!(answer.header("retry-after"), "2");
    drop(open_door);
    for put in waiting {
        assert_eq!(put.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(world.get("/v1/incidents").await.status, StatusCode::OK);
}

#[tokio::test]
async fn streams_are_limited_in_number() {
    let world = local();
    let open = || {
        let request = request(Method::GET, "/v1/stream").body(Body::empty()).unwrap();
        tower::ServiceExt::oneshot(world.router.clone(), request)
    };
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(open().await.unwrap());
    }
    assert_eq!(open().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    held.pop();
    assert_eq!(open().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_cut_off() {
    let world = local();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(serve(listener, world.state.clone(), stopping));
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut sent = Vec::new();
    // Time is paused: it runs ahead to the limit as soon as nothing else happens.
    silent.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, b"");
}
