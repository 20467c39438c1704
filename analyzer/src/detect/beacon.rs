//! D5: a new destination is contacted again and again, at even intervals.
//!
//! An implant asks for orders by a timer. Whether gaps are more even than chance makes them is asked
//! of all that a session has shown so far ([`interval_tail`]), so that a beacon of twenty minutes is
//! found in twenty minutes. But evenness alone is no sign: a loop that calls a model, a poll for a
//! build, telemetry are as even. So three things must agree: the destination is new to the template
//! (D1), the contacts send little (a model call sends its whole context), and there are more of them
//! than sessions here usually make to a new destination at even intervals. The last is what the
//! probability is of; it is learned, so that a template whose tools poll new hosts gets a higher bar.
//!
//! Contacts that are close together are one: a page, a retry, a second connection.

use std::time::Duration;

use egret_event::{Attribution, Timestamp};
use serde::{Deserialize, Serialize};

use super::Count;
use crate::baseline::Ladder;
use crate::incident::{Detector, Finding};
use crate::priors::SizePrior;
use crate::size::Cell;
use crate::tails::{interval_shape, interval_tail};
use crate::words::probability_words;

/// Contacts at even intervals with one new destination.
pub(crate) const CONTACTS: Count = Count {
    detector: Detector::Beacon,
    unit: "contacts at even intervals",
    cell: Cell::BEATS,
    prior: SizePrior::OF_BEATS,
    least_p: 0.0,
};

/// Contacts less far apart than this are one.
const TOGETHER: Duration = Duration::from_secs(2);

/// The clock's steps: no gap is known better.
const LEAST_BEYOND: Duration = Duration::from_millis(1);

/// Gaps before anything is said about them. Egret's own choice: the test has power from here on.
const LEAST_GAPS: u32 = 8;

/// The probability under chance below which gaps are called even. Egret's own choice.
const EVEN_BELOW: f64 = 1e-3;

/// Probabilities below this are not told apart: nobody knows chance that well.
const LEAST_TOLD: f64 = 1e-15;

/// The shape from which on gaps are called even, where there are so many that the least evenness
/// shows: they vary by 58 %. Chance has 1, a jitter of 80 % of the interval 4.7. Egret's own choice.
const LEAST_SHAPE: f64 = 3.0;

/// What a contact may send in the mean, in bytes: a handshake and a request with its headers and
/// cookies. Egret's own choice.
pub(crate) const SMALL_BYTES: u64 = 4 << 10;

/// Whether a port is that of name or time service, which every system asks by timers. What is
/// hidden in such questions is for others to find: their information (D6) and their size (D2).
pub(crate) fn is_asked_by_timers(port: u16) -> bool {
    matches!(port, 53 | 123 | 853)
}

/// By how much the gap before a contact is longer than [`TOGETHER`], if it is; it becomes the last one.
/// Before the first, `last` is [`Timestamp::MIN`].
pub(crate) fn gap(last: &mut Timestamp, at: Timestamp) -> Option<Duration> {
    let gap = if *last == Timestamp::MIN { Duration::ZERO } else { at.since(*last) };
    *last = (*last).max(at);
    gap.checked_sub(TOGETHER)
}

/// Contacts with one destination, in the order of time: what is needed of their gaps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rhythm {
    gaps: u32,
    /// Sum of what they are longer than [`TOGETHER`], and of its logarithms, in seconds. If contacts
    /// come by chance, that is as random as if none had been taken together.
    sum_s: f64,
    sum_of_logs: f64,
    /// The number of gaps at which to look again.
    next_look: u32,
}

impl Rhythm {
    /// Counts a gap by what it is longer than [`TOGETHER`]; whether it is time for a look.
    pub(crate) fn add(&mut self, beyond: Duration) -> bool {
        let beyond_s = beyond.max(LEAST_BEYOND).as_secs_f64();
        self.gaps = self.gaps.saturating_add(1);
        self.sum_s += beyond_s;
        self.sum_of_logs += beyond_s.ln();
        if self.gaps < self.next_look.max(LEAST_GAPS) {
            return false;
        }
        self.next_look = self.gaps.saturating_add(self.gaps / 8 + 1);
        true
    }

    /// Lets the next contact be looked at.
    pub(crate) fn look_again(&mut self) {
        self.next_look = 0;
    }

    /// Contacts so far, if they came at even intervals; else none.
    pub(crate) fn even_contacts(&self) -> u64 {
        let is_even =
            self.gaps >= LEAST_GAPS && self.shape() >= LEAST_SHAPE && self.chance() < EVEN_BELOW;
        if is_even { u64::from(self.gaps) + 1 } else { 0 }
    }

    /// How even the gaps are, however many: the shape of a gamma distribution.
    fn shape(&self) -> f64 {
        interval_shape(self.gaps, self.sum_s, self.sum_of_logs)
    }

    /// P(gaps are as even as these), if contacts came by chance.
    fn chance(&self) -> f64 {
        interval_tail(self.gaps, self.sum_s, self.sum_of_logs)
    }

    fn chance_words(&self) -> String {
        match self.chance() {
            p if p < LEAST_TOLD => format!("below {LEAST_TOLD:e}"),
            p => probability_words(p),
        }
    }

    fn mean_gap_s(&self) -> f64 {
        TOGETHER.as_secs_f64() + self.sum_s / f64::from(self.gaps.max(1))
    }

    /// The finding about so many even contacts, with its words.
    pub(crate) fn finding(
        &self,
        contacts: u64,
        ladder: &Ladder<'_>,
        origin: &Attribution,
    ) -> Finding {
        CONTACTS.finding(contacts, ladder, origin, |whose, most| {
            format!(
                "{contacts} small contacts about every {:.0} s, as evenly as chance makes them with \
                 probability {}; {whose} normally make at most {most} (98 %) with a destination that is \
                 new here",
                self.mean_gap_s(),
                self.chance_words(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contacts with these gaps, in milliseconds.
    fn rhythm(gaps_ms: impl IntoIterator<Item = u64>) -> Rhythm {
        let mut rhythm = Rhythm::default();
        let mut at = Timestamp::from_secs(1_000);
        let mut last = at;
        for gap_ms in gaps_ms {
            at = at + Duration::from_millis(gap_ms);
            if let Some(beyond) = gap(&mut last, at) {
                rhythm.add(beyond);
            }
        }
        rhythm
    }

    #[test]
    fn a_timer_is_even_and_chance_is_not() {
        assert_eq!(rhythm([60_000; 19]).even_contacts(), 20);
        // 50 % either way, in an order that repeats.
        let jittered = [30_000, 90_000, 45_000, 75_000, 60_000, 52_000, 81_000].into_iter();
        assert_eq!(rhythm(jittered.cycle().take(19)).even_contacts(), 20);
        // A back-off, and what people do.
        assert_eq!(rhythm((1..12).map(|n| 2_000 << n)).even_contacts(), 0);
        let people = [3_000, 200_000, 15_000, 700_000, 4_000, 60_000, 31_000, 2_500, 1_800_000];
        assert_eq!(rhythm(people).even_contacts(), 0);
    }

    #[test]
    fn too_few_contacts_say_nothing_and_those_close_together_are_one() {
        assert_eq!(rhythm([60_000; 7]).even_contacts(), 0);
        assert_eq!(rhythm([60_000; 8]).even_contacts(), 9);
        assert_eq!(rhythm([1_900; 100]).even_contacts(), 0);
        // Hundreds of gaps that vary by 80 %: more even than chance, and no timer.
        let uneven = [10_000, 14_000, 20_000, 31_000, 45_000, 62_000, 90_000, 160_000].into_iter();
        assert_eq!(rhythm(uneven.cycle().take(400)).even_contacts(), 0);
        let pages = [60_000, 100, 200, 50].into_iter().cycle().take(12 * 4);
        assert_eq!(rhythm(pages).even_contacts(), 13);
    }

    #[test]
    fn an_event_that_comes_late_changes_nothing() {
        let mut last = Timestamp::from_secs(1_600);
        assert_eq!(gap(&mut last, Timestamp::from_secs(1_100)), None);
        assert_eq!(last, Timestamp::from_secs(1_600));
    }
}
