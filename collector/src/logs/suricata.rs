//! Suricata's events (EVE), one JSON object per line.
//!
//! What a line means is told by its `event_type`, in one file per kind: [`flow`] (and `netflow`),
//! [`dns`], [`tls`] (and `quic`), [`http`], [`loss`] (`stats` and `anomaly`). Others (`alert`,
//! `fileinfo`, ...) tell of no egress of their own and are notes. Addresses and ports of a line
//! are those of the flow: `src` is the client's.

mod dns;
mod flow;
mod http;
mod loss;
mod tls;

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::{Timestamp, Transport};

use self::dns::Questions;
use self::loss::Drops;
use super::digits::{formed, number, pairs};
use super::entry::{Ends, Entry};
use super::json::{Raw, object, read};
use super::record::LineProblem;
use super::text::{address, quick_minute};

/// What has to be remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Suricata {
    questions: Questions,
    drops: Drops,
    /// Whether the log has `flow` lines: those of `netflow` tell the same.
    has_flows: bool,
}

impl Suricata {
    /// Reads a line. What the line tells beside its entry is left in `beside`.
    pub(super) fn read<'a>(
        &mut self,
        line: &'a [u8],
        beside: &mut Option<Entry<'static>>,
    ) -> Result<Entry<'a>, LineProblem> {
        let common: Common<'a> = read(line).ok_or(LineProblem::Malformed("JSON"))?;
        let kind = common.event_type.text().ok_or(LineProblem::Malformed("event_type"))?;
        let read = self.entry(&kind, &common, beside);
        let is_sound = !matches!(read, Err(LineProblem::Malformed(_)));
        if is_sound && beside.is_none() {
            *beside = common.at().ok().and_then(|now| self.questions.give_up(now));
        }
        read
    }

    fn entry<'a>(
        &mut self,
        kind: &[u8],
        common: &Common<'a>,
        beside: &mut Option<Entry<'static>>,
    ) -> Result<Entry<'a>, LineProblem> {
        match kind {
            b"flow" => {
                self.has_flows = true;
                flow::entry(common)
            }
            b"netflow" if !self.has_flows => flow::one_way(common),
            b"dns" => self.questions.entry(common),
            b"tls" => tls::entry(common, beside),
            b"quic" => tls::quic(common),
            b"http" => http::entry(common),
            b"stats" => self.drops.entry(common),
            b"anomaly" => loss::anomaly(common),
            _ => Err(LineProblem::Note),
        }
    }

    /// At the end, a question that was not answered, until there are no more.
    pub(super) fn take_left(&mut self) -> Option<Entry<'static>> {
        self.questions.take_oldest()
    }
}

object! {
    /// The fields that lines of all kinds have, and the objects that only some have.
    struct Common {
        timestamp,
        event_type,
        flow_id,
        src_ip,
        src_port,
        dest_ip,
        dest_port,
        proto,
        app_proto,
        flow,
        netflow,
        tcp,
        dns,
        tls,
        quic,
        http,
        stats,
        anomaly,
    }
}

impl<'a> Common<'a> {
    fn at(&self) -> Result<Timestamp, LineProblem> {
        time(self.timestamp).ok_or(LineProblem::Malformed("timestamp"))
    }

    fn ends(&self) -> Result<Ends, LineProblem> {
        let end = |host: Raw<'_>, port: Raw<'_>| {
            let port = port.count().and_then(|port| u16::try_from(port).ok());
            Some((address(&host.text()?)?, port.unwrap_or(0)))
        };
        Ok(Ends {
            at: self.at()?,
            client: end(self.src_ip, self.src_port).ok_or(LineProblem::Malformed("src_ip"))?,
            server: end(self.dest_ip, self.dest_port).ok_or(LineProblem::Malformed("dest_ip"))?,
        })
    }

    /// What joins the lines of one flow.
    fn id(&self) -> Option<Cow<'a, [u8]>> {
        self.flow_id.count().map(|_| self.flow_id.plain())
    }

    fn transport(&self) -> Result<Transport, LineProblem> {
        match self.proto.text().as_deref() {
            Some(b"TCP") => Ok(Transport::Tcp),
            Some(b"UDP") => Ok(Transport::Udp),
            Some(b"ICMP" | b"IPv6-ICMP" | b"ICMPv6") => Ok(Transport::Icmp),
            Some(name) => Ok(Transport::Other(number_of(name))),
            None => Err(LineProblem::Malformed("proto")),
        }
    }
}

/// A protocol's number by its name (IANA), or as a number in three digits.
fn number_of(name: &[u8]) -> u8 {
    /// Never in use: the number of what has an unknown name.
    const RESERVED: u8 = 255;
    match name {
        b"GRE" => 47,
        b"ESP" => 50,
        b"AH" => 51,
        b"SCTP" => 132,
        digits => {
            super::digits::number(digits).and_then(|n| u8::try_from(n).ok()).unwrap_or(RESERVED)
        }
    }
}

/// `2026-01-31T09:30:00.123456+0000`, and without an offset (in certificates) UTC.
fn time(raw: Raw<'_>) -> Option<Timestamp> {
    let text = raw.text()?;
    if let Some(time) = quick_time(&text) {
        return Some(time);
    }
    let text = str::from_utf8(&text).ok()?;
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

/// The first of these forms, in which all times of a line are but for those of certificates.
fn quick_time(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 31] = text.try_into().ok()?;
    let ([date, time, rest], _) = text.as_chunks() else { return None };
    let minute = quick_minute(*date, *time)?;
    let second = i64::from(pairs(formed(*rest, *b":00.0000")?)[1]);
    let micros = i64::try_from(number(&text[20..26])?).ok()?;
    let is_plain = second < 60 && text.ends_with(b"+0000");
    is_plain.then(|| Timestamp::from_parts(minute + second, micros * 1_000))
}

/// Bytes of headers before the payload. Suricata counts from the link layer on; TCP with
/// timestamps (RFC 7323), as current systems send: payload is rather said too low by 12 bytes a
/// packet than too high.
fn header_bytes(client: IpAddr, transport: Transport) -> Option<u64> {
    const ETHERNET: u64 = 14;
    let network = if client.is_ipv4() { 20 } else { 40 };
    let above = match transport {
        Transport::Tcp => 32,
        Transport::Udp | Transport::Icmp => 8,
        Transport::Other(_) => return None,
    };
    Some(ETHERNET + network + above)
}

#[cfg(test)]
mod tests;
