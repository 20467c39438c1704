//! The part of a session that goes through a proxy, and the proxy's line about it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use egret_event::Timestamp;

use super::{Call, Over, Route, Session, Visit, Visited};
use crate::simulate::logs::{Access, envoy_line, squid_line};
use crate::simulate::programs::Program;
use crate::simulate::wire::http::{self, Request};
use crate::simulate::wire::tcp::{Ending, Step};
use crate::simulate::world::{self, Host};

/// The page that says no.
const DENIED_PAGE_BYTES: Range<usize> = 3_300..3_900;

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
        let target = format!("{}:{port}", host.name);
        let agent = program.agent;
        let asked = Request { method: "CONNECT", target: &target, host: &target, agent };
        let request = http::request(asked, &[]);
        Self { host, port, target, agent, request }
    }
}

/// A request in clear that was forwarded, and its sizes.
struct Forwarded {
    url: String,
    up_header_bytes: usize,
    up_bytes: usize,
    down_bytes: usize,
}

impl Session {
    /// A CONNECT tunnel through a proxy.
    pub(super) fn tunnel(
        &mut self,
        proxy: SocketAddr,
        at: Timestamp,
        visit: &Visit<'_>,
    ) -> Visited {
        let port = if visit.over == Over::Tls { 443 } else { 80 };
        let connect = Connect::to(visit.host, port, visit.program);
        let far = Step::Pause(visit.host.round_trip);
        let accepted = b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec();
        let mut steps = vec![Step::Up(connect.request.clone()), far.clone(), Step::Down(accepted)];
        for step in self.steps(visit) {
            let waits = matches!(step, Step::Up(_));
            steps.push(step);
            if waits {
                steps.push(far.clone());
            }
        }
        self.ask_proxy((proxy, at), &connect, (200, &steps, visit.ending))
    }

    /// A CONNECT that the session's proxy refuses; Squid, where the session has none.
    pub(super) fn be_denied(&mut self, host: &Host, program: &Program) {
        let proxy = match self.route {
            Route::Envoy => world::ENVOY,
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
            },
        );
        visited
    }

    /// Requests in clear that Squid forwards: a line for each.
    pub(super) fn forward(&mut self, at: Timestamp, visit: &Visit<'_>) -> Visited {
        let ends = self.ends(world::SQUID);
        let mut steps = Vec::new();
        let forwarded: Vec<Forwarded> =
            visit.calls.iter().map(|call| self.forward_one(call, visit, &mut steps)).collect();
        let (visited, _) = self.play((ends, world::proxy_link()), at, &steps, visit.ending);
        // Requests share the connection's time evenly: close enough for a log.
        let share: Duration = visited.ended.since(visited.began) / (forwarded.len().max(1) as u32);
        let mut ended = visited.began;
        for (call, sizes) in visit.calls.iter().zip(&forwarded) {
            ended = ended + share;
            self.log(
                world::SQUID,
                &Access {
                    ended,
                    lasted: share,
                    client: ends.client,
                    method: call.method,
                    target: &sizes.url,
                    host: &visit.host.name,
                    agent: visit.program.agent,
                    upstream: Some((visit.host.v4, 80).into()),
                    status: 200,
                    up_bytes: sizes.up_bytes as u64,
                    up_header_bytes: sizes.up_header_bytes as u64,
                    down_bytes: sizes.down_bytes as u64,
                },
            );
        }
        visited
    }

    fn forward_one(&mut self, call: &Call, visit: &Visit<'_>, steps: &mut Vec<Step>) -> Forwarded {
        let (host, agent) = (&visit.host.name, visit.program.agent);
        let url = format!("http://{host}{}", call.path);
        let asked = Request { method: call.method, target: &url, host, agent };
        let request = http::request(asked, &self.dice.noise(call.up));
        let answer = http::answer(200, &self.dice.noise(call.down));
        let forwarded = Forwarded {
            up_header_bytes: request.len() - call.up,
            up_bytes: request.len(),
            down_bytes: answer.len(),
            url,
        };
        steps.extend([
            Step::Pause(call.after),
            Step::Up(request),
            Step::Pause(visit.host.round_trip + call.think),
            Step::Down(answer),
        ]);
        forwarded
    }

    fn log(&mut self, proxy: SocketAddr, access: &Access<'_>) {
        if proxy == world::SQUID {
            self.remains.squid.push((access.ended, squid_line(access)));
        } else {
            self.remains.envoy.push((access.ended, envoy_line(access)));
        }
    }
}
