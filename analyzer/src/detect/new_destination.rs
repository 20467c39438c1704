//! D1: a destination that is new here.
//!
//! Novelty alone never alerts: up to a quarter of benign sessions contact something that nobody
//! contacted before. It decides which upload sizes are normal, and adds a little evidence.

use super::tail_kind;
use crate::baseline::{Ladder, Weight};
use crate::incident::{Detector, Finding, Quantity};
use crate::pitman_yor::MIN_DRAWS;
use crate::priors::{P_KNOWN_SERVICE, P_NEW_DESTINATION, is_known_service};
use crate::size::Class;
use egret_event::SmolStr;

/// The smallest probability that novelty may contribute. Alone it combines to 0.01, with another
/// detector that sees nothing to more: both far above any threshold.
const LEAST_P: f64 = 0.01;

/// The key of a destination in baselines, by its name (or address in text).
pub(crate) fn key_of(domain: &str) -> u64 {
    crate::hash::key(&[b"destination", domain.as_bytes()])
}

/// How new a destination is to a session's template, by its name (or address in text) and its key.
pub(crate) fn class_of(ladder: &Ladder<'_>, domain: &str, key: u64) -> Class {
    match ladder.seen_by_template(key) {
        Some(_) => Class::Known,
        None if is_known_service(domain) => Class::Service,
        None if ladder.is_known_to_others(key) => Class::Known,
        None => Class::New,
    }
}

/// P(a session contacts this destination or one as unfamiliar), clipped from below, and where that comes
/// from.
fn judge(ladder: &Ladder<'_>, domain: &str, key: u64) -> (f64, Weight) {
    let service = is_known_service(domain);
    // Several tenants contact it already, although this template does not: a release (a new package
    // host, a vendor's new name) and not somebody's own drop.
    let is_release = ladder.has_several_tenants(key);
    let prior = if service || is_release { P_KNOWN_SERVICE } else { P_NEW_DESTINATION };
    let (p, weight) = ladder.familiarity(key, prior);
    // A release or a service stays familiar, however much else was seen since.
    let least = if prior > P_NEW_DESTINATION { P_NEW_DESTINATION } else { LEAST_P };
    (p.max(least), weight)
}

/// The finding, with its words.
pub(crate) fn finding(ladder: &Ladder<'_>, domain: &str, key: u64) -> Finding {
    let (p, weight) = judge(ladder, domain, key);
    let fleet = ladder.seen_by_fleet(key);
    let sessions = fleet.map_or(0, |seen| seen.sessions);
    let words = match (class_of(ladder, domain, key), fleet) {
        (Class::Service, _) => format!("{domain} is a common development service"),
        (Class::Known, Some(seen)) => {
            format!("{domain} is known here: {sessions} sessions contacted it since {}", seen.first)
        }
        (_, Some(seen)) if seen.sessions >= MIN_DRAWS => format!(
            "{domain} is new to this template; {sessions} sessions of other templates contacted \
             it since {}",
            seen.first
        ),
        (_, Some(_)) => {
            format!("{domain} is new here: fewer than {MIN_DRAWS} sessions contacted it")
        }
        (_, None) if ladder.template_sessions() == 0 => {
            format!("{domain} is not a common service, and nothing was learned yet")
        }
        (_, None) => format!("{domain} is new here: no session contacted it before"),
    };
    Finding {
        detector: Detector::NewDestination,
        p,
        tail: tail_kind(p, &weight),
        share: 0.0,
        place: None,
        judged_benign: None,
        observed: Quantity {
            value: sessions as f64,
            unit: SmolStr::new_static("sessions that contacted it before"),
        },
        normal: None,
        words,
    }
}

#[cfg(test)]
mod tests {
    use egret_event::Timestamp;

    use super::*;
    use crate::baseline::Baseline;
    use crate::learned::{FLEET, Learned, Place, Scope, Seen};
    use crate::priors::SESSIONS_TO_KNOW;

    /// The class of what five sessions of other templates contacted, of so many tenants, for a template
    /// with so many sessions.
    fn class(tenants: u64, template_sessions: u64) -> Class {
        let (destination, place) = (7, Place { template: 1, tenant: None, segment: 2 });
        let mut learned = Learned::default();
        for (scope, sessions) in [(FLEET, 1_000), (place.template, template_sessions)] {
            learned.scopes.insert(scope, Scope { sessions, ..Scope::default() });
        }
        let at = Timestamp::from_secs(1);
        let mut seen = Seen { sessions: 5, ..Seen::between(at, at) };
        (0..tenants).for_each(|tenant| seen.tenants.insert(tenant));
        learned.seen.insert((FLEET, destination), seen);
        // So that there are several tenants.
        let mut other = Seen { sessions: 9, ..Seen::between(at, at) };
        (0..9).for_each(|tenant| other.tenants.insert(tenant));
        learned.seen.insert((FLEET, 8), other);
        let baseline = Baseline::freeze(learned, Some(at), 0);
        class_of(&baseline.ladder(&place), "resolver.example", destination)
    }

    #[test]
    fn what_all_use_is_known_to_a_template_that_nothing_is_known_of() {
        assert_eq!(class(3, 0), Class::Known);
        assert_eq!(class(3, SESSIONS_TO_KNOW - 1), Class::Known);
        assert_eq!(class(3, SESSIONS_TO_KNOW), Class::New);
        assert_eq!(class(2, 0), Class::New, "two may be one with a stolen account");
    }
}
