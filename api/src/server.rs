//! The router, and the server around it.

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{ApiState, App};
use crate::routes;

/// The whole application as a router; its live streams end with their callers only.
pub fn router(state: ApiState) -> Router {
    let (_, never) = watch::channel(false);
    routes::router(&App::new(state, never))
}

/// Serves until `stop` turns true, then finishes what is under way.
pub async fn serve(
    listener: TcpListener,
    state: ApiState,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut ending = stop.clone();
    let router = routes::router(&App::new(state, stop));
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { routes::stream::stopped(&mut ending).await })
        .await
}
