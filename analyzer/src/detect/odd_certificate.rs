//! D11: a server shows a certificate that no client should accept.
//!
//! Issued by itself, for another name, expired or not yet valid, with a short key, or for longer than
//! any public authority may issue: who runs an implant's server seldom asks an authority, and who
//! intercepts cannot. So do test servers and appliances, hence it only adds to other evidence, and
//! only about destinations that are new here. It is seen up to TLS 1.2, and where another sensor or a
//! proxy tells of it; in TLS 1.3 certificates are sealed, and their absence says nothing.

use std::time::Duration;

use egret_event::{Attribution, ServerCertificate, Timestamp};

use super::{Count, LEAST_P_OF_CORROBORATION};
use crate::baseline::Ladder;
use crate::incident::{Detector, Finding};
use crate::priors::SizePrior;
use crate::size::Cell;

/// New destinations of a session that show such a one.
pub(crate) const DESTINATIONS: Count = Count {
    detector: Detector::OddCertificate,
    unit: "new destinations with an odd certificate",
    cell: Cell::ODD_CERTIFICATES,
    prior: SizePrior::OF_ODD_CERTIFICATES,
    least_p: LEAST_P_OF_CORROBORATION,
};

/// Characters of an issuer's name that are told.
const MOST_OF_ISSUER: usize = 80;

/// Longer than this no public authority has issued since 2018 (CA/Browser Forum, Baseline Requirements
/// 6.3.2: 825 days, later 398).
const LONGEST: Duration = Duration::from_secs(825 * 86_400);

/// Bits of an RSA key that authorities ask for, at least (the same, 6.1.5).
const LEAST_RSA_BITS: u32 = 2048;

/// Whether a key (`rsa 1024`) is shorter than any public authority takes.
fn has_short_key(key: &str) -> bool {
    let bits = key.strip_prefix("rsa ").and_then(|bits| bits.parse::<u32>().ok());
    bits.is_some_and(|bits| bits < LEAST_RSA_BITS)
}

/// What is odd about a certificate that was shown at a time; empty when nothing is.
pub(crate) fn oddities(shown: &ServerCertificate, at: Timestamp) -> Vec<&'static str> {
    let all = [
        (shown.self_signed, "issued by itself"),
        (shown.name_matches == Some(false), "for another name than was asked for"),
        (shown.not_after < at, "expired"),
        (shown.not_before > at, "not yet valid"),
        (has_short_key(&shown.key), "of a key that is too short"),
        (shown.not_after.since(shown.not_before) > LONGEST, "valid for years"),
    ];
    all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect()
}

/// The finding about a certificate with these oddities, when the session has met so many new
/// destinations with such ones.
pub(crate) fn finding(
    (shown, oddities): (&ServerCertificate, &[&str]),
    met: u64,
    ladder: &Ladder<'_>,
    origin: &Attribution,
) -> Finding {
    let issuer: String = shown.issuer.chars().take(MOST_OF_ISSUER).collect();
    DESTINATIONS.finding(met, ladder, origin, |whose, most| {
        format!(
            "its certificate is {} (issuer \"{}\"); {whose} normally meet at most {most} new destinations \
             with such a one (98 %)",
            oddities.join(" and "),
            issuer.escape_debug(),
        )
    })
}
