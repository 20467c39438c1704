//! What the tests ask: an API over a store in a directory of its own.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use egret_analyzer::{
    ChangeBy, ChangeKind, Detector, Explanation, Finding, Incident, IncidentChange, Observed,
    Quantity, Severity, Stage, Tail,
};
use egret_api::{
    ApiConfig, ApiState, ProblemDocument, SourceState, SourceStatus, Status, new_token, router,
};
use egret_event::{
    Attribution, Destination, Event, EventId, ExecutorRegistration, Fact, FlowInterval, FlowPhase,
    LedgerReading, NameSource, NamedBy, Timestamp, Transport, Verdict, Volume,
};
use egret_store::{Addressee, Heard, NotHeard, Role, Store, StoreConfig, TokenRow, WriteUnit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, broadcast};
use tower::ServiceExt;

/// 2026-01-31T09:00:00Z, the start of an hour.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_769_850_000);

thread_local! {
    /// How far the clock has come since [`START`]. Each test has its thread.
    static PASSED_S: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

/// Moves the clock on, as far as this test's own thread can see.
pub(crate) fn pass(seconds: u64) {
    PASSED_S.set(PASSED_S.get() + seconds);
}

fn now() -> Timestamp {
    at(PASSED_S.get())
}

/// What the API told its surroundings.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) registrations: Mutex<Vec<ExecutorRegistration>>,
    pub(crate) suppressions_changed: AtomicU64,
    pub(crate) feedback_changed: AtomicU64,
}

/// An API and all that is around it.
pub(crate) struct World {
    pub(crate) state: ApiState,
    pub(crate) told: Arc<Told>,
    pub(crate) status: Arc<Mutex<Status>>,
    pub(crate) router: Router,
    _directory: TempDir,
}

/// On loopback, without tokens.
pub(crate) fn local() -> World {
    World::new(|_| {})
}

/// One that asks for tokens.
pub(crate) fn guarded() -> World {
    World::new(|state| state.require_token = true)
}

impl World {
    pub(crate) fn new(change: impl FnOnce(&mut ApiState)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreConfig {
            path: directory.path().join("egret.db"),
            keep_events: Duration::from_secs(7 * 86_400),
            keep_history: Duration::from_secs(90 * 86_400),
            max_size_bytes: 10 << 30,
        })
        .unwrap();
        let told = Arc::new(Told::default());
        let status = Arc::new(Mutex::new(healthy()));
        let mut state = state(store, &told, &status);
        change(&mut state);
        let router = router(state.clone());
        Self { state, told, status, router, _directory: directory }
    }

    /// Adds a token and returns its secret.
    pub(crate) fn token(&self, name: &str, role: Role, expires_at: Option<Timestamp>) -> String {
        let (secret, hash) = new_token();
        let row = TokenRow { name: name.into(), hash, role, created_at: START, expires_at };
        self.state.store.add_token(&row).unwrap();
        secret
    }

    pub(crate) fn write(&self, events: &[Event], changes: &[IncidentChange]) {
        let unit = WriteUnit { events, changes, now: START, ..WriteUnit::default() };
        self.state.store.commit(&unit).unwrap();
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = request(method, path).header("content-type", "application/json");
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

/// A request as a program on this machine would send it.
pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "localhost:8787")
}

/// What the API answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body of an answer that is no problem.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document that is the answer.
    #[track_caller]
    pub(crate) fn problem(&self) -> ProblemDocument {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let document: ProblemDocument = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(document.status, self.status.as_u16());
        assert!(document.kind.starts_with("urn:egret:problem:"), "{}", document.kind);
        assert!(!document.title.is_empty() && !document.detail.is_empty());
        document
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn state(store: Store, told: &Arc<Told>, status: &Arc<Mutex<Status>>) -> ApiState {
    let (registrations, suppressions, status) = (told.clone(), told.clone(), status.clone());
    let feedback = told.clone();
    ApiState {
        config: ApiConfig::default(),
        store,
        require_token: false,
        now,
        stream: broadcast::channel(4).0,
        hear: Arc::new(|signature, body| {
            let heard = match signature.as_str() {
                "deaf" => Err(NotHeard::NobodyListens),
                "mute" => Err(NotHeard::NotAnswered("no answer".to_owned())),
                "v1=good" => {
                    Ok(serde_json::from_slice(&body).ok().map(|(incident, kind, at)| Heard {
                        incidents: vec![incident],
                        kind,
                        at,
                        by: "Jo (PagerDuty)".into(),
                        by_person: true,
                        targets: vec!["pager".to_owned()],
                    }))
                }
                _ => Err(NotHeard::NotSigned),
            };
            Box::pin(std::future::ready(heard))
        }),
        targets: Arc::new(|_, _| vec![Addressee::of_all("siem")]),
        wake_outbox: Arc::new(Notify::new()),
        register: Arc::new(move |registration| {
            registrations.registrations.lock().unwrap().push(registration.clone());
        }),
        feedback_changed: Arc::new(move || {
            feedback.feedback_changed.fetch_add(1, Relaxed);
        }),
        suppressions_changed: Arc::new(move || {
            suppressions.suppressions_changed.fetch_add(1, Relaxed);
        }),
        status: Arc::new(move || status.lock().unwrap().clone()),
        metrics: Arc::new(|| "egret_up 1\n".to_owned()),
    }
}

fn healthy() -> Status {
    Status {
        version: "0.1.0".into(),
        started_at: START,
        now: START,
        stage: Stage::Priors,
        baseline_sessions: 3,
        baseline_frozen_at: None,
        live_sessions: 1,
        queued_batches: 0,
        queued_writes: 0,
        store_error: None,
        sources: vec![SourceStatus {
            name: "squid".into(),
            kind: "log".into(),
            state: SourceState::Running,
            error: None,
            ledger: LedgerReading { received: 2, passed: 2, lost: vec![] },
            seen_until: Some(START),
            kernel_drops: 0,
        }],
        stages: vec![],
        targets: vec![],
    }
}

/// A contact: the first interval of a flow, with 100 bytes up and 1,000 down.
pub(crate) fn flow(n: u64, seconds: u64, executor: &str, host: &str) -> Event {
    Event {
        id: EventId::from_bits(n.into()),
        at: at(seconds),
        source: "eth0".into(),
        also_seen_by: None,
        origin: Arc::new(origin(executor)),
        client: (IpAddr::from([10, 0, 0, 7]), 40_000),
        destination: Destination::named(host, NameSource::Sni, Some([192, 0, 2, 1].into()), 443),
        verdict: Verdict::Allowed,
        up: Volume { bytes: Some(100), wire_bytes: Some(180), packets: Some(4) },
        down: Volume { bytes: Some(1_000), wire_bytes: Some(1_200), packets: Some(5) },
        fact: Fact::Flow(FlowInterval {
            flow: n,
            number: 0,
            from: at(seconds),
            transport: Transport::Tcp,
            phase: FlowPhase::Finished,
            protocol: None,
        }),
    }
}

fn origin(executor: &str) -> Attribution {
    Attribution {
        executor: executor.into(),
        session: Some("task-1".into()),
        template: Some("python".into()),
        tenant: Some("acme".into()),
        segment: "sandboxes".into(),
        named_by: NamedBy::Registration,
    }
}

/// An incident that the engine opened `n` seconds after [`START`].
pub(crate) fn opened(n: u64, destination: &str) -> IncidentChange {
    IncidentChange {
        kind: ChangeKind::Opened,
        at: at(n),
        by: ChangeBy::Engine,
        number: 0,
        incident: incident(n, destination),
    }
}

fn incident(n: u64, destination: &str) -> Incident {
    Incident {
        id: EventId::from_bits(n.into()),
        title: format!("job-1 sent 5 MB to {destination}"),
        severity: Severity::Medium,
        score: 0.5,
        stage: Stage::Priors,
        session: "task-1".into(),
        origin: origin("job-1"),
        destination: destination.into(),
        hosts: vec![destination.into()],
        addresses: vec![IpAddr::from([192, 0, 2, 1])],
        ports: vec![443],
        opened_at: at(n),
        updated_at: at(n),
        first_seen: START,
        last_seen: at(n),
        observed: Observed { up_bytes: 5_000_000, ..Observed::default() },
        explanation: Explanation {
            summary: "It sent more than is normal.".into(),
            p_combined: 1e-9,
            threshold: 1e-6,
            findings: vec![Finding {
                detector: Detector::UploadSize,
                p: 1e-9,
                tail: Tail::Prior,
                share: 1.0,
                place: None,
                judged_benign: None,
                observed: Quantity { value: 5e6, unit: "bytes".into() },
                normal: None,
                words: "5 MB where 10 kB are normal".into(),
            }],
            baseline: EventId::from_bits(99),
            baseline_frozen_at: None,
            baseline_sessions: 0,
            evidence: vec![],
            gaps: vec![],
            techniques: vec![],
            next_steps: vec![],
        },
    }
}

/// The id of the `n`-th made event or incident, as it stands in JSON and in paths.
pub(crate) fn id(n: u64) -> String {
    EventId::from_bits(n.into()).to_string()
}
