//! What could not be seen lately, and which incidents that concerns.
//!
//! A gap concerns an incident when it lies in the incident's time and its source watches the
//! incident's segment. Gaps come when they come: often after the incident opened. So open incidents
//! are compared with what is remembered here, now and then, by event time alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use egret_event::{Event, Gap, GapReason, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::hash::quick;
use crate::incident::GapSeen;
use crate::tally::Seen;

/// Gaps that are remembered: an hour of one that goes on.
const MOST_GAPS: usize = 64;

/// Gaps of one source and kind are one when they are no further apart than this. What goes on is
/// told about once a second.
const NEXT_TO: Duration = Duration::from_secs(1);

/// The longest that gaps become by that, so that an incident of a minute is not told of an hour.
const LONGEST: Duration = Duration::from_secs(60);

/// Segments of a source that are told apart. One with more is taken to watch all.
const MOST_SEGMENTS: usize = 32;

/// What a source missed this shortly after an incident's last event may have belonged to it: a flow
/// that goes on is told of at least every 10 s.
const AFTERMATH: Duration = Duration::from_secs(10);

/// Event time between two looks that made incidents change, and between two looks without a new gap.
const PAUSE: Duration = Duration::from_secs(30);

/// The newest gaps of all sources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gaps {
    /// By their beginnings here, oldest first.
    seen: VecDeque<GapSeen>,
    /// The segments that each source has told of.
    segments: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// Whether there is one that open incidents were not compared with.
    is_fresh: bool,
    /// When open incidents were last compared with them, and when that last changed one.
    looked_at: Option<Timestamp>,
    told_at: Option<Timestamp>,
}

impl Gaps {
    /// Remembers a gap that a source tells of.
    pub(crate) fn note(&mut self, event: &Event, gap: &Gap) {
        self.add(GapSeen {
            source: event.source.clone(),
            reason: gap.reason,
            count: gap.count,
            from: gap.from,
            until: event.at,
        });
    }

    fn add(&mut self, new: GapSeen) {
        self.is_fresh = true;
        match self.seen.iter_mut().rev().find(|known| is_continued_by(known, &new)) {
            Some(known) => {
                known.count = known.count.saturating_add(new.count);
                known.from = known.from.min(new.from);
                known.until = known.until.max(new.until);
            }
            None => self.push(new),
        }
    }

    /// Remembers how long a source has been quiet, instead of what was known of that silence.
    pub(crate) fn note_silence(&mut self, silence: GapSeen) {
        self.seen.retain(|known| {
            (&known.source, known.reason, known.from)
                != (&silence.source, GapReason::Quiet, silence.from)
        });
        self.is_fresh = true;
        self.push(silence);
    }

    fn push(&mut self, gap: GapSeen) {
        if self.seen.len() == MOST_GAPS {
            self.seen.pop_front();
        }
        self.seen.push_back(gap);
    }

    /// Learns that a source watches a segment.
    pub(crate) fn note_segment(&mut self, source: &SmolStr, segment: &SmolStr) {
        let known = match self.segments.get_mut(source) {
            Some(known) => known,
            None => self.segments.entry(source.clone()).or_default(),
        };
        if known.len() < MOST_SEGMENTS && !known.contains(segment) {
            known.push(segment.clone());
        }
    }

    /// Whether a source may see what happens in a segment. Of one that has told of none, nobody
    /// knows what it misses.
    fn watches(&self, source: &SmolStr, segment: &SmolStr) -> bool {
        self.segments
            .get(source)
            .is_none_or(|known| known.len() >= MOST_SEGMENTS || known.contains(segment))
    }

    /// What could not be seen in a segment in the time of an incident.
    pub(crate) fn of<'a>(
        &'a self,
        segment: &'a SmolStr,
        seen: Seen,
    ) -> impl Iterator<Item = &'a GapSeen> {
        let last = seen.last + AFTERMATH;
        let overlaps = move |gap: &&GapSeen| gap.from <= last && seen.first <= gap.until;
        let concerns = |gap: &&GapSeen| self.watches(&gap.source, segment);
        self.seen.iter().filter(overlaps).filter(concerns)
    }

    /// The same as a number: another one when there is more, 0 when there is nothing.
    pub(crate) fn mark_of(&self, segment: &SmolStr, seen: Seen) -> u64 {
        self.of(segment, seen).fold(0, |mark, gap| {
            let times = (gap.from.as_nanos(), gap.until.as_nanos());
            quick((mark, &gap.source, gap.reason, gap.count, times))
        })
    }

    /// What a source could not see since a moment.
    pub(crate) fn of_source(&self, source: &SmolStr, since: Timestamp) -> Vec<GapSeen> {
        let is_of = |gap: &&GapSeen| gap.source == *source && gap.until >= since;
        self.seen.iter().filter(is_of).cloned().collect()
    }

    /// Whether open incidents are to be compared with what is known here. A first gap is told at
    /// once; one that goes on, and what an incident grew into, every [`PAUSE`].
    pub(crate) fn is_look_due(&self, now: Timestamp) -> bool {
        let last = if self.is_fresh { self.told_at } else { self.looked_at };
        !self.seen.is_empty() && last.is_none_or(|last| now >= last + PAUSE)
    }

    /// Open incidents were compared, which changed some of them or none.
    pub(crate) fn looked(&mut self, now: Timestamp, some_changed: bool) {
        self.is_fresh = false;
        self.looked_at = Some(now);
        if some_changed {
            self.told_at = Some(now);
        }
    }
}

/// Whether a gap only goes on with what is known.
fn is_continued_by(known: &GapSeen, new: &GapSeen) -> bool {
    let from = known.from.min(new.from);
    let until = known.until.max(new.until);
    known.source == new.source
        && known.reason == new.reason
        && known.from <= new.until + NEXT_TO
        && new.from <= known.until + NEXT_TO
        && until.since(from) <= LONGEST
}

/// The part of an incident's time that gaps cover, overlaps counted once. What was missed shortly
/// after its last event counts as its time. All of a moment.
pub(crate) fn covered(gaps: &[GapSeen], seen: Seen) -> f64 {
    let latest = gaps.iter().map(|gap| gap.until).max().unwrap_or(seen.last);
    let end = latest.min(seen.last + AFTERMATH).max(seen.last);
    let length = end.since(seen.first).as_secs_f64();
    let mut spans: Vec<_> =
        gaps.iter().map(|gap| (gap.from.max(seen.first), gap.until.min(end))).collect();
    spans.sort_unstable();
    let (mut sum, mut reached) = (0.0, seen.first);
    for (from, until) in spans {
        sum += until.since(from.max(reached)).as_secs_f64();
        reached = reached.max(until);
    }
    if length > 0.0 { (sum / length).min(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn gap(source: &str, count: u64, (from_s, until_s): (i64, i64)) -> GapSeen {
        let (from, until) = (s(from_s), s(until_s));
        GapSeen { source: source.into(), reason: GapReason::KernelDrop, count, from, until }
    }

    fn seen(first_s: i64, last_s: i64) -> Seen {
        Seen { first: s(first_s), last: s(last_s) }
    }

    #[test]
    fn covered_counts_overlaps_once_and_what_was_missed_at_the_end_as_incident() {
        let whole = |gaps: &[GapSeen]| (covered(gaps, seen(0, 100)) * 1000.0).round();
        assert_eq!(whole(&[gap("a", 1, (10, 20)), gap("b", 1, (15, 30))]), 200.0);
        assert_eq!(whole(&[gap("a", 1, (-50, 25))]), 250.0);
        assert_eq!(whole(&[gap("a", 1, (102, 105))]), (3000.0_f64 / 105.0).round());
        assert_eq!(covered(&[gap("a", 1, (0, 0))], seen(0, 0)), 1.0);
    }

    #[test]
    fn what_goes_on_is_one_gap_a_minute_and_nothing_is_counted_twice_or_lost() {
        let mut gaps = Gaps::default();
        // Two threads that tell of one source, each every second, for five minutes.
        for second in 0..300 {
            gaps.add(gap("eth0", 7, (second - 1, second)));
            gaps.add(gap("eth0", 4, (second - 1, second)));
            gaps.add(gap("eth1", 1, (second - 1, second)));
        }
        let of = |name: &str| gaps.of_source(&name.into(), s(0));
        assert_eq!(of("eth0").iter().map(|gap| gap.count).sum::<u64>(), 300 * 11);
        assert_eq!(of("eth1").iter().map(|gap| gap.count).sum::<u64>(), 300);
        assert!(of("eth0").len() <= 6, "{:?}", of("eth0"));
        assert!(of("eth0").iter().all(|gap| gap.until.since(gap.from) <= LONGEST));
        let before = gaps.clone();
        gaps.add(gap("eth0", 5, (400, 401)));
        assert_eq!(gaps.seen.len(), before.seen.len() + 1, "that is another one");
    }

    #[test]
    fn a_first_gap_is_looked_at_at_once_and_one_that_goes_on_now_and_then() {
        let mut gaps = Gaps::default();
        assert!(!gaps.is_look_due(s(0)), "nothing was missed");
        gaps.add(gap("eth0", 1, (0, 1)));
        assert!(gaps.is_look_due(s(2)));
        gaps.looked(s(2), false);
        assert!(!gaps.is_look_due(s(3)), "nothing is new");
        gaps.add(gap("eth0", 1, (2, 3)));
        assert!(gaps.is_look_due(s(4)), "nobody was told yet");
        gaps.looked(s(4), true);
        gaps.add(gap("eth0", 1, (4, 5)));
        assert!(!gaps.is_look_due(s(6)));
        assert!(gaps.is_look_due(s(34)));
        gaps.looked(s(34), false);
        assert!(gaps.is_look_due(s(64)), "incidents go on too");
    }

    #[test]
    fn a_gap_concerns_the_segments_that_its_source_watches() {
        let mut gaps = Gaps::default();
        gaps.add(gap("north", 1, (0, 1)));
        gaps.add(gap("stranger", 1, (0, 1)));
        gaps.note_segment(&"north".into(), &"blue".into());
        let concerned = |gaps: &Gaps, segment: &str| -> Vec<SmolStr> {
            gaps.of(&segment.into(), seen(0, 1)).map(|gap| gap.source.clone()).collect()
        };
        assert_eq!(concerned(&gaps, "blue"), ["north", "stranger"]);
        assert_eq!(concerned(&gaps, "red"), ["stranger"]);
        (0..40).for_each(|n| gaps.note_segment(&"north".into(), &format!("s{n}").into()));
        assert_eq!(concerned(&gaps, "red"), ["north", "stranger"], "it watches very many");
    }
}
