//! Remembers what follows from host names: executors ask for the same ones again and again.

use std::hash::BuildHasher;

use egret_event::SmolStr;
use foldhash::quality::FixedState;

/// Host names that are remembered, 48 bytes each: together they fit a core's own cache. With
/// more, looking one up takes longer than working its domain out.
const REMEMBERED: usize = 4_096;

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
    places: Vec<Names>,
    hasher: FixedState,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { places: vec![Names::default(); REMEMBERED], hasher: FixedState::with_seed(SEED) }
    }
}

impl Hosts {
    /// What follows from the host `written`: remembered, or worked out.
    pub(super) fn names(&mut self, written: &[u8]) -> Names {
        let place = &mut self.places[self.hasher.hash_one(written) as usize % REMEMBERED];
        if place.host.as_bytes() == written {
            return place.clone();
        }
        let names = Names::of(written);
        if names.host.as_bytes() == written {
            *place = names.clone();
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
