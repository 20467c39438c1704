//! Bodies of version 1, as egret 0.1 wrote them: read for ever, never written again.
//!
//! Structs that have changed since are kept here as they were. Enums that have only grown at their
//! end are shared with today's types: postcard knows variants by number, and the golden file
//! `packed_events_v1.txt` holds that the numbers stay.

use std::net::IpAddr;

use egret_event::{
    DnsExchange, Fact, FlowInterval, FlowPhase, Gap, HttpRequest, NameSource, Resolution, SeenBy,
    SmolStr, Timestamp, TlsCarrier, TlsHello, Transport, Verdict, Volume,
};
use serde::Deserialize;

use super::{Body, Host};

#[derive(Deserialize)]
pub(super) struct BodyV1 {
    client: (IpAddr, u16),
    host: Host<SmolStr>,
    named_by: Option<NameSource>,
    address: Option<IpAddr>,
    port: u16,
    verdict: Verdict,
    up: Volume,
    down: Volume,
    fact: FactV1,
}

#[derive(Deserialize)]
enum FactV1 {
    Flow(FlowIntervalV1),
    Dns(Box<DnsExchangeV1>),
    Tls(Box<TlsHelloV1>),
    Http(Box<HttpRequestV1>),
    Gap(Gap),
}

#[derive(Deserialize)]
struct FlowIntervalV1 {
    flow: u64,
    number: u32,
    from: Timestamp,
    transport: Transport,
    phase: FlowPhase,
}

#[derive(Deserialize)]
struct DnsExchangeV1 {
    name: SmolStr,
    query_type: u16,
    over_tcp: bool,
    resolution: Option<ResolutionV1>,
}

#[derive(Deserialize)]
struct ResolutionV1 {
    code: u8,
    addresses: Vec<IpAddr>,
    canonical: Option<SmolStr>,
    answer_bytes: u16,
}

#[derive(Deserialize)]
struct TlsHelloV1 {
    sni: Option<SmolStr>,
    alpn: Option<SmolStr>,
    ja4: SmolStr,
    version: u16,
}

#[derive(Deserialize)]
struct HttpRequestV1 {
    seen_by: SeenBy,
    method: SmolStr,
    path: Option<SmolStr>,
    query_bytes: Option<u32>,
    user_agent: Option<SmolStr>,
    status: Option<u16>,
    duration_ms: Option<u64>,
    user: Option<SmolStr>,
    sni: Option<SmolStr>,
}

impl From<BodyV1> for Body {
    fn from(old: BodyV1) -> Self {
        Self {
            client: old.client,
            host: old.host,
            named_by: old.named_by,
            address: old.address,
            port: old.port,
            verdict: old.verdict,
            up: old.up,
            down: old.down,
            also_seen_by: None,
            fact: old.fact.into(),
        }
    }
}

impl From<FactV1> for Fact {
    fn from(old: FactV1) -> Self {
        match old {
            FactV1::Flow(flow) => Self::Flow(flow.into()),
            FactV1::Dns(dns) => Self::Dns(Box::new((*dns).into())),
            FactV1::Tls(hello) => Self::Tls(Box::new((*hello).into())),
            FactV1::Http(request) => Self::Http(Box::new((*request).into())),
            FactV1::Gap(gap) => Self::Gap(gap),
        }
    }
}

impl From<FlowIntervalV1> for FlowInterval {
    fn from(old: FlowIntervalV1) -> Self {
        Self {
            flow: old.flow,
            number: old.number,
            from: old.from,
            transport: old.transport,
            phase: old.phase,
            protocol: None,
        }
    }
}

impl From<DnsExchangeV1> for DnsExchange {
    fn from(old: DnsExchangeV1) -> Self {
        Self {
            name: old.name,
            query_type: old.query_type,
            over_tcp: old.over_tcp,
            edns_bytes: None,
            resolution: old.resolution.map(Into::into),
            sensitive: Vec::new(),
        }
    }
}

impl From<ResolutionV1> for Resolution {
    fn from(old: ResolutionV1) -> Self {
        Self {
            code: old.code,
            addresses: old.addresses,
            aliases: old.canonical.into_iter().collect(),
            services: Vec::new(),
            answer_bytes: old.answer_bytes,
        }
    }
}

impl From<TlsHelloV1> for TlsHello {
    fn from(old: TlsHelloV1) -> Self {
        // JA4's first letter is what carried the hello; version 1 knew TCP and QUIC only.
        let carrier = if old.ja4.starts_with('q') { TlsCarrier::Quic } else { TlsCarrier::Tcp };
        Self {
            sni: old.sni,
            alpn: old.alpn,
            ja4: old.ja4,
            version: old.version,
            carrier,
            ech: false,
        }
    }
}

impl From<HttpRequestV1> for HttpRequest {
    fn from(old: HttpRequestV1) -> Self {
        Self {
            seen_by: old.seen_by,
            method: old.method,
            path: old.path,
            query_bytes: old.query_bytes,
            user_agent: old.user_agent,
            status: old.status,
            duration_ms: old.duration_ms,
            user: old.user,
            sni: old.sni,
            content_type: None,
            body_bytes: None,
            sensitive: Vec::new(),
        }
    }
}
