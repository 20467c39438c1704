//! The figures of an evaluation.

use std::collections::BTreeMap;

use egret::simulate::{Manner, Scenario};
use serde::Serialize;

use super::Extent;
use super::bounds::{Interval, clopper_pearson};
use super::trial::{Attempt, Outcome, Price};

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// The first and the last seed of the attacks.
    pub attack_seeds: (u64, u64),
    /// The first and the last seed of ordinary traffic without an attack.
    pub benign_seeds: (u64, u64),
    /// Seeds of the ordinary traffic that was learned from, and sessions of each.
    pub history: (u32, u32),
    /// What it cost to learn, from the first session on.
    pub learning: Vec<Stretch>,
    /// With the shipped priors alone.
    pub cold: Measured,
    /// With what was learned.
    pub learned: Measured,
}

/// Some days of the history, while it was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The first and the last day, from 1 on.
    pub days: (usize, usize),
    /// Sessions, all ordinary.
    pub sessions: u64,
    /// Alerts that the baseline of the moment raised.
    pub alerts: u64,
}

/// Days of a stretch.
const STRETCH: usize = 10;

/// How well attacks were found, and at what price.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Every attack in every manner, in the order of the table of attacks.
    pub attacks: Vec<Row>,
    /// The mean recall of the listed attacks, by manner.
    pub macro_recall: BTreeMap<Manner, f64>,
    /// Sessions without an attack that raised an alert, and alerts about no session and no attack, in
    /// trials without any attack.
    pub false_alarms: Interval,
    /// The same beside attacks.
    pub false_alarms_beside_attacks: Interval,
    /// Sessions with an attack in which there was an alert about something else.
    pub mistaken: u64,
    /// Alerts about no session.
    pub others: u64,
}

/// An attack in one manner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub attack: Scenario,
    /// Its ATT&CK technique.
    pub technique: &'static str,
    /// What carries the stolen bytes.
    pub channel: &'static str,
    /// How it was gone about.
    pub manner: Manner,
    /// How it was found.
    pub found: Found,
    /// The same for each way out.
    pub by_route: BTreeMap<String, Found>,
}

/// How attacks of one kind were found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// How many of them.
    pub recall: Interval,
    /// Of those found, until the alert: the median of the seconds since the first packet.
    pub median_s: Option<f64>,
    /// The longest.
    pub longest_s: Option<f64>,
    /// The median of the connections or questions.
    pub median_contacts: Option<f64>,
    /// The median of the stolen bytes that had left.
    pub median_bytes: Option<f64>,
}

impl Figures {
    /// With the alerts of each day of the history, and what was measured cold and learned.
    pub(super) fn of(
        extent: Extent,
        alerts: &[u64],
        (cold, learned): (Measured, Measured),
    ) -> Self {
        let first = extent.first_seed;
        let until = |seeds: u64| (first, first + seeds.saturating_sub(1));
        let stretch = |(number, days): (usize, &[u64])| Stretch {
            days: (number * STRETCH + 1, number * STRETCH + days.len()),
            sessions: days.len() as u64 * u64::from(extent.history.sessions),
            alerts: days.iter().sum(),
        };
        Self {
            attack_seeds: until(extent.attack_seeds),
            benign_seeds: until(extent.benign_seeds),
            history: (extent.history.seeds, extent.history.sessions),
            learning: alerts.chunks(STRETCH).enumerate().map(stretch).collect(),
            cold,
            learned,
        }
    }
}

impl Measured {
    pub(super) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut attempts: BTreeMap<(Scenario, Manner), Vec<Attempt>> = BTreeMap::new();
        let (mut alone, mut beside, mut mistaken, mut others) = ((0, 0), (0, 0), 0, 0);
        for outcome in outcomes {
            let is_alone = outcome.scenario == Scenario::BENIGN;
            let sums = if is_alone { &mut alone } else { &mut beside };
            // An alert about no session is as false, and costs whoever reads it as much.
            sums.0 += outcome.benign_alerted + outcome.others;
            sums.1 += outcome.benign;
            mistaken += outcome.mistaken;
            others += outcome.others;
            if !is_alone {
                let place = (outcome.scenario, outcome.manner);
                attempts.entry(place).or_default().extend_from_slice(&outcome.attacks);
            }
        }
        let attacks: Vec<Row> = attempts.into_iter().map(Row::of).collect();
        Self {
            macro_recall: macro_recall(&attacks),
            attacks,
            false_alarms: clopper_pearson(alone.0, alone.1),
            false_alarms_beside_attacks: clopper_pearson(beside.0, beside.1),
            mistaken,
            others,
        }
    }

    /// An attack in one manner.
    pub fn row(&self, attack: &str, manner: Manner) -> Option<&Row> {
        self.attacks.iter().find(|row| row.attack.word() == attack && row.manner == manner)
    }
}

/// Every attack weighs the same, however many attackers it has.
fn macro_recall(rows: &[Row]) -> BTreeMap<Manner, f64> {
    let mean = |manner| {
        let listed = rows.iter().filter(|row| row.manner == manner && row.attack.is_listed());
        let shares: Vec<f64> = listed.filter_map(|row| row.found.recall.share()).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        (!shares.is_empty()).then_some((manner, mean))
    };
    Manner::ALL.into_iter().filter_map(mean).collect()
}

impl Row {
    fn of(((attack, manner), attempts): ((Scenario, Manner), Vec<Attempt>)) -> Self {
        let mut by_route: BTreeMap<String, Vec<Option<Price>>> = BTreeMap::new();
        for attempt in &attempts {
            by_route.entry(attempt.route.clone()).or_default().push(attempt.found);
        }
        let all: Vec<Option<Price>> = attempts.iter().map(|attempt| attempt.found).collect();
        Self {
            attack,
            technique: attack.technique(),
            channel: attack.channel(),
            manner,
            found: Found::of(&all),
            by_route: by_route.into_iter().map(|(way, found)| (way, Found::of(&found))).collect(),
        }
    }
}

impl Found {
    fn of(attempts: &[Option<Price>]) -> Self {
        let found: Vec<Price> = attempts.iter().copied().flatten().collect();
        let sorted = |figure: fn(&Price) -> f64| {
            let mut figures: Vec<f64> = found.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures
        };
        let median = |figures: &[f64]| figures.get(figures.len() / 2).copied();
        let seconds = sorted(|price| price.seconds);
        Self {
            recall: clopper_pearson(found.len() as u64, attempts.len() as u64),
            median_s: median(&seconds),
            longest_s: seconds.last().copied(),
            median_contacts: median(&sorted(|price| price.contacts)),
            median_bytes: median(&sorted(|price| price.bytes)),
        }
    }
}
