//! The engine alone: how fast it judges events of every kind with all detectors on, and what live
//! sessions and known destinations take in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use egret_analyzer::{AnalyzerConfig, Engine, IncidentChange};
use egret_event::{
    Attribution, BlockReason, Destination, DnsExchange, Event, Fact, FlowInterval, FlowPhase,
    HttpRequest, NameSource, NamedBy, Resolution, Scope, SeenBy, SmolStr, Timestamp, TlsCarrier,
    TlsHello, Transport, Verdict, Volume,
};

use crate::{ENGINE_EVENTS, START};

/// Live sessions of the speed run: many more than a cache holds.
const SESSIONS: u64 = 10_000;

/// Destinations that each of them goes to.
pub(crate) const DESTINATIONS: u64 = 8;

/// Sessions that are learned from before anything is measured.
const LEARNED: u64 = 2_000;

/// Three of each contact, a push, and an attempt that is blocked.
const EVENTS_PER_ROUND: u64 = 3 * DESTINATIONS + 2;

/// Where all destinations are, and who knows their addresses.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 53));

/// A prime: steps of this size visit everything in an order that no cache can guess.
const STRIDE: usize = 7_919;

/// 2⁶⁴ divided by the golden ratio: what it multiplies is spread over all bits (Knuth, volume 3, 6.4).
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;

const HOUR: Duration = Duration::from_secs(3_600);

/// An executor that does things.
struct Executor {
    number: u64,
    origin: Arc<Attribution>,
    address: IpAddr,
    events: u64,
}

impl Executor {
    fn new(number: u64) -> Self {
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
    fn contact(&mut self, host: &str) -> [Event; 3] {
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

    /// What a session does again and again: contacts with its destinations, a push, an attempt
    /// that is blocked.
    fn round(&mut self, host: impl Fn(u64) -> String) -> Vec<Event> {
        let mut events: Vec<Event> =
            (0..DESTINATIONS).flat_map(|n| self.contact(&host(n))).collect();
        events.push(self.request());
        events.push(self.blocked());
        events
    }
}

/// The destination `n` of a session: of 400 that all sessions share.
fn shared_host(session: u64, n: u64) -> String {
    format!("api.service-{}.example", (session + n * 7) % 400)
}

/// Events through an engine that has learned from sessions that did the same.
pub(crate) fn speed(count: u64) -> Result<()> {
    let mut world = World::new();
    let mut learned = mixed(0..LEARNED);
    let rounds = ENGINE_EVENTS / (SESSIONS * EVENTS_PER_ROUND) + 1;
    world.run(START, LEARNED * EVENTS_PER_ROUND * rounds, &mut learned)?;
    let mut events = mixed(LEARNED..LEARNED + SESSIONS);
    world.run(START + 3 * HOUR, count, &mut events)?;
    let summary = world.engine.summary();
    ensure!(count == 0 || summary.baseline_sessions > 0, "nothing was learned: {summary:?}");
    println!("{} changes, {summary:?}", world.changes.len());
    Ok(())
}

/// A round of each of these sessions, in an order that mixes them.
fn mixed(sessions: Range<u64>) -> Vec<Event> {
    let rounds = sessions.map(|session| {
        let mut executor = Executor::new(session);
        executor.round(|n| shared_host(session, n))
    });
    let events: Vec<Event> = rounds.flatten().collect();
    (0..events.len()).map(|index| events[index * STRIDE % events.len()].clone()).collect()
}

/// Holds so many sessions live at once, after so many destinations have become known; a baseline is
/// frozen meanwhile.
pub(crate) fn room(live: u64, known: u64) -> Result<()> {
    /// Destinations of each session that makes them known, and sessions that each needs.
    const EACH: u64 = 10;
    const TIMES: u64 = 3;
    /// So many of those begin in an hour.
    const PER_HOUR: u64 = 12_000;
    let mut world = World::new();
    let learners = known * TIMES / EACH;
    for session in 0..learners {
        let mut executor = Executor::new(session);
        let first = session * EACH % known.max(1);
        let events =
            (first..first + EACH).map(|n| executor.contact(&known_host(n))).map(|[.., flow]| flow);
        let at = START + HOUR.mul_f64(session as f64 / PER_HOUR as f64);
        world.observe(at, events.collect());
    }
    let hours = u32::try_from(learners / PER_HOUR)? + 2;
    let from = START + HOUR * hours;
    // Somebody ends within the last hour, so that there is something to freeze at its end.
    for minutes in [1, 5] {
        let mut executor = Executor::new(learners + minutes);
        let at = from + Duration::from_secs(60 * minutes);
        world.observe(at, executor.contact("last.example").into());
    }
    for session in 0..live {
        let mut executor = Executor::new(learners + 10 + session);
        let host = |n: u64| match known {
            0 => shared_host(session, n),
            known => known_host((session * DESTINATIONS + n * 7) % known),
        };
        let minutes = 45.0 + 14.0 * session as f64 / live as f64;
        world.observe(from + HOUR.mul_f64(minutes / 60.0), executor.round(host));
    }
    let before = world.engine.baseline_id();
    world.engine.tick(from + HOUR + Duration::from_secs(60), &mut world.changes);
    let summary = world.engine.summary();
    ensure!(summary.live_sessions == live, "not all live: {summary:?}");
    ensure!(world.engine.baseline_id() != before, "nothing was frozen: {summary:?}");
    println!("{} changes, {summary:?}", world.changes.len());
    Ok(())
}

fn known_host(number: u64) -> String {
    format!("www.known-{number}.example")
}

/// Lets an event happen at a time.
fn happen(event: &mut Event, at: Timestamp) {
    event.at = at;
    if let Fact::Flow(flow) = &mut event.fact {
        flow.from = at;
    }
}

/// An engine and what came of it.
struct World {
    engine: Engine,
    changes: Vec<IncidentChange>,
}

impl World {
    fn new() -> Self {
        Self { engine: Engine::new(AnalyzerConfig::default()), changes: Vec::new() }
    }

    /// So many of these events: all of them in 20 s, again and again, and each time beginning with
    /// another one, so that no session is as regular as a clock.
    fn run(&mut self, from: Timestamp, count: u64, events: &mut [Event]) -> Result<()> {
        const ROUND: Duration = Duration::from_secs(20);
        let spread = ROUND / u32::try_from(events.len())?;
        let (mut left, mut at) = (usize::try_from(count)?, from);
        while left > 0 {
            let mixed = at.as_nanos().cast_unsigned().wrapping_mul(MIXER) >> 33;
            events.rotate_left(mixed as usize % events.len());
            for (event, index) in events.iter_mut().zip(0..) {
                happen(event, at + spread * index);
            }
            let some = left.min(events.len());
            for batch in events[..some].chunks(512) {
                self.engine.observe(batch, &mut self.changes);
            }
            left -= some;
            at = at + ROUND;
        }
        Ok(())
    }

    /// All at the same time.
    fn observe(&mut self, at: Timestamp, mut events: Vec<Event>) {
        events.iter_mut().for_each(|event| happen(event, at));
        self.engine.observe(&events, &mut self.changes);
    }
}
