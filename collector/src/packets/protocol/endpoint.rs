//! What is inside TLS, as far as its first message tells: where it goes, and what it offers.

use std::net::IpAddr;
use std::sync::LazyLock;

use egret_event::{Protocol, TlsCarrier, TlsHello};
use foldhash::quality::FixedState;
use hashbrown::HashSet;

/// Hash seed. The list is ours, so nobody can make its names collide.
const SEED: u64 = 0x7265_736f_6c76;

/// The resolvers of `resolvers.txt`.
struct Resolvers {
    names: HashSet<&'static str, FixedState>,
    addresses: HashSet<IpAddr, FixedState>,
}

static RESOLVERS: LazyLock<Resolvers> = LazyLock::new(|| {
    let lines = include_str!("resolvers.txt").lines().map(str::trim);
    let hasher = FixedState::with_seed(SEED);
    let mut resolvers = Resolvers {
        names: HashSet::with_hasher(hasher.clone()),
        addresses: HashSet::with_hasher(hasher),
    };
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.parse() {
            Ok(address) => resolvers.addresses.insert(address),
            Err(_) => resolvers.names.insert(line),
        };
    }
    resolvers
});

/// What a client that sends `hello` to `server` speaks. `is_named`: its own DNS questions led the
/// client there.
pub fn of_hello(hello: &TlsHello, server: IpAddr, is_named: impl Fn() -> bool) -> Protocol {
    let alpn = hello.alpn.as_deref();
    match (hello.carrier, alpn) {
        // RFC 7858 has no name of its own; "dot" is registered for it (RFC 7858, section 9).
        (TlsCarrier::Tcp, Some("dot")) => Protocol::DnsOverTls,
        (TlsCarrier::Quic, Some("doq")) => Protocol::DnsOverQuic,
        (TlsCarrier::Dtls, _) => Protocol::Dtls,
        _ if goes_to_resolver(hello, server) => Protocol::DnsOverHttps,
        (TlsCarrier::Quic, _) => Protocol::Quic,
        (TlsCarrier::Tcp, None) if is_tor(hello) && !is_named() => Protocol::Tor,
        (TlsCarrier::Tcp, _) => Protocol::Tls,
    }
}

fn goes_to_resolver(hello: &TlsHello, server: IpAddr) -> bool {
    match &hello.sni {
        Some(sni) => is_resolver(sni),
        None => RESOLVERS.addresses.contains(&server.to_canonical()),
    }
}

/// Whether a host, or one that it is below, is a resolver.
pub fn is_resolver(host: &str) -> bool {
    let mut rest = Some(host);
    while let Some(name) = rest {
        if RESOLVERS.names.contains(name) {
            return true;
        }
        rest = name.split_once('.').map(|(_, above)| above);
    }
    false
}

/// Characters of the middle part of the names that Tor makes up. It takes 4 to 25 (`tor_tls_new`
/// in `tortls_openssl.c`); short ones are too often real.
const TOR_NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=25;

/// Whether the name asked for looks made up as Tor makes it: base 32, digits among letters. Real
/// names of that shape exist, so this is to be believed only of a client that offers no protocol
/// and never asked where that name is.
fn is_tor(hello: &TlsHello) -> bool {
    let middle =
        hello.sni.as_deref().and_then(|sni| sni.strip_prefix("www.")?.strip_suffix(".com"));
    let Some(middle) = middle.map(str::as_bytes) else { return false };
    let is_base_32 = middle.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
    let has_digit_inside = middle.windows(3).any(|three| {
        three[0].is_ascii_lowercase() && three[1].is_ascii_digit() && three[2].is_ascii_lowercase()
    });
    TOR_NAME_CHARACTERS.contains(&middle.len()) && is_base_32 && has_digit_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(sni: Option<&str>, alpn: Option<&str>, carrier: TlsCarrier) -> Protocol {
        of_hello(&hello(sni, alpn, carrier), [203, 0, 113, 9].into(), || false)
    }

    fn hello(sni: Option<&str>, alpn: Option<&str>, carrier: TlsCarrier) -> TlsHello {
        TlsHello {
            sni: sni.map(Into::into),
            alpn: alpn.map(Into::into),
            ja4: "".into(),
            version: 0x0304,
            carrier,
            ech: false,
        }
    }

    #[test]
    fn dns_is_seen_inside_tls_by_what_is_offered_and_where_it_goes() {
        use TlsCarrier::{Quic, Tcp};
        assert_eq!(spoken(None, Some("dot"), Tcp), Protocol::DnsOverTls);
        assert_eq!(spoken(None, Some("doq"), Quic), Protocol::DnsOverQuic);
        assert_eq!(spoken(Some("dns.google"), Some("h2"), Tcp), Protocol::DnsOverHttps);
        let below = Some("mozilla.cloudflare-dns.com");
        assert_eq!(spoken(below, Some("h3"), Quic), Protocol::DnsOverHttps);
        assert_eq!(spoken(Some("google"), Some("h2"), Tcp), Protocol::Tls);
        assert_eq!(spoken(Some("notdns.google.example"), Some("h2"), Tcp), Protocol::Tls);
        assert_eq!(spoken(Some("a.example"), Some("h3"), Quic), Protocol::Quic);
    }

    #[test]
    fn an_address_is_a_resolver_where_no_other_host_is_asked_for() {
        let at = |sni| of_hello(&hello(sni, None, TlsCarrier::Tcp), [8, 8, 8, 8].into(), || true);
        assert_eq!(at(None), Protocol::DnsOverHttps);
        assert_eq!(at(Some("www.example.com")), Protocol::Tls);
    }

    #[test]
    fn tor_is_only_what_makes_up_a_name_and_never_asked_for_it() {
        let made_up = Some("www.q4cyamnc6mtokjurvd.com");
        assert_eq!(spoken(made_up, None, TlsCarrier::Tcp), Protocol::Tor);
        assert_eq!(spoken(made_up, Some("h2"), TlsCarrier::Tcp), Protocol::Tls);
        let asked = hello(made_up, None, TlsCarrier::Tcp);
        assert_eq!(of_hello(&asked, [203, 0, 113, 9].into(), || true), Protocol::Tls);
        for real in ["www.wikipedia.com", "www.studio54.com", "www.a2b.com", "www.web-2go4.com"] {
            assert_eq!(spoken(Some(real), None, TlsCarrier::Tcp), Protocol::Tls, "{real}");
        }
    }

    #[test]
    fn resolvers_are_clean_names_or_addresses() {
        assert!(RESOLVERS.names.len() > 40 && RESOLVERS.addresses.len() > 20);
        for name in &RESOLVERS.names {
            assert_eq!(egret_event::clean_name(name), *name);
        }
    }
}
