//! Which segment holds an address: a longest-prefix match.

use std::net::IpAddr;

use egret_event::SmolStr;
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::{SEED, Segment, UNASSIGNED_SEGMENT};

/// What counts as private without a configuration: RFC 1918, carrier-grade NAT (RFC 6598),
/// IPv4 link-local (RFC 3927), unique local (RFC 4193), IPv6 link-local (RFC 4291).
const PRIVATE_RANGES: [&str; 7] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

/// Maps addresses to segments. Fixed once made.
#[derive(Debug)]
pub(super) struct SegmentMap {
    ranges: HashMap<IpNet, SmolStr, FixedState>,
    /// Prefix lengths that occur, longest first: a look-up tries one range of each.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
    /// The segment of every other address. Such addresses are attributed but not watched.
    elsewhere: Option<SmolStr>,
}

impl SegmentMap {
    pub(super) fn configured(segments: Vec<Segment>) -> Self {
        let mut ranges = HashMap::with_hasher(FixedState::with_seed(SEED));
        for segment in segments {
            for range in segment.ranges {
                ranges.entry(range.trunc()).or_insert_with(|| segment.name.clone());
            }
        }
        let lengths = |wanted: fn(&IpNet) -> bool| {
            let mut lengths: Vec<u8> =
                ranges.keys().filter(|range| wanted(range)).map(IpNet::prefix_len).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            lengths
        };
        Self {
            lengths_v4: lengths(|range| matches!(range, IpNet::V4(_))),
            lengths_v6: lengths(|range| matches!(range, IpNet::V6(_))),
            ranges,
            elsewhere: None,
        }
    }

    pub(super) fn any_initiator() -> Self {
        let ranges = PRIVATE_RANGES.iter().filter_map(|range| range.parse().ok()).collect();
        let private = Segment { name: SmolStr::new_static("private"), ranges };
        Self { elsewhere: Some(SmolStr::new_static("public")), ..Self::configured(vec![private]) }
    }

    /// The segment of `address`, if it has one.
    pub(super) fn of(&self, address: IpAddr) -> Option<&SmolStr> {
        self.configured_for(address).or(self.elsewhere.as_ref())
    }

    /// The segment of an executor at `address`, which is named and so always has one.
    pub(super) fn or_unassigned(&self, address: IpAddr) -> SmolStr {
        self.of(address).cloned().unwrap_or(SmolStr::new_static(UNASSIGNED_SEGMENT))
    }

    /// Whether a range holds `address`.
    pub(super) fn watches(&self, address: IpAddr) -> bool {
        self.configured_for(address).is_some()
    }

    fn configured_for(&self, address: IpAddr) -> Option<&SmolStr> {
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        lengths.iter().find_map(|length| {
            let range = IpNet::new(address, *length).ok()?.trunc();
            self.ranges.get(&range)
        })
    }
}
