//! One flow record, from any of the three versions, in one form.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use egret_event::{NameSource, Timestamp};

use super::fields::Meaning;
use super::template::Template;
use super::wire::{Header, V5_RECORD, Version, number, word};

/// What a flow record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it lay in its datagram, in bytes: it tells the records of one datagram apart.
    pub offset: u32,
    /// The sender of what was counted, and the receiver; ports are 0 where there are none.
    pub source: (IpAddr, u16),
    /// The receiver.
    pub destination: (IpAddr, u16),
    /// IP protocol number.
    pub protocol: u8,
    /// TCP flags of all packets together.
    pub tcp_flags: Option<u8>,
    /// When the first packet was seen, and the last.
    pub first: Timestamp,
    /// When the last packet was seen.
    pub last: Timestamp,
    /// What the source sent.
    pub sent: Counts,
    /// What the destination sent, in records that count both (biflows).
    pub answered: Option<Counts>,
    /// TCP flags of the destination's packets, in biflows.
    pub answer_flags: Option<u8>,
    /// Whether counts are of the whole flow so far, and not of what is new.
    pub is_total: bool,
    /// Whether the exporter says that the source began the flow.
    pub source_began: bool,
    /// One in how many packets was looked at; counts have been multiplied by it.
    pub sampling: u32,
    /// Why the record was exported (IPFIX `flowEndReason`).
    pub end_reason: Option<u8>,
    /// 0: seen on its way into the exporter, 1: on its way out.
    pub direction: Option<u8>,
    /// Whether the exporter did not let it through.
    pub is_denied: bool,
    /// The name of the destination, where the exporter looked inside.
    pub host: Option<(Box<[u8]>, NameSource)>,
}

/// How much was sent one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes from the network header on.
    pub octets: Option<u64>,
    /// Packets.
    pub packets: Option<u64>,
    /// Bytes of payload, where the exporter counts those.
    pub payload: Option<u64>,
}

impl Counts {
    fn times(self, sampling: u32) -> Self {
        let times = |count: Option<u64>| count.map(|n| n.saturating_mul(u64::from(sampling)));
        Self {
            octets: times(self.octets),
            packets: times(self.packets),
            payload: times(self.payload),
        }
    }

    fn is_known(self) -> bool {
        self != Self::default()
    }
}

/// Longest name kept, in bytes: no host name is longer.
const MAX_HOST_BYTES: usize = 255;

/// A flow's times are believed when they are not further than this from the export.
const BELIEVABLE: Duration = Duration::from_secs(86_400);

/// Events of Cisco ASA's firewall that tell of a flow let through and not yet counted: created.
const FIREWALL_CREATED: u64 = 1;
const FIREWALL_DENIED: u64 = 3;

/// The two high bits of `forwardingStatus` that say "dropped" (RFC 7270, section 4.12).
const STATUS_DROPPED: u64 = 0b10;

/// What options records say of sampling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sampling {
    /// The sampler that it is about; 0: all that is exported.
    pub(super) sampler: u64,
    /// One in how many.
    pub(super) one_in: u32,
}

/// The fields of a record as they come.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    v4: [Option<Ipv4Addr>; 2],
    v6: [Option<Ipv6Addr>; 2],
    ip_version: u64,
    ports: [u16; 2],
    protocol: u8,
    flags: [Option<u8>; 2],
    sent: Counts,
    total: Counts,
    answered: Counts,
    first: Option<Moment>,
    last: Option<Moment>,
    duration: Duration,
    observed: Option<Timestamp>,
    boot_ms: Option<u64>,
    end_reason: Option<u8>,
    direction: Option<u8>,
    forwarding: u64,
    firewall: Option<u64>,
    interval: Option<u64>,
    sampled: u64,
    skipped: u64,
    sampler: Option<u64>,
    began: bool,
    host: Option<(&'a [u8], NameSource)>,
}

/// A time in one of the ways in which exporters tell it.
#[derive(Debug, Clone, Copy)]
enum Moment {
    At(Timestamp),
    UptimeMs(u32),
    /// Microseconds before the export.
    Ago(u64),
}

/// Cuts the next record off `rest` and gathers what it says, with its length.
pub(super) fn gather<'a>(template: &Template, rest: &'a [u8]) -> Option<(Gathered<'a>, usize)> {
    let mut gathered = Gathered::default();
    let length = template.read(rest, |meaning, bytes| gathered.take(meaning, bytes))?;
    Some((gathered, length))
}

impl<'a> Gathered<'a> {
    fn take(&mut self, meaning: Meaning, bytes: &'a [u8]) {
        let n = || number(bytes);
        let port = || if bytes.len() == 2 { number(bytes) as u16 } else { 0 };
        match meaning {
            Meaning::Octets => self.sent.octets = Some(n()),
            Meaning::Packets => self.sent.packets = Some(n()),
            Meaning::TotalOctets => self.total.octets = Some(n()),
            Meaning::TotalPackets => self.total.packets = Some(n()),
            Meaning::Protocol => self.protocol = n() as u8,
            Meaning::TcpFlags => self.flags[0] = Some(n() as u8),
            Meaning::ReverseTcpFlags => self.flags[1] = Some(n() as u8),
            // Exporters give the ports of TCP and UDP apart, and leave one empty.
            Meaning::SourcePort => self.ports[0] = self.ports[0].max(port()),
            Meaning::DestinationPort => self.ports[1] = self.ports[1].max(port()),
            Meaning::SourceV4 => self.v4[0] = v4(bytes),
            Meaning::DestinationV4 => self.v4[1] = v4(bytes),
            Meaning::SourceV6 => self.v6[0] = v6(bytes),
            Meaning::DestinationV6 => self.v6[1] = v6(bytes),
            Meaning::IpVersion => self.ip_version = n(),
            Meaning::EndReason => self.end_reason = Some(n() as u8),
            Meaning::Direction => self.direction = Some(n() as u8),
            Meaning::ForwardingStatus => self.forwarding = n(),
            Meaning::FirewallEvent => self.firewall = Some(n()),
            Meaning::SamplingInterval => self.interval = Some(n()),
            Meaning::SamplingPackets => self.sampled = n(),
            Meaning::SamplingSpace => self.skipped = n(),
            Meaning::Sampler => self.sampler = Some(n()),
            Meaning::HttpHost => self.name(bytes, NameSource::HttpHost),
            Meaning::TlsName => self.name(bytes, NameSource::Sni),
            Meaning::Other => {}
            answer_or_time => self.take_answer(answer_or_time, bytes),
        }
    }

    fn take_answer(&mut self, meaning: Meaning, bytes: &[u8]) {
        let n = || number(bytes);
        match meaning {
            Meaning::ReverseOctets => self.answered.octets = Some(n()),
            Meaning::ReversePackets | Meaning::ResponderPackets => {
                self.answered.packets = Some(n());
            }
            Meaning::ResponderOctets => self.answered.payload = Some(n()),
            Meaning::InitiatorOctets => {
                self.sent.payload = Some(n());
                self.began = true;
            }
            Meaning::InitiatorPackets => {
                self.sent.packets = Some(n());
                self.began = true;
            }
            time => self.take_time(time, bytes),
        }
    }

    fn take_time(&mut self, meaning: Meaning, bytes: &[u8]) {
        let n = number(bytes);
        let ms = |n: u64| Timestamp::from_nanos((n as i64).saturating_mul(1_000_000));
        match meaning {
            Meaning::FirstUptime => self.first = Some(Moment::UptimeMs(n as u32)),
            Meaning::LastUptime => self.last = Some(Moment::UptimeMs(n as u32)),
            Meaning::FirstSeconds => self.first = Some(Moment::At(Timestamp::from_secs(n as i64))),
            Meaning::LastSeconds => self.last = Some(Moment::At(Timestamp::from_secs(n as i64))),
            Meaning::FirstMilliseconds => self.first = Some(Moment::At(ms(n))),
            Meaning::LastMilliseconds => self.last = Some(Moment::At(ms(n))),
            Meaning::FirstNtp => self.first = Some(Moment::At(ntp(n))),
            Meaning::LastNtp => self.last = Some(Moment::At(ntp(n))),
            Meaning::FirstAgo => self.first = Some(Moment::Ago(n)),
            Meaning::LastAgo => self.last = Some(Moment::Ago(n)),
            Meaning::DurationMilliseconds => self.duration = Duration::from_millis(n),
            Meaning::DurationMicroseconds => self.duration = Duration::from_micros(n),
            Meaning::ObservedSeconds => self.observed = Some(Timestamp::from_secs(n as i64)),
            Meaning::ObservedMilliseconds => self.observed = Some(ms(n)),
            Meaning::BootMilliseconds => self.boot_ms = Some(n),
            _ => {}
        }
    }

    /// Keeps the name of the destination; the one inside TLS is the better one.
    fn name(&mut self, bytes: &'a [u8], by: NameSource) {
        // Fields of fixed length are filled up with zeros.
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let name = &bytes[..end.min(MAX_HOST_BYTES)];
        if !name.is_empty() && (self.host.is_none() || by == NameSource::Sni) {
            self.host = Some((name, by));
        }
    }

    /// What an options record says of sampling, if it does.
    pub(super) fn sampling(&self) -> Option<Sampling> {
        let one_in = match (self.interval, self.sampled) {
            (Some(interval), _) => interval,
            (None, 0) => return None,
            (None, sampled) => (sampled.saturating_add(self.skipped)) / sampled,
        };
        let one_in = u32::try_from(one_in).unwrap_or(u32::MAX).max(1);
        Some(Sampling { sampler: self.sampler.unwrap_or(0), one_in })
    }

    /// When an options record says that the exporter came up, in milliseconds since 1970.
    pub(super) fn boot_ms(&self) -> Option<u64> {
        self.boot_ms
    }

    /// The flow that is told of; `None` where the record is about none, or it was not counted
    /// yet. `sampling_of` knows the rate of a sampler.
    pub(super) fn into_record(
        self,
        header: &Header,
        boot_ms: Option<u64>,
        offset: u32,
        sampling_of: impl FnOnce(Option<u64>) -> u32,
    ) -> Option<Record> {
        let (source, destination) = self.addresses()?;
        if self.firewall == Some(FIREWALL_CREATED) {
            return None;
        }
        let (first, last) = self.times(header, self.boot_ms.or(boot_ms));
        let is_total = !self.sent.is_known() && self.total.is_known();
        let sent = if is_total { self.total } else { self.sent };
        let sampling = self.sampling().map_or_else(|| sampling_of(self.sampler), |own| own.one_in);
        let has_ports = !matches!(self.protocol, 1 | 58);
        let port = |port: u16| if has_ports { port } else { 0 };
        Some(Record {
            offset,
            source: (source, port(self.ports[0])),
            destination: (destination, port(self.ports[1])),
            protocol: self.protocol,
            tcp_flags: self.flags[0],
            first,
            last,
            sent: sent.times(sampling),
            answered: self.answered.is_known().then(|| self.answered.times(sampling)),
            answer_flags: self.flags[1],
            is_total,
            source_began: self.began || self.answered.is_known(),
            sampling,
            end_reason: self.end_reason,
            direction: self.direction,
            is_denied: self.firewall == Some(FIREWALL_DENIED)
                || (self.forwarding & 0xff) >> 6 == STATUS_DROPPED,
            host: self.host.map(|(name, by)| (name.into(), by)),
        })
    }

    /// The addresses, of the version that the record says it is of, or that it fills in.
    fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let v4 = self.v4[0].zip(self.v4[1]).map(|(a, b)| (IpAddr::V4(a), IpAddr::V4(b)));
        let v6 = self.v6[0].zip(self.v6[1]).map(|(a, b)| (IpAddr::V6(a), IpAddr::V6(b)));
        match (self.ip_version, v4, v6) {
            (6, _, Some(v6)) => Some(v6),
            (4, Some(v4), _) => Some(v4),
            (_, Some(v4), Some(v6)) if v4.0.is_unspecified() && v4.1.is_unspecified() => Some(v6),
            (_, v4, v6) => v4.or(v6),
        }
    }

    /// When the flow began and ended. Times that cannot be are replaced by the export's.
    fn times(&self, header: &Header, boot_ms: Option<u64>) -> (Timestamp, Timestamp) {
        let at = |moment: Moment| match moment {
            Moment::At(at) => Some(at),
            Moment::Ago(us) => Some(header.exported - Duration::from_micros(us)),
            Moment::UptimeMs(ms) => from_uptime(ms, header, boot_ms),
        };
        let believable = |at: &Timestamp| {
            at.since(header.exported) <= BELIEVABLE && header.exported.since(*at) <= BELIEVABLE
        };
        let first = self.first.and_then(at).filter(believable);
        let last = self.last.and_then(at).or(self.observed).filter(believable);
        let last = last.or(first.map(|first| first + self.duration)).unwrap_or(header.exported);
        let first = first.unwrap_or(last - self.duration.min(BELIEVABLE));
        (first.min(last), last)
    }
}

/// A time told in milliseconds of uptime, which wraps after 49 days.
fn from_uptime(ms: u32, header: &Header, boot_ms: Option<u64>) -> Option<Timestamp> {
    if let Some(uptime_ms) = header.uptime_ms {
        let ago_ms = i64::from(uptime_ms.wrapping_sub(ms) as i32);
        return Some(Timestamp::from_nanos(
            header.exported.as_nanos().saturating_sub(ago_ms * 1_000_000),
        ));
    }
    let at_ms = i64::try_from(boot_ms?).ok()?.checked_add(i64::from(ms))?;
    Some(Timestamp::from_nanos(at_ms.saturating_mul(1_000_000)))
}

/// Seconds since 1900 and a binary fraction, as in NTP (RFC 7011, section 6.1.9).
fn ntp(bits: u64) -> Timestamp {
    /// From 1900 to 1970, in seconds (RFC 5905).
    const NTP_TO_UNIX: i64 = 2_208_988_800;
    let seconds = (bits >> 32) as i64 - NTP_TO_UNIX;
    let nanos = ((bits & 0xffff_ffff) * 1_000_000_000) >> 32;
    Timestamp::from_parts(seconds, nanos as i64)
}

fn v4(bytes: &[u8]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))
}

fn v6(bytes: &[u8]) -> Option<Ipv6Addr> {
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
}

/// A record of v5.
pub(super) fn fixed(record: &[u8; V5_RECORD], header: &Header, offset: u32) -> Option<Record> {
    debug_assert_eq!(header.version, Version::V5);
    let gathered = Gathered {
        v4: [v4(&record[..4]), v4(&record[4..8])],
        ports: [word(record, 32)?, word(record, 34)?],
        protocol: record[38],
        flags: [Some(record[37]), None],
        sent: Counts {
            packets: Some(number(&record[16..20])),
            octets: Some(number(&record[20..24])),
            payload: None,
        },
        first: Some(Moment::UptimeMs(number(&record[24..28]) as u32)),
        last: Some(Moment::UptimeMs(number(&record[28..32]) as u32)),
        ..Gathered::default()
    };
    gathered.into_record(header, None, offset, |_| header.sampling)
}
