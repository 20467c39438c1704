//! What one line of a log tells of, whichever dialect it is written in.
//!
//! Proxies log requests ([`LogRecord`]). Other sensors and exporters log flows, DNS exchanges, TLS
//! hellos, certificates, and what they themselves could not see.

use std::borrow::Cow;
use std::net::IpAddr;

use egret_event::{
    FlowPhase, GapReason, NameSource, Protocol, Resolution, ServerCertificate, Timestamp, TlsHello,
    Transport, Verdict, Volume,
};

use super::record::LogRecord;

/// What a line tells of. Borrows from the line; nothing in it has been made printable yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// A request or tunnel.
    Request(LogRecord<'a>),
    /// A flow, or part of one.
    Flow(FlowRecord<'a>),
    /// A DNS question with its answer.
    Dns(DnsRecord<'a>),
    /// A TLS ClientHello.
    Tls(Ends, Box<TlsHello>),
    /// A server's certificate.
    Certificate(Ends, Box<ServerCertificate>),
    /// Something that the writer of the log says it could not see.
    Gap(GapRecord),
}

/// When, and between whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// When it was observed.
    pub at: Timestamp,
    /// Address and port of whoever started it; port 0 where there is none or the log has none.
    pub client: (IpAddr, u16),
    /// Address and port of the other end, likewise.
    pub server: (IpAddr, u16),
}

/// A flow, or part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRecord<'a> {
    /// Its ends; `at` is when the flow, or this part of it, ended.
    pub ends: Ends,
    /// When it, or this part of it, began.
    pub from: Timestamp,
    /// The transport protocol.
    pub transport: Transport,
    /// What is spoken.
    pub protocol: Option<Protocol>,
    /// The server's name, where the log has one, and where the log has it from.
    pub host: Option<(Cow<'a, [u8]>, NameSource)>,
    /// What the client sent.
    pub up: Volume,
    /// What came back.
    pub down: Volume,
    /// Whether it was let through.
    pub verdict: Verdict,
    /// How it ended, or that it goes on.
    pub phase: FlowPhase,
    /// What the log calls the flow, if it gives it an id.
    pub id: Option<Cow<'a, [u8]>>,
    /// Which part of the flow this is, from 0.
    pub number: u32,
}

/// A DNS question with its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct DnsRecord<'a> {
    /// Who asked whom.
    pub ends: Ends,
    /// The name asked for.
    pub name: Cow<'a, [u8]>,
    /// The type asked for, by number.
    pub query_type: u16,
    /// Over TCP and not UDP.
    pub over_tcp: bool,
    /// The answer, if the log has it.
    pub resolution: Option<Resolution>,
}

/// Something that the writer of the log says it could not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapRecord {
    /// Why.
    pub reason: GapReason,
    /// How much, in the unit of the reason.
    pub count: u64,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub at: Timestamp,
}

impl Entry<'_> {
    /// When it was observed.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Request(record) => record.at,
            Self::Flow(record) => record.ends.at,
            Self::Dns(record) => record.ends.at,
            Self::Tls(ends, _) | Self::Certificate(ends, _) => ends.at,
            Self::Gap(record) => record.at,
        }
    }
}

impl<'a> From<LogRecord<'a>> for Entry<'a> {
    fn from(record: LogRecord<'a>) -> Self {
        Self::Request(record)
    }
}
