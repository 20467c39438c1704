//! What is missing, by the numbers that exporters give.
//!
//! v5 counts flow records; IPFIX counts data records (RFC 7011, section 3.1); v9 counts datagrams
//! (RFC 3954, section 5.1), but some exporters count records there too, which their first numbers
//! give away.

use super::wire::Version;

/// A number so far behind what is expected is a datagram that was overtaken; further behind, or
/// further ahead than [`FAR`], the exporter has begun anew.
const OVERTAKEN: u32 = 4_096;
const FAR: u32 = 1 << 24;

/// The numbers of one exporter.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    /// The number of the latest datagram, and the records in it. `None` for records where not all
    /// could be counted.
    latest: Option<(u32, Option<u32>)>,
    /// Whether an exporter of v9 was seen to count datagrams.
    counts_datagrams: bool,
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
        match (version, records_before) {
            (Version::V9, records_before) => self.datagrams(ahead, records_before),
            (_, Some(records_before)) => missing(ahead, records_before),
            (_, None) => Told::Next,
        }
    }

    fn datagrams(&mut self, ahead: u32, records_before: Option<u32>) -> Told {
        if ahead == 1 {
            self.counts_datagrams |= records_before.is_some_and(|records| records > 1);
            return Told::Next;
        }
        if !self.counts_datagrams && records_before.is_none_or(|records| records == ahead) {
            return Told::Next;
        }
        missing(ahead, 1)
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
