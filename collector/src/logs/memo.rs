//! Remembers what was worked out of a text that comes again and again.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

/// Longest text that is remembered, in bytes, so that a memo cannot grow large on long ones.
const MAX_KEY_BYTES: usize = 256;

/// Seed of the hash that picks a text's place, fixed so that runs are repeatable.
const SEED: u64 = 0x6d65_6d6f;

/// What follows from a text, for a fixed number of texts: a new one takes the place of another
/// with the same hash.
pub(super) struct Memo<T> {
    places: Vec<Option<(Box<[u8]>, T)>>,
    hasher: FixedState,
}

impl<T: Clone> Memo<T> {
    /// A memo of `size` texts, rounded up to a power of two.
    pub(super) fn of(size: usize) -> Self {
        let mut places = Vec::new();
        places.resize_with(size.next_power_of_two(), || None);
        Self { places, hasher: FixedState::with_seed(SEED) }
    }

    /// What follows from `text`: remembered, or made.
    pub(super) fn get(&mut self, text: &[u8], make: impl FnOnce(&[u8]) -> T) -> T {
        if text.len() > MAX_KEY_BYTES {
            return make(text);
        }
        let number = self.hasher.hash_one(text) as usize & (self.places.len() - 1);
        match &mut self.places[number] {
            Some((known, value)) if **known == *text => value.clone(),
            place => {
                let value = make(text);
                *place = Some((text.into(), value.clone()));
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_worked_out_once_and_never_mistaken_for_another() {
        let mut memo = Memo::of(2);
        assert_eq!(memo.get(b"a", |_| 1), 1);
        assert_eq!(memo.get(b"a", |_| 2), 1);
        for n in 0..100u8 {
            assert_eq!(memo.get(&[n], |text| text[0]), n);
        }
    }

    #[test]
    fn long_texts_are_not_kept() {
        let mut memo = Memo::of(1);
        let long = vec![b'x'; MAX_KEY_BYTES + 1];
        assert_eq!(memo.get(&long, |_| 1), 1);
        assert_eq!(memo.get(&long, |_| 2), 2);
    }
}
