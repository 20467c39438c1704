//! Remembers what follows from host names: executors ask for the same ones again and again.

use std::hash::BuildHasher;

use egret_event::SmolStr;
use foldhash::quality::FixedState;

/// Host names that are remembered, 32 bytes each: together they fit a core's own cache.
const REMEMBERED: usize = 8_192;

/// Seed of the hash that picks a name's place, fixed so that runs are repeatable.
const SEED: u64 = 0x686f_7374;

/// What follows from a host as it is written in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Its clean form.
    pub(super) host: SmolStr,
    /// Its registrable domain.
    pub(super) domain: SmolStr,
}

impl Names {
    fn of(written: &[u8]) -> Self {
        let host = egret_event::clean_name_bytes(written);
        Self { domain: egret_event::registrable_domain(&host), host }
    }
}

/// The names of hosts seen lately: a new one takes the place of another with the same hash.
///
/// Only names that are written in their clean form are kept, as nearly all are. The name itself is
/// the key then, and in most cases lies within its place.
pub(super) struct Hosts {
    places: Vec<Known>,
    hasher: FixedState,
}

/// A host, and how many of its last bytes are its domain.
#[derive(Debug, Clone, Default)]
struct Known {
    host: SmolStr,
    domain_bytes: u8,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { places: vec![Known::default(); REMEMBERED], hasher: FixedState::with_seed(SEED) }
    }
}

impl Hosts {
    /// What follows from the host `written`: remembered, or worked out.
    pub(super) fn names(&mut self, written: &[u8]) -> Names {
        let place = &mut self.places[self.hasher.hash_one(written) as usize % REMEMBERED];
        if place.host.as_bytes() == written {
            let host = place.host.clone();
            let before = host.len() - usize::from(place.domain_bytes);
            return Names { domain: SmolStr::new(&host[before..]), host };
        }
        let names = Names::of(written);
        if names.host.as_bytes() == written
            && names.host.ends_with(names.domain.as_str())
            && let Ok(domain_bytes) = u8::try_from(names.domain.len())
        {
            *place = Known { host: names.host.clone(), domain_bytes };
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_host_gives_what_an_unknown_one_gives() {
        let mut hosts = Hosts::default();
        for _ in 0..2 {
            for n in 0..3 * REMEMBERED {
                let host = format!("h{n}.site-{}.example", n % 7);
                assert_eq!(hosts.names(host.as_bytes()), Names::of(host.as_bytes()));
            }
            for written in [&b""[..], b"WWW.Example.ORG.", b"a\xff.example", b"localhost"] {
                assert_eq!(hosts.names(written), Names::of(written));
            }
        }
    }
}
