//! What the records of an answer say: addresses, aliases, ways to reach a service.

use std::net::IpAddr;

use egret_event::{ServiceBinding, SmolStr, clean_name_bytes};

use super::{name, u16_at};

/// Most addresses kept of an answer.
const MAX_ADDRESSES: usize = 16;

/// Most names kept of a CNAME chain.
const MAX_ALIASES: usize = 8;

/// Most HTTPS and SVCB records kept of an answer.
const MAX_SERVICES: usize = 4;

/// Most application protocols kept of one such record.
const MAX_ALPN: usize = 8;

/// Record types (IANA, "Resource Record (RR) TYPEs").
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const OPT: u16 = 41;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;

/// Keys of service parameters (RFC 9460, section 14.3.2).
const ALPN: u16 = 1;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;

/// Class "Internet".
const INTERNET: u16 = 1;

/// What an answer says, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Response code, the part that EDNS adds included; at most 255.
    pub code: u8,
    /// Addresses given.
    pub addresses: Vec<IpAddr>,
    /// The CNAME chain, as in [`egret_event::Resolution`].
    pub aliases: Vec<SmolStr>,
    /// HTTPS and SVCB records, as in [`egret_event::Resolution`].
    pub services: Vec<ServiceBinding>,
    /// Addresses that those records say the service is at: clients go there without asking
    /// further.
    pub hints: Vec<IpAddr>,
    /// Longest time to live of the addresses and hints, in seconds.
    pub ttl_s: u32,
}

/// A resource record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    kind: u16,
    class: u16,
    ttl: u32,
    content: &'a [u8],
    /// Where the content starts in its message.
    start: usize,
}

impl<'a> Record<'a> {
    /// Reads the record at `at` and moves `at` behind it.
    pub(super) fn read(bytes: &'a [u8], at: &mut usize) -> Option<Self> {
        name::skip(bytes, at)?;
        let head: &[u8; 10] = bytes.get(*at..)?.first_chunk()?;
        let start = *at + head.len();
        let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let content = bytes.get(start..start + length)?;
        *at = start + length;
        Some(Self {
            kind: u16::from_be_bytes([head[0], head[1]]),
            class: u16::from_be_bytes([head[2], head[3]]),
            ttl: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            content,
            start,
        })
    }

    /// The size of answers that the sender takes, and the upper bits of the response code, where
    /// this is the pseudo-record of EDNS (RFC 6891, section 6.1.2).
    pub(super) fn edns(&self) -> Option<(u16, u8)> {
        (self.kind == OPT).then_some((self.class, (self.ttl >> 24) as u8))
    }
}

impl Answer {
    /// Takes in what a record of the answer section of message `bytes` says.
    pub(super) fn take(&mut self, bytes: &[u8], record: Record<'_>) {
        if record.class != INTERNET {
            return;
        }
        match record.kind {
            A | AAAA => {
                self.ttl_s = self.ttl_s.max(record.ttl);
                push(&mut self.addresses, address(record.content), MAX_ADDRESSES);
            }
            CNAME if self.aliases.len() < MAX_ALIASES => {
                self.aliases.extend(name::read(bytes, &mut { record.start }));
            }
            HTTPS | SVCB if self.services.len() < MAX_SERVICES => self.service(bytes, record),
            _ => {}
        }
    }

    fn service(&mut self, bytes: &[u8], record: Record<'_>) {
        let mut at = record.start + 2;
        let Some(target) = name::read(bytes, &mut at) else { return };
        let mut service = ServiceBinding {
            target: (!target.is_empty()).then_some(target),
            ..ServiceBinding::default()
        };
        let end = record.start + record.content.len();
        let mut parameters = bytes.get(at..end).unwrap_or_default();
        // What one parameter holds may be damaged without spoiling the others.
        while let Some((key, value, rest)) = parameter(parameters) {
            self.parameter(key, value, &mut service);
            parameters = rest;
        }
        self.ttl_s = self.ttl_s.max(record.ttl);
        self.services.push(service);
    }

    fn parameter(&mut self, key: u16, value: &[u8], service: &mut ServiceBinding) {
        match key {
            ALPN => service.alpn = application_protocols(value),
            PORT => service.port = u16_at(value, 0),
            ECH => service.ech = !value.is_empty(),
            IPV4_HINT => self.hints(value.chunks_exact(4)),
            IPV6_HINT => self.hints(value.chunks_exact(16)),
            _ => {}
        }
    }

    fn hints<'a>(&mut self, written: impl Iterator<Item = &'a [u8]>) {
        for bytes in written {
            push(&mut self.hints, address(bytes), MAX_ADDRESSES);
        }
    }
}

fn push(addresses: &mut Vec<IpAddr>, address: Option<IpAddr>, most: usize) {
    if addresses.len() < most {
        addresses.extend(address);
    }
}

/// An address of 4 or 16 bytes.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::from(v6).to_canonical()),
    }
}

/// The key, the value and what follows them.
fn parameter(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let (value, rest) = rest.split_at_checked(length)?;
    Some((u16::from_be_bytes([head[0], head[1]]), value, rest))
}

fn application_protocols(mut list: &[u8]) -> Vec<SmolStr> {
    let mut protocols = Vec::new();
    while let Some((length, rest)) = list.split_first()
        && let Some((protocol, rest)) = rest.split_at_checked(usize::from(*length))
        && protocols.len() < MAX_ALPN
    {
        protocols.push(clean_name_bytes(protocol));
        list = rest;
    }
    protocols
}
