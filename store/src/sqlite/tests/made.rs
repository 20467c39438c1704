//! What the tests write: a store in a directory of its own, events and incidents of every kind.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use egret_analyzer::{
    ChangeBy, ChangeKind, Detector, Evidence, Explanation, Finding, Incident, IncidentChange,
    Observed, Quantity, Severity, Stage, Suppression, Tail,
};
use egret_event::{
    Attribution, BlockReason, ContentLayer, ContentPlace, Contradiction, ContradictionKind,
    Destination, DnsExchange, Event, EventId, Fact, FlowInterval, FlowPhase, Gap, GapReason,
    HttpRequest, NameSource, NamedBy, Protocol, Resolution, Sections, SeenBy, Sensitive,
    SensitiveKind, ServerCertificate, ServiceBinding, Timestamp, TlsCarrier, TlsHello, Transport,
    Verdict, Volume,
};
use tempfile::TempDir;

use crate::{Addressee, Committed, OutboxEntry, SqliteStore, StoreConfig, WriteUnit};

/// 2026-01-31T09:00:00Z, the start of an hour.
pub(super) const START: Timestamp = Timestamp::from_secs(1_769_850_000);

pub(super) fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

pub(super) fn id(n: u128) -> EventId {
    EventId::from_bits(n)
}

/// A store whose file goes when this goes.
pub(super) struct Made {
    pub(super) store: SqliteStore,
    pub(super) config: StoreConfig,
    _directory: TempDir,
}

impl std::ops::Deref for Made {
    type Target = SqliteStore;
    fn deref(&self) -> &SqliteStore {
        &self.store
    }
}

pub(super) fn config(directory: &Path) -> StoreConfig {
    StoreConfig {
        path: directory.join("egret.db"),
        keep_events: Duration::from_secs(7 * 86_400),
        keep_history: Duration::from_secs(90 * 86_400),
        max_size_bytes: 10 << 30,
    }
}

pub(super) fn store() -> Made {
    store_with(|_| {})
}

pub(super) fn store_with(change: impl FnOnce(&mut StoreConfig)) -> Made {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    change(&mut config);
    let store = SqliteStore::open(&config).unwrap();
    Made { store, config, _directory: directory }
}

impl Made {
    /// The same file, opened once more.
    pub(super) fn again(&self) -> SqliteStore {
        SqliteStore::open(&self.config).unwrap()
    }

    /// The steps in which SQLite would carry out a statement about a time.
    pub(super) fn plan(&self, sql: &str) -> Vec<String> {
        let steps = self.maintain(|db| {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let rows = statement.query_map([0], |row| row.get("detail"))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        steps.unwrap()
    }

    pub(super) fn write_events(&self, events: &[Event]) -> Committed {
        self.commit(&WriteUnit { events, now: START, ..WriteUnit::default() }).unwrap()
    }

    pub(super) fn write_change(&self, change: &IncidentChange, targets: &[&str]) -> Committed {
        let alerts: Vec<_> = targets.iter().map(|target| alert(change, target)).collect();
        self.commit(&WriteUnit {
            changes: std::slice::from_ref(change),
            alerts: &alerts,
            now: change.at,
            ..WriteUnit::default()
        })
        .unwrap()
    }
}

pub(super) fn origin(executor: &str) -> Arc<Attribution> {
    Arc::new(Attribution {
        executor: executor.into(),
        session: Some(format!("{executor}/task").into()),
        template: Some("python".into()),
        tenant: Some("acme".into()),
        segment: "sandboxes".into(),
        named_by: NamedBy::Registration,
    })
}

/// A contact on the wire: the first interval of a flow, with 100 bytes up and 1,000 down.
pub(super) fn flow(n: u64, seconds: u64, executor: &str, host: &str) -> Event {
    let address = IpAddr::from([192, 0, 2, 1]);
    Event {
        id: id(u128::from(n)),
        at: at(seconds),
        source: "eth0".into(),
        also_seen_by: None,
        origin: origin(executor),
        client: (IpAddr::from([10, 0, 0, 7]), 40_000),
        destination: Destination::named(host, NameSource::Sni, Some(address), 443),
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

/// The same contact as a proxy's log tells of it.
pub(super) fn logged(n: u64, seconds: u64, executor: &str, host: &str, up: u64) -> Event {
    Event {
        source: "squid".into(),
        destination: Destination::named(host, NameSource::ProxyLog, None, 443),
        up: Volume::logged(up),
        down: Volume::logged(900),
        fact: Fact::Http(Box::new(HttpRequest {
            seen_by: SeenBy::Proxy,
            method: "POST".into(),
            path: Some("/upload".into()),
            query_bytes: Some(12),
            user_agent: Some("curl/8".into()),
            status: Some(200),
            duration_ms: Some(81),
            user: Some("job-1".into()),
            sni: None,
            content_type: Some("text/plain".into()),
            body_bytes: Some(7),
            sensitive: Vec::new(),
        })),
        ..flow(n, seconds, executor, host)
    }
}

pub(super) fn gap(n: u64, seconds: u64, count: u64) -> Event {
    Event {
        destination: Destination::address(IpAddr::from([0, 0, 0, 0]), 0),
        up: Volume::UNKNOWN,
        down: Volume::UNKNOWN,
        fact: Fact::Gap(Gap { reason: GapReason::KernelDrop, count, from: at(seconds) }),
        ..flow(n, seconds, "sandboxes", "unused.example")
    }
}

/// One event of every kind, with every option both set and not set, and hostile names.
pub(super) fn every_kind() -> Vec<Event> {
    let base = flow(1, 1, "job-1", "api.example.co.uk");
    let dns = |name: &str, resolution| DnsExchange {
        name: name.into(),
        query_type: 16,
        over_tcp: true,
        edns_bytes: Some(1232),
        resolution,
        sensitive: Vec::new(),
    };
    let answer = Resolution {
        code: 3,
        addresses: vec![IpAddr::from([1, 2, 3, 4]), IpAddr::from([7; 16])],
        aliases: vec!["cdn.example.net".into()],
        services: vec![ServiceBinding { alpn: vec!["h3".into()], ech: true, ..Default::default() }],
        answer_bytes: 512,
    };
    let hello = |sni: Option<&str>| TlsHello {
        sni: sni.map(Into::into),
        alpn: sni.map(|_| "h2".into()),
        ja4: "t13d1516h2_8daaf6152771_b186095e22b6".into(),
        version: 0x0304,
        carrier: TlsCarrier::Quic,
        ech: false,
    };
    let facts = [
        base.fact.clone(),
        Fact::Flow(FlowInterval {
            flow: u64::MAX,
            number: u32::MAX,
            from: Timestamp::MIN,
            transport: Transport::Other(200),
            phase: FlowPhase::Evicted,
            protocol: Some(egret_event::Protocol::Tls),
        }),
        Fact::Dns(Box::new(dns("x.example.co.uk", Some(answer)))),
        Fact::Dns(Box::new(dns("' OR 1=1; DROP TABLE events;--", None))),
        Fact::Tls(Box::new(hello(Some("api.example.co.uk")))),
        Fact::Tls(Box::new(hello(None))),
        logged(1, 1, "job-1", "api.example.co.uk", 7).fact,
        Fact::Gap(Gap { reason: GapReason::LogLost, count: u64::MAX, from: START }),
    ];
    let mut events: Vec<Event> =
        facts.into_iter().map(|fact| Event { fact, ..base.clone() }).collect();
    let reset = Verdict::Blocked(BlockReason::Reset);
    events.push(Event { verdict: reset, up: Volume::UNKNOWN, ..base.clone() });
    events.push(Event { up: Volume::logged(u64::MAX), ..base.clone() });
    events.push(Event { destination: Destination::address([8; 16].into(), 0), ..base.clone() });
    let misnamed = Destination { domain: "else.example".into(), ..base.destination.clone() };
    events.push(Event { destination: misnamed, ..base.clone() });
    let bare =
        Attribution { session: None, template: None, tenant: None, ..(*base.origin).clone() };
    events.push(Event { origin: Arc::new(bare), ..base.clone() });
    events.push(Event { at: Timestamp::from_nanos(-1), ..base.clone() });
    events.extend(every_variant(&base));
    events.extend(since_version_2(&base));
    events.extend(since_version_3(&base));
    for (n, event) in (1..).zip(&mut events) {
        event.id = id(n << 64 | n);
    }
    events
}

/// The base event with every variant of the enums inside: the packed form knows them by number.
fn every_variant(base: &Event) -> Vec<Event> {
    use {BlockReason as B, FlowPhase as P, GapReason as G, NameSource as N, Transport as T};
    let with_fact = |fact| Event { fact, ..base.clone() };
    let interval = |transport, phase| {
        let Fact::Flow(base) = &base.fact else { panic!("a flow was made") };
        with_fact(Fact::Flow(FlowInterval { transport, phase, ..base.clone() }))
    };
    let mut events = Vec::new();
    for reason in [B::ProxyDenied, B::Reset, B::Unreachable, B::NoAnswer] {
        events.push(Event { verdict: Verdict::Blocked(reason), ..base.clone() });
    }
    for phase in [P::Open, P::Finished, P::Reset, P::Idle, P::Evicted, P::InputEnded] {
        events.push(interval(T::Tcp, phase));
    }
    for transport in [T::Udp, T::Icmp, T::Other(47)] {
        events.push(interval(transport, P::Open));
    }
    for source in [N::Dns, N::Sni, N::HttpHost, N::Connect, N::ProxyLog, N::DnsQuestion] {
        let destination = Destination { named_by: Some(source), ..base.destination.clone() };
        events.push(Event { destination, ..base.clone() });
    }
    let reasons = [G::KernelDrop, G::QueueFull, G::Malformed, G::Truncated, G::LineTooLong];
    for reason in reasons.into_iter().chain([G::LogLost, G::FlowTableFull, G::Stopped]) {
        events.push(with_fact(Fact::Gap(Gap { reason, count: 1, from: START })));
    }
    let request = HttpRequest {
        seen_by: SeenBy::Wire,
        method: "GET".into(),
        path: None,
        query_bytes: None,
        user_agent: None,
        status: None,
        duration_ms: None,
        user: None,
        sni: Some("inner.example".into()),
        content_type: None,
        body_bytes: None,
        sensitive: Vec::new(),
    };
    events.push(with_fact(Fact::Http(Box::new(request))));
    events
}

/// What version 2 of the packed form can say and version 1 could not. New things go to the end:
/// the golden files know the events by their place.
fn since_version_2(base: &Event) -> Vec<Event> {
    use {ContradictionKind as C, GapReason as G, Protocol as P};
    let with_fact = |fact| Event { fact, ..base.clone() };
    let certificate = ServerCertificate {
        sni: Some("api.example.co.uk".into()),
        subject: "CN=api.example.co.uk".into(),
        issuer: "CN=Example CA,O=Example".into(),
        names: vec!["api.example.co.uk".into(), "*.example.co.uk".into()],
        not_before: START,
        not_after: at(86_400),
        key: "ec 256".into(),
        sha256: Some("00ff".repeat(16).into()),
        chain: 3,
        self_signed: false,
        name_matches: Some(true),
    };
    let mut events = vec![
        with_fact(Fact::Certificate(Box::new(certificate))),
        Event { also_seen_by: Some("squid".into()), ..base.clone() },
    ];
    for about in [C::Executor, C::ConnectAndSni, C::ProxySawLess, C::AroundProxy] {
        events.push(with_fact(Fact::Contradiction(Box::new(Contradiction {
            about,
            one: "eth0".into(),
            one_says: "5 MB".into(),
            other: "squid".into(),
            other_says: "5 kB".into(),
        }))));
    }
    for reason in [G::MissedBytes, G::SequenceHole, G::Quiet, G::SensorLoss, G::NoTemplate] {
        events.push(with_fact(Fact::Gap(Gap { reason, count: 1, from: START })));
    }
    for protocol in [P::Tls, P::Dtls, P::DnsOverHttps, P::Socks, P::Ike] {
        let Fact::Flow(flow) = &base.fact else { panic!("a flow was made") };
        events
            .push(with_fact(Fact::Flow(FlowInterval { protocol: Some(protocol), ..flow.clone() })));
    }
    events
}

/// What version 3 can say and version 2 could not.
fn since_version_3(base: &Event) -> Vec<Event> {
    use {ContentLayer as L, ContentPlace as P, SensitiveKind as K};
    let kinds = [
        K::Canary,
        K::Registered,
        K::Credential,
        K::LikelyCredential,
        K::Environment,
        K::NamedValue,
    ];
    let found = |kind, place, layers: &[L]| Sensitive {
        kind,
        name: "GitHub token".into(),
        place,
        layers: layers.to_vec(),
        count: 2,
        fingerprint: Some("00112233aabb".into()),
        sections: Some(Sections { seen: 7, of: 40 }),
    };
    let places = [P::Name, P::Path, P::Query, P::Header, P::Body, P::Body];
    let layers = [L::Percent, L::Hex, L::Base32, L::Base64, L::Deflate, L::Reversed];
    let pairs = kinds.into_iter().zip(places);
    let mut sensitive: Vec<Sensitive> =
        pairs.map(|(kind, place)| found(kind, place, &layers)).collect();
    sensitive.push(Sensitive { fingerprint: None, sections: None, ..sensitive[0].clone() });
    let (mut http, mut dns) = (logged(1, 1, "job-1", "api.example.co.uk", 7).fact, None);
    if let Fact::Http(request) = &mut http {
        request.sensitive = sensitive.clone();
        dns = Some(Fact::Dns(Box::new(DnsExchange {
            name: "x.example.co.uk".into(),
            query_type: 1,
            over_tcp: false,
            edns_bytes: None,
            resolution: None,
            sensitive,
        })));
    }
    [Some(http), dns].into_iter().flatten().map(|fact| Event { fact, ..base.clone() }).collect()
}

pub(super) fn incident(n: u128, destination: &str) -> Incident {
    let origin = (*origin("job-1")).clone();
    Incident {
        id: id(n),
        title: format!("job-1 sent 5 MB to {destination}"),
        severity: Severity::Medium,
        score: 0.5,
        stage: Stage::Priors,
        session: "job-1/task".into(),
        origin,
        destination: destination.into(),
        hosts: vec![format!("up.{destination}").into()],
        addresses: vec![IpAddr::from([192, 0, 2, 1])],
        ports: vec![443],
        opened_at: START,
        updated_at: START,
        first_seen: START,
        last_seen: START,
        observed: Observed { up_bytes: 5_000_000, ..Observed::default() },
        explanation: Explanation {
            summary: "It sent more than is normal.".into(),
            p_combined: 1e-9,
            threshold: 1e-6,
            findings: vec![finding()],
            baseline: id(99),
            baseline_frozen_at: None,
            baseline_sessions: 0,
            evidence: vec![Evidence {
                event: id(1),
                at: at(1),
                source: "eth0".into(),
                words: "5 MB".into(),
                up_bytes: Some(5_000_000),
                blocked: false,
            }],
            gaps: vec![],
            techniques: vec![],
            next_steps: vec![],
        },
    }
}

fn finding() -> Finding {
    Finding {
        detector: Detector::UploadSize,
        p: 1e-9,
        tail: Tail::Prior,
        share: 1.0,
        place: None,
        judged_benign: None,
        observed: Quantity { value: 5e6, unit: "bytes".into() },
        normal: None,
        words: "5 MB where 10 kB are normal".into(),
    }
}

pub(super) fn change(kind: ChangeKind, number: u32, incident: &Incident) -> IncidentChange {
    IncidentChange {
        kind,
        at: incident.updated_at,
        by: ChangeBy::Engine,
        number,
        incident: incident.clone(),
    }
}

pub(super) fn opened(n: u128, destination: &str) -> IncidentChange {
    change(ChangeKind::Opened, 0, &incident(n, destination))
}

pub(super) fn alert(change: &IncidentChange, target: &str) -> OutboxEntry {
    OutboxEntry {
        alert: change.alert_id(),
        incident: change.incident.id,
        to: told_all(target),
        signal: change.kind.signal().unwrap(),
        severity: change.incident.severity,
        body: serde_json::to_string(change).unwrap(),
    }
}

/// A target that wants every alert.
pub(super) fn told_all(target: &str) -> Addressee {
    Addressee::of_all(target)
}

pub(super) fn suppression(n: u128, destination: &str) -> Suppression {
    Suppression {
        id: id(n),
        destination: Some(destination.into()),
        template: None,
        tenant: None,
        detector: None,
        reason: "our own bucket".into(),
        created_by: "ana".into(),
        created_at: START,
        expires_at: at(3600),
    }
}
