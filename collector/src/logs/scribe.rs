//! From what a line says to an event: attribution, destination, id.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use egret_event::{
    Attribution, Destination, DnsExchange, Event, EventId, Fact, FlowInterval, Gap, GapReason,
    HttpRequest, NameSource, NamedBy, Scope, Sensitive, SmolStr, Timestamp, Verdict, Volume,
};

use super::entry::{DnsRecord, Ends, Entry, FlowRecord};
use super::hosts::Hosts;
use super::memo::Memo;
use super::record::{Coding, LogRecord, Written};
use super::text::{literal, printable};
use crate::attribution::Clients;
use crate::{Batcher, Claim, Context, Scanner, Visible};

/// Longest method kept, in bytes.
const MAX_METHOD_BYTES: usize = 32;

/// Longest path, user agent and user kept, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// Longest media type kept, in bytes.
const MAX_TYPE_BYTES: usize = 128;

/// User agents that are remembered; executors have few.
const REMEMBERED_AGENTS: usize = 256;

/// Writes the events of one source.
pub(crate) struct Scribe {
    source: SmolStr,
    clients: Clients,
    scanner: Arc<Scanner>,
    /// The origin of gaps, which belong to a source and not to an executor.
    nobody: Arc<Attribution>,
    hosts: Hosts,
    /// One for each coding.
    agents: [Memo<Agent>; Coding::COUNT],
}

/// What is remembered of a user agent.
#[derive(Clone)]
struct Agent {
    text: SmolStr,
    /// Whether no secret is in it, wherever it goes.
    is_harmless: bool,
}

/// The ids of what comes from one generation of a log file.
///
/// They depend on the source's name, the file's first line and the place in the file, so the same
/// line is the same event whatever the file is called by then.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    lines: Scope,
    beside: Scope,
    gaps: Scope,
}

impl Ids {
    pub(crate) fn of(source: &SmolStr, first_line: &[u8]) -> Self {
        Self {
            lines: Scope::of(&[b"log", source.as_bytes(), first_line]),
            beside: Scope::of(&[b"log beside", source.as_bytes(), first_line]),
            gaps: Scope::of(&[b"log gap", source.as_bytes(), first_line]),
        }
    }

    /// Those of what lines tell beside their entries.
    pub(crate) fn beside(self) -> Self {
        Self { lines: self.beside, ..self }
    }
}

impl Scribe {
    pub(crate) fn new(source: SmolStr, context: &Context) -> Self {
        let nobody = Arc::new(Attribution::nobody());
        Self {
            source,
            clients: Clients::of(Arc::clone(&context.attribution)),
            scanner: Arc::clone(&context.scanner),
            nobody,
            hosts: Hosts::of(Arc::clone(&context.scanner)),
            agents: std::array::from_fn(|_| Memo::of(REMEMBERED_AGENTS)),
        }
    }

    pub(crate) fn source(&self) -> &SmolStr {
        &self.source
    }

    /// Adds the event of a line at `offset` to a batch that has room for it. `false`: there is
    /// none, because its client is not watched.
    pub(crate) fn write(
        &mut self,
        entry: &Entry<'_>,
        ids: Ids,
        offset: u64,
        batch: &mut Batcher,
    ) -> bool {
        let event = match entry {
            Entry::Request(record) => return self.write_request(record, ids, offset, batch),
            Entry::Flow(record) => self.flow_event(record, ids, offset),
            Entry::Dns(record) => self.dns_event(record, ids, offset),
            Entry::Tls(ends, hello) => {
                let named = hello.sni.as_ref().map(|sni| (sni.as_bytes(), NameSource::Sni));
                let base = self.between(ends, named, ids, offset);
                base.map(|base| Event { fact: Fact::Tls(hello.clone()), ..base })
            }
            Entry::Certificate(ends, certificate) => {
                let named = certificate.sni.as_ref().map(|sni| (sni.as_bytes(), NameSource::Sni));
                let base = self.between(ends, named, ids, offset);
                base.map(|base| Event { fact: Fact::Certificate(certificate.clone()), ..base })
            }
            Entry::Gap(record) => {
                let gap = Gap { reason: record.reason, count: record.count, from: record.from };
                Some(self.gap(gap, record.at, ids, offset))
            }
        };
        event.map(|event| batch.push(event)).is_some()
    }

    /// As [`Self::write`], of a request: logs of proxies have nothing else, and by the million. The
    /// event is made in the batch and the request in its box: to make them elsewhere and move them
    /// took three copies of 288 bytes each, 2 % of the time that a line takes.
    fn write_request(
        &mut self,
        record: &LogRecord<'_>,
        ids: Ids,
        offset: u64,
        batch: &mut Batcher,
    ) -> bool {
        let user = record.user.as_deref().map(|user| printable(user, MAX_TEXT_BYTES));
        let subject = record.client_certificate.as_deref();
        let subject = subject.map(|subject| printable(subject, MAX_TEXT_BYTES));
        let claim = match (&subject, &user) {
            (Some(name), _) => Some(Claim { name, by: NamedBy::ClientCertificate }),
            (None, Some(name)) => Some(Claim { name, by: NamedBy::ProxyUser }),
            (None, None) => None,
        };
        // A name that was not proven must not put events on somebody else's account.
        let proven = claim.filter(|_| !record.is_login_challenge());
        let (client, port) = record.client;
        let Some(origin) = self.clients.attribute(client, proven, record.at) else { return false };
        // Both are taken once.
        let (mut origin, mut user) = (Some(origin), user);
        batch.push_made(record.at, || {
            let (destination, is_host_quiet) = self.destination(record);
            let request = self.request(record, user.take(), is_host_quiet);
            Event {
                id: ids.lines.id(offset),
                at: record.at,
                source: self.source.clone(),
                also_seen_by: None,
                origin: origin.take().unwrap_or_else(|| Arc::clone(&self.nobody)),
                client: (client.to_canonical(), port),
                destination,
                verdict: record.verdict,
                up: volume(record.up_bytes),
                down: volume(record.down_bytes),
                fact: Fact::Http(request),
            }
        });
        true
    }

    fn flow_event(&mut self, record: &FlowRecord<'_>, ids: Ids, offset: u64) -> Option<Event> {
        let named = record.host.as_ref().map(|(host, by)| (&**host, *by));
        let base = self.between(&record.ends, named, ids, offset)?;
        let flow = match &record.id {
            Some(id) => Scope::of(&[b"flow", self.source.as_bytes(), id]).short(),
            None => (base.id.bits() >> 64) as u64 ^ offset,
        };
        let interval = FlowInterval {
            flow,
            number: record.number,
            from: record.from,
            transport: record.transport,
            phase: record.phase,
            protocol: record.protocol,
        };
        Some(Event {
            verdict: record.verdict,
            up: record.up,
            down: record.down,
            fact: Fact::Flow(interval),
            ..base
        })
    }

    fn dns_event(&mut self, record: &DnsRecord<'_>, ids: Ids, offset: u64) -> Option<Event> {
        let named = Some((&*record.name, NameSource::DnsQuestion));
        let base = self.between(&record.ends, named, ids, offset)?;
        let exchange = DnsExchange {
            name: egret_event::clean_name_bytes(&record.name),
            query_type: record.query_type,
            over_tcp: record.over_tcp,
            edns_bytes: None,
            resolution: record.resolution.clone(),
            sensitive: self.scanner.name(&record.name, &base.destination.domain),
        };
        Some(Event { fact: Fact::Dns(Box::new(exchange)), ..base })
    }

    /// What events about traffic between two addresses have in common; its fact is a
    /// placeholder. `None`: it is not egress.
    fn between(
        &mut self,
        ends: &Ends,
        named: Option<(&[u8], NameSource)>,
        ids: Ids,
        offset: u64,
    ) -> Option<Event> {
        let (client, server) = (ends.client.0.to_canonical(), ends.server.0.to_canonical());
        let origin = self.clients.attribute(client, None, ends.at)?;
        if self.clients.is_watched(server) && !self.clients.is_watched(client) {
            return None;
        }
        let nothing = Gap { reason: GapReason::Stopped, count: 0, from: ends.at };
        Some(Event {
            id: ids.lines.id(offset),
            at: ends.at,
            source: self.source.clone(),
            also_seen_by: None,
            origin,
            client: (client, ends.client.1),
            destination: self.server(server, ends.server.1, named),
            verdict: Verdict::Allowed,
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            fact: Fact::Gap(nothing),
        })
    }

    fn server(
        &mut self,
        address: IpAddr,
        port: u16,
        named: Option<(&[u8], NameSource)>,
    ) -> Destination {
        match named.filter(|(host, _)| !host.is_empty() && literal(host).is_none()) {
            None => Destination::address(address, port),
            Some((host, by)) => {
                let names = self.hosts.names(host);
                Destination {
                    domain: names.domain,
                    host: Some(names.host),
                    named_by: Some(by),
                    address: Some(address),
                    port,
                }
            }
        }
    }

    /// Where a request went, and whether no secret is in the host's name.
    #[inline]
    fn destination(&mut self, record: &LogRecord<'_>) -> (Destination, bool) {
        if let Some(literal) = literal(&record.host) {
            let is_quiet = self.scanner.is_quiet(&record.host);
            return (Destination::address(literal, record.port), is_quiet);
        }
        let names = self.hosts.names(&record.host);
        let destination = Destination {
            domain: names.domain,
            host: Some(names.host),
            named_by: Some(record.named_by),
            address: record.address.map(|address| address.to_canonical()),
            port: record.port,
        };
        (destination, names.is_quiet)
    }

    /// Made where it stays: a copy of what was just written costs as much as reading the line's numbers.
    #[inline]
    fn request(
        &mut self,
        record: &LogRecord<'_>,
        user: Option<SmolStr>,
        is_host_quiet: bool,
    ) -> Box<HttpRequest> {
        let text = |raw: &[u8]| printable(raw, MAX_TEXT_BYTES);
        let sni = record.sni.as_deref().filter(|sni| !sni.eq_ignore_ascii_case(&record.host));
        let (path, query) = record.path_and_query();
        let agent = record.user_agent.as_ref().map(|written| self.agent(written));
        let is_harmless = agent.as_ref().is_none_or(|agent| agent.is_harmless);
        let is_quiet = is_host_quiet
            && is_harmless
            && query.is_none_or(<[u8]>::is_empty)
            && path.is_none_or(|path| self.scanner.is_quiet(path));
        let sensitive =
            if is_quiet { Vec::new() } else { self.sensitive(record, (path, query), is_harmless) };
        let request = HttpRequest {
            seen_by: record.seen_by,
            method: method(&record.method),
            path: path.map(text),
            query_bytes: query.map(|query| u32::try_from(query.len()).unwrap_or(u32::MAX)),
            user_agent: agent.map(|agent| agent.text),
            status: record.status,
            duration_ms: record.duration_ms,
            user,
            sni: sni.map(egret_event::clean_name_bytes),
            content_type: record.content_type.as_deref().map(|raw| printable(raw, MAX_TYPE_BYTES)),
            body_bytes: record.body_bytes,
            sensitive,
        };
        Box::write(Box::new_uninit(), request)
    }

    /// What is secret in a request, whose user agent is harmless or not.
    #[inline(never)]
    fn sensitive(
        &self,
        record: &LogRecord<'_>,
        (path, query): (Option<&[u8]>, Option<&[u8]>),
        is_harmless: bool,
    ) -> Vec<Sensitive> {
        let agent = record.user_agent.as_ref().filter(|_| !is_harmless);
        self.scanner.request(&Visible {
            host: &record.host,
            path: path.unwrap_or_default(),
            query: query.unwrap_or_default(),
            headers: agent.map_or(&[], |written| &written.raw),
            body: &[],
        })
    }

    fn agent(&mut self, written: &Written<'_>) -> Agent {
        let agents = &mut self.agents[written.coding as usize];
        agents.get(&written.raw, |raw| Agent {
            text: printable(&written.decoded(), MAX_TEXT_BYTES),
            is_harmless: self.scanner.is_harmless_header(raw),
        })
    }

    /// The event that says that something of the log could not be seen.
    pub(crate) fn gap(&self, gap: Gap, at: Timestamp, ids: Ids, offset: u64) -> Event {
        Event {
            id: gap_id(ids, gap.reason, offset),
            at,
            source: self.source.clone(),
            also_seen_by: None,
            origin: Arc::clone(&self.nobody),
            client: (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            destination: Destination::address(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            verdict: Verdict::Allowed,
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            fact: Fact::Gap(gap),
        }
    }
}

/// Gaps for different reasons at the same place are different events: the reason takes the top
/// bits of the counter, which no file is long enough to use.
fn gap_id(ids: Ids, reason: GapReason, offset: u64) -> EventId {
    ids.gaps.id(offset | (reason as u64) << 44)
}

fn volume(bytes: Option<u64>) -> Volume {
    bytes.map_or(Volume::UNKNOWN, Volume::logged)
}

fn method(raw: &[u8]) -> SmolStr {
    match raw {
        b"CONNECT" => SmolStr::new_static("CONNECT"),
        b"GET" => SmolStr::new_static("GET"),
        b"POST" => SmolStr::new_static("POST"),
        other => printable(other, MAX_METHOD_BYTES),
    }
}
