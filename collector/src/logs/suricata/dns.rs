//! `dns`: questions and answers, each on a line of its own.
//!
//! The line of an answer repeats the question, so it stands for the exchange; a question's own line
//! is held until its answer comes, and told as unanswered if none does within ten seconds. Read are
//! versions 1 (answers one per line: the first stands for all), 2 and 3 of the format. The size of
//! the answer is not logged and given as 0.

use std::collections::VecDeque;
use std::time::Duration;

use egret_event::{Resolution, Timestamp, clean_name_bytes};

use super::Common;
use crate::logs::digits::number;
use crate::logs::entry::{DnsRecord, Ends, Entry};
use crate::logs::json::{Raw, object};
use crate::logs::record::LineProblem;
use crate::logs::text::address;

/// How long an answer may take, as for questions seen on the wire.
const PATIENCE: Duration = Duration::from_secs(10);

/// Questions held at a time; at more, the oldest counts as unanswered.
const MAX_HELD: usize = 1_024;

/// Addresses and names kept of an answer, as for those seen on the wire.
const MAX_ADDRESSES: usize = 16;
const MAX_ALIASES: usize = 8;

/// The port of DNS.
const DNS_PORT: u16 = 53;

/// Questions without an answer so far, oldest first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    held: VecDeque<(Key, DnsRecord<'static>)>,
}

/// What a question and its answer have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    flow: Option<u64>,
    id: Option<u64>,
    query_type: u16,
}

object! {
    struct Dns {
        version,
        kind = "type",
        id,
        rrname,
        rrtype,
        rcode,
        rdata,
        queries,
        answers,
    }
}

object! {
    /// A question, or a record of an answer.
    struct Record {
        rrname,
        rrtype,
        rdata,
    }
}

impl Questions {
    pub(super) fn entry<'a>(&mut self, common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
        let dns: Dns<'a> = common.dns.object().ok_or(LineProblem::Malformed("dns"))?;
        let asked = asked(&dns);
        let query_type = asked.rrtype.text().map_or(0, |name| type_of(&name));
        let name = asked.rrname.text().ok_or(LineProblem::NoDestination)?;
        let record = DnsRecord {
            ends: from_client(common.ends()?),
            name,
            query_type,
            over_tcp: common.proto.text().as_deref() == Some(b"TCP"),
            resolution: None,
        };
        let key = Key { flow: common.flow_id.count(), id: dns.id.count(), query_type };
        match dns.kind.text().as_deref() {
            Some(b"query" | b"request") => {
                self.hold(key, record);
                Err(LineProblem::Note)
            }
            Some(b"answer" | b"response") => {
                let was_asked = self.answered(key);
                if !was_asked && dns.version.count().is_none() {
                    // Version 1: a further record of an answer that was told already.
                    return Err(LineProblem::Note);
                }
                let resolution = Some(resolution(&dns));
                Ok(Entry::Dns(DnsRecord { resolution, ..record }))
            }
            _ => Err(LineProblem::Malformed("dns.type")),
        }
    }

    fn hold(&mut self, key: Key, record: DnsRecord<'_>) {
        let name = record.name.into_owned().into();
        self.held.push_back((key, DnsRecord { name, resolution: None, ..record }));
    }

    /// Whether the question was held, which it is no longer.
    fn answered(&mut self, key: Key) -> bool {
        // The question is most often one of the last.
        let found = self.held.iter().rposition(|(held, _)| *held == key);
        found.is_some_and(|place| self.held.remove(place).is_some())
    }

    /// Takes the oldest question out if its time is up by the log's clock, or if there are too
    /// many.
    pub(super) fn give_up(&mut self, now: Timestamp) -> Option<Entry<'static>> {
        let oldest = self.held.front()?.1.ends.at;
        let is_over = now.since(oldest) >= PATIENCE || self.held.len() > MAX_HELD;
        if is_over { self.take_oldest() } else { None }
    }

    /// Takes the oldest question out.
    pub(super) fn take_oldest(&mut self) -> Option<Entry<'static>> {
        self.held.pop_front().map(|(_, record)| Entry::Dns(record))
    }
}

/// The question: in version 3 the first of a list.
fn asked<'a>(dns: &Dns<'a>) -> Record<'a> {
    let listed = dns.queries.list().first().and_then(|first| first.object());
    listed.unwrap_or(Record { rrname: dns.rrname, rrtype: dns.rrtype, rdata: Raw::default() })
}

/// In version 1 an answer's line goes the way of its packet.
fn from_client(ends: Ends) -> Ends {
    if ends.client.1 == DNS_PORT && ends.server.1 != DNS_PORT {
        return Ends { client: ends.server, server: ends.client, ..ends };
    }
    ends
}

fn resolution(dns: &Dns<'_>) -> Resolution {
    let mut resolution = Resolution {
        code: dns.rcode.text().map_or(0, |name| code_of(&name)),
        addresses: Vec::new(),
        aliases: Vec::new(),
        services: Vec::new(),
        answer_bytes: 0,
    };
    take(dns.rrtype, dns.rdata, &mut resolution);
    for answer in dns.answers.list() {
        let record: Record<'_> = answer.object().unwrap_or_default();
        take(record.rrtype, record.rdata, &mut resolution);
    }
    resolution
}

fn take(kind: Raw<'_>, value: Raw<'_>, resolution: &mut Resolution) {
    let (Some(kind), Some(value)) = (kind.text(), value.text()) else { return };
    match &*kind {
        b"A" | b"AAAA" if resolution.addresses.len() < MAX_ADDRESSES => {
            resolution.addresses.extend(address(&value));
        }
        b"CNAME" if resolution.aliases.len() < MAX_ALIASES => {
            resolution.aliases.push(clean_name_bytes(&value));
        }
        _ => {}
    }
}

/// A record type by its name (IANA); `TYPE65280`, or 0 for an unknown one.
fn type_of(name: &[u8]) -> u16 {
    match name {
        b"A" => 1,
        b"NS" => 2,
        b"CNAME" => 5,
        b"SOA" => 6,
        b"NULL" => 10,
        b"PTR" => 12,
        b"HINFO" => 13,
        b"MX" => 15,
        b"TXT" => 16,
        b"AAAA" => 28,
        b"SRV" => 33,
        b"NAPTR" => 35,
        b"DNAME" => 39,
        b"DS" => 43,
        b"SSHFP" => 44,
        b"RRSIG" => 46,
        b"NSEC" => 47,
        b"DNSKEY" => 48,
        b"TLSA" => 52,
        b"SVCB" => 64,
        b"HTTPS" => 65,
        b"SPF" => 99,
        b"AXFR" => 252,
        b"ANY" => 255,
        b"CAA" => 257,
        other => {
            let digits = other.strip_prefix(b"TYPE").unwrap_or(other);
            number(digits).and_then(|kind| u16::try_from(kind).ok()).unwrap_or(0)
        }
    }
}

/// A response code by its name (IANA).
fn code_of(name: &[u8]) -> u8 {
    match name {
        b"FORMERR" => 1,
        b"SERVFAIL" => 2,
        b"NXDOMAIN" => 3,
        b"NOTIMP" => 4,
        b"REFUSED" => 5,
        b"YXDOMAIN" => 6,
        b"YXRRSET" => 7,
        b"NXRRSET" => 8,
        b"NOTAUTH" => 9,
        b"NOTZONE" => 10,
        _ => 0,
    }
}
