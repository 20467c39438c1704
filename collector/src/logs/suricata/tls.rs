//! `tls` and `quic`: handshakes, with the server's certificate beside them where it was seen.
//!
//! `version` is what was agreed on. The fingerprint is there only where JA4 is switched on. The
//! certificate's own fingerprint in the log is SHA-1, so it is not taken.

use egret_event::{ServerCertificate, SmolStr, Timestamp, TlsCarrier, TlsHello, clean_name_bytes};

use super::{Common, time};
use crate::logs::entry::{Ends, Entry};
use crate::logs::json::{Raw, object};
use crate::logs::record::LineProblem;
use crate::logs::text::printable;

/// Longest protocol name and fingerprint kept, in bytes (a JA4 has 36).
const MAX_WORD_BYTES: usize = 64;

/// Longest subject and issuer kept, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Names kept of a certificate, as for those seen on the wire.
const MAX_NAMES: usize = 16;

/// The version that QUIC always has inside (RFC 9001).
const TLS_1_3: u16 = 0x0304;

object! {
    struct Tls {
        sni,
        version,
        ja4,
        client_alpns,
        subject,
        issuerdn,
        subjectaltname,
        notbefore,
        notafter,
        chain,
    }
}

pub(super) fn entry<'a>(
    common: &Common<'a>,
    beside: &mut Option<Entry<'static>>,
) -> Result<Entry<'a>, LineProblem> {
    let tls: Tls<'a> = common.tls.object().ok_or(LineProblem::Malformed("tls"))?;
    let ends = common.ends()?;
    let hello = TlsHello {
        sni: tls.sni.text().map(|name| clean_name_bytes(&name)),
        alpn: tls.client_alpns.list().first().and_then(|first| word(*first)),
        ja4: word(tls.ja4).unwrap_or_default(),
        version: tls.version.text().map_or(0, |name| number_of(&name)),
        carrier: match common.proto.text().as_deref() {
            Some(b"UDP") => TlsCarrier::Dtls,
            _ => TlsCarrier::Tcp,
        },
        ech: false,
    };
    *beside = certificate(&tls, hello.sni.as_ref(), ends);
    Ok(Entry::Tls(ends, Box::new(hello)))
}

pub(super) fn quic<'a>(common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
    let tls: Tls<'a> = common.quic.object().ok_or(LineProblem::Malformed("quic"))?;
    let sni = tls.sni.text().ok_or(LineProblem::NoDestination)?;
    let hello = TlsHello {
        sni: Some(clean_name_bytes(&sni)),
        alpn: None,
        ja4: word(tls.ja4).unwrap_or_default(),
        version: TLS_1_3,
        carrier: TlsCarrier::Quic,
        ech: false,
    };
    Ok(Entry::Tls(common.ends()?, Box::new(hello)))
}

fn word(raw: Raw<'_>) -> Option<SmolStr> {
    raw.text().map(|text| printable(&text, MAX_WORD_BYTES))
}

fn certificate(tls: &Tls<'_>, sni: Option<&SmolStr>, ends: Ends) -> Option<Entry<'static>> {
    let name = |raw: Raw<'_>| raw.text().map(|text| printable(&text, MAX_NAME_BYTES));
    let (subject, issuer) = (name(tls.subject)?, name(tls.issuerdn)?);
    let listed = tls.subjectaltname.list();
    let names = listed.iter().filter_map(|name| name.text()).take(MAX_NAMES);
    let certificate = ServerCertificate {
        sni: sni.cloned(),
        self_signed: subject == issuer,
        subject,
        issuer,
        names: names.map(|name| clean_name_bytes(&name)).collect(),
        not_before: time(tls.notbefore).unwrap_or(Timestamp::MIN),
        not_after: time(tls.notafter).unwrap_or(Timestamp::from_nanos(i64::MAX)),
        key: SmolStr::default(),
        sha256: None,
        chain: u8::try_from(tls.chain.list().len()).unwrap_or(u8::MAX),
        name_matches: None,
    };
    Some(Entry::Certificate(ends, Box::new(certificate)))
}

/// A version as on the wire; 0 where Suricata does not know it either.
fn number_of(name: &[u8]) -> u16 {
    match name {
        b"SSLv2" => 0x0002,
        b"SSLv3" => 0x0300,
        b"TLSv1" | b"TLS 1.0" => 0x0301,
        b"TLS 1.1" => 0x0302,
        b"TLS 1.2" => 0x0303,
        b"TLS 1.3" => TLS_1_3,
        _ => 0,
    }
}
