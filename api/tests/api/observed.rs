//! What Egret notes about requests, and what it does not.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;

use axum::http::Method;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;

use crate::world::{World, guarded, id, local};

/// Runs requests on this thread, where recorders and subscribers set for it are in force.
fn block_on<F: Future>(requests: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(requests)
}

#[test]
fn requests_are_counted_and_timed_by_route_and_panics_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        block_on(async {
            let world = local();
            world.get(&format!("/v1/incidents/{}", id(1))).await;
            world.get(&format!("/v1/incidents/{}", id(2))).await;
            world.get("/some/path/of/a/callers/choice").await;
            let broken = World::new(|state| state.status = Arc::new(|| panic!("on purpose")));
            broken.get("/v1/status").await;
        });
    });
    let page = page.render();
    for line in [
        "egret_http_requests_total{route=\"/v1/incidents/{id}\",status=\"404\"} 2",
        "egret_http_requests_total{route=\"dashboard\",status=\"404\"} 1",
        "egret_http_requests_total{route=\"/v1/status\",status=\"500\"} 1",
        "egret_http_panics_total 1",
        "egret_http_request_seconds_count{route=\"/v1/incidents/{id}\"} 2",
    ] {
        assert!(page.contains(line), "no {line} in\n{page}");
    }
    assert!(!page.contains("choice"), "{page}");
}

thread_local! {
    /// What this thread's requests logged.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes the log of each thread to a place of its own.
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_notes_the_route_and_neither_tokens_nor_queries() {
    // For all threads, because tracing forgets a subscriber that only one of them has.
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    subscriber.with_writer(|| Log).init();
    block_on(async {
        let world = guarded();
        let token = json!({"token": "egret_abcdefgh"});
        world.send(Method::POST, "/v1/login", &token).await;
        world.get("/v1/incidents?search=abcdefgh").await;
        world.get("/abcdefgh").await;
    });
    let logged = String::from_utf8(LOGGED.take()).unwrap();
    assert!(logged.contains("request answered") && logged.contains("/v1/login"), "{logged}");
    assert!(!logged.contains("abcdefgh"), "{logged}");
}
