//! One observed egress fact.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Attribution, Destination, EventId, Sensitive, Timestamp};

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
    /// A second source that observed the same egress, where the two were joined into one event.
    pub also_seen_by: Option<SmolStr>,
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
    /// Bytes of payload (TCP or UDP payload without repetitions, or what a proxy counted). `None`:
    /// not known from this event, which is not the same as zero.
    pub bytes: Option<u64>,
    /// Bytes from the network header on, as on the wire, repetitions included. `None` for logs.
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
    /// A certificate that a TLS server showed.
    Certificate(Box<ServerCertificate>),
    /// Two observers do not agree.
    Contradiction(Box<Contradiction>),
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
    /// What is spoken, by what the bytes say and not by the port. `None`: not recognized, or not
    /// seen.
    pub protocol: Option<Protocol>,
}

/// A protocol above the transport, recognized by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Transport Layer Security over TCP.
    Tls,
    /// QUIC.
    Quic,
    /// TLS over datagrams.
    Dtls,
    /// HTTP/1.
    Http,
    /// HTTP/2 without TLS.
    Http2,
    /// DNS.
    Dns,
    /// DNS inside TLS.
    DnsOverTls,
    /// DNS inside HTTPS: TLS to an endpoint that is known to answer it.
    DnsOverHttps,
    /// Secure Shell.
    Ssh,
    /// Mail submission and transfer.
    Smtp,
    /// File transfer, the control connection.
    Ftp,
    /// Internet Relay Chat.
    Irc,
    /// BitTorrent, over TCP or UDP.
    BitTorrent,
    /// A Tor relay, by what its TLS shows.
    Tor,
    /// WireGuard.
    WireGuard,
    /// Network Time Protocol.
    Ntp,
    /// Session traversal (STUN, TURN).
    Stun,
    /// SOCKS 4 or 5.
    Socks,
    /// DNS inside QUIC.
    DnsOverQuic,
    /// Mail access (IMAP).
    Imap,
    /// Mail access (POP3).
    Pop3,
    /// Messaging and presence (XMPP).
    Xmpp,
    /// Session Initiation Protocol.
    Sip,
    /// Real Time Streaming Protocol.
    Rtsp,
    /// Remote Desktop Protocol.
    Rdp,
    /// Remote Framebuffer (VNC).
    Vnc,
    /// Telnet.
    Telnet,
    /// Server Message Block, version 1 to 3.
    Smb,
    /// The rsync daemon's protocol.
    Rsync,
    /// The git daemon's protocol.
    Git,
    /// Trivial File Transfer Protocol.
    Tftp,
    /// Lightweight Directory Access Protocol.
    Ldap,
    /// Simple Network Management Protocol.
    Snmp,
    /// MySQL and MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgresql,
    /// Microsoft SQL Server (TDS).
    Mssql,
    /// MongoDB.
    Mongodb,
    /// Redis and its kin (RESP).
    Redis,
    /// Message Queuing Telemetry Transport.
    Mqtt,
    /// Advanced Message Queuing Protocol.
    Amqp,
    /// NATS.
    Nats,
    /// OpenVPN.
    OpenVpn,
    /// IPsec key exchange, and ESP in UDP.
    Ike,
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
    /// The size of answers that the client takes over UDP, if it says so (EDNS, RFC 6891).
    pub edns_bytes: Option<u16>,
    /// The answer, if one was seen.
    pub resolution: Option<Resolution>,
    /// Secrets that the name carried; hardly ever any.
    #[serde(default)]
    pub sensitive: Vec<Sensitive>,
}

/// A DNS answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resolution {
    /// Response code (0 = no error, 3 = no such name).
    pub code: u8,
    /// Addresses given, at most 16 kept.
    pub addresses: Vec<IpAddr>,
    /// The CNAME chain in its order, at most 8 names kept; the last is the canonical name.
    pub aliases: Vec<SmolStr>,
    /// HTTPS and SVCB records (RFC 9460), at most 4 kept.
    pub services: Vec<ServiceBinding>,
    /// Bytes of the answer message.
    pub answer_bytes: u16,
}

impl Resolution {
    /// The last name of the CNAME chain, if there was one.
    pub fn canonical(&self) -> Option<&SmolStr> {
        self.aliases.last()
    }
}

/// What an HTTPS or SVCB record says of how to reach a service (RFC 9460).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceBinding {
    /// The host to go to. `None`: the name asked for itself.
    pub target: Option<SmolStr>,
    /// Application protocols offered, at most 8 kept.
    pub alpn: Vec<SmolStr>,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
    /// Whether it holds a key for encrypted client hellos.
    pub ech: bool,
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
    /// Highest version offered, as on the wire (0x0304 = TLS 1.3; 0xfefd = DTLS 1.2).
    pub version: u16,
    /// What carried it.
    pub carrier: TlsCarrier,
    /// Whether there was an encrypted hello inside (RFC 9849): then `sni` is the public name and
    /// the true one is hidden. Clients send a made-up one (GREASE) where they have no key, and
    /// nothing tells the two apart, so this alone is no sign of anything.
    pub ech: bool,
}

/// What carries a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TlsCarrier {
    /// TCP.
    Tcp,
    /// QUIC.
    Quic,
    /// Datagrams (DTLS).
    Dtls,
}

/// The certificate that a server showed for itself, where it could be seen: up to TLS 1.2, or in
/// another sensor's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerCertificate {
    /// The server name that the client had asked for.
    pub sni: Option<SmolStr>,
    /// The subject, as in RFC 4514, at most 256 bytes.
    pub subject: SmolStr,
    /// The issuer, likewise.
    pub issuer: SmolStr,
    /// DNS names and addresses that it is for, at most 16 kept.
    pub names: Vec<SmolStr>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The public key's kind and size (`rsa 2048`, `ec 256`, `ed25519`).
    pub key: SmolStr,
    /// SHA-256 of the certificate, in hexadecimal. `None` where only a log tells of it.
    pub sha256: Option<SmolStr>,
    /// Certificates in the chain shown, this one included. 0: not known.
    pub chain: u8,
    /// Whether issuer and subject are the same.
    pub self_signed: bool,
    /// Whether it is for the name asked for. `None`: no name was asked for.
    pub name_matches: Option<bool>,
}

/// Two observers tell different stories of the same egress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contradiction {
    /// What they differ about.
    pub about: ContradictionKind,
    /// The first observer: a source, or what named an executor.
    pub one: SmolStr,
    /// What it says.
    pub one_says: SmolStr,
    /// The second observer.
    pub other: SmolStr,
    /// What that one says.
    pub other_says: SmolStr,
}

/// What two observers differ about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContradictionKind {
    /// Who an address belonged to.
    Executor,
    /// The name asked of the proxy and the name in the TLS session inside the tunnel.
    ConnectAndSni,
    /// How much was sent: the proxy logged less than the wire carried.
    ProxySawLess,
    /// The executor uses a proxy, and this went past it.
    AroundProxy,
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
    /// The media type of the request's body, at most 128 bytes.
    pub content_type: Option<SmolStr>,
    /// Bytes of the request's body, as announced (Content-Length) or counted. `None`: not known.
    pub body_bytes: Option<u64>,
    /// Secrets that were in it, as far as it could be read; hardly ever any.
    #[serde(default)]
    pub sensitive: Vec<Sensitive>,
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
    /// Another sensor that logged it (Zeek, Suricata). As with a proxy, the event itself carries
    /// the volume.
    Sensor,
}

impl SeenBy {
    /// Whether the request stands for itself, and is no detail of a captured flow.
    pub const fn is_logged(self) -> bool {
        matches!(self, Self::Proxy | Self::Sensor)
    }
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
    /// Bytes of TCP streams that were acknowledged and never seen: the tap or the network before
    /// it lost them.
    MissedBytes,
    /// Records that an exporter numbered and that never arrived.
    SequenceHole,
    /// The source has been quiet for much longer than it usually is; the count is in seconds.
    Quiet,
    /// Packets that another sensor says it lost (Zeek's capture_loss, Suricata's stats).
    SensorLoss,
    /// Flow records of a layout (template) that the exporter has not told yet.
    NoTemplate,
}

impl GapReason {
    /// The word used in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::KernelDrop => "kernel_drop",
            Self::QueueFull => "queue_full",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::LineTooLong => "line_too_long",
            Self::LogLost => "log_lost",
            Self::FlowTableFull => "flow_table_full",
            Self::Stopped => "stopped",
            Self::MissedBytes => "missed_bytes",
            Self::SequenceHole => "sequence_hole",
            Self::Quiet => "quiet",
            Self::SensorLoss => "sensor_loss",
            Self::NoTemplate => "no_template",
        }
    }
}

impl Event {
    /// Secrets that were found in what was sent.
    pub fn sensitive(&self) -> &[Sensitive] {
        match &self.fact {
            Fact::Http(request) => &request.sensitive,
            Fact::Dns(asked) => &asked.sensitive,
            _ => &[],
        }
    }

    /// Bytes that the executor sent, where this event knows them.
    pub fn up_bytes(&self) -> Option<u64> {
        self.up.bytes
    }

    /// Whether this event counts as a contact: one attempt to reach the destination, as against
    /// a further interval of a flow or a detail (name, fingerprint) of one.
    pub fn is_contact(&self) -> bool {
        match &self.fact {
            Fact::Flow(flow) => flow.number == 0,
            Fact::Http(request) => request.seen_by.is_logged(),
            Fact::Dns(_)
            | Fact::Tls(_)
            | Fact::Gap(_)
            | Fact::Certificate(_)
            | Fact::Contradiction(_) => false,
        }
    }
}
