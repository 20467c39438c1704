//! Where an event went.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, SmolStrBuilder, ToSmolStr};

/// Longest host name, in bytes, without the trailing dot (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// Where an event went: the key that baselines and incidents use, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Destination {
    /// The registrable domain (`example.co.uk`), or the address in text where there is no name.
    pub domain: SmolStr,
    /// The full host name, as [`clean_name`] writes it.
    pub host: Option<SmolStr>,
    /// Where `host` was learned.
    pub named_by: Option<NameSource>,
    /// The address contacted. `None` where only a proxy knows it.
    pub address: Option<IpAddr>,
    /// The port contacted; 0 where there is none (ICMP).
    pub port: u16,
}

/// Where a host name was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// An answer to the executor's own DNS question.
    Dns,
    /// The server name in a TLS ClientHello.
    Sni,
    /// The Host header of a request.
    HttpHost,
    /// The target of a CONNECT request.
    Connect,
    /// The URL in a proxy's log line.
    ProxyLog,
    /// The name in the DNS question itself.
    DnsQuestion,
}

impl Destination {
    /// A destination with a host name. An IP address in text is taken as an address, not a name.
    pub fn named(host: &str, named_by: NameSource, address: Option<IpAddr>, port: u16) -> Self {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(written) = literal.parse::<IpAddr>() {
            return Self::address(address.unwrap_or(written), port);
        }
        Self::of_host(clean_name(host), named_by, address, port)
    }

    /// A destination whose host name is in clean form already ([`clean_name`], [`clean_labels`]).
    pub fn of_host(
        host: SmolStr,
        named_by: NameSource,
        address: Option<IpAddr>,
        port: u16,
    ) -> Self {
        Self {
            domain: registrable_domain(&host),
            host: Some(host),
            named_by: Some(named_by),
            address,
            port,
        }
    }

    /// A destination known by its address only.
    pub fn address(address: IpAddr, port: u16) -> Self {
        let address = address.to_canonical();
        Self { domain: text_of(address), host: None, named_by: None, address: Some(address), port }
    }
}

/// An address in text. Flows without a name are told by the million, and of an IPv4 address the standard
/// library's formatter takes five times as long.
fn text_of(address: IpAddr) -> SmolStr {
    let IpAddr::V4(v4) = address else { return address.to_smolstr() };
    let (mut text, mut length) = ([0; "255.255.255.255".len()], 0);
    let mut add = |byte| {
        text[length] = byte;
        length += 1;
    };
    for (at, octet) in v4.octets().into_iter().enumerate() {
        if at > 0 {
            add(b'.');
        }
        if octet >= 100 {
            add(b'0' + octet / 100);
        }
        if octet >= 10 {
            add(b'0' + octet / 10 % 10);
        }
        add(b'0' + octet % 10);
    }
    std::str::from_utf8(&text[..length]).map_or_else(|_| v4.to_smolstr(), SmolStr::new)
}

/// A host name in the one form that Egret stores: lower case, no trailing dots, at most 253 bytes.
///
/// Names come from the wire, so they may hold anything. Every byte outside printable ASCII, and
/// the backslash itself, becomes `\xNN`; a longer name is cut.
pub fn clean_name(name: &str) -> SmolStr {
    clean_name_bytes(name.as_bytes())
}

/// As [`clean_name`], for a name that need not be UTF-8.
pub fn clean_name_bytes(name: &[u8]) -> SmolStr {
    // No label is empty, so more than one trailing dot means no more than one.
    let end = name.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    let trimmed = &name[..end];
    if trimmed.len() <= MAX_NAME_BYTES
        && trimmed.iter().all(|byte| IS_CLEAN[usize::from(*byte)])
        && let Ok(plain) = std::str::from_utf8(trimmed)
    {
        return plain.into();
    }
    let mut clean = CleanName::default();
    clean.push(trimmed);
    clean.finish()
}

/// Whether a byte stands in a clean name as it is.
const IS_CLEAN: [bool; 256] = {
    let mut clean = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        clean[byte as usize] = is_plain(byte) && !byte.is_ascii_uppercase();
        byte += 1;
    }
    clean
};

/// A clean name from the labels of a DNS name, without the root label. A dot inside a label is
/// escaped, so that it does not look like a boundary.
pub fn clean_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> SmolStr {
    let mut clean = CleanName::default();
    for (index, label) in labels.enumerate() {
        if index > 0 {
            clean.push(b".");
        }
        for (index, part) in label.split(|byte| *byte == b'.').enumerate() {
            if index > 0 {
                clean.escape(b'.');
            }
            clean.push(part);
        }
    }
    clean.finish()
}

/// Whether a byte stands for itself in a clean name, once in lower case.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\'
}

/// A clean name in the making; what does not fit is left out.
#[derive(Default)]
struct CleanName {
    text: SmolStrBuilder,
    length: usize,
}

impl CleanName {
    fn push(&mut self, raw: &[u8]) {
        for &byte in raw {
            if !is_plain(byte) {
                self.escape(byte);
            } else if self.fits(1) {
                self.text.push(char::from(byte.to_ascii_lowercase()));
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        if self.fits(4) {
            self.text.push_str("\\x");
            self.text.push(char::from(HEX[usize::from(byte >> 4)]));
            self.text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }

    /// Whether `more` bytes still fit. Once something did not, nothing does: a name is cut, and
    /// never has a hole.
    fn fits(&mut self, more: usize) -> bool {
        self.length = self.length.saturating_add(more);
        let fits = self.length <= MAX_NAME_BYTES;
        if !fits {
            self.length = usize::MAX;
        }
        fits
    }

    /// The name. Where it was cut right after a dot, the dot goes too.
    fn finish(self) -> SmolStr {
        let name = self.text.finish();
        match name.trim_end_matches('.') {
            whole if whole.len() == name.len() => name,
            cut => cut.into(),
        }
    }
}

/// The registrable domain of a clean host name by the public suffix list, private section
/// included; the name itself where it has none (`localhost`, a bare suffix).
pub fn registrable_domain(host: &str) -> SmolStr {
    let length = psl::domain(host.as_bytes()).map_or(host.len(), |domain| domain.as_bytes().len());
    host.get(host.len().saturating_sub(length)..).unwrap_or(host).into()
}

/// Whether a name ends in a suffix under which domains are registered (`com`, `co.uk`), of the list's
/// public section: whether it could stand for itself.
pub fn has_public_suffix(name: &str) -> bool {
    let suffix = psl::suffix(name.as_bytes());
    suffix.is_some_and(|suffix| suffix.is_known() && suffix.typ() == Some(psl::Type::Icann))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_suffixes_separate_tenants_of_one_provider() {
        assert_eq!(registrable_domain("a.b.example.co.uk"), "example.co.uk");
        assert_eq!(registrable_domain("mallory.github.io"), "mallory.github.io");
        assert_eq!(registrable_domain("localhost"), "localhost");
    }

    #[test]
    fn only_registered_endings_are_public_suffixes() {
        assert!(has_public_suffix("files.example.co.uk") && has_public_suffix("dev"));
        assert!(!has_public_suffix("web.default.svc") && !has_public_suffix("a.9f3c"));
        assert!(!has_public_suffix(""));
    }

    #[test]
    fn an_address_written_as_a_name_is_an_address() {
        let seen = Destination::named("[2001:db8::1]", NameSource::ProxyLog, None, 443);
        assert_eq!(seen.address, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(seen.domain, "2001:db8::1");
        assert_eq!(seen.host, None);
    }

    #[test]
    fn an_ipv4_address_inside_ipv6_is_the_ipv4_address() {
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Destination::address(mapped, 1).domain, "192.0.2.1");
    }

    #[test]
    fn hostile_names_become_printable_and_short() {
        assert_eq!(clean_name("WWW.Example.ORG."), "www.example.org");
        assert_eq!(clean_name("c..."), "c");
        assert_eq!(clean_name(&("A".repeat(252) + ".b")), "a".repeat(252));
        assert_eq!(clean_name("a\u{1b}[31m\\b"), "a\\x1b[31m\\x5cb");
        assert_eq!(clean_name("<script>.example"), "<script>.example");
        let long = "\n".repeat(1000);
        assert!(clean_name(&long).len() <= MAX_NAME_BYTES);
    }

    #[test]
    fn bytes_that_are_no_text_survive_as_escapes() {
        assert_eq!(clean_name_bytes(b"\xff\x00A.example."), "\\xff\\x00a.example");
        let labels: [&[u8]; 3] = [b"a.b\\", b"Example", b"ORG"];
        assert_eq!(clean_labels(labels.into_iter()), "a\\x2eb\\x5c.example.org");
    }

    proptest::proptest! {
        #[test]
        fn an_address_is_told_as_the_standard_library_does(address: IpAddr) {
            let destination = Destination::address(address, 443);
            proptest::prop_assert_eq!(destination.domain.as_str(), address.to_canonical().to_string());
        }

        #[test]
        fn cleaning_twice_changes_nothing_but_escapes(name in ".*") {
            let clean = clean_name(&name);
            proptest::prop_assert!(clean.len() <= MAX_NAME_BYTES);
            proptest::prop_assert!(clean.bytes().all(|b| b.is_ascii_graphic()));
        }
    }
}
