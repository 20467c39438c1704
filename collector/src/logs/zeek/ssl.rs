//! `ssl.log`: TLS handshakes.
//!
//! A line tells what was agreed on (`version`, `next_protocol`), where the wire tells what was
//! offered. The fingerprint is there only where the JA4 package is installed. The server's
//! certificate comes beside the hello, if the line tells of it: by `subject` and `issuer` (Zeek up
//! to version 4), or because the same stream had it in a line of `x509` before.

use egret_event::{ServerCertificate, SmolStr, Timestamp, TlsCarrier, TlsHello, clean_name_bytes};

use super::field::Field;
use super::row::Row;
use super::x509::{Certificates, NEVER};
use crate::logs::entry::{Ends, Entry};
use crate::logs::record::LineProblem;
use crate::logs::text::printable;

/// Longest protocol name and fingerprint kept, in bytes (RFC 7301 allows 255; a JA4 has 36).
const MAX_WORD_BYTES: usize = 64;

/// Longest subject and issuer kept, in bytes.
const MAX_NAME_BYTES: usize = 256;

pub(super) fn entry<'a>(
    row: &Row<'a>,
    certificates: &Certificates,
    beside: &mut Option<Entry<'static>>,
) -> Result<Entry<'a>, LineProblem> {
    let ends = row.ends()?;
    let name = row.text(Field::ServerName).map(|name| clean_name_bytes(&name));
    let version = row.text(Field::Version);
    if name.is_none() && version.is_none() {
        return Err(LineProblem::NoDestination);
    }
    *beside = certificate(row, certificates, name.as_ref(), ends);
    let ja4 = word(row, Field::Ja4).unwrap_or_default();
    let hello = TlsHello {
        sni: name,
        alpn: word(row, Field::NextProtocol),
        carrier: carrier(&ja4, version.as_deref()),
        ja4,
        version: version.as_deref().map_or(0, number_of),
        ech: false,
    };
    Ok(Entry::Tls(ends, Box::new(hello)))
}

/// A field that holds one short word.
pub(super) fn word(row: &Row<'_>, field: Field) -> Option<SmolStr> {
    row.text(field).map(|text| printable(&text, MAX_WORD_BYTES))
}

/// The log does not say what carried the handshake; a fingerprint does by its first letter.
fn carrier(ja4: &str, version: Option<&[u8]>) -> TlsCarrier {
    match ja4.as_bytes().first() {
        Some(b'q') => TlsCarrier::Quic,
        Some(b'd') => TlsCarrier::Dtls,
        _ if version.is_some_and(|version| version.starts_with(b"DTLS")) => TlsCarrier::Dtls,
        _ => TlsCarrier::Tcp,
    }
}

/// A version as on the wire; 0 where Zeek does not know it either.
fn number_of(version: &[u8]) -> u16 {
    match version {
        b"SSLv2" => 0x0002,
        b"SSLv3" => 0x0300,
        b"TLSv10" => 0x0301,
        b"TLSv11" => 0x0302,
        b"TLSv12" => 0x0303,
        b"TLSv13" => 0x0304,
        b"DTLSv10" => 0xfeff,
        b"DTLSv12" => 0xfefd,
        b"DTLSv13" => 0xfefc,
        _ => 0,
    }
}

fn certificate(
    row: &Row<'_>,
    certificates: &Certificates,
    sni: Option<&SmolStr>,
    ends: Ends,
) -> Option<Entry<'static>> {
    let chain = row.list(Field::CertChain);
    let known = chain.first().and_then(|leaf| certificates.get(leaf));
    let shown = known.cloned().or_else(|| by_names(row))?;
    let certificate = ServerCertificate {
        sni: sni.cloned(),
        chain: u8::try_from(chain.len()).unwrap_or(u8::MAX),
        name_matches: row.flag(Field::SniMatchesCert).filter(|_| sni.is_some()),
        ..shown
    };
    Some(Entry::Certificate(ends, Box::new(certificate)))
}

/// A certificate of which only the names are told: nothing says that it was not valid.
fn by_names(row: &Row<'_>) -> Option<ServerCertificate> {
    let name = |field| row.text(field).map(|text| printable(&text, MAX_NAME_BYTES));
    let (subject, issuer) = (name(Field::Subject)?, name(Field::Issuer)?);
    Some(ServerCertificate {
        sni: None,
        self_signed: subject == issuer,
        subject,
        issuer,
        names: Vec::new(),
        not_before: Timestamp::MIN,
        not_after: NEVER,
        key: SmolStr::default(),
        sha256: None,
        chain: 0,
        name_matches: None,
    })
}
