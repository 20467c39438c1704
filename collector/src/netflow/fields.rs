//! What the fields of records mean.
//!
//! Numbers are IANA's (registry "IPFIX Information Elements"), which NetFlow v9 shares up to 127
//! and its exporters use beyond. Only what egret makes use of is named here.

use super::wire::Version;

/// The enterprise number that turns a field around: the reverse direction of a biflow (RFC 5103).
const REVERSE: u32 = 29_305;

/// nProbe's own fields (ntop). In v9 they are numbered from 57,472 on.
const NTOP: u32 = 35_632;
const NTOP_V9_BASE: u16 = 57_472;

/// Citrix NetScaler.
const NETSCALER: u32 = 5_951;

/// What a field means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    Other,
    Octets,
    Packets,
    TotalOctets,
    TotalPackets,
    /// Bytes of payload, in flow records that know who began.
    InitiatorOctets,
    ResponderOctets,
    InitiatorPackets,
    ResponderPackets,
    ReverseOctets,
    ReversePackets,
    ReverseTcpFlags,
    Protocol,
    TcpFlags,
    SourcePort,
    DestinationPort,
    SourceV4,
    DestinationV4,
    SourceV6,
    DestinationV6,
    IpVersion,
    /// Milliseconds of the exporter's uptime.
    FirstUptime,
    LastUptime,
    FirstSeconds,
    LastSeconds,
    FirstMilliseconds,
    LastMilliseconds,
    /// NTP timestamps (RFC 7011, section 6.1.9).
    FirstNtp,
    LastNtp,
    /// Microseconds before the export.
    FirstAgo,
    LastAgo,
    DurationMilliseconds,
    DurationMicroseconds,
    ObservedSeconds,
    ObservedMilliseconds,
    /// When the exporter came up, in milliseconds since 1970.
    BootMilliseconds,
    EndReason,
    Direction,
    ForwardingStatus,
    FirewallEvent,
    /// One in how many packets is looked at.
    SamplingInterval,
    SamplingPackets,
    SamplingSpace,
    Sampler,
    HttpHost,
    TlsName,
}

/// The meaning of field `id` of `enterprise` (0: none).
pub(super) fn meaning(version: Version, enterprise: u32, id: u16) -> Meaning {
    match (version, enterprise, id) {
        (Version::Ipfix, 0, id) => standard(id),
        (Version::Ipfix, REVERSE, id) => reverse(id),
        (Version::Ipfix, NTOP, id) => ntop(id),
        (Version::Ipfix, NETSCALER, 142) => Meaning::HttpHost,
        (Version::Ipfix, _, _) => Meaning::Other,
        (_, _, id @ NTOP_V9_BASE..) => ntop(id - NTOP_V9_BASE),
        // Cisco ASA before it took the standard's number.
        (_, _, 40_005) => Meaning::FirewallEvent,
        (_, _, id) => standard(id),
    }
}

fn standard(id: u16) -> Meaning {
    match id {
        1 => Meaning::Octets,
        2 => Meaning::Packets,
        4 => Meaning::Protocol,
        6 => Meaning::TcpFlags,
        7 | 180 | 182 => Meaning::SourcePort,
        8 => Meaning::SourceV4,
        11 | 181 | 183 => Meaning::DestinationPort,
        12 => Meaning::DestinationV4,
        21 => Meaning::LastUptime,
        22 => Meaning::FirstUptime,
        27 => Meaning::SourceV6,
        28 => Meaning::DestinationV6,
        34 | 50 => Meaning::SamplingInterval,
        48 | 302 => Meaning::Sampler,
        60 => Meaning::IpVersion,
        61 => Meaning::Direction,
        85 => Meaning::TotalOctets,
        86 => Meaning::TotalPackets,
        89 => Meaning::ForwardingStatus,
        136 => Meaning::EndReason,
        150..=162 => time(id),
        231 => Meaning::InitiatorOctets,
        232 => Meaning::ResponderOctets,
        233 => Meaning::FirewallEvent,
        298 => Meaning::InitiatorPackets,
        299 => Meaning::ResponderPackets,
        305 => Meaning::SamplingPackets,
        306 => Meaning::SamplingSpace,
        322 => Meaning::ObservedSeconds,
        323 => Meaning::ObservedMilliseconds,
        460 => Meaning::HttpHost,
        _ => Meaning::Other,
    }
}

fn time(id: u16) -> Meaning {
    match id {
        150 => Meaning::FirstSeconds,
        151 => Meaning::LastSeconds,
        152 => Meaning::FirstMilliseconds,
        153 => Meaning::LastMilliseconds,
        154 | 156 => Meaning::FirstNtp,
        155 | 157 => Meaning::LastNtp,
        158 => Meaning::FirstAgo,
        159 => Meaning::LastAgo,
        160 => Meaning::BootMilliseconds,
        161 => Meaning::DurationMilliseconds,
        162 => Meaning::DurationMicroseconds,
        _ => Meaning::Other,
    }
}

fn reverse(id: u16) -> Meaning {
    match id {
        1 | 85 => Meaning::ReverseOctets,
        2 | 86 => Meaning::ReversePackets,
        6 => Meaning::ReverseTcpFlags,
        _ => Meaning::Other,
    }
}

fn ntop(id: u16) -> Meaning {
    match id {
        187 => Meaning::HttpHost,
        188 => Meaning::TlsName,
        _ => Meaning::Other,
    }
}
