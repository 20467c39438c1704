//! D3: contacts come faster than is normal.
//!
//! Compared is the most that a session did within 1, 10 and 60 s with the most that other
//! sessions did, separately for destinations that are new here and for familiar ones: an install
//! asks a package index hundreds of times, and a scan does not go to package indexes.
//!
//! Sessions of a template do different things, each with a burst of its own: one in twenty installs
//! forty packages within a second, and the others never have ten contacts. No distribution with a mean
//! and a variance is like that, so what is kept is how often each count was seen. A count is held
//! against them less twice what chance alone adds to it (its root): a session that does what others did
//! exceeds the most of them by a few contacts as often as not.

use egret_event::{Attribution, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{NOTABLE, normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion, Sizes};
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::SizePrior;
use crate::size::Cell;
use crate::views::{ByView, View};

/// Lengths of the windows, in seconds.
const WINDOW_SECONDS: [u64; WINDOWS] = [1, 10, 60];

/// Number of windows. Each is a look; the smallest probability is multiplied by their number.
pub(crate) const WINDOWS: usize = 3;
const LOOKS: f64 = 3.0;

/// Whether contacts went to destinations that are new here or to familiar ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Lane {
    New,
    Familiar,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::New, Self::Familiar];
}

/// Counts above which a window is worth a look, by lane and window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bars([[u32; WINDOWS]; 2]);

impl Bars {
    /// The counts at which the tail falls below [`NOTABLE`].
    pub(crate) fn of(ladder: &Ladder<'_>) -> Self {
        Self(Lane::ALL.map(|lane| {
            std::array::from_fn(|window| {
                u32::try_from(first_below(ladder, lane, window, NOTABLE)).unwrap_or(u32::MAX)
            })
        }))
    }
}

/// The smallest count of a window whose probability is below `p`, to the histogram bin.
pub(crate) fn first_below(ladder: &Ladder<'_>, lane: Lane, window: usize, p: f64) -> u64 {
    with_chance(counts(ladder, lane, window).first_below(p / LOOKS))
}

/// A count less twice its root.
fn without_chance(count: u32) -> u64 {
    let count = f64::from(count);
    (count - 2.0 * count.sqrt()).max(0.0) as u64
}

/// The smallest count that is so much without chance: of x, (1 + √(1 + x))².
fn with_chance(count: u64) -> u64 {
    (1.0 + (1.0 + count as f64).sqrt()).powi(2).ceil() as u64
}

/// What is believed about the most contacts of a session within a window.
fn counts<'a, 'l>(ladder: &'l Ladder<'a>, lane: Lane, window: usize) -> Sizes<'a, 'l> {
    let (cell, prior) = (Cell::of_burst(lane, window), SizePrior::of_burst(lane, window));
    ladder.sizes(SizeQuestion { cell, prior, own: None })
}

/// Windows by their length. Each starts with its first contact and ends when its length has passed, so
/// that a burst after silence is counted whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Windows {
    from: [Timestamp; WINDOWS],
    count: [u32; WINDOWS],
    /// The count at which to look again.
    next_look: [u32; WINDOWS],
    /// The most that there ever was.
    most: [u32; WINDOWS],
}

/// The windows of a session, by view and lane.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Burst(ByView<[Windows; 2]>);

/// A window that holds more contacts than is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) lane: Lane,
    pub(crate) window: usize,
    pub(crate) count: u32,
}

impl Burst {
    /// Counts a contact by when it began. Gives the windows that are worth a look, the shortest first.
    ///
    /// Contacts may come out of order: a log is written when they end. One that began so long before a
    /// window that it cannot be in it counts for none; if the window holds but one, it was that one which
    /// came early, and the window begins anew.
    pub(crate) fn contact(
        &mut self,
        at: Timestamp,
        (lane, view): (Lane, View),
        bars: &Bars,
    ) -> [Option<Look>; WINDOWS] {
        let mut looks = [None; WINDOWS];
        let Windows { from, count, next_look, most } = &mut self.0.at(view)[lane as usize];
        for (index, look) in looks.iter_mut().enumerate() {
            let is_over = at.since(from[index]) >= length(index);
            let is_before = from[index].since(at) >= length(index);
            if is_before && count[index] > 1 {
                continue;
            }
            if count[index] == 0 || is_over || is_before {
                (from[index], count[index]) = (at, 0);
                next_look[index] = bars.0[lane as usize][index];
            }
            let so_many = count[index].saturating_add(1);
            count[index] = so_many;
            most[index] = most[index].max(so_many);
            if so_many >= next_look[index] {
                next_look[index] = so_many.saturating_add(so_many / 8 + 1);
                *look = Some(Look { lane, window: index, count: so_many });
            }
        }
        looks
    }

    /// The most contacts within a window: what a session teaches.
    pub(crate) fn most(&self, lane: Lane, window: usize) -> u32 {
        self.0.most(|windows| windows[lane as usize].most[window])
    }
}

/// The length of a window.
pub(crate) fn length(window: usize) -> Duration {
    Duration::from_secs(WINDOW_SECONDS[window])
}

impl Look {
    /// Its tail probability.
    pub(crate) fn tail(&self, ladder: &Ladder<'_>) -> f64 {
        let p = counts(ladder, self.lane, self.window).survival(without_chance(self.count));
        (LOOKS * p).min(1.0)
    }

    /// The finding, with its words.
    pub(crate) fn finding(&self, ladder: &Ladder<'_>, origin: &Attribution) -> Finding {
        let p = self.tail(ladder);
        let normal = counts(ladder, self.lane, self.window).normal();
        let p98 = normal.p98;
        let seconds = WINDOW_SECONDS[self.window];
        let whereto = match self.lane {
            Lane::New => "destinations that are new here",
            Lane::Familiar => "familiar destinations",
        };
        let whose = crate::words::whose(normal.weight.level, origin);
        Finding {
            detector: Detector::RateBurst,
            p,
            tail: tail_kind(p, &normal.weight),
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity {
                value: f64::from(self.count),
                unit: format!("contacts in {seconds} s").into(),
            },
            normal: Some(normal_size(&normal, origin)),
            words: format!(
                "{} contacts in {seconds} s; {whose} normally make at most {p98} (98 %) to {whereto}",
                self.count,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_adds_is_taken_off_again() {
        for count in [0, 1, 7, 44, 1_000, 1_000_000] {
            let first = with_chance(count);
            let without = |count: u64| without_chance(u32::try_from(count).unwrap());
            assert!(without(first) >= count && without(first - 1) <= count, "{count}: {first}");
            assert!(count == 0 || without(first - 2) < count, "{count}: {first}");
        }
    }

    #[test]
    fn a_burst_after_silence_is_counted_whole() {
        let bars = Bars([[100; WINDOWS]; 2]);
        let mut burst = Burst::default();
        let contact = |burst: &mut Burst, ms: i64| {
            burst.contact(Timestamp::from_nanos(ms * 1_000_000), (Lane::New, View::Wire), &bars)
        };
        contact(&mut burst, 0);
        let looks: Vec<_> =
            (0..100).flat_map(|i| contact(&mut burst, 100_950 + i)).flatten().collect();
        assert_eq!(looks.len(), 3, "each window once: {looks:?}");
        assert!(looks.iter().all(|look| look.count == 100));
    }

    #[test]
    fn contacts_out_of_order_are_no_burst() {
        let bars = Bars([[20; WINDOWS]; 2]);
        let mut burst = Burst::default();
        // One in ten is told an hour early.
        for second in 0..3_000 {
            let early = if second % 10 == 0 { 3_600 } else { 0 };
            let at = Timestamp::from_secs(second * 10 + early);
            let looks = burst.contact(at, (Lane::New, View::Wire), &bars);
            assert_eq!(looks, [None; WINDOWS], "second {second}");
        }
        assert!(burst.most(Lane::New, 0) <= 2 && burst.most(Lane::New, 2) <= 12, "{burst:?}");
    }

    #[test]
    fn two_views_of_one_contact_are_one_contact() {
        let bars = Bars([[1000; WINDOWS]; 2]);
        let mut burst = Burst::default();
        for view in [View::Wire, View::Log] {
            for second in 0..10 {
                burst.contact(Timestamp::from_secs(second), (Lane::New, view), &bars);
            }
        }
        let most = [0, 1, 2].map(|window| burst.most(Lane::New, window));
        assert_eq!(most, [1, 10, 10]);
    }
}
