//! Made-up events of executors, for the stages that begin with events.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use egret_event::{
    Attribution, BlockReason, Destination, DnsExchange, Event, Fact, FlowInterval, FlowPhase,
    HttpRequest, NameSource, NamedBy, Resolution, Scope, SeenBy, SmolStr, TlsCarrier, TlsHello,
    Transport, Verdict, Volume,
};

use crate::START;

/// Destinations that an executor goes to.
pub(crate) const DESTINATIONS: u64 = 8;

/// Three of each contact, a push, and an attempt that is blocked.
pub(crate) const EVENTS_PER_ROUND: u64 = 3 * DESTINATIONS + 2;

/// Where all destinations are, and who knows their addresses.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 53));

/// A prime: steps of this size visit everything in an order that no cache can guess.
const STRIDE: usize = 7_919;

/// An executor that does things.
pub(crate) struct Executor {
    number: u64,
    origin: Arc<Attribution>,
    address: IpAddr,
    events: u64,
}

impl Executor {
    pub(crate) fn new(number: u64) -> Self {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0A40_0000 + number as u32));
        let origin = Arc::new(Attribution {
            executor: SmolStr::from(format!("executor-{number}")),
            session: None,
            template: Some(SmolStr::from(format!("template-{}", number % 5))),
            tenant: Some(SmolStr::from(format!("tenant-{}", number % 20))),
            segment: "bench".into(),
            named_by: NamedBy::Registration,
        });
        Self { number, origin, address, events: 0 }
    }

    fn event(&mut self, destination: Destination, (up, down): (u64, u64), fact: Fact) -> Event {
        self.events += 1;
        let volume = |bytes: u64| match bytes {
            0 => Volume::UNKNOWN,
            bytes => Volume { bytes: Some(bytes), wire_bytes: Some(bytes + 300), packets: Some(6) },
        };
        Event {
            id: Scope::of(&[&self.number.to_le_bytes()]).id(self.events),
            at: START,
            source: "bench".into(),
            also_seen_by: None,
            origin: Arc::clone(&self.origin),
            client: (self.address, 40_000),
            destination,
            verdict: Verdict::Allowed,
            up: volume(up),
            down: volume(down),
            fact,
        }
    }

    /// A contact as a capture shows it: the question, the hello, the flow.
    pub(crate) fn contact(&mut self, host: &str) -> [Event; 3] {
        let resolver = Destination::named(host, NameSource::DnsQuestion, Some(RESOLVER), 53);
        let question = DnsExchange {
            name: host.into(),
            query_type: 1,
            over_tcp: false,
            edns_bytes: Some(1232),
            resolution: Some(Resolution {
                code: 0,
                addresses: vec![SERVER],
                aliases: Vec::new(),
                services: Vec::new(),
                answer_bytes: 90,
            }),
            sensitive: Vec::new(),
        };
        let hello = TlsHello {
            sni: Some(host.into()),
            alpn: Some("h2".into()),
            ja4: "t13d1516h2_8daaf6152771_b186095e22b6".into(),
            version: 0x0304,
            carrier: TlsCarrier::Tcp,
            ech: false,
        };
        let web = || Destination::named(host, NameSource::Sni, Some(SERVER), 443);
        let flow = self.flow();
        [
            self.event(resolver, (0, 0), Fact::Dns(Box::new(question))),
            self.event(web(), (0, 0), Fact::Tls(Box::new(hello))),
            // More than what counts as a beacon.
            self.event(web(), (6_000, 60_000), flow),
        ]
    }

    fn flow(&self) -> Fact {
        Fact::Flow(FlowInterval {
            flow: Scope::of(&[&self.number.to_le_bytes(), b"flow"]).short() + self.events,
            number: 0,
            from: START,
            transport: Transport::Tcp,
            phase: FlowPhase::Finished,
            protocol: None,
        })
    }

    /// A request as a proxy that sees into TLS logs it, at a service where it matters whose it is.
    fn request(&mut self) -> Event {
        let owner = ["acme", "globex", "initech"][(self.number % 3) as usize];
        let request = HttpRequest {
            seen_by: SeenBy::Proxy,
            method: "POST".into(),
            path: Some(format!("/{owner}/service.git/git-receive-pack").into()),
            query_bytes: None,
            user_agent: Some("git/2.45.2".into()),
            status: Some(200),
            duration_ms: Some(300),
            user: None,
            sni: None,
            content_type: Some("application/x-git-receive-pack-request".into()),
            body_bytes: None,
            sensitive: Vec::new(),
        };
        let github = Destination::named("github.com", NameSource::ProxyLog, None, 443);
        self.event(github, (4_000, 500), Fact::Http(Box::new(request)))
    }

    fn blocked(&mut self) -> Event {
        let telemetry =
            Destination::named("stats.tool.example", NameSource::Sni, Some(SERVER), 443);
        let flow = self.flow();
        let verdict = Verdict::Blocked(BlockReason::Reset);
        Event { verdict, ..self.event(telemetry, (0, 0), flow) }
    }

    /// What a session does again and again: contacts with so many destinations, a push, an attempt
    /// that is blocked.
    pub(crate) fn round(&mut self, destinations: u64, host: impl Fn(u64) -> String) -> Vec<Event> {
        let mut events: Vec<Event> =
            (0..destinations).flat_map(|n| self.contact(&host(n))).collect();
        events.push(self.request());
        events.push(self.blocked());
        events
    }
}

/// The destination `n` of a session: of 400 that all sessions share.
pub(crate) fn shared_host(session: u64, n: u64) -> String {
    format!("api.service-{}.example", (session + n * 7) % 400)
}

/// The same in an order that mixes sessions.
pub(crate) fn mixed<T: Clone>(all: &[T]) -> Vec<T> {
    (0..all.len()).map(|index| all[index * STRIDE % all.len()].clone()).collect()
}
