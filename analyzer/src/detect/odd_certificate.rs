//! D11: a server shows a certificate that no client should accept.
//!
//! Issued by itself, for another name, expired or not yet valid, with a short key, or for longer than
//! any public authority may issue: who runs an implant's server seldom
//! asks an authority, and who intercepts cannot. So do test servers and appliances, hence it only adds
//! to other evidence, and only about destinations that are new here. It is seen up to TLS 1.2, and
//! where another sensor or a proxy tells of it; in TLS 1.3 certificates are sealed, and their absence
//! says nothing.

use std::time::Duration;

use egret_event::{Attribution, ServerCertificate, SmolStr, Timestamp};

use super::{normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion, Sizes};
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::SizePrior;
use crate::size::Cell;

/// The smallest probability that it may contribute. Egret's own choice.
const LEAST_P: f64 = 1e-3;

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
    let sizes = sizes(ladder);
    let (p, normal) = (sizes.survival(met).max(LEAST_P), sizes.normal());
    let whose = crate::words::whose(normal.weight.level, origin);
    let issuer: String = shown.issuer.chars().take(MOST_OF_ISSUER).collect();
    Finding {
        detector: Detector::OddCertificate,
        p,
        tail: tail_kind(p, &normal.weight),
        share: 0.0,
        place: None,
        judged_benign: None,
        observed: Quantity {
            value: met as f64,
            unit: SmolStr::new_static("new destinations with an odd certificate"),
        },
        normal: Some(normal_size(&normal, origin)),
        words: format!(
            "its certificate is {} (issuer \"{}\"); {whose} normally meet at most {} new destinations \
             with such a one (98 %)",
            oddities.join(" and "),
            issuer.escape_debug(),
            normal.p98,
        ),
    }
}

/// The smallest number of them whose tail probability is below `p`, to the histogram bin.
pub(crate) fn first_below(ladder: &Ladder<'_>, p: f64) -> u64 {
    sizes(ladder).first_below(p)
}

fn sizes<'a, 'l>(ladder: &'l Ladder<'a>) -> Sizes<'a, 'l> {
    let (cell, prior) = (Cell::ODD_CERTIFICATES, SizePrior::OF_ODD_CERTIFICATES);
    ladder.sizes(SizeQuestion { cell, prior, own: None })
}
