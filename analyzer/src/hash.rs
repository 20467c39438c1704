//! Hashing without random state: the same input gives the same result in every process.

use std::hash::{BuildHasher, Hash};

use egret_event::Scope;
use foldhash::fast::FixedState;

/// Seed of the quick hash. Any value does; it is part of what makes runs repeatable.
const SEED: u64 = 0x6567_7265_7400_0001;

/// The state of all hash maps here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seeded;

impl BuildHasher for Seeded {
    type Hasher = <FixedState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        FixedState::with_seed(SEED).build_hasher()
    }
}

/// A map whose hashing is the same in every process. Its order is arbitrary: sort before
/// emitting anything from it.
pub(crate) type Map<K, V> = hashbrown::HashMap<K, V, Seeded>;

/// A quick hash, for finding things in memory. Whoever knows the seed can make names collide, so
/// what it finds is compared in full, or only counted.
pub(crate) fn quick(value: impl Hash) -> u64 {
    Seeded.hash_one(value)
}

/// A hash that nobody can make collide at will (BLAKE3, 64 bits), for names in baselines: there
/// only the hash is kept, and a collision would make a stranger look familiar.
pub(crate) fn key(parts: &[&[u8]]) -> u64 {
    Scope::of(parts).short()
}
