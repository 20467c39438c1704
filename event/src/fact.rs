//! One observed egress fact.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Attribution, Destination, EventId, Timestamp};

/// One observed egress fact: who, where to, when, how much, whether it was let through, and
/// what kind of fact it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// A hash of what the event is about: the same input gives the same id.
    pub id: EventId,
    /// When it was observed, by the clock of whoever observed it. For intervals, their end.
    pub at: Timestamp,
    /// The configured name of the source that observed it.
    pub source: SmolStr,
    /// Who caused it.
    pub origin: Arc<Attribution>,
    /// The executor's address and port. Port 0 where there is none or it is not known.
    pub client: (IpAddr, u16),
    /// Where it went.
    pub destination: Destination,
    /// Whether it was let through.
    pub verdict: Verdict,
    /// What the executor sent.
    pub up: Volume,
    /// What came back.
    pub down: Volume,
    /// The fact itself.
    pub fact: Fact,
}

/// How much went one way in the time that an event covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Volume {
    /// Bytes of payload (TCP or UDP payload, or what a proxy counted). `None`: not known from
    /// this event, which is not the same as zero.
    pub bytes: Option<u64>,
    /// Bytes from the network header on, as on the wire. `None` for logs.
    pub wire_bytes: Option<u64>,
    /// Packets. `None` for logs.
    pub packets: Option<u32>,
}

impl Volume {
    /// Not known from this event.
    pub const UNKNOWN: Self = Self { bytes: None, wire_bytes: None, packets: None };

    /// What a log says: bytes, and nothing of packets.
    pub const fn logged(bytes: u64) -> Self {
        Self { bytes: Some(bytes), wire_bytes: None, packets: None }
    }
}

/// Whether an attempt was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was, as far as could be seen.
    Allowed,
    /// It was not.
    Blocked(BlockReason),
}

impl Verdict {
    /// Whether the attempt was stopped.
    pub const fn is_blocked(self) -> bool {
        matches!(self, Self::Blocked(_))
    }
}

/// How an attempt was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BlockReason {
    /// A proxy refused it by rule.
    ProxyDenied,
    /// The first packet was answered by a TCP reset.
    Reset,
    /// A router or host answered that it cannot be reached (ICMP).
    Unreachable,
    /// Nothing answered.
    NoAnswer,
}

/// What kind of fact an event is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Part of a flow's life. The only packet-level fact that carries volume.
    Flow(FlowInterval),
    /// A DNS question and, if it was seen, its answer.
    Dns(Box<DnsExchange>),
    /// A TLS ClientHello.
    Tls(Box<TlsHello>),
    /// An HTTP request, seen on the wire or logged by a proxy (then it carries volume).
    Http(Box<HttpRequest>),
    /// Something that could not be seen.
    Gap(Gap),
}

/// Transport protocol of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Internet Control Message Protocol, version 4 or 6.
    Icmp,
    /// Any other IP protocol, by its number.
    Other(u8),
}

/// Part of a flow's life: from `from` to the event's `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowInterval {
    /// Joins the events of one flow.
    pub flow: u64,
    /// Which interval of the flow this is, from 0.
    pub number: u32,
    /// When the interval began.
    pub from: Timestamp,
    /// The transport protocol.
    pub transport: Transport,
    /// Whether the flow goes on after this interval, and if not, how it ended.
    pub phase: FlowPhase,
}

/// Whether a flow goes on after an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlowPhase {
    /// It goes on.
    Open,
    /// It was ended in order (both FIN).
    Finished,
    /// It was reset.
    Reset,
    /// Nothing was seen for the idle time.
    Idle,
    /// Pushed out of a full flow table.
    Evicted,
    /// The input ended.
    InputEnded,
}

/// A DNS question and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsExchange {
    /// The name asked for, as [`crate::clean_name`] writes it.
    pub name: SmolStr,
    /// The type asked for, by number (1 = A, 28 = AAAA, 16 = TXT).
    pub query_type: u16,
    /// Over TCP and not UDP.
    pub over_tcp: bool,
    /// The answer, if one was seen.
    pub resolution: Option<Resolution>,
}

/// A DNS answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resolution {
    /// Response code (0 = no error, 3 = no such name).
    pub code: u8,
    /// Addresses given, at most 16 kept.
    pub addresses: Vec<IpAddr>,
    /// The last name of the CNAME chain, if there was one.
    pub canonical: Option<SmolStr>,
    /// Bytes of the answer message.
    pub answer_bytes: u16,
}

/// What a TLS ClientHello says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsHello {
    /// The server name asked for.
    pub sni: Option<SmolStr>,
    /// The first application protocol offered (`h2`, `http/1.1`).
    pub alpn: Option<SmolStr>,
    /// JA4 fingerprint of the client.
    pub ja4: SmolStr,
    /// Highest version offered, as on the wire (0x0304 = TLS 1.3).
    pub version: u16,
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HttpRequest {
    /// Who saw it. A request on the wire is a detail of a flow; a logged one stands for itself.
    pub seen_by: SeenBy,
    /// The method, upper case as sent, at most 32 bytes.
    pub method: SmolStr,
    /// Path, without the query, at most 256 bytes. `None` for CONNECT or where it is not known.
    pub path: Option<SmolStr>,
    /// Bytes of the query string. It is not kept: it may hold secrets.
    pub query_bytes: Option<u32>,
    /// The User-Agent header, at most 256 bytes.
    pub user_agent: Option<SmolStr>,
    /// Status code answered, where it is known.
    pub status: Option<u16>,
    /// How long the request or tunnel lasted, in milliseconds, where it is known.
    pub duration_ms: Option<u64>,
    /// The proxy user, where the log names one.
    pub user: Option<SmolStr>,
    /// The TLS server name that the proxy saw inside a CONNECT tunnel, where it differs from the
    /// name that was asked for.
    pub sni: Option<SmolStr>,
}

/// Who saw an HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SeenBy {
    /// The packet capture. The flow's intervals carry the volume.
    Wire,
    /// A proxy that logged it. The event itself carries the volume, if the log has it.
    Proxy,
}

/// Something that could not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// How many packets, lines or bytes (by reason) were missed.
    pub count: u64,
    /// Since when. The event's `at` says until when.
    pub from: Timestamp,
}

/// Why something could not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Packets that the kernel dropped before the capture read them.
    KernelDrop,
    /// Events that were dropped because the queue behind the capture was full.
    QueueFull,
    /// Packets or lines that could not be understood.
    Malformed,
    /// Packets cut short by the capture's snapshot length.
    Truncated,
    /// Log lines over the limit.
    LineTooLong,
    /// A log file was cut short or replaced before all of it was read; the count is in bytes.
    LogLost,
    /// Flows pushed out of a full flow table.
    FlowTableFull,
    /// The collector was not running.
    Stopped,
}

impl Event {
    /// Bytes that the executor sent, where this event knows them.
    pub fn up_bytes(&self) -> Option<u64> {
        self.up.bytes
    }

    /// Whether this event counts as a contact: one attempt to reach the destination, as against
    /// a further interval of a flow or a detail (name, fingerprint) of one.
    pub fn is_contact(&self) -> bool {
        match &self.fact {
            Fact::Flow(flow) => flow.number == 0,
            Fact::Http(request) => request.seen_by == SeenBy::Proxy,
            Fact::Dns(_) | Fact::Tls(_) | Fact::Gap(_) => false,
        }
    }
}
