//! The same egress seen by two observers: what belongs together, and where they contradict.
//!
//! A session remembers what it saw lately, by whom, and for how long. A flow on the wire and a line
//! in a proxy's log are one egress when client, time and (where the log has no port) destination
//! agree; whichever comes second is told to be [`Joined::SeenTwice`]. Everything here depends on
//! the order of one session's events and on nothing else.
//!
//! What is counted twice is not decided here: [`crate::tally`] keeps the two views apart.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use egret_event::{
    Contradiction, ContradictionKind, Event, EventId, Fact, FlowInterval, FlowPhase, HttpRequest,
    NameSource, SmolStr, Timestamp, TlsHello, Transport, Volume, registrable_domain,
};
use serde::{Deserialize, Serialize};

use crate::IncidentChange;
use crate::hash::quick;
use crate::room::make_room;
use crate::words::bytes_words;

/// Sightings that a session remembers: less than 2 KB.
const MOST_SIGHTINGS: usize = 16;

/// Sources that a session tells apart; a configuration has a handful. Any further ones count as one.
const MOST_SOURCES: u8 = 64;

/// How long something that has ended is remembered. Logs are written when a tunnel closes and read
/// within seconds; a minute covers a proxy that buffers its log.
const REMEMBERED: Duration = Duration::from_secs(60);

/// By how much the clocks and the ends of two observers may differ. Egret's own choice: hosts that
/// keep time by NTP are within a second, and a proxy may hold a connection a little longer.
const SLACK: Duration = Duration::from_secs(5);

/// Bytes that the wire carries for a tunnel and a proxy need not log: the CONNECT request itself.
/// Twice what Squid accepts as headers (`request_header_max_size`, 64 KB).
const UNLOGGED_BYTES: u64 = 128 << 10;

/// Contacts through a proxy that make a session one that uses it. Egret's own choice.
const USES_PROXY: u32 = 20;

/// So many contacts through a proxy for each one around it, at least. Egret's own choice: where
/// half of the tools ignore the proxy, going around it says nothing.
const PROXIED_PER_DIRECT: u32 = 10;

/// Addresses of proxies that a session remembers.
const MOST_PROXIES: usize = 4;

/// Names that stand in front of encrypted hellos and say nothing of where they go (RFC 9849).
const PUBLIC_NAMES: [&str; 1] = ["cloudflare-ech.com"];

/// What joining a session's observers showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Joined {
    /// An event is the second sight of an egress.
    SeenTwice {
        /// The event.
        event: EventId,
        /// The source that saw the same before.
        also_seen_by: SmolStr,
    },
    /// Two observers contradict each other: an event of its own.
    Contradiction(Box<Event>),
    /// A source was quiet for much longer than usual, and is heard again: a gap.
    Quiet(Box<Event>),
}

/// Writes into events who else saw them, and appends contradictions and silences. `joined` is what
/// [`crate::Engine::observe_and_join`] gave for these events, in its order.
pub fn join_into(events: &mut Vec<Event>, joined: Vec<Joined>) {
    let mut more = Vec::new();
    let mut rest = events.iter_mut();
    for told in joined {
        match told {
            Joined::SeenTwice { event, also_seen_by } => {
                if let Some(event) = rest.find(|other| other.id == event) {
                    event.also_seen_by = Some(also_seen_by);
                }
            }
            Joined::Contradiction(event) | Joined::Quiet(event) => more.push(*event),
        }
    }
    events.append(&mut more);
}

/// What a session saw lately, and its ways out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Joins {
    /// Who saw something. A sighting holds its place in this list.
    sources: Sources,
    sightings: Vec<Sighting>,
    proxies: Box<[IpAddr]>,
    through_proxy: u32,
    around_proxy: u32,
}

/// Names of sources, each at its place. Most sessions have one, which then needs no other memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Sources {
    /// Empty before anything was seen.
    first: SmolStr,
    more: Box<[SmolStr]>,
}

impl Sources {
    /// The place of a source.
    fn place(&mut self, name: &SmolStr) -> u8 {
        if self.first == *name {
            return 0;
        }
        if self.first.is_empty() {
            self.first = name.clone();
            return 0;
        }
        let known = self.more.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            if self.more.len() < usize::from(MOST_SOURCES) {
                append(&mut self.more, name.clone());
            }
            self.more.len() - 1
        });
        at as u8 + 1
    }

    /// The source at a place.
    fn name(&self, place: u8) -> SmolStr {
        let more = || self.more.get(usize::from(place) - 1);
        if place == 0 { self.first.clone() } else { more().cloned().unwrap_or_default() }
    }
}

/// One egress as one observer saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sighting {
    source: u8,
    client: (IpAddr, u16),
    server: Option<(IpAddr, u16)>,
    /// Quick hash of the destination's name and port.
    place: u64,
    /// A flow's id; `None` for what is not known to be one yet, or never will (a log line).
    flow: Option<NonZeroU64>,
    is_logged: bool,
    from: Timestamp,
    until: Timestamp,
    ended: bool,
    /// What was sent, as far as this observer knows. `None`: not known.
    up_bytes: Option<u64>,
    /// One bit per contradiction that was told.
    told: u8,
    /// The other observer, once it was joined.
    other: Option<Box<Other>>,
    /// The host that CONNECT asked for. Boxed, because few have one.
    tunnel_to: Option<Box<SmolStr>>,
}

/// What another observer says of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Other {
    source: u8,
    /// What was sent. `None`: not known.
    up_bytes: Option<u64>,
    until: Timestamp,
}

/// Where a shard writes what its events cause.
pub(crate) struct Out<'a> {
    pub(crate) changes: &'a mut Vec<IncidentChange>,
    pub(crate) joined: &'a mut Vec<Joined>,
}

/// What an event turned out to be.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Sight {
    /// The source that saw the same egress before.
    pub(crate) also_seen_by: Option<SmolStr>,
    /// Whether it is a flow that another source tells of already: it must not be counted again.
    pub(crate) is_repeat: bool,
    /// What the two say, where they contradict.
    pub(crate) contradiction: Option<Contradiction>,
}

impl Joins {
    /// Takes in an event of the session. Where there is but one observer, what has ended is not
    /// remembered for another.
    pub(crate) fn see(&mut self, event: &Event, is_only_observer: bool) -> Sight {
        let source = self.source(&event.source);
        match &event.fact {
            Fact::Flow(flow) if is_only_observer => self.see_only((event, source), flow),
            Fact::Flow(flow) => self.see_flow((event, source), flow),
            Fact::Http(request) if request.seen_by.is_logged() && is_only_observer => {
                Sight { contradiction: sni_in_line(event, request), ..Sight::default() }
            }
            Fact::Http(request) if request.seen_by.is_logged() => {
                self.see_line((event, source), request)
            }
            Fact::Http(request) if request.method == "CONNECT" => {
                self.see_connect(event, source);
                Sight::default()
            }
            Fact::Tls(hello) => {
                let contradiction = self.see_hello((event, source), hello);
                Sight { contradiction, ..Sight::default() }
            }
            _ => Sight::default(),
        }
    }

    /// Reads all sightings; the value means nothing.
    pub(crate) fn look_ahead(&self) -> u64 {
        self.sightings.iter().fold(0, |mix, known| mix ^ known.place)
    }

    /// The place of a source in the list.
    pub(crate) fn source(&mut self, name: &SmolStr) -> u8 {
        self.sources.place(name)
    }

    /// A flow that nobody else tells of. Nothing is kept of it once it has ended.
    fn see_only(&mut self, (event, source): (&Event, u8), flow: &FlowInterval) -> Sight {
        let known = self.known_flow((event, source), flow);
        if flow.number == 0 {
            self.count_way(event, flow);
        }
        let may_be_around = self.may_be_around(event, flow);
        let mut sighting = known.map_or_else(
            || Sighting { from: flow.from, ..Sighting::of(event, source) },
            |at| self.sightings.remove(at),
        );
        sighting.extend(event, flow);
        let contradiction = sighting.around_proxy(may_be_around, event);
        if !sighting.ended {
            self.remember(sighting, event.at);
        }
        Sight { contradiction, ..Sight::default() }
    }

    fn see_flow(&mut self, (event, source): (&Event, u8), flow: &FlowInterval) -> Sight {
        if let Some(owner) = self.told_by_another((event, source), flow) {
            return Sight { also_seen_by: Some(owner), is_repeat: true, contradiction: None };
        }
        let mut at = self.own_flow((event, source), flow);
        self.sightings[at].extend(event, flow);
        if self.sightings[at].other.is_none() {
            at = self.take_lines_of(at);
        }
        if flow.number == 0 {
            self.count_way(event, flow);
        }
        let may_be_around = self.may_be_around(event, flow);
        let around = self.sightings[at].around_proxy(may_be_around, event);
        let (sighting, sources) = (&mut self.sightings[at], &self.sources);
        let contradiction = sighting.proxy_saw_less(sources).or(around);
        let also_seen_by = sighting.other.as_ref().map(|other| sources.name(other.source));
        Sight { also_seen_by, is_repeat: false, contradiction }
    }

    /// The source that tells of the same flow already, if another one does.
    fn told_by_another(
        &self,
        (event, source): (&Event, u8),
        flow: &FlowInterval,
    ) -> Option<SmolStr> {
        let server = event.destination.address.map(|address| (address, event.destination.port))?;
        if event.client.1 == 0 {
            return None;
        }
        let same = self.sightings.iter().find(|known| {
            !known.is_logged
                && known.source != source
                && known.client == event.client
                && known.server == Some(server)
                && known.overlaps(flow.from, event.at)
        })?;
        Some(self.sources.name(same.source))
    }

    /// The sighting of a flow: a known one, or new.
    fn own_flow(&mut self, (event, source): (&Event, u8), flow: &FlowInterval) -> usize {
        self.known_flow((event, source), flow).unwrap_or_else(|| {
            self.remember(Sighting { from: flow.from, ..Sighting::of(event, source) }, event.at)
        })
    }

    /// The sighting of a flow, by its number or by the request that began it.
    fn known_flow(&self, (event, source): (&Event, u8), flow: &FlowInterval) -> Option<usize> {
        let is_own = |known: &Sighting| {
            let is_begun = known.flow.is_none() && known.client == event.client && !known.ended;
            let is_same = known.flow.is_some_and(|known| known.get() == flow.flow) || is_begun;
            !known.is_logged && known.source == source && is_same
        };
        self.sightings.iter().position(is_own)
    }

    fn see_connect(&mut self, event: &Event, source: u8) {
        let Some(host) = &event.destination.host else { return };
        let same = |known: &Sighting| {
            !known.is_logged
                && known.source == source
                && known.client == event.client
                && !known.ended
        };
        let at = self.sightings.iter().position(same);
        let at = at.unwrap_or_else(|| self.remember(Sighting::of(event, source), event.at));
        self.sightings[at].tunnel_to = Some(Box::new(host.clone()));
        self.note_proxy(event);
    }

    /// The hello inside a tunnel, against what the proxy was asked for.
    fn see_hello(
        &mut self,
        (event, source): (&Event, u8),
        hello: &TlsHello,
    ) -> Option<Contradiction> {
        let sni = hello.sni.as_ref().filter(|_| !hello.ech)?;
        let tunnel = self
            .sightings
            .iter_mut()
            .find(|known| known.source == source && known.client == event.client && !known.ended)?;
        let asked = tunnel.tunnel_to.as_deref().filter(|asked| differ(asked, sni))?.clone();
        tunnel.tell(ContradictionKind::ConnectAndSni).then(|| Contradiction {
            about: ContradictionKind::ConnectAndSni,
            one: event.source.clone(),
            one_says: smol(format_args!("CONNECT {asked}")),
            other: event.source.clone(),
            other_says: smol(format_args!("TLS hello to {sni}")),
        })
    }

    fn see_line(&mut self, (event, source): (&Event, u8), request: &HttpRequest) -> Sight {
        let line = Sighting::of_line((event, source), request);
        let found = self.flow_of(&line);
        let (also_seen_by, saw_less) = match found {
            Some(at) => {
                let (flow, sources) = (&mut self.sightings[at], &self.sources);
                flow.add_line(&line);
                (Some(sources.name(flow.source)), flow.proxy_saw_less(sources))
            }
            None => {
                self.remember(line, event.at);
                (None, None)
            }
        };
        let contradiction = sni_in_line(event, request).or(saw_less);
        Sight { also_seen_by, is_repeat: false, contradiction }
    }

    /// The flow that a log line is about: the one that ended nearest to it.
    fn flow_of(&self, line: &Sighting) -> Option<usize> {
        let flows = self.sightings.iter().enumerate().filter(|(_, flow)| flow.is_told_by(line));
        flows.min_by_key(|(_, flow)| apart(flow.until, line.until)).map(|(at, _)| at)
    }

    /// Lines that came before the flow's first interval did: all of one connection, or, where the
    /// log has no port, the one that ended nearest. Where the flow stands afterwards.
    fn take_lines_of(&mut self, at: usize) -> usize {
        let flow = &self.sightings[at];
        let told_by = |line: &Sighting| line.is_logged && flow.is_told_by(line);
        let nearest = (self.sightings.iter().enumerate())
            .filter(|(_, line)| told_by(line))
            .min_by_key(|(_, line)| apart(line.until, flow.until));
        let Some((nearest, line)) = nearest else { return at };
        let line = line.clone();
        self.sightings[at].add_line(&line);
        self.sightings.remove(nearest);
        let at = if nearest < at { at - 1 } else { at };
        if line.client.1 == 0 { at } else { self.take_lines_of(at) }
    }

    /// Counts which way a contact went.
    fn count_way(&mut self, event: &Event, flow: &FlowInterval) {
        if event.destination.named_by == Some(NameSource::Connect) {
            self.through_proxy = self.through_proxy.saturating_add(1);
            self.note_proxy(event);
        } else if self.is_direct(event, flow) {
            self.around_proxy = self.around_proxy.saturating_add(1);
        }
    }

    fn note_proxy(&mut self, event: &Event) {
        let Some(address) = event.destination.address else { return };
        if !self.proxies.contains(&address) && self.proxies.len() < MOST_PROXIES {
            append(&mut self.proxies, address);
        }
    }

    /// Whether a flow left for a public address on its own, and is no DNS, NTP or DNS over TLS.
    fn is_direct(&self, event: &Event, flow: &FlowInterval) -> bool {
        const INFRASTRUCTURE: [u16; 3] = [53, 123, 853];
        let Some(address) = event.destination.address else { return false };
        matches!(flow.transport, Transport::Tcp | Transport::Udp)
            && !event.verdict.is_blocked()
            && event.destination.named_by != Some(NameSource::Connect)
            && !crate::detect::policy::is_private_address(address)
            && !INFRASTRUCTURE.contains(&event.destination.port)
            && !self.proxies.contains(&address)
    }

    /// Whether a flow whose beginning is past went around the proxy that the session uses: then the
    /// number of contacts that went through it.
    fn may_be_around(&self, event: &Event, flow: &FlowInterval) -> Option<u32> {
        let is_past = flow.phase != FlowPhase::Open || flow.number > 0;
        let uses_proxy = self.through_proxy >= USES_PROXY
            && self.around_proxy.saturating_mul(PROXIED_PER_DIRECT) <= self.through_proxy;
        let may_be = is_past && uses_proxy && self.is_direct(event, flow);
        may_be.then_some(self.through_proxy)
    }

    /// Keeps a sighting; where it is kept. Forgets what ended long ago and, if there is no room,
    /// what was silent longest.
    fn remember(&mut self, sighting: Sighting, now: Timestamp) -> usize {
        let oldest = now - REMEMBERED;
        self.sightings.retain(|known| !known.ended || known.until >= oldest);
        if self.sightings.len() >= MOST_SIGHTINGS {
            let silent = self.sightings.iter().enumerate().min_by_key(|(at, s)| (s.until, *at));
            if let Some((at, _)) = silent {
                self.sightings.remove(at);
            }
        }
        make_room(&mut self.sightings);
        self.sightings.push(sighting);
        self.sightings.len() - 1
    }
}

/// The event that tells of a contradiction, which `shown_by` brought to light.
pub(crate) fn event_of(contradiction: &Contradiction, shown_by: &Event) -> Event {
    let about = [contradiction.about as u8];
    Event {
        id: EventId::of(&[b"contradiction", &shown_by.id.to_bytes(), &about]),
        up: Volume::UNKNOWN,
        down: Volume::UNKNOWN,
        fact: Fact::Contradiction(Box::new(contradiction.clone())),
        ..shown_by.clone()
    }
}

impl Sighting {
    /// Of the first event of a flow.
    fn of(event: &Event, source: u8) -> Self {
        let to = &event.destination;
        Self {
            source,
            client: event.client,
            server: to.address.map(|address| (address, to.port)),
            place: place_of(event),
            flow: None,
            is_logged: false,
            from: event.at,
            until: event.at,
            ended: false,
            up_bytes: Some(0),
            told: 0,
            other: None,
            tunnel_to: None,
        }
    }

    /// Of a line in a log, which is about something that has ended.
    fn of_line((event, source): (&Event, u8), request: &HttpRequest) -> Self {
        let lasted = Duration::from_millis(request.duration_ms.unwrap_or(0));
        Self {
            is_logged: true,
            ended: true,
            from: event.at - lasted,
            up_bytes: event.up.bytes,
            ..Self::of(event, source)
        }
    }

    /// Adds an interval of the flow.
    fn extend(&mut self, event: &Event, flow: &FlowInterval) {
        self.flow = NonZeroU64::new(flow.flow);
        self.from = self.from.min(flow.from);
        self.until = self.until.max(event.at);
        self.ended |= flow.phase != FlowPhase::Open;
        self.place = place_of(event);
        self.up_bytes = sum(self.up_bytes, event.up.bytes);
        if event.destination.named_by == Some(NameSource::Connect) {
            self.tunnel_to = event.destination.host.clone().map(Box::new);
        }
    }

    /// Joins a log line to this flow.
    fn add_line(&mut self, line: &Self) {
        let (so_far, until) = match &self.other {
            None => (Some(0), Timestamp::MIN),
            Some(other) => (other.up_bytes, other.until),
        };
        self.other = Some(Box::new(Other {
            source: line.source,
            up_bytes: sum(so_far, line.up_bytes),
            until: until.max(line.until),
        }));
    }

    /// Whether a log line may be about this flow.
    fn is_told_by(&self, line: &Self) -> bool {
        let same_client = match line.client.1 {
            // One line per tunnel: where only the place tells, a second line is about another.
            0 => {
                self.client.0 == line.client.0
                    && self.place == line.place
                    && (self.other.is_none() || self.tunnel_to.is_none())
            }
            _ => self.client == line.client,
        };
        !self.is_logged
            && self.source != line.source
            && same_client
            && self.overlaps(line.from, line.until)
    }

    fn overlaps(&self, from: Timestamp, until: Timestamp) -> bool {
        self.from <= until + SLACK && (!self.ended || from <= self.until + SLACK)
    }

    /// What a tunnel carried, against what the proxy logged of it. Both must be known in full: the
    /// flow has ended, every line of it says how much, and the last line came at its end (a proxy
    /// may also log while a tunnel goes on).
    fn proxy_saw_less(&mut self, sources: &Sources) -> Option<Contradiction> {
        let other = self.other.as_deref()?;
        let (carried, logged) = (self.up_bytes?, other.up_bytes?);
        let [wire, proxy] = [self.source, other.source].map(|source| sources.name(source));
        let allowed = logged.saturating_add(logged / 4).saturating_add(UNLOGGED_BYTES);
        let is_whole = self.ended && self.until <= other.until + SLACK;
        if !is_whole || self.tunnel_to.is_none() || carried <= allowed {
            return None;
        }
        self.tell(ContradictionKind::ProxySawLess).then(|| Contradiction {
            about: ContradictionKind::ProxySawLess,
            one: wire,
            one_says: smol(format_args!("{} sent", bytes_words(carried))),
            other: proxy,
            other_says: smol(format_args!("{} sent", bytes_words(logged))),
        })
    }

    /// Traffic around the proxy that `through` contacts went through, told once per flow, when no log has
    /// told of it: a proxy that intercepts would have.
    fn around_proxy(&mut self, through: Option<u32>, event: &Event) -> Option<Contradiction> {
        let through = through.filter(|_| self.other.is_none() && self.up_bytes != Some(0))?;
        self.tell(ContradictionKind::AroundProxy).then(|| Contradiction {
            about: ContradictionKind::AroundProxy,
            one: event.source.clone(),
            one_says: smol(format_args!("{through} contacts went through a proxy")),
            other: event.source.clone(),
            other_says: "this one went straight out".into(),
        })
    }

    /// Whether this contradiction is told now, and not for the second time.
    fn tell(&mut self, about: ContradictionKind) -> bool {
        let bit = 1 << about as u8;
        let is_new = self.told & bit == 0;
        self.told |= bit;
        is_new
    }
}

/// The name that a proxy saw inside a tunnel, against the one that it was asked for.
fn sni_in_line(event: &Event, request: &HttpRequest) -> Option<Contradiction> {
    let (asked, sni) = (event.destination.host.as_ref()?, request.sni.as_ref()?);
    (request.method == "CONNECT" && differ(asked, sni)).then(|| Contradiction {
        about: ContradictionKind::ConnectAndSni,
        one: event.source.clone(),
        one_says: smol(format_args!("CONNECT {asked}")),
        other: event.source.clone(),
        other_says: smol(format_args!("TLS hello to {sni}")),
    })
}

/// Whether two hosts belong to different owners. Names of one domain, addresses (the client did
/// the resolving itself) and the public names of encrypted hellos say nothing.
fn differ(asked: &str, sni: &str) -> bool {
    let is_address = |host: &str| host.parse::<IpAddr>().is_ok();
    !sni.is_empty()
        && !is_address(asked)
        && !is_address(sni)
        && !PUBLIC_NAMES.contains(&sni)
        && registrable_domain(asked) != registrable_domain(sni)
}

/// Puts something at the end of a list that seldom grows.
fn append<T>(list: &mut Box<[T]>, item: T) {
    let mut all = std::mem::take(list).into_vec();
    all.reserve_exact(1);
    all.push(item);
    *list = all.into();
}

fn place_of(event: &Event) -> u64 {
    let to = &event.destination;
    quick((to.host.as_ref().unwrap_or(&to.domain), to.port))
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.saturating_add(other?))
}

fn smol(words: std::fmt::Arguments<'_>) -> SmolStr {
    smol_str::format_smolstr!("{words}")
}
