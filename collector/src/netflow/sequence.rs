//! What is missing, by the numbers that exporters give.
//!
//! v5 counts flow records before a datagram, IPFIX data records (RFC 7011, section 3.1), v9
//! datagrams (RFC 3954, section 5.1). Some exporters count records in v9 too, or count those of the
//! datagram itself already; their first numbers give them away.

use super::wire::Version;

/// A number so far behind what is expected is a datagram that was overtaken; further behind, or
/// further ahead than [`FAR`], the exporter has begun anew.
const OVERTAKEN: u32 = 4_096;
const FAR: u32 = 1 << 24;

/// So many numbers that fit one way of counting alone prove that it is the exporter's.
const PROOF: u32 = 16;

/// The numbers of one exporter.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    /// The number of the latest datagram, and the records in it. `None` for records where not all
    /// could be counted.
    latest: Option<(u32, Option<u32>)>,
    /// How the exporter counts, where it is not as its version says.
    counts: Option<Counting>,
    /// How many numbers fitted that and nothing else.
    proofs: u32,
}

/// What is between the numbers of two datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    Datagrams,
    /// The records of the first.
    Before,
    /// The records of the second.
    UpToItself,
}

/// What a number tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing is missing, as far as can be told.
    Next,
    /// So many are missing before this one.
    Missing(u32),
    /// One that was missing has come, with so many.
    Overtaken(u32),
}

impl Sequence {
    /// Takes the number of a datagram that holds so many records.
    pub(super) fn take(&mut self, version: Version, number: u32, records: Option<u32>) -> Told {
        let Some((before, records_before)) = self.latest else {
            self.latest = Some((number, records));
            return Told::Next;
        };
        let ahead = number.wrapping_sub(before);
        if before.wrapping_sub(number).wrapping_sub(1) < OVERTAKEN {
            let unit = if version == Version::V9 { Some(1) } else { records };
            return Told::Overtaken(unit.unwrap_or(0));
        }
        self.latest = Some((number, records));
        if ahead == 0 || ahead > FAR {
            return Told::Next;
        }
        self.compare(version, ahead, records_before, records)
    }

    fn compare(
        &mut self,
        version: Version,
        ahead: u32,
        before: Option<u32>,
        own: Option<u32>,
    ) -> Told {
        let step = |counting| match counting {
            Counting::Datagrams => Some(1),
            Counting::Before => before,
            Counting::UpToItself => own,
        };
        let (usual, others): (_, &[Counting]) = match version {
            Version::V9 => (Counting::Datagrams, &[Counting::Before, Counting::UpToItself]),
            Version::V5 | Version::Ipfix => (Counting::Before, &[Counting::UpToItself]),
        };
        let current = self.counts.unwrap_or(usual);
        let Some(expected) = step(current) else { return Told::Next };
        let fits = |counting: &&Counting| step(**counting) == Some(ahead);
        let all = std::iter::once(&usual).chain(others);
        let fitting: Vec<_> = all.filter(fits).copied().collect();
        if fitting.contains(&current) {
            self.proofs = self.proofs.saturating_add(u32::from(fitting.len() == 1));
            return Told::Next;
        }
        match fitting.first() {
            Some(other) if self.proofs < PROOF => {
                (self.counts, self.proofs) = (Some(*other), 0);
                Told::Next
            }
            _ => missing(ahead, expected),
        }
    }
}

fn missing(ahead: u32, expected: u32) -> Told {
    match ahead.checked_sub(expected) {
        Some(missing @ 1..) => Told::Missing(missing),
        _ => Told::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: Version, numbers: &[(u32, u32)]) -> Vec<Told> {
        let mut sequence = Sequence::default();
        numbers.iter().map(|(n, records)| sequence.take(version, *n, Some(*records))).collect()
    }

    #[test]
    fn records_that_never_came_are_counted_to_the_unit() {
        use Told::{Missing, Next};
        for version in [Version::V5, Version::Ipfix] {
            let numbers = [(100, 30), (130, 30), (190, 5), (195, 1)];
            assert_eq!(told(version, &numbers), [Next, Next, Missing(30), Next]);
        }
        assert_eq!(
            told(Version::V9, &[(7, 20), (8, 20), (9, 20), (12, 20)]),
            [Next, Next, Next, Missing(2)]
        );
    }

    #[test]
    fn exporters_of_v9_that_count_records_are_not_taken_for_lossy() {
        use Told::{Missing, Next};
        assert_eq!(
            told(Version::V9, &[(0, 20), (20, 15), (35, 1), (60, 1)]),
            [Next, Next, Next, Missing(24)]
        );
    }

    #[test]
    fn exporters_that_count_the_datagram_itself_are_not_taken_for_lossy() {
        use Told::{Missing, Next};
        assert_eq!(
            told(Version::Ipfix, &[(24, 25), (56, 32), (88, 32), (110, 22), (115, 5), (140, 20)]),
            [Next, Next, Next, Next, Next, Missing(5)]
        );
    }

    #[test]
    fn a_hole_as_large_as_a_datagram_is_told_once_the_counting_is_proven() {
        let mut numbers: Vec<_> = (0..40).map(|n| (n, 20)).collect();
        numbers.push((59, 20));
        assert_eq!(told(Version::V9, &numbers).pop(), Some(Told::Missing(19)));
    }

    #[test]
    fn numbers_wrap_and_exporters_begin_anew() {
        use Told::Next;
        assert_eq!(told(Version::V5, &[(u32::MAX - 9, 10), (0, 10), (10, 10)]), [Next; 3]);
        assert_eq!(told(Version::Ipfix, &[(1_000_000, 10), (0, 10), (10, 10)]), [Next; 3]);
    }

    #[test]
    fn a_datagram_that_was_overtaken_is_given_back() {
        use Told::{Missing, Next, Overtaken};
        assert_eq!(
            told(Version::V5, &[(0, 10), (20, 10), (10, 10), (30, 10)]),
            [Next, Missing(10), Overtaken(10), Next]
        );
    }
}
