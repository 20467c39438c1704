//! One executor's session while it is being played: its clock, its sockets, its look-ups, and what
//! it leaves behind in the capture and in the proxies' logs.
//!
//! Benign profiles and attacks are written against this; it knows none of them.

mod proxied;
mod recorded;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use egret_event::Timestamp;

use super::dice::Dice;
use super::programs::Program;
use super::recording::{self, Part};
use super::wire::dns::{self, Record, RecordType};
use super::wire::http::{self, Request};
use super::wire::tcp::{self, Ending, Link, Refusal, Step};
use super::wire::tls;
use super::wire::track::{Ends, Kind, Track, Way};
use super::world::{self, Host};

pub(crate) use recorded::{Ask, Replay};

/// First port of a session's sockets (Linux's ephemeral range starts here).
const FIRST_PORT: u16 = 32_768;

/// How far apart the resolver and the executor are, with and without an answer at hand.
const RESOLVER_LATENCY_MS: Range<u64> = 1..24;

/// Bytes of request and answer headers inside TLS, beside the bodies.
const SEALED_REQUEST_HEADER: Range<usize> = 180..420;
const SEALED_ANSWER_HEADER: Range<usize> = 160..480;

/// How a session reaches the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// By itself.
    Direct,
    /// Through the Squid proxy.
    Squid,
    /// Through the Envoy proxy.
    Envoy,
    /// Through the port of the Squid proxy that looks into TLS (`ssl_bump bump`).
    Bump,
}

impl Route {
    /// The word used in the truth.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Squid => "squid",
            Self::Envoy => "envoy",
            Self::Bump => "squid-bump",
        }
    }
}

/// How a host is kept out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// The session's proxy says no (Squid, where it has none).
    Denied,
    /// By the network.
    Refused(Refusal),
}

/// Whether a visit is in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// HTTPS, port 443.
    Tls,
    /// TLS on another port.
    TlsOn(u16),
    /// HTTP, port 80.
    Clear,
}

impl Over {
    const fn port(self) -> u16 {
        match self {
            Self::Tls => 443,
            Self::TlsOn(port) => port,
            Self::Clear => 80,
        }
    }
}

/// One request and its answer on a connection.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// Body bytes.
    pub(crate) up: usize,
    pub(crate) down: usize,
    /// How long the server takes before it answers.
    pub(crate) think: Duration,
    /// The answer comes in pieces, this far apart; otherwise in one.
    pub(crate) pieces: Option<(usize, Duration)>,
    /// Silence on the connection before the call.
    pub(crate) after: Duration,
    pub(crate) status: u16,
}

impl Call {
    /// A GET answered at once with `down` bytes.
    pub(crate) fn get(path: impl Into<String>, down: usize) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            up: 0,
            down,
            think: Duration::from_millis(8),
            pieces: None,
            after: Duration::ZERO,
            status: 200,
        }
    }

    /// A POST of `up` bytes answered at once with `down` bytes.
    pub(crate) fn post(path: impl Into<String>, up: usize, down: usize) -> Self {
        Self { method: "POST", up, ..Self::get(path, down) }
    }

    /// It was said, in so many bytes.
    fn said(&self, up: usize, up_header: usize, down: usize) -> Said {
        let Self { method, status, .. } = *self;
        Said { method, path: self.path.clone(), status, up, up_header, down }
    }
}

/// All that is asked on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Talk<'a> {
    /// One call after the other.
    Calls(&'a [Call]),
    /// What a real program said.
    Again(Replay<'a>),
}

/// One connection and all that is asked on it.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) host: &'a Host,
    pub(crate) program: &'static Program,
    pub(crate) over: Over,
    pub(crate) talk: Talk<'a>,
    pub(crate) ending: Ending,
    /// The host that the sealed requests are for, where it is not the one of the connection: a
    /// content network passes them on by this name.
    pub(crate) hidden: Option<&'a str>,
}

impl<'a> Visit<'a> {
    /// An HTTPS connection that the executor closes.
    pub(crate) fn https(host: &'a Host, program: &'static Program, calls: &'a [Call]) -> Self {
        let talk = Talk::Calls(calls);
        Self { host, program, over: Over::Tls, talk, ending: Ending::ClientCloses, hidden: None }
    }

    /// A connection of a real program.
    pub(crate) fn again(host: &'a Host, program: &'static Program, replay: Replay<'a>) -> Self {
        let over = match (replay.contact.over, replay.contact.port) {
            (recording::Over::Tls, 443) => Over::Tls,
            (recording::Over::Tls, port) => Over::TlsOn(port),
            (recording::Over::Clear, _) => Over::Clear,
        };
        let ending = replay.contact.ending;
        Self { host, program, over, talk: Talk::Again(replay), ending, hidden: None }
    }
}

/// What a connection came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visited {
    /// Payload bytes of TCP that the executor sent.
    pub(crate) up_bytes: u64,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

/// A request that was said, and bytes of it and of its answer, headers included.
struct Said {
    method: &'static str,
    path: String,
    status: u16,
    up: usize,
    /// Of these, the request's line and headers.
    up_header: usize,
    down: usize,
}

/// A session while it is played.
pub(crate) struct Session {
    pub(crate) now: Timestamp,
    pub(crate) dice: Dice,
    pub(crate) route: Route,
    /// The recordings that it may replay.
    pub(crate) part: Part,
    address: IpAddr,
    next_port: u16,
    /// Names that were looked up, and when.
    resolved: HashMap<String, Timestamp>,
    remains: Remains,
}

/// What a session leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    pub(crate) tracks: Vec<Track>,
    /// Log lines with the time at which they were written.
    pub(crate) squid: Vec<(Timestamp, String)>,
    pub(crate) envoy: Vec<(Timestamp, String)>,
}

impl Session {
    /// A session of the executor at `address` that begins at `start`.
    pub(crate) fn begin(
        (address, route): (IpAddr, Route),
        start: Timestamp,
        part: Part,
        mut dice: Dice,
    ) -> Self {
        let next_port = FIRST_PORT + dice.count(0..20_000) as u16;
        let (resolved, remains) = (HashMap::new(), Remains::default());
        Self { now: start, dice, route, part, address, next_port, resolved, remains }
    }

    /// Something else that goes on in the same executor from `start` on, until it is [joined].
    ///
    /// [joined]: Self::join
    pub(crate) fn strand(&mut self, start: Timestamp) -> Self {
        Self {
            now: start,
            dice: self.dice.fork(),
            route: self.route,
            part: self.part,
            address: self.address,
            next_port: self.next_port,
            resolved: HashMap::new(),
            remains: Remains::default(),
        }
    }

    /// Takes over what a strand left behind, and goes on when both have ended.
    pub(crate) fn join(&mut self, strand: Self) {
        self.now = self.now.max(strand.now);
        self.next_port = strand.next_port;
        let Remains { tracks, squid, envoy } = strand.remains;
        self.remains.tracks.extend(tracks);
        self.remains.squid.extend(squid);
        self.remains.envoy.extend(envoy);
    }

    /// Whether its executor has an IPv6 address, and no other.
    pub(crate) const fn is_v6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// What the session left behind.
    pub(crate) fn end(self) -> Remains {
        self.remains
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, range_ms: Range<u64>) {
        self.now = self.now + self.dice.ms(range_ms);
    }

    /// Does something past the proxy, as `NO_PROXY` makes programs do for internal names.
    pub(crate) fn past_the_proxy(&mut self, act: impl FnOnce(&mut Self)) {
        let route = std::mem::replace(&mut self.route, Route::Direct);
        act(self);
        self.route = route;
    }

    /// Makes one connection and lives through it.
    pub(crate) fn visit(&mut self, visit: &Visit<'_>) -> Visited {
        self.look_up(visit.host);
        let visited = self.connect(self.now, visit);
        self.now = visited.ended;
        visited
    }

    /// Makes connections side by side, begun `apart_ms` after each other, and lives through all.
    pub(crate) fn visit_together(&mut self, apart_ms: Range<u64>, visits: &[Visit<'_>]) {
        for visit in visits {
            self.look_up(visit.host);
        }
        let mut begin = self.now;
        let mut end = self.now;
        for visit in visits {
            end = end.max(self.connect(begin, visit).ended);
            begin = begin + self.dice.ms(apart_ms.clone());
        }
        self.now = end;
    }

    /// Makes a connection at `at` without waiting for it; the name must be known already.
    pub(crate) fn connect(&mut self, at: Timestamp, visit: &Visit<'_>) -> Visited {
        match (self.route, visit.over) {
            (Route::Direct, _) => self.connect_directly(at, visit),
            (Route::Squid | Route::Bump, Over::Clear) => self.forward(at, visit),
            (Route::Squid, _) => self.tunnel(world::SQUID, at, visit),
            (Route::Bump, _) => self.look_inside(at, visit),
            (Route::Envoy, _) => self.tunnel(world::ENVOY, at, visit),
        }
    }

    /// Tries to reach `host` and is stopped.
    pub(crate) fn try_blocked(&mut self, host: &Host, program: &Program, block: Block) {
        match block {
            Block::Denied => self.be_denied(host, program),
            Block::Refused(refusal) => {
                self.look_up(host);
                let ends = self.ends((host.address(self.address.is_ipv6()), 443).into());
                let path = (ends, host.link());
                let (track, end) = tcp::refuse(path, self.now, refusal, &mut self.dice);
                self.remains.tracks.push(track);
                self.now = end;
            }
        }
    }

    /// Asks the resolver for both addresses of `host`, unless the last answer is still good, a
    /// proxy does it, or there is no name.
    pub(crate) fn look_up(&mut self, host: &Host) {
        if self.route != Route::Direct || host.is_address() {
            return;
        }
        let asked = self.resolved.get(&host.name);
        if asked.is_some_and(|then| self.now.since(*then) < dns::TTL) {
            return;
        }
        self.resolved.insert(host.name.clone(), self.now);
        let chain: Vec<Record> =
            host.aliases.iter().map(|name| Record::Alias((*name).to_owned())).collect();
        let found = |asked, address| dns::Exchange {
            name: host.name.clone(),
            asked,
            code: 0,
            records: [chain.clone(), vec![Record::Address(address)]].concat(),
        };
        let exchanges = [
            found(RecordType::A, IpAddr::V4(host.v4)),
            found(RecordType::AAAA, IpAddr::V6(host.v6)),
        ];
        self.ask(&exchanges);
    }

    /// Asks for a name that does not exist, as search domains and typing errors do.
    pub(crate) fn look_up_in_vain(&mut self, name: &str) {
        let missing =
            |asked| dns::Exchange { name: name.to_owned(), asked, code: 3, records: Vec::new() };
        self.ask(&[missing(RecordType::A), missing(RecordType::AAAA)]);
    }

    /// Sends questions from one socket and waits for the answers; gives the bytes of questions.
    pub(crate) fn ask(&mut self, exchanges: &[dns::Exchange]) -> u64 {
        let ends = self.ends(world::resolver(self.address.is_ipv6()));
        let latency = self.dice.ms(RESOLVER_LATENCY_MS);
        let asked = (exchanges, latency);
        let (track, end) = dns::play(ends, self.now, asked, &mut self.dice);
        let up_bytes = track.up.len() as u64;
        self.remains.tracks.push(track);
        self.now = end;
        up_bytes
    }

    /// Exchanges datagrams, or echoes, with a port of `host` and waits for the last one.
    pub(crate) fn exchange(
        &mut self,
        (host, port): (&Host, u16),
        kind: Kind,
        datagrams: &[(Way, Vec<u8>)],
    ) -> Visited {
        let ends = self.ends((host.address(self.address.is_ipv6()), port).into());
        let mut track = Track::new(ends, self.dice.u16());
        let Link { round_trip, per_segment } = host.link();
        let began = self.now;
        let mut last = None;
        for (way, payload) in datagrams {
            self.now = match (last, way) {
                (None, _) => self.now,
                (Some(Way::Up), Way::Down) => self.now + round_trip,
                _ => self.now + per_segment,
            };
            last = Some(*way);
            let place = track.store(*way, payload);
            track.push(self.now, *way, kind, place);
        }
        let up_bytes = track.up.len() as u64;
        self.remains.tracks.push(track);
        Visited { up_bytes, began, ended: self.now }
    }

    fn ends(&mut self, server: SocketAddr) -> Ends {
        let client = SocketAddr::new(self.address, self.next_port);
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        Ends { client, server }
    }

    fn connect_directly(&mut self, at: Timestamp, visit: &Visit<'_>) -> Visited {
        let server = (visit.host.address(self.address.is_ipv6()), visit.over.port());
        let ends = self.ends(server.into());
        let (steps, _) = self.steps(visit);
        self.play((ends, visit.host.link()), at, &steps, visit.ending).0
    }

    /// What is said on a connection once it stands, and the requests among it.
    fn steps(&mut self, visit: &Visit<'_>) -> (Vec<Step>, Vec<Said>) {
        let calls = match &visit.talk {
            Talk::Calls(calls) => *calls,
            Talk::Again(replay) => return self.steps_again(replay, visit),
        };
        let mut steps = match visit.over {
            Over::Clear => Vec::new(),
            Over::Tls | Over::TlsOn(_) => {
                tls::handshake(visit.program.tls, &visit.host.name, &mut self.dice)
            }
        };
        let mut said = Vec::new();
        for call in calls {
            steps.push(Step::Pause(call.after));
            said.push(match visit.over {
                Over::Tls | Over::TlsOn(_) => self.say_sealed(call, &mut steps),
                Over::Clear => self.say_in_clear(call, visit, &mut steps),
            });
        }
        (steps, said)
    }

    fn say_sealed(&mut self, call: &Call, steps: &mut Vec<Step>) -> Said {
        let header = call.path.len() + self.dice.count(SEALED_REQUEST_HEADER);
        let up = call.up + header;
        let down = call.down + self.dice.count(SEALED_ANSWER_HEADER);
        steps.push(Step::Up(tls::sealed(up, &mut self.dice)));
        steps.push(Step::Pause(call.think));
        let (pieces, apart) = call.pieces.unwrap_or((1, Duration::ZERO));
        for _ in 0..pieces {
            let piece = (down / pieces).max(1);
            steps.push(Step::Down(tls::sealed(piece, &mut self.dice)));
            steps.push(Step::Pause(apart));
        }
        call.said(up, header, down)
    }

    fn say_in_clear(&mut self, call: &Call, visit: &Visit<'_>, steps: &mut Vec<Step>) -> Said {
        let asked = Request {
            method: call.method,
            target: &call.path,
            host: &visit.host.name,
            agent: visit.program.agent,
        };
        let request = http::request(asked, &self.dice.noise(call.up));
        let answer = http::answer(call.status, &self.dice.noise(call.down));
        let (up, down) = (request.len(), answer.len());
        steps.push(Step::Up(request));
        steps.push(Step::Pause(call.think));
        steps.push(Step::Down(answer));
        call.said(up, up - call.up, down)
    }

    /// Plays a connection; gives what it came to and the payload bytes that came back.
    fn play(
        &mut self,
        path: (Ends, Link),
        at: Timestamp,
        steps: &[Step],
        ending: Ending,
    ) -> (Visited, u64) {
        let (track, ended) = tcp::play(path, at, (steps, ending), &mut self.dice);
        let up_bytes = track.up.len() as u64;
        let down_bytes = track.down.len() as u64;
        self.remains.tracks.push(track);
        (Visited { up_bytes, began: at, ended }, down_bytes)
    }
}
