//! The live stream of what happens to incidents (server-sent events).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use egret_analyzer::{ChangeBy, ChangeKind, IncidentChange};
use egret_event::{EventId, Timestamp};
use egret_store::IncidentRow;
use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::{Caller, Proof};
use crate::problem::{Kind, Outcome, Problem};

/// How often a comment is sent, so that proxies keep the connection and the dead are noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What `data` holds in an event of the stream; the event's name is `kind`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StreamedChange {
    /// The alert's id, which is the event's id as well.
    alert: EventId,
    /// What happened.
    kind: ChangeKind,
    /// When.
    at: Timestamp,
    /// Who changed it.
    by: ChangeBy,
    /// The incident as it is now.
    incident: IncidentRow,
}

/// Streams what happens to incidents, as it happens.
///
/// An event named `lagged` says that changes were missed: reload what is shown. It is also sent
/// first to who reconnects (`Last-Event-ID`), because what happened in between is not kept.
#[utoipa::path(
    get, path = "/v1/stream", tag = "stream",
    params(("Last-Event-ID" = Option<String>, Header, description = "Sent by who reconnects")),
    responses((
        status = 200,
        description = "Server-sent events named after the kind of change, or `lagged`",
        body = StreamedChange,
        content_type = "text/event-stream",
    ))
)]
pub(crate) async fn stream_changes(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Outcome<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let Ok(place) = app.streams.clone().try_acquire_owned() else {
        return Err(Problem::new(Kind::Overloaded, "too many live streams are open"));
    };
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed {
        changes: app.outside.stream.subscribe(),
        stop: app.stop.clone(),
        heartbeat,
        missed_some: headers.contains_key("last-event-id"),
        proof: caller.proof,
        _place: place,
        app,
    };
    Ok(Sse::new(unfold(feed, Feed::next)))
}

/// One open stream.
struct Feed {
    app: Shared,
    changes: broadcast::Receiver<Arc<IncidentChange>>,
    stop: watch::Receiver<bool>,
    heartbeat: Interval,
    missed_some: bool,
    proof: Proof,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if std::mem::take(&mut self.missed_some) {
            return Some((Ok(lagged()), self));
        }
        let event = tokio::select! {
            // The heartbeat comes before the changes, so that no flood of them delays it.
            biased;
            () = stopped(&mut self.stop) => return None,
            _ = self.heartbeat.tick() => {
                // A token that was removed, or has expired, must not go on listening.
                if !self.app.is_still_let_in(&self.proof).await {
                    return None;
                }
                Event::default().comment("alive")
            }
            change = self.changes.recv() => match change {
                Ok(change) => self.tell(&change).await,
                Err(RecvError::Lagged(_)) => lagged(),
                Err(RecvError::Closed) => return None,
            },
        };
        Some((Ok(event), self))
    }

    /// The event for a change; `lagged` where the incident cannot be read just now, because then
    /// the page has to ask again as well.
    async fn tell(&self, change: &IncidentChange) -> Event {
        let id = change.incident.id;
        let found = self.app.ask(move |outside| outside.store.incident(id)).await;
        let Ok(Some(detail)) = found else { return lagged() };
        let alert = change.alert_id();
        let told = StreamedChange {
            alert,
            kind: change.kind,
            at: change.at,
            by: change.by.clone(),
            incident: detail.row,
        };
        Event::default()
            .event(change.kind.word())
            .id(alert.to_string())
            .json_data(&told)
            .unwrap_or_else(|_| lagged())
    }
}

fn lagged() -> Event {
    Event::default().event("lagged").data("{}")
}

/// Returns when `stop` turns true; never, once nobody is left who could turn it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
