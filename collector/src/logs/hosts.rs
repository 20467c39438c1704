//! Remembers what follows from host names: executors ask for the same ones again and again.

use std::hash::BuildHasher;
use std::sync::Arc;

use egret_event::SmolStr;
use foldhash::quality::FixedState;

use crate::Scanner;

/// Host names that are remembered, 32 bytes each: a second-level cache holds those in use, and to
/// work one out anew takes longer than to fetch it from there.
const REMEMBERED: usize = 65_536;

/// Names with the same hash that are remembered side by side, in one line of the processor's cache.
const WAYS: usize = 2;

/// The sets of places that share a hash.
const SETS: usize = REMEMBERED / WAYS;

/// Seed of the hash that picks a name's place, fixed so that runs are repeatable.
const SEED: u64 = 0x686f_7374;

/// What follows from a host as it is written in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Its clean form.
    pub(super) host: SmolStr,
    /// Its registrable domain.
    pub(super) domain: SmolStr,
    /// Whether no secret is in it ([`Scanner::is_quiet`]).
    pub(super) is_quiet: bool,
}

impl Names {
    fn of(written: &[u8], scanner: &Scanner) -> Self {
        let host = egret_event::clean_name_bytes(written);
        let is_quiet = scanner.is_quiet(written);
        Self { domain: egret_event::registrable_domain(&host), host, is_quiet }
    }
}

/// The names of hosts seen lately: a new one takes the place of the oldest with the same hash.
///
/// Only names that are written in their clean form are kept, as nearly all are. The name itself is
/// the key then, and in most cases lies within its place.
pub(super) struct Hosts {
    sets: Vec<Set>,
    scanner: Arc<Scanner>,
    hasher: FixedState,
}

/// The hosts with one hash, the newest first.
#[derive(Debug, Clone, Default)]
#[repr(align(64))]
struct Set([Known; WAYS]);

/// A host, and how many of its last bytes are its domain.
#[derive(Debug, Clone, Default)]
struct Known {
    host: SmolStr,
    domain_bytes: u8,
    is_quiet: bool,
}

impl Known {
    /// The domain is cut out of what is remembered, and not of the copy: that was only just written,
    /// and a processor waits before it reads parts of such.
    #[inline]
    fn names(&self) -> Names {
        let before = self.host.len() - usize::from(self.domain_bytes);
        Names {
            domain: SmolStr::new(&self.host[before..]),
            host: self.host.clone(),
            is_quiet: self.is_quiet,
        }
    }
}

impl Hosts {
    pub(super) fn of(scanner: Arc<Scanner>) -> Self {
        Self { sets: vec![Set::default(); SETS], scanner, hasher: FixedState::with_seed(SEED) }
    }

    /// What follows from the host `written`: remembered, or worked out.
    pub(super) fn names(&mut self, written: &[u8]) -> Names {
        let Set(places) = &mut self.sets[self.hasher.hash_one(written) as usize % SETS];
        if let Some(known) = places.iter().find(|known| known.host.as_bytes() == written) {
            return known.names();
        }
        let names = Names::of(written, &self.scanner);
        if names.host.as_bytes() == written
            && names.host.ends_with(names.domain.as_str())
            && let Ok(domain_bytes) = u8::try_from(names.domain.len())
        {
            places.rotate_right(1);
            let (host, is_quiet) = (names.host.clone(), names.is_quiet);
            places[0] = Known { host, domain_bytes, is_quiet };
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_host_gives_what_an_unknown_one_gives() {
        let mut hosts = Hosts::of(Arc::default());
        let names_of = |written: &[u8]| Names::of(written, &Scanner::default());
        for _ in 0..2 {
            for n in 0..3 * REMEMBERED {
                let letters = if n % 2 == 0 { "" } else { "0123456789abcdefghij" };
                let host = format!("h{n}{letters}.site-{}.example", n % 7);
                assert_eq!(hosts.names(host.as_bytes()), names_of(host.as_bytes()));
            }
            for written in [&b""[..], b"WWW.Example.ORG.", b"a\xff.example", b"localhost"] {
                assert_eq!(hosts.names(written), names_of(written));
            }
        }
    }
}
