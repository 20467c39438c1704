//! The part of a session that goes through a proxy, and the proxy's lines about it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use egret_event::Timestamp;

use super::{Call, Route, Said, Session, Talk, Visit, Visited};
use crate::simulate::logs::{Access, Insight, envoy_line, squid_line};
use crate::simulate::programs::Program;
use crate::simulate::wire::http::{self, Request};
use crate::simulate::wire::tcp::{Ending, Step};
use crate::simulate::world::{self, Host};

/// The page that says no.
const DENIED_PAGE_BYTES: Range<usize> = 3_300..3_900;

/// From the connection until the proxy has seen the hello inside.
const UNTIL_LOOKED_MS: Range<u64> = 1..12;

/// A CONNECT request.
struct Connect<'a> {
    host: &'a Host,
    port: u16,
    target: String,
    agent: &'static str,
    request: Vec<u8>,
}

impl<'a> Connect<'a> {
    fn to(host: &'a Host, port: u16, program: &Program) -> Self {
        let target = match host.name.parse() {
            Ok(address) => SocketAddr::new(address, port).to_string(),
            Err(_) => format!("{}:{port}", host.name),
        };
        let agent = program.agent;
        let asked = Request { method: "CONNECT", target: &target, host: &target, agent };
        let request = http::request(asked, &[]);
        Self { host, port, target, agent, request }
    }
}

/// A connection to a proxy, and the requests that it writes a line about each.
struct Requests<'a> {
    visit: &'a Visit<'a>,
    visited: Visited,
    client: SocketAddr,
    /// What stands before the path: scheme and host.
    base: String,
    insight: Insight<'a>,
}

impl Session {
    /// A CONNECT tunnel through a proxy.
    pub(super) fn tunnel(
        &mut self,
        proxy: SocketAddr,
        at: Timestamp,
        visit: &Visit<'_>,
    ) -> Visited {
        let connect = Connect::to(visit.host, visit.over.port(), visit.program);
        let (steps, _) = self.steps_behind(&connect, visit);
        self.ask_proxy((proxy, at), &connect, (200, &steps, visit.ending))
    }

    /// A CONNECT tunnel that the proxy opens: to the client it is the server, and it writes a line
    /// about the tunnel when it has seen the hello, then one about each request inside.
    pub(super) fn look_inside(&mut self, at: Timestamp, visit: &Visit<'_>) -> Visited {
        let connect = Connect::to(visit.host, visit.over.port(), visit.program);
        let (steps, said) = self.steps_behind(&connect, visit);
        let ends = self.ends(world::SQUID_BUMP);
        let (visited, _) = self.play((ends, world::proxy_link()), at, &steps, visit.ending);
        let name = &visit.host.name;
        // An address is no server name.
        let sni = if visit.host.is_address() { "-" } else { name.as_str() };
        let looked = self.dice.ms(UNTIL_LOOKED_MS);
        self.log(
            world::SQUID_BUMP,
            &Access {
                ended: visited.began + looked,
                lasted: looked,
                client: ends.client,
                method: "CONNECT",
                target: &connect.target,
                host: name,
                agent: connect.agent,
                upstream: None,
                status: 200,
                up_bytes: connect.request.len() as u64,
                up_header_bytes: connect.request.len() as u64,
                down_bytes: 0,
                insight: Insight::Tunnel(sni),
            },
        );
        let base = format!("https://{}", visit.hidden.unwrap_or(name));
        let insight = Insight::Request(sni);
        let client = ends.client;
        self.log_requests(&Requests { visit, visited, client, base, insight }, &said);
        visited
    }

    /// What is said to a proxy: first the CONNECT. Answers come from further away.
    fn steps_behind(&mut self, connect: &Connect<'_>, visit: &Visit<'_>) -> (Vec<Step>, Vec<Said>) {
        let far = Step::Pause(visit.host.round_trip);
        let accepted = b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec();
        let mut steps = vec![Step::Up(connect.request.clone()), far.clone(), Step::Down(accepted)];
        let (inner, said) = self.steps(visit);
        for step in inner {
            let waits = matches!(step, Step::Up(_));
            steps.push(step);
            if waits {
                steps.push(far.clone());
            }
        }
        (steps, said)
    }

    /// A CONNECT that the session's proxy refuses; Squid, where the session has none.
    pub(super) fn be_denied(&mut self, host: &Host, program: &Program) {
        let proxy = match self.route {
            Route::Envoy => world::ENVOY,
            Route::Bump => world::SQUID_BUMP,
            Route::Direct | Route::Squid => world::SQUID,
        };
        let connect = Connect::to(host, 443, program);
        let page = vec![b'x'; self.dice.count(DENIED_PAGE_BYTES)];
        let steps = [Step::Up(connect.request.clone()), Step::Down(http::answer(403, &page))];
        let said = (403, &steps[..], Ending::ServerCloses);
        self.now = self.ask_proxy((proxy, self.now), &connect, said).ended;
    }

    /// Plays a connection that begins with a CONNECT, and has the proxy write its line.
    fn ask_proxy(
        &mut self,
        (proxy, at): (SocketAddr, Timestamp),
        connect: &Connect<'_>,
        (status, steps, ending): (u16, &[Step], Ending),
    ) -> Visited {
        let ends = self.ends(proxy);
        let (visited, down_bytes) = self.play((ends, world::proxy_link()), at, steps, ending);
        let upstream = (connect.host.v4, connect.port).into();
        self.log(
            proxy,
            &Access {
                ended: visited.ended,
                lasted: visited.ended.since(visited.began),
                client: ends.client,
                method: "CONNECT",
                target: &connect.target,
                host: &connect.host.name,
                agent: connect.agent,
                upstream: (status == 200).then_some(upstream),
                status,
                up_bytes: visited.up_bytes,
                up_header_bytes: connect.request.len() as u64,
                down_bytes,
                insight: Insight::None,
            },
        );
        visited
    }

    /// Requests in clear that Squid forwards: a line for each.
    pub(super) fn forward(&mut self, at: Timestamp, visit: &Visit<'_>) -> Visited {
        let proxy = if self.route == Route::Bump { world::SQUID_BUMP } else { world::SQUID };
        let ends = self.ends(proxy);
        let (steps, said) = self.steps_forwarded(visit);
        let (visited, _) = self.play((ends, world::proxy_link()), at, &steps, visit.ending);
        let base = format!("http://{}", visit.host.name);
        let (client, insight) = (ends.client, Insight::None);
        self.log_requests(&Requests { visit, visited, client, base, insight }, &said);
        visited
    }

    fn steps_forwarded(&mut self, visit: &Visit<'_>) -> (Vec<Step>, Vec<Said>) {
        match &visit.talk {
            Talk::Calls(calls) => {
                let mut steps = Vec::new();
                let forward = |call| self.forward_one(call, visit, &mut steps);
                let said = calls.iter().map(forward).collect();
                (steps, said)
            }
            Talk::Again(replay) => self.steps_forwarded_again(replay, visit),
        }
    }

    fn forward_one(&mut self, call: &Call, visit: &Visit<'_>, steps: &mut Vec<Step>) -> Said {
        let (host, agent) = (&visit.host.name, visit.program.agent);
        let url = format!("http://{host}{}", call.path);
        let asked = Request { method: call.method, target: &url, host, agent };
        let request = http::request(asked, &self.dice.noise(call.up));
        let answer = http::answer(call.status, &self.dice.noise(call.down));
        let (up, down) = (request.len(), answer.len());
        steps.extend([
            Step::Pause(call.after),
            Step::Up(request),
            Step::Pause(visit.host.round_trip + call.think),
            Step::Down(answer),
        ]);
        call.said(up, up - call.up, down)
    }

    /// A line for each request. They share the connection's time evenly: close enough for a log.
    fn log_requests(&mut self, requests: &Requests<'_>, said: &[Said]) {
        let Requests { visit, visited, client, base, insight } = requests;
        let share: Duration = visited.ended.since(visited.began) / (said.len().max(1) as u32);
        let mut ended = visited.began;
        for said in said {
            ended = ended + share;
            self.log(
                world::SQUID,
                &Access {
                    ended,
                    lasted: share,
                    client: *client,
                    method: said.method,
                    target: &format!("{base}{}", said.path),
                    host: visit.hidden.unwrap_or(&visit.host.name),
                    agent: visit.program.agent,
                    upstream: Some((visit.host.v4, visit.over.port()).into()),
                    status: said.status,
                    up_bytes: said.up as u64,
                    up_header_bytes: said.up_header as u64,
                    down_bytes: said.down as u64,
                    insight: *insight,
                },
            );
        }
    }

    /// The proxy writes its line.
    fn log(&mut self, proxy: SocketAddr, access: &Access<'_>) {
        if proxy == world::ENVOY {
            self.remains.envoy.push((access.ended, envoy_line(access)));
        } else {
            self.remains.squid.push((access.ended, squid_line(access)));
        }
    }
}
