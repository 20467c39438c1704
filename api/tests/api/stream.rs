//! The live stream, over a real connection.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use egret_analyzer::IncidentChange;
use egret_api::serve;
use egret_store::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::{World, guarded, id, local, opened};

/// No test waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server for a world, until it is stopped.
struct Server {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn start(world: &World) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let task = tokio::spawn(serve(listener, world.state.clone(), stopping));
    Server { address, stop, task }
}

/// One stream that was opened, read event by event.
struct Listening(BufReader<TcpStream>);

impl Listening {
    async fn open(server: &Server, headers: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut listening = Self(BufReader::new(stream));
        assert_eq!(listening.line().await.unwrap(), "HTTP/1.1 200 OK");
        while listening.line().await.unwrap() != "" {}
        listening
    }

    /// The next line; `None`: the server closed the connection.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line));
        let n = read.await.expect("the server answers in time").unwrap();
        (n > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event's name and data; comments and the framing of chunks are passed over.
    async fn event(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let line = self.line().await?;
            if let Some(word) = line.strip_prefix("event: ") {
                name = word.to_owned();
            }
            if let Some(body) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(body).unwrap()));
            }
        }
    }

    /// The next comment.
    async fn comment(&mut self) -> Option<String> {
        loop {
            let line = self.line().await?;
            if line.starts_with(':') {
                return Some(line);
            }
        }
    }
}

fn tell(world: &World, change: IncidentChange) {
    world.write(&[], std::slice::from_ref(&change));
    world.state.stream.send(Arc::new(change)).unwrap();
}

#[tokio::test]
async fn what_the_engine_and_people_do_is_streamed_with_the_incident_as_it_is() {
    let world = local();
    let server = start(&world).await;
    let mut listening = Listening::open(&server, "").await;
    let change = opened(1, "a.example");
    tell(&world, change.clone());
    let (name, told) = listening.event().await.unwrap();
    assert_eq!((name.as_str(), &told["kind"]), ("opened", &json!("opened")));
    assert_eq!(told["alert"], change.alert_id().to_string());
    assert_eq!(
        (&told["incident"]["id"], &told["incident"]["status"]),
        (&json!(id(1)), &json!("open"))
    );
    let path = format!("/v1/incidents/{}/acknowledge", id(1));
    assert_eq!(world.send(Method::POST, &path, &json!({})).await.status, StatusCode::OK);
    let (name, told) = listening.event().await.unwrap();
    assert_eq!(
        (name.as_str(), &told["incident"]["status"]),
        ("acknowledged", &json!("acknowledged"))
    );
    assert_eq!(told["by"], json!({"analyst": "local"}));
}

#[tokio::test]
async fn who_reconnects_is_told_to_reload_and_then_hears_what_happens() {
    let world = local();
    let server = start(&world).await;
    drop(Listening::open(&server, "").await);
    let mut again = Listening::open(&server, "last-event-id: 00\r\n").await;
    assert_eq!(again.event().await.unwrap().0, "lagged");
    tell(&world, opened(1, "a.example"));
    assert_eq!(again.event().await.unwrap().0, "opened");
}

#[tokio::test]
async fn who_cannot_keep_up_is_told_to_reload() {
    let world = local();
    let server = start(&world).await;
    let mut listening = Listening::open(&server, "").await;
    assert!(listening.comment().await.is_some());
    // More than the channel holds, before the stream gets to run.
    let changes: Vec<_> = (1..=9).map(|n| opened(n, "a.example")).collect();
    world.write(&[], &changes);
    for change in changes {
        world.state.stream.send(Arc::new(change)).unwrap();
    }
    assert_eq!(listening.event().await.unwrap().0, "lagged");
    assert_eq!(listening.event().await.unwrap().1["incident"]["id"], id(6));
}

#[tokio::test]
async fn a_change_whose_incident_cannot_be_read_asks_for_a_reload() {
    let world = local();
    let server = start(&world).await;
    let mut listening = Listening::open(&server, "").await;
    world.state.stream.send(Arc::new(opened(1, "a.example"))).unwrap();
    assert_eq!(listening.event().await.unwrap().0, "lagged");
}

#[tokio::test]
async fn stopping_ends_the_streams_and_then_the_server() {
    let world = local();
    let server = start(&world).await;
    let mut listening = Listening::open(&server, "").await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    server.stop.send(true).unwrap();
    assert_eq!(listening.event().await, None);
    let ended = tokio::time::timeout(PATIENCE, server.task).await.expect("the server ends");
    ended.unwrap().unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_stream_opens_with_the_cookie_of_a_reader_only() {
    let world = guarded();
    let server = start(&world).await;
    let token = world.token("vera", Role::Viewer, None);
    let mut listening = Listening::open(&server, &format!("cookie: egret_token={token}\r\n")).await;
    tell(&world, opened(1, "a.example"));
    assert_eq!(listening.event().await.unwrap().0, "opened");
    assert_eq!(world.get("/v1/stream").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stream_whose_token_was_removed_ends_at_the_next_heartbeat() {
    let world = guarded();
    let token = world.token("vera", Role::Viewer, None);
    let request = crate::world::request(Method::GET, "/v1/stream")
        .header("authorization", format!("Bearer {token}"));
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(world.router.clone(), request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = futures_util::StreamExt::next(&mut body).await.unwrap().unwrap();
    assert_eq!(first, ": alive\n\n".as_bytes());
    world.state.store.remove_token("vera").unwrap();
    crate::world::pass(15);
    tokio::time::pause();
    assert!(futures_util::StreamExt::next(&mut body).await.is_none());
}
