//! What is said of flows, questions and gaps: the making of events.
//!
//! Owns what an event of this source looks like. When one is due is [`super::decoder`]'s to say.

use std::net::IpAddr;

use egret_event::{
    Destination, DnsExchange, Event, Fact, FlowInterval, FlowPhase, Gap, NameSource, NamedBy,
    Resolution, Scope, Timestamp, Verdict, Volume,
};

use super::decoder::{Decoder, Sink};
use super::flow::{Flow, Reported};
use super::gaps::{self, Tally};
use super::link::{self, ICMP, ICMPV6};
use super::questions::Question;
use super::sequence::StreamEnd;
use crate::names::SharedNames;

impl Decoder {
    /// Tells what was counted of a flow since it was last told.
    pub(super) fn tell_flow(
        &mut self,
        place: u32,
        phase: FlowPhase,
        at: Timestamp,
        out: &mut Sink<'_>,
    ) {
        self.note_missed(place, StreamEnd::Open);
        self.tell_overdue(place, phase, out);
        let flow = &mut self.table[place];
        let from = flow.interval_from;
        let (up, down, number) = flow.take_interval(at);
        let verdict = flow.verdict;
        let transport = flow.key.transport();
        let protocol = flow.protocol();
        let told = self.event_of(place, at, |scope| {
            Fact::Flow(FlowInterval {
                flow: scope.short(),
                number,
                from,
                transport,
                phase,
                protocol,
            })
        });
        if let Some(event) = told {
            out(Event { verdict, up, down, ..event });
        }
    }

    /// An event about a flow, without volume and let through. `None`: the flow is not egress.
    pub(super) fn event_of(
        &mut self,
        place: u32,
        at: Timestamp,
        fact: impl FnOnce(Scope) -> Fact,
    ) -> Option<Event> {
        self.identify(place);
        let at = self.stamp(at);
        let flow = &mut self.table[place];
        let number = flow.next_event();
        let reported = flow.reported.as_ref()?;
        Some(Event {
            id: reported.scope.id(number),
            at,
            source: self.source.clone(),
            also_seen_by: None,
            origin: flow.origin.clone()?,
            client: client_of(flow),
            destination: reported.destination.clone(),
            verdict: Verdict::Allowed,
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            fact: fact(reported.scope),
        })
    }

    /// Works out what events of a flow have in common, with what is known by now.
    pub(super) fn identify(&mut self, place: u32) {
        self.attribute_again(place);
        let flow = &mut self.table[place];
        let is_named = |reported: &Reported| reported.destination.named_by.is_some();
        if flow.origin.is_none() || flow.reported.as_deref().is_some_and(is_named) {
            return;
        }
        let named = named_by_dns(&self.names, flow);
        match (&mut flow.reported, named) {
            (Some(reported), Some(named)) => reported.destination = named,
            (Some(_), None) => {}
            (None, named) => {
                let (server, port) = server_of(flow);
                let destination = named.unwrap_or_else(|| Destination::address(server, port));
                self.describe(place, destination);
            }
        }
    }

    /// Whoever starts executors may have told of a flow's meanwhile.
    fn attribute_again(&mut self, place: u32) {
        let flow = &mut self.table[place];
        let version = self.attribution.version();
        let Some(origin) = &flow.origin else { return };
        if origin.named_by == NamedBy::Address && flow.origin_version != version {
            let (client, _) = client_of(flow);
            flow.origin_version = version;
            flow.origin = self.attribution.attribute(client, flow.started).or(flow.origin.take());
        }
    }

    /// Notes what all events of a flow have in common.
    fn describe(&mut self, place: u32, destination: Destination) {
        let flow = &mut self.table[place];
        let scope = scope_of(&self.source, flow);
        flow.reported = Some(Box::new(Reported { scope, destination }));
    }

    /// Gives a flow a better name for where it goes. What was counted under another name that
    /// was as good is told first.
    pub(super) fn rename(&mut self, place: u32, destination: Destination, out: &mut Sink<'_>) {
        let flow = &mut self.table[place];
        if flow.reported.is_none() && flow.origin.is_some() && rank(&destination) > RANK_OF_DNS {
            // What DNS called it does not matter any more.
            return self.describe(place, destination);
        }
        self.identify(place);
        let flow = &mut self.table[place];
        let has_payload = flow.has_unreported_payload();
        let Some(reported) = &mut flow.reported else { return };
        let (old, new) = (rank(&reported.destination), rank(&destination));
        if new < old || destination == reported.destination {
            return;
        }
        if old == new && has_payload {
            self.tell_flow(place, FlowPhase::Open, self.now, out);
        }
        if let Some(reported) = &mut self.table[place].reported {
            reported.destination = destination;
        }
    }

    /// Tells a question and what came of it.
    pub(super) fn tell_question(
        &mut self,
        question: Question,
        resolution: Option<Resolution>,
        at: Timestamp,
        out: &mut Sink<'_>,
    ) {
        let (server, port) = question.server;
        let by = NameSource::DnsQuestion;
        let name = question.asked.name;
        let destination = Destination::of_host(name.clone(), by, Some(server), port);
        let sensitive = self.scanner.name(name.as_bytes(), &destination.domain);
        out(Event {
            id: question.event,
            at: self.stamp(at),
            source: self.source.clone(),
            also_seen_by: None,
            origin: question.origin,
            client: question.client,
            destination,
            verdict: Verdict::Allowed,
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            fact: Fact::Dns(Box::new(DnsExchange {
                name,
                query_type: question.asked.query_type,
                over_tcp: question.over_tcp,
                edns_bytes: question.edns_bytes,
                resolution,
                sensitive,
            })),
        });
    }

    /// Tells the questions that were not answered in time.
    pub(super) fn tell_unanswered(&mut self, out: &mut Sink<'_>) {
        while let Some((question, given_up_at)) = self.questions.next_unanswered(self.now) {
            self.tell_question(question, None, given_up_at, out);
        }
    }

    /// Tells the gaps that have lasted long enough.
    pub(super) fn tell_gaps(&mut self, out: &mut Sink<'_>) {
        let now = self.now;
        let due = self.tallies().map(|tally| tally.due(now));
        self.tell_these_gaps(due, out);
    }

    fn tallies(&mut self) -> [&mut Tally; 4] {
        [&mut self.evicted, &mut self.malformed, &mut self.truncated, &mut self.missed]
    }

    fn tell_these_gaps(&mut self, gaps: [Option<Gap>; 4], out: &mut Sink<'_>) {
        for gap in gaps.into_iter().flatten() {
            let at = self.stamp(self.now);
            out(gaps::event(&self.source, gap, at));
        }
    }

    /// Tells all questions and gaps that are left.
    pub(super) fn tell_rest(&mut self, out: &mut Sink<'_>) {
        while let Some(question) = self.questions.take_any() {
            self.tell_question(question, None, self.now, out);
        }
        let left = self.tallies().map(Tally::take);
        self.tell_these_gaps(left, out);
    }

    /// The time for an event: that of what happened, but never before an earlier event's.
    pub(super) fn stamp(&mut self, at: Timestamp) -> Timestamp {
        self.told = self.told.max(at);
        self.told
    }
}

/// How far a name is to be believed that the client got from DNS.
const RANK_OF_DNS: u8 = 1;

/// How far the name of a destination is to be believed: behind a proxy only the target of CONNECT
/// says where bytes go; a TLS client means the server that it names, and so does, less firmly,
/// a Host header.
fn rank(destination: &Destination) -> u8 {
    match destination.named_by {
        Some(NameSource::Connect) => 4,
        Some(NameSource::Sni) => 3,
        Some(NameSource::HttpHost) => 2,
        Some(_) => RANK_OF_DNS,
        None => 0,
    }
}

/// By what the client was told when the flow was last seen to do something: in sparse traffic it may
/// be told of only when that name holds no longer.
fn named_by_dns(names: &SharedNames, flow: &Flow) -> Option<Destination> {
    let client = flow.key.end(flow.client).0;
    let server = flow.key.end(flow.client.other()).0;
    let name = names.find(client, server, flow.last_seen)?;
    let (address, port) = server_of(flow);
    Some(Destination::of_host(name, NameSource::Dns, Some(address), port))
}

/// Address and port of the client; port 0 for ICMP.
pub(super) fn client_of(flow: &Flow) -> (IpAddr, u16) {
    end_of(flow, flow.client)
}

/// Address and port of the server; port 0 for ICMP.
pub(super) fn server_of(flow: &Flow) -> (IpAddr, u16) {
    end_of(flow, flow.client.other())
}

fn end_of(flow: &Flow, end: super::flow::End) -> (IpAddr, u16) {
    let (address, port) = flow.key.end(end);
    let has_ports = !matches!(flow.key.protocol(), ICMP | ICMPV6);
    (link::address(address), if has_ports { port } else { 0 })
}

fn scope_of(source: &str, flow: &Flow) -> Scope {
    let (client, client_port) = flow.key.end(flow.client);
    let (server, server_port) = flow.key.end(flow.client.other());
    let mut ends = [0; 37];
    ends[..16].copy_from_slice(&client.to_be_bytes());
    ends[16..32].copy_from_slice(&server.to_be_bytes());
    ends[32..34].copy_from_slice(&client_port.to_be_bytes());
    ends[34..36].copy_from_slice(&server_port.to_be_bytes());
    ends[36] = flow.key.protocol();
    Scope::of(&[source.as_bytes(), &ends, &flow.started.as_nanos().to_be_bytes()])
}
