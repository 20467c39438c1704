//! The router, and the server around it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::{ApiState, App};
use crate::routes;
use crate::routes::stream::stopped;

/// Connections at a time: some pages for each analyst of a large team. Further ones wait in the
/// kernel's queue.
const MAX_CONNECTIONS: usize = 512;

/// How long a client may take to send a request's head, or leave a connection idle. axum's own
/// server knows no such limit, and a few hundred silent clients would shut everybody else out.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long open requests may go on after `stop`: more than the default time of a request.
const DRAIN_TIME: Duration = Duration::from_secs(15);

/// How long to wait after a failed accept: it fails again at once while descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The whole application as a router. Its live streams end only when their callers go.
pub fn router(state: ApiState) -> Router {
    let (_, never) = watch::channel(false);
    routes::router(&App::new(state, never))
}

/// Serves until `stop` turns true, then finishes what is under way.
///
/// # Errors
/// None at present: what goes wrong with one connection ends that connection only.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut ending = stop.clone();
    let router = routes::router(&App::new(state, stop));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut ending) => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        open.spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = open.len(), "connections cut off that did not finish in time");
    }
    Ok(())
}

/// The next connection, as soon as there is a place for it. `None`: it failed.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // A failure costs some milliseconds per answer, and nothing else.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            counter!("egret_http_accept_errors_total").increment(1);
            tracing::debug!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
