//! D10: two observers of the same egress contradict each other.
//!
//! Found by [`crate::join`]; here is how much each kind counts. Nothing is estimated: the
//! probabilities say how often honest programs and proxies cause such a thing, and are Egret's own
//! choice.

use egret_event::{Contradiction, ContradictionKind, SmolStr};

use crate::incident::{Detector, Finding, Quantity, Tail};

/// Another name inside the tunnel than the proxy was asked for. No ordinary client does that; it
/// is how an allowlist is got around, so it opens an incident by itself.
const P_OTHER_NAME: f64 = 1e-8;

/// The proxy logged less than the wire carried: a lost log line does that too. It only adds to
/// other evidence.
const P_SAW_LESS: f64 = 1e-3;

/// Straight out in a session that uses the proxy: some tools do not know of it. Likewise.
const P_AROUND: f64 = 1e-3;

/// The finding, with its words.
pub(crate) fn finding(told: &Contradiction) -> Finding {
    let Contradiction { one, one_says, other, other_says, .. } = told;
    let (p, words) = match told.about {
        ContradictionKind::ConnectAndSni => (
            P_OTHER_NAME,
            format!(
                "the proxy was asked for one name and the tunnel goes to another ({one}: \
                 {one_says}; {other}: {other_says})"
            ),
        ),
        ContradictionKind::ProxySawLess => (
            P_SAW_LESS,
            format!(
                "the proxy logged less than the wire carried ({one}: {one_says}; {other}: \
                 {other_says})"
            ),
        ),
        ContradictionKind::AroundProxy => {
            (P_AROUND, format!("it went around the proxy ({one_says}; {other_says})"))
        }
        ContradictionKind::Executor => (
            1.0,
            format!("it is not certain who it was ({one}: {one_says}; {other}: {other_says})"),
        ),
    };
    Finding {
        detector: Detector::Contradiction,
        p,
        tail: Tail::Rule,
        share: 0.0,
        place: None,
        judged_benign: None,
        observed: Quantity { value: 1.0, unit: SmolStr::new_static("contradictions") },
        normal: None,
        words,
    }
}
