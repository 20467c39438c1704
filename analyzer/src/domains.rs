//! Sets of domains, each of which stands for the names below it too.

use egret_event::SmolStr;

use crate::hash::Map;

/// Domains together with their subdomains.
#[derive(Debug)]
pub(crate) struct Domains(Map<SmolStr, ()>);

impl FromIterator<SmolStr> for Domains {
    fn from_iter<I: IntoIterator<Item = SmolStr>>(domains: I) -> Self {
        Self(domains.into_iter().map(|domain| (domain, ())).collect())
    }
}

impl Domains {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a host is one of them, or below one.
    pub(crate) fn hold(&self, host: &str) -> bool {
        let dots = host.bytes().enumerate().filter(|(_, byte)| *byte == b'.');
        let mut begins = std::iter::once(0).chain(dots.map(|(at, _)| at + 1));
        begins.any(|begin| self.has(&host[begin..]))
    }

    /// Whether a domain is itself one of them.
    pub(crate) fn has(&self, domain: &str) -> bool {
        self.0.contains_key(domain)
    }

    /// All of them, in no order that matters.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SmolStr> {
        self.0.keys()
    }
}
