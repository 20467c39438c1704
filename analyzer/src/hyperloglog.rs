//! How many distinct things were seen: exact while few, estimated when many.

use serde::{Deserialize, Serialize};

/// Things counted exactly.
const MOST_EXACT: usize = 8;

/// log₂ of the registers. 64 registers: a standard error of 1.04/√64 = 13 %.
const INDEX_BITS: u32 = 6;

/// A set of hashes of which only the size matters. What it holds is a function of the set of
/// hashes alone, so merging is commutative, associative and idempotent.
///
/// Source: Flajolet, Fusy, Gandouet and Meunier, AOFA (2007), with linear counting for few.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Distinct {
    /// The hashes themselves, sorted.
    Exact(Vec<u64>),
    /// The largest rank per register.
    Registers(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    /// Adds the thing with this hash.
    pub(crate) fn insert(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    hashes.insert(at, hash);
                    if hashes.len() > MOST_EXACT {
                        self.estimate_from_now_on();
                    }
                }
            }
            Self::Registers(registers) => raise(registers, hash),
        }
    }

    /// Adds all things of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|hash| self.insert(*hash)),
            Self::Registers(theirs) => {
                let ours = self.estimate_from_now_on();
                for (ours, theirs) in ours.iter_mut().zip(theirs) {
                    *ours = (*ours).max(*theirs);
                }
            }
        }
    }

    fn estimate_from_now_on(&mut self) -> &mut Vec<u8> {
        if let Self::Exact(hashes) = self {
            let mut registers = vec![0; 1 << INDEX_BITS];
            hashes.iter().for_each(|hash| raise(&mut registers, *hash));
            *self = Self::Registers(registers);
        }
        match self {
            Self::Registers(registers) => registers,
            Self::Exact(_) => unreachable!("replaced above"),
        }
    }

    /// About how many distinct things were added; exact up to eight.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => estimate(registers),
        }
    }
}

fn raise(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - INDEX_BITS)) as usize;
    let rank = ((hash << INDEX_BITS).leading_zeros() + 1).min(64 - INDEX_BITS + 1);
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank as u8);
    }
}

fn estimate(registers: &[u8]) -> u64 {
    /// The bias correction for 64 registers, from the paper.
    const ALPHA: f64 = 0.709;
    let m = registers.len() as f64;
    let raw = ALPHA * m * m / registers.iter().map(|r| 0.5f64.powi(i32::from(*r))).sum::<f64>();
    let empty = registers.iter().filter(|r| **r == 0).count();
    let estimate = if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw };
    (estimate.round() as u64).max(MOST_EXACT as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hashes: impl Iterator<Item = u64>) -> Distinct {
        let mut set = Distinct::default();
        hashes.for_each(|hash| set.insert(hash));
        set
    }

    fn spread(i: u64) -> u64 {
        crate::hash::key(&[&i.to_le_bytes()])
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_three_standard_errors() {
        for n in 0..=8 {
            assert_eq!(of((0..n).chain(0..n).map(spread)).count(), n);
        }
        for n in [50u64, 500, 50_000] {
            let count = of((0..n).map(spread)).count() as f64;
            assert!((count / n as f64 - 1.0).abs() < 0.39, "{n}: {count}");
        }
    }

    proptest::proptest! {
        #[test]
        fn merging_is_the_union(left in 0u64..40, right in 0u64..40, shift in 0u64..40) {
            let a = of((0..left).map(spread));
            let b = of((shift..shift + right).map(spread));
            let union = of((0..left).chain(shift..shift + right).map(spread));
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b);
            ba.merge(&a);
            proptest::prop_assert_eq!(&ab, &union);
            proptest::prop_assert_eq!(&ba, &union);
            ab.merge(&b);
            proptest::prop_assert_eq!(&ab, &union);
        }
    }
}
