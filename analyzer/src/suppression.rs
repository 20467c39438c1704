//! Suppressions: what a person has decided not to be alerted about, until when, and why.

use egret_event::{EventId, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Detector, Incident};

/// Silences alerts about incidents that match every given field. The incidents are still stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suppression {
    /// Its id.
    pub id: EventId,
    /// A domain: matches destinations that are it or end in it after a dot. `None`: any.
    pub destination: Option<SmolStr>,
    /// `None`: any template.
    pub template: Option<SmolStr>,
    /// `None`: any tenant.
    pub tenant: Option<SmolStr>,
    /// Matches only when this is the strongest detector. `None`: any detector.
    pub detector: Option<Detector>,
    /// Why, in the words of whoever made it.
    pub reason: String,
    /// Who made it.
    pub created_by: SmolStr,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to apply.
    pub expires_at: Timestamp,
}

impl Suppression {
    /// Whether this silences `incident` at `now`.
    pub fn matches(&self, incident: &Incident, now: Timestamp) -> bool {
        let same = |wanted: &Option<SmolStr>, is: Option<&SmolStr>| {
            wanted.as_ref().is_none_or(|wanted| is == Some(wanted))
        };
        now < self.expires_at
            && self.destination.as_ref().is_none_or(|domain| self.covers(domain, incident))
            && same(&self.template, incident.origin.template.as_ref())
            && same(&self.tenant, incident.origin.tenant.as_ref())
            && self.detector.is_none_or(|wanted| incident.strongest() == Some(wanted))
    }

    /// Whether all that the incident is about lies at or below `domain`: an incident that also
    /// touched another host of the registrable domain is not silenced by a narrower entry.
    fn covers(&self, domain: &str, incident: &Incident) -> bool {
        is_within(&incident.destination, domain)
            || (!incident.hosts.is_empty()
                && incident.hosts.iter().all(|host| is_within(host, domain)))
    }
}

/// Whether `host` is `domain` or one of its subdomains.
pub(crate) fn is_within(host: &str, domain: &str) -> bool {
    match host.strip_suffix(domain) {
        Some("") => true,
        Some(rest) => rest.ends_with('.'),
        None => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use egret_event::Attribution;
    use proptest::prelude::*;

    use super::*;
    use crate::{Explanation, Finding, Observed, Quantity, Severity, Stage};

    fn finding(detector: Detector) -> Finding {
        let observed = Quantity { value: 1.0, unit: "bytes".into() };
        Finding::by_rule(detector, observed, String::new())
    }

    fn incident((destination, hosts): (SmolStr, Vec<SmolStr>), detector: Detector) -> Incident {
        Incident { destination, hosts, ..about(detector) }
    }

    /// An incident about nothing in particular.
    pub(crate) fn about(detector: Detector) -> Incident {
        let at = Timestamp::from_secs(0);
        let mut origin = Attribution::nobody();
        origin.template = Some("python".into());
        origin.tenant = Some("acme".into());
        Incident {
            id: EventId::from_bits(1),
            title: String::new(),
            severity: Severity::High,
            score: 1.0,
            stage: Stage::Rules,
            origin,
            session: "job".into(),
            destination: SmolStr::default(),
            hosts: Vec::new(),
            addresses: Vec::new(),
            ports: Vec::new(),
            opened_at: at,
            updated_at: at,
            first_seen: at,
            last_seen: at,
            observed: Observed::default(),
            explanation: Explanation {
                summary: String::new(),
                p_combined: 0.0,
                threshold: 0.0,
                findings: vec![finding(detector)],
                baseline: EventId::from_bits(2),
                baseline_frozen_at: None,
                baseline_sessions: 0,
                evidence: Vec::new(),
                gaps: Vec::new(),
                techniques: Vec::new(),
                next_steps: Vec::new(),
            },
        }
    }

    fn suppression(destination: Option<SmolStr>, expires_at: Timestamp) -> Suppression {
        Suppression {
            id: EventId::from_bits(3),
            destination,
            template: None,
            tenant: None,
            detector: None,
            reason: String::new(),
            created_by: "ana".into(),
            created_at: Timestamp::from_secs(0),
            expires_at,
        }
    }

    fn label() -> impl Strategy<Value = String> {
        "[a-z0-9][a-z0-9-]{0,8}"
    }

    fn detector() -> impl Strategy<Value = Detector> {
        proptest::sample::select(Detector::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn what_has_expired_matches_nothing_and_what_has_not_matches_what_it_is_made_of(
            (name, with_name) in (label(), any::<bool>()),
            (template, tenant) in (any::<bool>(), any::<bool>()),
            by in proptest::option::of(detector()),
            expires_at in any::<i64>(),
            after in any::<u64>(),
        ) {
            let domain = SmolStr::from(format!("{name}.example"));
            let incident = incident((domain.clone(), Vec::new()), by.unwrap_or(Detector::Policy));
            let one = Suppression {
                template: template.then(|| "python".into()),
                tenant: tenant.then(|| "acme".into()),
                detector: by,
                ..suppression(with_name.then_some(domain), Timestamp::from_nanos(expires_at))
            };
            let later = Timestamp::from_nanos(expires_at.saturating_add_unsigned(after));
            prop_assert!(!one.matches(&incident, later));
            if let Some(before) = expires_at.checked_sub(1) {
                prop_assert!(one.matches(&incident, Timestamp::from_nanos(before)));
            }
        }

        #[test]
        fn a_domain_covers_what_lies_below_it_and_neither_siblings_nor_parents(
            (below, name, sibling) in (label(), label(), label()),
            by in detector(),
        ) {
            prop_assume!(name != sibling);
            let (now, end) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
            let domain = format!("{name}.example.org");
            let one = suppression(Some(domain.as_str().into()), end);
            let at = |hosts: &[String]| {
                let hosts = hosts.iter().map(SmolStr::from).collect();
                incident(("example.org".into(), hosts), by)
            };
            let sibling = format!("{sibling}.example.org");
            let host = format!("{below}.{domain}");
            prop_assert!(one.matches(&at(std::slice::from_ref(&domain)), now));
            prop_assert!(one.matches(&at(&[domain.clone(), host.clone()]), now));
            prop_assert!(!one.matches(&at(std::slice::from_ref(&sibling)), now));
            prop_assert!(!one.matches(&at(&[host, sibling]), now), "one host is another's");
            prop_assert!(!one.matches(&at(&[format!("{below}{domain}")]), now), "a namesake");
            prop_assert!(!one.matches(&at(&[]), now), "the parent alone");
        }
    }

    #[test]
    fn a_domain_holds_its_subdomains_and_itself_but_not_its_namesakes() {
        assert!(is_within("example.org", "example.org"));
        assert!(is_within("a.b.example.org", "example.org"));
        assert!(!is_within("badexample.org", "example.org"));
        assert!(!is_within("example.org.evil.net", "example.org"));
    }
}
