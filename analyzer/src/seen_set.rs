//! A bounded set that answers one question: was this seen in this session before?

use serde::{Deserialize, Serialize};

use crate::room::make_room;

/// Things remembered exactly.
const MOST_EXACT: usize = 64;

/// Bits that stand for the rest. With 400 things in it, a new one is taken for an old one in
/// 10 % of cases; the count is then too low, never too high.
const BITS: usize = 4096;

/// Things by their hash: the first 64 exactly, the rest in a bitmap (linear counting).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenSet {
    exact: Vec<u64>,
    bitmap: Option<Box<[u64]>>,
    count: u32,
}

impl SeenSet {
    /// Adds a thing; whether it was new.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        let Err(at) = self.exact.binary_search(&hash) else { return false };
        let new = if self.exact.len() < MOST_EXACT {
            make_room(&mut self.exact);
            self.exact.insert(at, hash);
            true
        } else {
            self.mark(hash)
        };
        self.count += u32::from(new);
        new
    }

    /// Reads the first thing; the value means nothing.
    pub(crate) fn look_ahead(&self) -> u64 {
        self.exact.first().copied().unwrap_or(0)
    }

    fn mark(&mut self, hash: u64) -> bool {
        let bitmap = self.bitmap.get_or_insert_with(|| vec![0; BITS / 64].into());
        let bit = (hash % BITS as u64) as usize;
        let Some(word) = bitmap.get_mut(bit / 64) else { return false };
        let new = *word & (1 << (bit % 64)) == 0;
        *word |= 1 << (bit % 64);
        new
    }

    /// Distinct things added; a lower bound beyond 64.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_exactly_up_to_64_and_never_too_high() {
        let mut set = SeenSet::default();
        for n in 1..=2000u64 {
            let hash = crate::hash::key(&[&n.to_le_bytes()]);
            set.insert(hash);
            assert!(!set.insert(hash), "{n} was new twice");
            assert!(u64::from(set.count()) <= n);
            assert!(n > 64 || u64::from(set.count()) == n);
        }
        assert!(set.count() > 1400, "{}", set.count());
    }
}
