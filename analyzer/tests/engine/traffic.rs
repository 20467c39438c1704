//! Made-up traffic: events as the collector writes them.

use std::net::IpAddr;
use std::sync::Arc;

use egret_analyzer::{AnalyzerConfig, ChangeKind, Engine, Incident, IncidentChange};
use egret_event::{
    Attribution, BlockReason, Destination, DnsExchange, Event, EventId, Fact, FlowInterval,
    FlowPhase, HttpRequest, NameSource, NamedBy, Resolution, SeenBy, SmolStr, Timestamp, Transport,
    Verdict, Volume,
};

/// A Saturday in 2026, at the start of an hour.
pub(crate) const START_S: i64 = 1_769_846_400;

/// A moment, in milliseconds after the start.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos((START_S * 1000 + ms) * 1_000_000)
}

/// An executor and the number of its next flow.
pub(crate) struct Executor {
    pub(crate) origin: Arc<Attribution>,
    next: u64,
}

impl Executor {
    pub(crate) fn new(name: &str) -> Self {
        let origin = Attribution {
            executor: name.into(),
            session: None,
            template: Some("python".into()),
            tenant: Some("acme".into()),
            segment: "sandboxes".into(),
            named_by: NamedBy::Registration,
        };
        Self { origin: Arc::new(origin), next: 0 }
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut Attribution)) -> Self {
        let mut executor = Self::new(name);
        change(Arc::make_mut(&mut executor.origin));
        executor
    }

    /// An event without volume that was let through.
    pub(crate) fn event(&mut self, ms: i64, destination: Destination, fact: Fact) -> Event {
        self.next += 1;
        let id = EventId::of(&[
            self.origin.executor.as_bytes(),
            &self.next.to_le_bytes(),
            &ms.to_le_bytes(),
        ]);
        Event {
            id,
            at: at(ms),
            source: "test".into(),
            also_seen_by: None,
            origin: Arc::clone(&self.origin),
            client: ("10.0.0.1".parse().unwrap(), 40_000),
            destination,
            verdict: Verdict::Allowed,
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            fact,
        }
    }

    /// A whole flow in one interval.
    pub(crate) fn flow(&mut self, ms: i64, destination: Destination, up: u64, down: u64) -> Event {
        let number = self.next;
        self.interval(ms, destination, (number, 0, FlowPhase::Finished), (up, down))
    }

    /// An interval (flow, number, phase) of a flow.
    pub(crate) fn interval(
        &mut self,
        ms: i64,
        destination: Destination,
        (flow, number, phase): (u64, u32, FlowPhase),
        (up, down): (u64, u64),
    ) -> Event {
        let flow = FlowInterval {
            flow,
            number,
            from: at(ms),
            transport: Transport::Tcp,
            phase,
            protocol: None,
        };
        let mut event = self.event(ms, destination, Fact::Flow(flow));
        event.up = Volume::logged(up);
        event.down = Volume::logged(down);
        event
    }

    /// A flow whose first packet got no answer.
    pub(crate) fn blocked(&mut self, ms: i64, destination: Destination) -> Event {
        let mut event = self.flow(ms, destination, 0, 0);
        event.verdict = Verdict::Blocked(BlockReason::NoAnswer);
        event
    }

    /// A DNS question to a resolver, by type, with the bytes of its answer.
    pub(crate) fn question(
        &mut self,
        ms: i64,
        name: &str,
        (query_type, bytes): (u16, u16),
    ) -> Event {
        let resolver = Some("10.0.0.53".parse().unwrap());
        let destination = Destination::named(name, NameSource::DnsQuestion, resolver, 53);
        let resolution = Resolution {
            code: 0,
            addresses: Vec::new(),
            aliases: Vec::new(),
            services: Vec::new(),
            answer_bytes: bytes,
        };
        let exchange = DnsExchange {
            name: egret_event::clean_name(name),
            query_type,
            over_tcp: false,
            edns_bytes: None,
            resolution: Some(resolution),
            sensitive: Vec::new(),
        };
        self.event(ms, destination, Fact::Dns(Box::new(exchange)))
    }

    /// A line in a proxy's log.
    pub(crate) fn logged(&mut self, ms: i64, host: &str, up: Option<u64>, down: u64) -> Event {
        let request = HttpRequest {
            seen_by: SeenBy::Proxy,
            method: "CONNECT".into(),
            path: None,
            query_bytes: None,
            user_agent: None,
            status: Some(200),
            duration_ms: Some(1000),
            user: None,
            sni: None,
            content_type: None,
            body_bytes: None,
            sensitive: Vec::new(),
        };
        let destination = Destination::named(host, NameSource::ProxyLog, None, 443);
        let mut event = self.event(ms, destination, Fact::Http(Box::new(request)));
        event.up = up.map_or(Volume::UNKNOWN, Volume::logged);
        event.down = Volume::logged(down);
        event
    }
}

/// A host on port 443 with an address of the documentation range.
pub(crate) fn web(host: &str) -> Destination {
    Destination::named(host, NameSource::Sni, Some("203.0.113.5".parse().unwrap()), 443)
}

/// An address without a name.
pub(crate) fn bare(address: &str, port: u16) -> Destination {
    Destination::address(address.parse::<IpAddr>().unwrap(), port)
}

/// Runs events through an engine to the end of the input.
pub(crate) fn run(config: AnalyzerConfig, events: &[Event]) -> Vec<IncidentChange> {
    let mut engine = Engine::new(config);
    let mut out = Vec::new();
    engine.observe(events, &mut out);
    engine.finish(&mut out);
    out
}

/// The incidents that events open with the default configuration, as they were last reported.
pub(crate) fn incidents(events: &[Event]) -> Vec<Incident> {
    let incidents = last_states(&run(AnalyzerConfig::default(), events));
    incidents.iter().for_each(assert_reads_well);
    incidents
}

/// That what an incident says to people has no run of spaces in it: a line that was broken badly.
fn assert_reads_well(incident: &Incident) {
    let why = &incident.explanation;
    let findings = why.findings.iter().map(|finding| &finding.words);
    for words in why.next_steps.iter().chain(findings).chain([&why.summary, &incident.title]) {
        assert!(!words.contains("  "), "{words:?}");
    }
}

/// Each incident as it was last reported, in the order of opening.
pub(crate) fn last_states(changes: &[IncidentChange]) -> Vec<Incident> {
    let opened = changes.iter().filter(|change| change.kind == ChangeKind::Opened);
    opened
        .map(|opened| {
            let same = |change: &&IncidentChange| change.incident.id == opened.incident.id;
            changes.iter().rfind(same).unwrap().incident.clone()
        })
        .collect()
}

pub(crate) fn opened(changes: &[IncidentChange]) -> Vec<&IncidentChange> {
    changes.iter().filter(|change| change.kind == ChangeKind::Opened).collect()
}

pub(crate) fn destinations(incidents: &[Incident]) -> Vec<SmolStr> {
    incidents.iter().map(|incident| incident.destination.clone()).collect()
}

/// A number from 0 to 1 that looks like chance, different for every `number`.
pub(crate) fn chance(number: u64) -> f64 {
    let mixed = number.wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1u64 << 53) as f64
}
