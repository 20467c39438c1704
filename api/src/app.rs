//! The state behind the handlers, and the one way to the store.

use std::sync::Arc;
use std::time::Duration;

use egret_analyzer::{ChangeKind, Incident, IncidentChange};
use egret_event::{ExecutorRegistration, Timestamp};
use egret_store::{Addressee, Heard, NotHeard, Store, StoreError};
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, broadcast, watch};

use crate::auth::Tokens;
use crate::config::ApiConfig;
use crate::problem::{Kind, Outcome, Problem};
use crate::status::Status;

/// Questions that the store answers at a time. SQLite gains nothing from more; the rest waits.
const STORE_QUESTIONS: usize = 8;

/// How long a question waits for its turn before the caller is told to come back.
const STORE_WAIT: Duration = Duration::from_secs(3);

/// Live streams at a time. Each holds a connection for as long as a page is open.
const MAX_STREAMS: usize = 64;

/// The targets that want an alert about such a change of an incident.
pub type TargetsOf = dyn Fn(&Incident, ChangeKind) -> Vec<Addressee> + Send + Sync;

/// Reads a message of PagerDuty's with its signature. `None`: it concerns no incident.
pub type Hear =
    dyn Fn(String, Vec<u8>) -> BoxFuture<'static, Result<Option<Heard>, NotHeard>> + Send + Sync;

/// What the API needs from its surroundings.
#[derive(Clone)]
pub struct ApiState {
    /// The `[api]` section.
    pub config: ApiConfig,
    /// The store that is asked.
    pub store: Store,
    /// Whether requests need a token. `false` only on loopback.
    pub require_token: bool,
    /// The wall clock.
    pub now: fn() -> Timestamp,
    /// Everything that happens to incidents, for the live stream; the API sends what people do.
    pub stream: broadcast::Sender<Arc<IncidentChange>>,
    /// The targets that want an alert about such a change.
    pub targets: Arc<TargetsOf>,
    /// What PagerDuty tells back.
    pub hear: Arc<Hear>,
    /// Told after something was put into the outbox.
    pub wake_outbox: Arc<Notify>,
    /// Told of every registration, after it is stored.
    pub register: Arc<dyn Fn(&ExecutorRegistration) + Send + Sync>,
    /// Told after it changed what people judged benign.
    pub feedback_changed: Arc<dyn Fn() + Send + Sync>,
    /// Told after suppressions changed.
    pub suppressions_changed: Arc<dyn Fn() + Send + Sync>,
    /// How the pipeline is doing.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// The metrics page (Prometheus text format).
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// What the handlers share.
pub(crate) struct App {
    pub(crate) outside: ApiState,
    pub(crate) tokens: Tokens,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) stop: watch::Receiver<bool>,
    questions: Arc<Semaphore>,
}

/// The state as handlers get it.
pub(crate) type Shared = Arc<App>;

impl App {
    pub(crate) fn new(outside: ApiState, stop: watch::Receiver<bool>) -> Shared {
        Arc::new(Self {
            outside,
            tokens: Tokens::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            stop,
            questions: Arc::new(Semaphore::new(STORE_QUESTIONS)),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.outside.now)()
    }

    /// Asks the store on a blocking thread.
    ///
    /// What `question` does, it does to its end, even when the caller has gone away: so whatever
    /// must follow a write belongs into `question`, not behind this call.
    pub(crate) async fn ask<T, Q>(&self, question: Q) -> Outcome<T>
    where
        T: Send + 'static,
        Q: FnOnce(&ApiState) -> Result<T, StoreError> + Send + 'static,
    {
        let turn = tokio::time::timeout(STORE_WAIT, self.questions.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::new(Kind::Overloaded, "the store is busy: try again shortly"));
        };
        let outside = self.outside.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            question(&outside)
        });
        match answer.await {
            Ok(answer) => answer.map_err(Problem::from),
            Err(failure) => match failure.try_into_panic() {
                // The panic goes on here, so that it is answered and counted in one place.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Problem::new(Kind::Overloaded, "egret is stopping")),
            },
        }
    }
}
