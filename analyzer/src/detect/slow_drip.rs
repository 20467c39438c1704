//! D4: little by little, for as long as a session lives.
//!
//! At session ages of 64, 128, 256 … minutes the bytes that a destination was sent by then are held
//! against what sessions of that age normally sent to one that is new to them. The looks at ages
//! i = 1, 2, 3 … share one false-alarm probability as 6 / (π² i²), which adds up to 1: so the smallest
//! p · π² i² / 6 is valid whenever one looks (Basel problem; the same spending as in Howard, Ramdas,
//! McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
//! Statistics 49, 2021).
//!
//! Bytes alone do not tell a drip from an ordinary session: any page view sends more than a secret
//! of 10 KB, and telemetry sends more per hour. What a drip cannot do without is coming again and
//! again. So no more than 100 bytes are counted of a minute: something in every minute then counts
//! more than any burst. In the logs of real hosts (an infected one, a workstation, a phone, 13 that
//! browse) that were looked at for this, no ordinary destination was sent something in half of the
//! minutes of its session, and a C2 channel was in 86 % of its first four hours.
//!
//! Telemetry does the same where it reports every minute. Therefore only destinations that are new
//! here (D1) are judged, and none of the shipped services and platforms; and that a destination is
//! new adds its own evidence, as with uploads. An unknown monitoring service in a session of hours is
//! reported until three sessions of the template know it. What comes less often than every other minute,
//! or ends within an hour, is not found before sessions of that age were learned.

use egret_event::{Attribution, SmolStr};
use serde::{Deserialize, Serialize};

use super::{normal_size, tail_kind};
use crate::baseline::{Ladder, SizeQuestion};
use crate::incident::{Detector, Finding, Quantity};
use crate::priors::{SizePrior, is_platform};
use crate::session::Slot;
use crate::size::{Cell, Class, Kind};
use crate::words::bytes_words;

/// Session ages at which it is looked, in minutes.
pub(crate) const AGES_MIN: [u32; AGES] = [64, 128, 256, 512, 1024];

/// Number of looks.
pub(crate) const AGES: usize = 5;

/// Bytes of a minute that count: a drip that is worth its name sends as much. Egret's own choice.
pub(crate) const MOST_PER_MINUTE: u32 = 100;

/// What a destination was sent, without bursts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drip {
    /// The minute of the session that is being counted, and its bytes that count.
    minute: u32,
    of_minute: u32,
    /// Bytes that count of earlier minutes.
    earlier: u32,
    /// What there was at each age that has passed.
    at_age: [u32; AGES],
    passed: u8,
    looked: u8,
}

impl Drip {
    /// Begins in a minute of the session, with what was sent before it.
    pub(crate) fn begin(minute: u32, sent_before: u64) -> Self {
        Self { minute, earlier: counted(sent_before), ..Self::default() }
    }

    /// Counts what was sent in a minute of the session. What comes late counts now.
    pub(crate) fn add(&mut self, minute: u32, bytes: u64) {
        let passed = AGES_MIN.iter().filter(|age| minute >= **age).count() as u8;
        for age in self.passed.min(passed)..passed {
            self.at_age[usize::from(age)] = self.sum();
        }
        self.passed = self.passed.max(passed);
        if minute > self.minute {
            (self.earlier, self.minute, self.of_minute) = (self.sum(), minute, 0);
        }
        self.of_minute = counted(u64::from(self.of_minute).saturating_add(bytes));
    }

    fn sum(&self) -> u32 {
        self.earlier.saturating_add(self.of_minute)
    }

    /// Whether an age has passed since the last look.
    pub(crate) fn is_due(&self) -> bool {
        self.looked < self.passed
    }

    /// Notes that it was looked at.
    pub(crate) fn looked(&mut self) {
        self.looked = self.passed;
    }

    /// Has it looked at again: what it is judged by has changed.
    pub(crate) fn look_again(&mut self) {
        self.looked = 0;
    }

    /// What it comes to by an age that the session has reached.
    pub(crate) fn by(&self, age: usize) -> u64 {
        u64::from(if age < usize::from(self.passed) { self.at_age[age] } else { self.sum() })
    }

    /// The tail probability, corrected for all looks that there may be, and the age that gives it.
    fn tail(&self, ladder: &Ladder<'_>) -> (f64, usize) {
        let ages = 0..usize::from(self.passed).min(AGES);
        let p = |age: usize| ladder.sizes(question(age)).survival(self.by(age)) * looks(age);
        let least = ages.map(|age| (p(age), age)).min_by(|one, other| one.0.total_cmp(&other.0));
        least.map_or((1.0, 0), |(p, age)| (p.min(1.0), age))
    }

    /// The finding, with its words.
    pub(crate) fn finding(&self, ladder: &Ladder<'_>, origin: &Attribution) -> Finding {
        let (p, age) = self.tail(ladder);
        let normal = ladder.sizes(question(age)).normal();
        let (sent, minutes) = (self.by(age), AGES_MIN[age]);
        let whose = crate::words::whose(normal.weight.level, origin);
        Finding {
            detector: Detector::SlowDrip,
            p,
            tail: tail_kind(p, &normal.weight),
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity { value: sent as f64, unit: unit(minutes) },
            normal: Some(normal_size(&normal, origin)),
            words: format!(
                "sent little by little: {} when the session was {minutes} min old, of each minute \
                 {MOST_PER_MINUTE} bytes at most counted; {whose} have by then sent at most {} (98 %) \
                 in this way to {}",
                bytes_words(sent),
                bytes_words(normal.p98),
                Class::New.words(),
            ),
        }
    }
}

/// Whether a destination is judged at all.
pub(crate) fn is_judged(slot: &Slot) -> bool {
    slot.class == Class::New && slot.kind != Kind::Dns && !is_platform(&slot.domain)
}

/// The smallest amount by an age whose tail probability is below `p`, to the histogram bin.
pub(crate) fn first_below(ladder: &Ladder<'_>, age: usize, p: f64) -> u64 {
    ladder.sizes(question(age)).first_below(p / looks(age))
}

fn counted(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).min(MOST_PER_MINUTE)
}

fn question<'a>(age: usize) -> SizeQuestion<'a> {
    SizeQuestion { cell: Cell::of_drip(age), prior: SizePrior::of_drip(age), own: None }
}

/// By how much the look at an age is corrected: π² i² / 6.
pub(crate) const fn looks(age: usize) -> f64 {
    let i = (age + 1) as f64;
    std::f64::consts::PI * std::f64::consts::PI * i * i / 6.0
}

fn unit(minutes: u32) -> SmolStr {
    format!("bytes by {minutes} min, at most {MOST_PER_MINUTE} of a minute").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_counts_as_one_minute_and_an_age_holds_what_was_sent_by_then() {
        let mut drip = Drip::begin(1, 5 << 20);
        for minute in 1..200 {
            drip.add(minute, 60);
            drip.add(minute, 60);
        }
        assert_eq!([drip.by(0), drip.by(1), drip.by(2)], [6_400, 12_800, 20_000]);
        assert!(drip.is_due());
        drip.looked();
        assert!(!drip.is_due());
    }

    #[test]
    fn all_looks_together_cost_no_more_than_one() {
        let spent: f64 = (0..10_000).map(|age| 1.0 / looks(age)).sum();
        assert!((0.9999..=1.0).contains(&spent), "{spent}");
    }

    proptest! {
        #[test]
        fn no_age_holds_more_than_its_minutes_can(
            sent in prop::collection::vec((0u32..3_000, any::<u64>()), 0..300),
        ) {
            let mut drip = Drip::begin(0, 0);
            for (minute, bytes) in &sent {
                drip.add(*minute, *bytes);
            }
            let last = sent.iter().map(|(minute, _)| *minute).max().unwrap_or(0);
            for (age, minutes) in AGES_MIN.into_iter().enumerate().filter(|(_, m)| *m <= last) {
                prop_assert!(drip.by(age) <= u64::from(MOST_PER_MINUTE * (minutes + 1)));
            }
            prop_assert!((1..AGES).all(|age| drip.by(age - 1) <= drip.by(age)));
        }
    }
}
