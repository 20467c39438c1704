//! The places of the simulated world: the segment, its resolver and proxies, and the hosts outside.
//!
//! Nothing real is pointed at: well-known services keep their names but stand at addresses reserved
//! for benchmarks (RFC 2544, RFC 5180), and attackers have names and addresses reserved for
//! documentation (RFC 2606, RFC 6761, RFC 5737, RFC 3849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::wire::tcp::Link;

/// The ranges of the segment that holds executors.
pub const SEGMENT_RANGES: [&str; 2] = ["10.20.0.0/16", "fd00:20::/64"];

/// The private ranges where the resolver, the proxies and the internal services stand.
pub const SERVICE_RANGES: [&str; 2] = ["10.10.0.0/16", "fd00:10::/64"];

/// The proxies, and the port of the first that looks into TLS.
pub(crate) const SQUID: SocketAddr = v4(10, 10, 0, 10, 3128);
pub(crate) const SQUID_BUMP: SocketAddr = v4(10, 10, 0, 10, 3129);
pub(crate) const ENVOY: SocketAddr = v4(10, 10, 0, 11, 10_000);

/// An internal API, reached without a proxy.
pub(crate) const INTERNAL_API: Ipv4Addr = Ipv4Addr::new(10, 10, 4, 20);

/// Between the starts of two full segments: executors share their uplink and get 100 Mbit/s each.
const PER_SEGMENT: Duration = Duration::from_micros(120);

const fn v4(a: u8, b: u8, c: u8, d: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

/// The resolver for clients of one address family.
pub(crate) const fn resolver(v6: bool) -> SocketAddr {
    if v6 {
        SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x53)), 53)
    } else {
        v4(10, 10, 0, 53, 53)
    }
}

/// The address of executor number `number` (from 1) in the block number `block` of the segment:
/// each scenario has its own, so that all of them can be looked at together.
pub(crate) fn executor_address(block: u16, number: u16, v6: bool) -> IpAddr {
    let place = (u32::from(block) * BLOCK + u32::from(number)) % PLACES + LEFT_FREE;
    let place = place as u16;
    if v6 {
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0x20, 0, 0, 0, 0, 0, place))
    } else {
        let [high, low] = place.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, 20, high, low))
    }
}

/// Addresses of a block. A scenario that needs more goes on into the next one.
const BLOCK: u32 = 2_000;

/// The first addresses are left to the router and its like; then come those of executors.
const LEFT_FREE: u32 = 10;
const PLACES: u32 = 65_000;

/// A host outside the segment.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// The names that it is an alias of, in the order of the chain.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    pub(crate) round_trip: Duration,
}

/// A well-known service, at a benchmark address that its name decides.
pub(crate) fn public(name: &str) -> Host {
    let hash = name_hash(name);
    // 198.18.0.0/15 holds 17 bits of hosts; 2001:2::/48 holds more than enough.
    let place = 0xc612_0000 | (hash as u32 & 0x1_ffff);
    Host {
        name: name.to_owned(),
        aliases: &[],
        v4: Ipv4Addr::from(place),
        v6: Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, (hash >> 16) as u16, hash as u16),
        // From the nearest edge of a content network to the other coast.
        round_trip: Duration::from_micros(4_000 + (hash >> 32) % 36_000),
    }
}

/// An attacker's host, at documentation address number `number`.
pub(crate) fn hostile(name: &str, number: u8) -> Host {
    let nets = [Ipv4Addr::new(192, 0, 2, 0), Ipv4Addr::new(198, 51, 100, 0)];
    let [a, b, c, _] = match number {
        0..128 => Ipv4Addr::new(203, 0, 113, 0).octets(),
        _ => nets[usize::from(number & 1)].octets(),
    };
    Host {
        v4: Ipv4Addr::new(a, b, c, number),
        v6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)),
        ..public(name)
    }
}

/// A service of one's own, beside the proxies.
pub(crate) fn internal(name: &str, address: Ipv4Addr) -> Host {
    Host { v4: address, round_trip: Duration::from_micros(600), ..public(name) }
}

impl Host {
    /// The same host as the end of a chain of aliases.
    pub(crate) fn behind(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Whether it has no name: then it is called by its address.
    pub(crate) fn is_address(&self) -> bool {
        self.name.parse::<IpAddr>().is_ok()
    }

    /// Its address in one family.
    pub(crate) fn address(&self, v6: bool) -> IpAddr {
        if v6 { IpAddr::V6(self.v6) } else { IpAddr::V4(self.v4) }
    }

    /// The path to it.
    pub(crate) fn link(&self) -> Link {
        Link { round_trip: self.round_trip, per_segment: PER_SEGMENT }
    }
}

/// The path to a proxy in the next rack.
pub(crate) fn proxy_link() -> Link {
    Link { round_trip: Duration::from_micros(450), per_segment: PER_SEGMENT }
}

/// FNV-1a, 64 bits: addresses and delays must be the same in every build.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
