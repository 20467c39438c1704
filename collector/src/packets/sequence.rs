//! How far a TCP stream has come: which payload is new, which a repetition, and which was missed.
//!
//! Owns the sequence numbers of one direction of a connection. A byte is counted when it is first
//! seen. One that the other end acknowledged and that was never seen is *missed*: it is told as a
//! gap and is not part of any volume, since nobody can say what it was.

/// Most holes that are remembered in one direction; where there are more, the oldest is settled.
const MAX_HOLES: usize = 8;

/// A leap that is no hole but another stream between the same ends, whose start was not seen.
/// The largest window is 1 GiB (RFC 7323, section 2.3), and nobody uses more than a part of it.
const LEAP: u32 = 1 << 28;

/// Bytes that may be repeated before any new ones; beyond it, and as many as were new, repetitions
/// are not believed. Else a tunnel that is TCP by its looks only, and whose sequence numbers stand
/// still, would count as nothing.
const CREDIT: u32 = 1 << 20;

const FIN: u8 = super::link::FIN;
const SYN: u8 = super::link::SYN;

/// One direction of a connection. Sequence numbers wrap (RFC 9293, section 3.4).
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The next new byte; before any byte was seen, the first that was acknowledged.
    next: u32,
    /// The next byte that the other end waits for.
    acknowledged: u32,
    /// Repeated bytes that would still be believed.
    credit: u32,
    has_begun: bool,
    is_acknowledged: bool,
    holes: Option<Box<Holes>>,
}

/// Stretches before [`Progress::next`] that were not seen, from and to, in order.
#[derive(Debug, Default)]
struct Holes {
    places: [(u32, u32); MAX_HOLES],
    count: usize,
    /// Bytes of holes that had to be settled early.
    missed: u64,
}

impl Progress {
    /// Whether a segment that starts at `sequence` holds nothing that was seen before.
    #[inline]
    pub(super) fn is_new(&self, sequence: u32) -> bool {
        !self.has_begun || is_at_or_after(sequence, self.next)
    }

    /// The next new byte, if a segment that starts at `sequence` comes after it.
    pub(super) fn gap_before(&self, sequence: u32) -> Option<u32> {
        (self.has_begun && sequence != self.next && is_at_or_after(sequence, self.next))
            .then_some(self.next)
    }

    /// Takes in a segment. Returns how many of its `payload` bytes are to be counted.
    #[inline]
    pub(super) fn advance(&mut self, sequence: u32, flags: u8, payload: u32) -> u32 {
        if payload == 0 && flags & (SYN | FIN) == 0 {
            return 0;
        }
        let is_syn = flags & SYN != 0;
        let start = sequence.wrapping_add(u32::from(is_syn));
        let end = start.wrapping_add(payload).wrapping_add(u32::from(flags & FIN != 0));
        if self.has_begun && start == self.next {
            self.next = end;
            self.credit = self.credit.saturating_add(payload);
            return payload;
        }
        self.out_of_order(start, end, payload, is_syn)
    }

    #[cold]
    fn out_of_order(&mut self, start: u32, end: u32, payload: u32, is_syn: bool) -> u32 {
        let ahead = start.wrapping_sub(self.next);
        let behind = self.next.wrapping_sub(start);
        let is_other_start = is_syn && behind > CREDIT;
        if is_other_start && self.is_agreed() {
            // An end that has a connection does not take another start for it (RFC 9293, section
            // 3.10.7.4), and whoever answers two SYNs with two starts goes on with the first.
            return payload;
        }
        if !self.has_begun || (ahead >= LEAP && behind >= LEAP) || is_other_start {
            self.begin(end);
            return payload;
        }
        if ahead < LEAP {
            self.holes.get_or_insert_default().add(
                (self.next, start),
                self.acknowledged,
                self.is_acknowledged,
            );
            self.next = end;
            self.credit = self.credit.saturating_add(payload);
            return payload;
        }
        let fresh = self.repeated(start, end, payload);
        let repeated = payload - fresh;
        let believed = repeated.min(self.credit);
        self.credit = (self.credit - believed).saturating_add(fresh);
        payload - believed
    }

    /// Whether the other end has acknowledged the stream as far as it was seen.
    fn is_agreed(&self) -> bool {
        self.has_begun && self.is_acknowledged && self.acknowledged == self.next
    }

    fn begin(&mut self, next: u32) {
        self.next = next;
        self.has_begun = true;
        self.credit = CREDIT;
        if let Some(holes) = &mut self.holes {
            holes.count = 0;
        }
    }

    /// How much of a segment that starts before the next new byte was not seen: what fills a hole,
    /// and what goes beyond.
    fn repeated(&mut self, start: u32, end: u32, payload: u32) -> u32 {
        let data_end = start.wrapping_add(payload);
        let beyond = data_end.wrapping_sub(self.next);
        let beyond = if beyond < LEAP { beyond } else { 0 };
        if is_at_or_after(end, self.next) {
            self.next = end;
        }
        let filled = self.holes.as_mut().map_or(0, |holes| holes.fill(start, data_end));
        (filled + beyond).min(payload)
    }

    /// Notes that the other end has everything before `acknowledged`.
    #[inline]
    pub(super) fn acknowledge(&mut self, acknowledged: u32) {
        if self.is_acknowledged {
            if is_at_or_after(acknowledged, self.acknowledged) {
                self.acknowledged = acknowledged;
            }
        } else {
            self.is_acknowledged = true;
            self.acknowledged = acknowledged;
            if !self.has_begun {
                self.next = acknowledged;
            }
        }
    }

    /// Bytes that were acknowledged and never seen, since the last call. To be called now and
    /// then, and not at once: packets may have been captured in another order than they were sent.
    /// What follows the last byte seen is looked at only when the stream `is_over`.
    pub(super) fn take_missed(&mut self, end: StreamEnd) -> u64 {
        if !self.is_acknowledged {
            return 0;
        }
        let acknowledged = self.acknowledged;
        let mut missed = self.holes.as_mut().map_or(0, |holes| holes.take_missed(acknowledged));
        let tail = acknowledged.wrapping_sub(self.next);
        // One more than was seen is a FIN.
        let is_tail = tail > 1 && tail < LEAP;
        if is_tail && (end == StreamEnd::Over || !self.has_begun) {
            missed += u64::from(tail);
            self.next = acknowledged;
        }
        missed
    }
}

/// Whether more of a stream may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// It may.
    Open,
    /// It is over.
    Over,
}

impl Holes {
    fn add(&mut self, hole: (u32, u32), acknowledged: u32, is_acknowledged: bool) {
        if self.count == MAX_HOLES {
            let (from, to) = self.places[0];
            if is_acknowledged && is_at_or_after(acknowledged, to) {
                self.missed += u64::from(to.wrapping_sub(from));
            }
            self.remove(0);
        }
        self.places[self.count] = hole;
        self.count += 1;
    }

    fn remove(&mut self, at: usize) {
        self.places.copy_within(at + 1..self.count, at);
        self.count -= 1;
    }

    /// Fills what lies between `start` and `end`; returns how many bytes that was.
    fn fill(&mut self, start: u32, end: u32) -> u32 {
        let mut filled = 0;
        let mut at = 0;
        while at < self.count {
            let (from, to) = self.places[at];
            let (left, right) = (later(from, start), earlier(to, end));
            if !is_before(left, right) {
                at += 1;
                continue;
            }
            filled += right.wrapping_sub(left);
            match (from == left, to == right) {
                (true, true) => {
                    self.remove(at);
                    continue;
                }
                (true, false) => self.places[at].0 = right,
                (false, true) => self.places[at].1 = left,
                (false, false) => self.split(at, left, right),
            }
            at += 1;
        }
        filled
    }

    /// Makes two holes of one. Without room for both, the second is given up.
    fn split(&mut self, at: usize, left: u32, right: u32) {
        let (_, to) = self.places[at];
        self.places[at].1 = left;
        if self.count < MAX_HOLES {
            self.places.copy_within(at + 1..self.count, at + 2);
            self.places[at + 1] = (right, to);
            self.count += 1;
        }
    }

    fn take_missed(&mut self, acknowledged: u32) -> u64 {
        let mut missed = std::mem::take(&mut self.missed);
        while self.count > 0 && is_at_or_after(acknowledged, self.places[0].1) {
            let (from, to) = self.places[0];
            missed += u64::from(to.wrapping_sub(from));
            self.remove(0);
        }
        missed
    }
}

/// Whether sequence number `a` is not before `b`.
#[inline]
fn is_at_or_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) < 1 << 31
}

fn is_before(a: u32, b: u32) -> bool {
    !is_at_or_after(a, b)
}

fn later(a: u32, b: u32) -> u32 {
    if is_at_or_after(a, b) { a } else { b }
}

fn earlier(a: u32, b: u32) -> u32 {
    if is_at_or_after(a, b) { b } else { a }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream whose SYN had this number, close to the wrap.
    const FIRST: u32 = u32::MAX - 1_500;

    fn begun() -> Progress {
        let mut progress = Progress::default();
        assert_eq!(progress.advance(FIRST.wrapping_sub(1), SYN, 0), 0);
        progress
    }

    fn at(offset: u32) -> u32 {
        FIRST.wrapping_add(offset)
    }

    fn send(progress: &mut Progress, offset: u32, length: u32) -> u32 {
        progress.advance(at(offset), 0, length)
    }

    #[test]
    fn a_repetition_counts_for_nothing_and_what_it_adds_counts() {
        let mut progress = begun();
        assert_eq!(send(&mut progress, 0, 1000), 1000);
        assert_eq!(send(&mut progress, 0, 1000), 0);
        assert_eq!(send(&mut progress, 500, 1000), 500);
        assert_eq!(send(&mut progress, 200, 100), 0);
        assert_eq!(send(&mut progress, 1500, 1000), 1000);
    }

    #[test]
    fn a_keep_alive_is_no_payload() {
        let mut progress = begun();
        assert_eq!(send(&mut progress, 0, 1000), 1000);
        assert_eq!(send(&mut progress, 999, 1), 0);
        assert_eq!(send(&mut progress, 999, 0), 0);
        assert_eq!(send(&mut progress, 1000, 1), 1);
    }

    #[test]
    fn segments_out_of_order_count_once_each() {
        let mut progress = begun();
        assert_eq!(send(&mut progress, 2000, 1000), 1000);
        assert_eq!(send(&mut progress, 500, 500), 500);
        assert_eq!(send(&mut progress, 0, 2500), 1500);
        assert_eq!(send(&mut progress, 0, 3000), 0);
        progress.acknowledge(at(3000));
        assert_eq!(progress.take_missed(StreamEnd::Over), 0);
    }

    #[test]
    fn what_was_acknowledged_and_not_seen_was_missed() {
        let mut progress = begun();
        progress.acknowledge(at(0));
        send(&mut progress, 0, 1000);
        send(&mut progress, 3000, 1000);
        assert_eq!(progress.take_missed(StreamEnd::Open), 0, "it may still come");
        progress.acknowledge(at(4000));
        assert_eq!(progress.take_missed(StreamEnd::Open), 2000);
        assert_eq!(progress.take_missed(StreamEnd::Over), 0, "it is told once");
        progress.acknowledge(at(4500));
        assert_eq!(progress.take_missed(StreamEnd::Open), 0, "the rest may be on its way");
        assert_eq!(progress.take_missed(StreamEnd::Over), 500);
    }

    #[test]
    fn an_acknowledged_fin_is_not_a_missed_byte() {
        let mut progress = begun();
        send(&mut progress, 0, 1000);
        progress.acknowledge(at(1001));
        assert_eq!(progress.take_missed(StreamEnd::Over), 0);
        let mut seen = begun();
        seen.advance(at(0), FIN, 1000);
        seen.acknowledge(at(1001));
        assert_eq!(seen.take_missed(StreamEnd::Over), 0);
    }

    #[test]
    fn what_came_before_the_first_packet_seen_is_not_missed() {
        let mut progress = Progress::default();
        progress.acknowledge(at(0));
        send(&mut progress, 2000, 1000);
        progress.acknowledge(at(3000));
        assert_eq!(progress.take_missed(StreamEnd::Over), 0);
    }

    #[test]
    fn a_direction_that_is_never_seen_is_missed() {
        let mut progress = Progress::default();
        progress.acknowledge(at(0));
        progress.acknowledge(at(2000));
        assert_eq!(progress.take_missed(StreamEnd::Open), 2000);
        progress.acknowledge(at(5000));
        assert_eq!(progress.take_missed(StreamEnd::Over), 3000);
    }

    #[test]
    fn sequence_numbers_that_stand_still_do_not_hide_what_is_sent() {
        let mut progress = begun();
        let counted: u64 = (0..10_000).map(|_| u64::from(send(&mut progress, 0, 1000))).sum();
        assert!(counted > 10_000_000 - u64::from(CREDIT) - 2000, "{counted}");
    }

    #[test]
    fn another_stream_between_the_same_ends_counts_from_its_start() {
        let mut progress = begun();
        send(&mut progress, 0, 1000);
        assert_eq!(send(&mut progress, 1 << 30, 700), 700);
        progress.acknowledge(at((1 << 30) + 700));
        assert_eq!(progress.take_missed(StreamEnd::Over), 0);
    }

    #[test]
    fn a_second_start_that_nobody_takes_changes_nothing() {
        let mut progress = begun();
        progress.acknowledge(at(0));
        assert_eq!(progress.advance(at(99_000_000), SYN, 0), 0);
        assert_eq!(send(&mut progress, 0, 1000), 1000);
        assert_eq!(send(&mut progress, 1000, 500), 500);
        progress.acknowledge(at(1500));
        assert_eq!(progress.take_missed(StreamEnd::Over), 0);
    }

    #[test]
    fn a_second_attempt_starts_its_stream_anew() {
        let mut progress = begun();
        assert_eq!(progress.advance(at(99_000_000), SYN, 0), 0);
        assert_eq!(send(&mut progress, 99_000_001, 1000), 1000);
        progress.acknowledge(at(99_001_001));
        assert_eq!(progress.take_missed(StreamEnd::Over), 0);
    }

    proptest! {
        #[test]
        fn in_any_order_and_with_any_repetition_every_byte_counts_once(
            lengths in prop::collection::vec(1..600_u32, 1..60),
            delays in prop::collection::vec((0..60_usize, 0..5_usize), 0..120),
        ) {
            let ends: Vec<u32> = lengths
                .iter()
                .scan(0, |end, length| { *end += length; Some(*end) })
                .collect();
            // Each segment in its turn, and some again; all of them late by a few turns, as a
            // window of a few segments makes them: holes are bounded.
            let mut turns: Vec<(usize, usize)> = (0..lengths.len()).map(|at| (at, at)).collect();
            for (at, delay) in delays {
                let at = at % lengths.len();
                turns[at].0 = at + delay;
                turns.push((at + 2 * delay, at));
            }
            turns.sort_unstable();
            let mut progress = begun();
            let counted: u32 = turns
                .iter()
                .map(|(_, at)| send(&mut progress, ends[*at] - lengths[*at], lengths[*at]))
                .sum();
            prop_assert_eq!(counted, *ends.last().unwrap_or(&0));
        }

        #[test]
        fn no_more_is_missed_than_was_acknowledged_and_no_more_counted_than_sent(
            steps in prop::collection::vec((any::<u32>(), 0..2000_u32, any::<u8>(), any::<bool>()), 0..200),
        ) {
            let mut progress = Progress::default();
            for (number, length, flags, is_acknowledgement) in steps {
                if is_acknowledgement {
                    progress.acknowledge(number);
                    let _ = progress.take_missed(StreamEnd::Open);
                } else {
                    prop_assert!(progress.advance(number, flags, length) <= length);
                }
            }
            let _ = progress.take_missed(StreamEnd::Over);
        }
    }
}
