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
            && self.detector.is_none_or(|wanted| {
                incident.explanation.findings.first().is_some_and(|f| f.detector == wanted)
            })
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
mod tests {
    use super::is_within;

    #[test]
    fn a_domain_holds_its_subdomains_and_itself_but_not_its_namesakes() {
        assert!(is_within("example.org", "example.org"));
        assert!(is_within("a.b.example.org", "example.org"));
        assert!(!is_within("badexample.org", "example.org"));
        assert!(!is_within("example.org.evil.net", "example.org"));
    }
}
