//! P: what policy forbids. Rules, not estimates: they hold from the first event.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use egret_event::{Destination, Event, Fact, SmolStr, Transport};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::AnalyzerConfig;
use crate::domains::Domains;
use crate::incident::Severity;

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Rule {
    /// A cloud's metadata service, which hands out credentials.
    Metadata,
    /// Many private addresses and ports: somebody looks around.
    PrivateScan,
    /// Outside the allowlist.
    Outside,
    /// A private, loopback or link-local address.
    Private,
}

/// How often a rule was broken in a session at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleHits {
    pub(crate) rule: Rule,
    pub(crate) allowed: u32,
    pub(crate) blocked: u32,
}

/// Distinct private (address, port) pairs in one session that make it a scan. Egret's own
/// choice: an office computer needs about ten to log on to its domain.
pub(crate) const SCAN_TARGETS: u32 = 20;

/// Bytes sent to a private address that make it more than worth knowing. Egret's own choice.
const MUCH_FOR_PRIVATE: u64 = 64 << 10;

/// Bytes sent outside the allowlist that wake somebody. Egret's own choice.
const MUCH_OUTSIDE: u64 = 1 << 20;

impl RuleHits {
    /// How urgent it is, when `up_bytes` were sent.
    pub(crate) fn severity(&self, up_bytes: u64) -> Severity {
        let passed = self.allowed > 0;
        match self.rule {
            Rule::Metadata if passed => Severity::Critical,
            Rule::Metadata => Severity::Medium,
            Rule::PrivateScan => Severity::High,
            Rule::Outside if passed && up_bytes >= MUCH_OUTSIDE => Severity::Critical,
            Rule::Outside if passed => Severity::High,
            Rule::Private if passed && up_bytes >= MUCH_FOR_PRIVATE => Severity::Medium,
            Rule::Outside | Rule::Private => Severity::Low,
        }
    }
}

/// The policy, ready to be asked.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Domains allowed together with their subdomains. Empty: any.
    allow: Domains,
    allow_private: Vec<IpNet>,
}

impl Policy {
    /// The policy of a configuration. `*.example.org` means the same as `example.org`.
    pub(crate) fn of(config: &AnalyzerConfig) -> Self {
        let entry = |domain: &SmolStr| SmolStr::new(domain.trim_start_matches("*."));
        Self {
            allow: config.allow.iter().map(entry).collect(),
            allow_private: config.allow_private.clone(),
        }
    }

    /// The rule that a contact from the executor's `client_port` with this destination breaks.
    pub(crate) fn judge(
        &self,
        destination: &Destination,
        transport: Option<Transport>,
        client_port: u16,
    ) -> Option<Rule> {
        if is_metadata_service(destination) {
            return Some(Rule::Metadata);
        }
        if is_private(destination) {
            let answers_discovery =
                transport == Some(Transport::Udp) && DISCOVERY.contains(&client_port);
            let allowed = answers_discovery || self.is_allowed_private(destination, transport);
            return (!allowed).then_some(Rule::Private);
        }
        let name = destination.host.as_ref().unwrap_or(&destination.domain);
        (!self.is_allowed(name)).then_some(Rule::Outside)
    }

    fn is_allowed(&self, host: &str) -> bool {
        self.allow.is_empty() || self.allow.hold(host)
    }

    fn is_allowed_private(&self, destination: &Destination, transport: Option<Transport>) -> bool {
        /// DNS, DHCP, NTP, DNS over TLS, DHCPv6: every network offers them at private addresses.
        const INFRASTRUCTURE: [u16; 7] = [53, 67, 68, 123, 853, 546, 547];
        let Some(address) = destination.address else { return false };
        let neighbours = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
            && transport == Some(Transport::Icmp);
        neighbours
            || INFRASTRUCTURE.contains(&destination.port)
            || (transport == Some(Transport::Udp) && DISCOVERY.contains(&destination.port))
            || self.allow_private.iter().any(|range| range.contains(&address))
    }
}

/// NetBIOS names and datagrams, SSDP, WS-Discovery, mDNS, LLMNR: neighbours find each other by
/// them, over UDP.
const DISCOVERY: [u16; 6] = [137, 138, 1900, 3702, 5353, 5355];

/// Metadata services by address: AWS, Azure, GCP and others; AWS container credentials; AWS over
/// IPv6; Alibaba Cloud. Sources: the providers' documentation.
const METADATA_ADDRESSES: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

fn is_metadata_service(destination: &Destination) -> bool {
    // The same address answers DNS and NTP on some clouds.
    let named = destination.host.as_deref() == Some("metadata.google.internal");
    (named || destination.address.is_some_and(|address| METADATA_ADDRESSES.contains(&address)))
        && !matches!(destination.port, 53 | 123)
}

/// Whether this is a private address under no name or an internal one. A private address under
/// a public name is a proxy on the way to that name, or a name that its owner chose to publish.
pub(crate) fn is_private(destination: &Destination) -> bool {
    let internal = destination.host.as_deref().is_some_and(is_internal_name);
    match (destination.address, &destination.host) {
        (Some(address), Some(_)) => internal && is_private_address(address),
        (Some(address), None) => is_private_address(address),
        (None, _) => internal,
    }
}

fn is_internal_name(host: &str) -> bool {
    // RFC 6762, RFC 8375, ICANN's reservation of "internal", and names in wide private use.
    const SUFFIXES: [&str; 8] = [
        ".local",
        ".internal",
        ".home.arpa",
        ".localhost",
        ".localdomain",
        ".lan",
        ".corp",
        ".intranet",
    ];
    !host.contains('.') || SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
}

/// Whether an address is of no public network.
pub fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let carrier_grade = a == 100 && (64..128).contains(&b);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || carrier_grade
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether a destination, as incidents name it, is of no public network or a metadata service: the same name
/// then means another host elsewhere.
pub(crate) fn is_local_place(destination: &str) -> bool {
    match destination.parse() {
        Ok(address) => is_private_address(address) || METADATA_ADDRESSES.contains(&address),
        Err(_) => is_internal_name(destination),
    }
}

/// Whether an event is no contact with anybody else: multicast, broadcast, address configuration,
/// an executor that talks to itself, a name of one label that led nowhere.
pub(crate) fn is_noise(event: &Event) -> bool {
    let Some(address) = event.destination.address else { return leads_nowhere(event) };
    let udp = matches!(&event.fact, Fact::Flow(flow) if flow.transport == Transport::Udp);
    let directed_broadcast = |v4: Ipv4Addr| udp && v4.is_private() && v4.octets()[3] == 255;
    let everybody = match address {
        IpAddr::V4(v4) => v4.is_broadcast() || directed_broadcast(v4),
        IpAddr::V6(_) => false,
    };
    let configuration = udp && matches!(event.destination.port, 67 | 68 | 546 | 547);
    let itself = address == event.client.0;
    itself || address.is_multicast() || address.is_unspecified() || everybody || configuration
}

/// Whether a proxy was asked for a name of one label, refused nothing, and passed nothing on. Systems look
/// for `wpad`, and browsers for names made of chance, to see whether somebody answers for what is not there.
fn leads_nowhere(event: &Event) -> bool {
    let is_one_label = event.destination.host.as_ref().is_some_and(|host| !host.contains('.'));
    let is_empty = [&event.up, &event.down].iter().all(|volume| volume.bytes == Some(0));
    is_one_label && is_empty && !event.verdict.is_blocked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use egret_event::NameSource;

    fn policy(allow: &[&str]) -> Policy {
        let config = AnalyzerConfig {
            allow: allow.iter().map(SmolStr::new).collect(),
            allow_private: vec!["10.9.0.0/16".parse().unwrap()],
            ..AnalyzerConfig::default()
        };
        Policy::of(&config)
    }

    fn named(host: &str, address: Option<&str>) -> Destination {
        Destination::named(host, NameSource::Connect, address.map(|a| a.parse().unwrap()), 443)
    }

    fn at(address: &str, port: u16) -> Destination {
        Destination::address(address.parse().unwrap(), port)
    }

    #[test]
    fn an_entry_allows_a_domain_and_its_subdomains_and_nothing_else() {
        let policy = policy(&["example.org", "*.api.example.net"]);
        for host in ["example.org", "a.b.example.org", "api.example.net", "v1.api.example.net"] {
            assert_eq!(policy.judge(&named(host, None), None, 40_000), None, "{host}");
        }
        for host in ["badexample.org", "example.net", "example.org.evil.example"] {
            assert_eq!(
                policy.judge(&named(host, None), None, 40_000),
                Some(Rule::Outside),
                "{host}"
            );
        }
        assert_eq!(policy.judge(&at("203.0.113.9", 443), None, 40_000), Some(Rule::Outside));
    }

    #[test]
    fn without_an_allowlist_any_public_destination_is_allowed() {
        assert_eq!(policy(&[]).judge(&named("anything.example", None), None, 40_000), None);
    }

    #[test]
    fn metadata_services_are_recognized_by_address_and_by_name() {
        let policy = policy(&[]);
        for address in ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "169.254.170.2"] {
            assert_eq!(
                policy.judge(&at(address, 80), None, 40_000),
                Some(Rule::Metadata),
                "{address}"
            );
        }
        let google = named("metadata.google.internal", None);
        assert_eq!(policy.judge(&google, None, 40_000), Some(Rule::Metadata));
        assert_eq!(
            policy.judge(&named("evil.example", Some("169.254.169.254")), None, 40_000),
            Some(Rule::Metadata)
        );
        assert_eq!(
            policy.judge(&at("169.254.169.254", 53), None, 40_000),
            None,
            "some clouds resolve there"
        );
    }

    #[test]
    fn private_addresses_count_unless_allowed_named_or_infrastructure() {
        let policy = policy(&["example.org"]);
        for (destination, rule) in [
            (at("10.1.2.3", 22), Some(Rule::Private)),
            (at("127.0.0.1", 8080), Some(Rule::Private)),
            (at("fe80::1", 22), Some(Rule::Private)),
            (at("10.9.8.7", 22), None),
            (at("10.1.2.3", 53), None),
            (named("example.org", Some("10.1.2.3")), None),
            (named("other.example", Some("10.1.2.3")), Some(Rule::Outside)),
            (named("wiki.corp", Some("10.1.2.3")), Some(Rule::Private)),
            (named("localhost", None), Some(Rule::Private)),
        ] {
            assert_eq!(
                policy.judge(&destination, Some(Transport::Tcp), 40_000),
                rule,
                "{destination:?}"
            );
        }
        assert_eq!(policy.judge(&at("fe80::1", 0), Some(Transport::Icmp), 40_000), None);
        let answer = at("fe80::1", 51_363);
        assert_eq!(policy.judge(&answer, Some(Transport::Udp), 5355), None, "an LLMNR answer");
        assert_eq!(policy.judge(&answer, Some(Transport::Tcp), 5355), Some(Rule::Private));
    }
}
