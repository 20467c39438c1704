//! The figures of an evaluation, and the page that shows them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use egret::simulate::Scenario;
use serde::Serialize;

use super::bounds::{Interval, clopper_pearson};
use super::trial::Outcome;

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// By the scenario's name.
    pub attacks: BTreeMap<&'static str, Found>,
    /// Sessions without an attack that raised an alert, in trials without any attack.
    pub false_alarms: Interval,
    /// The same beside attacks.
    pub false_alarms_beside_attacks: Interval,
    /// Alerts about no session.
    pub others: u64,
}

/// How attacks of one kind were found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// How many of them.
    pub recall: Interval,
    /// The median of the seconds from the first packet to the alert, of those found.
    pub median_s: Option<f64>,
    /// The longest.
    pub longest_s: Option<f64>,
}

impl Figures {
    pub(super) fn of(outcomes: impl Iterator<Item = Outcome>) -> Self {
        let mut times: BTreeMap<&'static str, Vec<Option<f64>>> = BTreeMap::new();
        let (mut alone, mut beside, mut others) = ((0, 0), (0, 0), 0);
        for outcome in outcomes {
            let sums = if outcome.scenario == Scenario::Benign { &mut alone } else { &mut beside };
            sums.0 += outcome.benign_alerted;
            sums.1 += outcome.benign;
            others += outcome.others;
            if outcome.scenario != Scenario::Benign {
                times.entry(outcome.scenario.word()).or_default().extend(outcome.found_after_s);
            }
        }
        Self {
            attacks: times.into_iter().map(|(name, times)| (name, Found::of(&times))).collect(),
            false_alarms: clopper_pearson(alone.0, alone.1),
            false_alarms_beside_attacks: clopper_pearson(beside.0, beside.1),
            others,
        }
    }
}

impl Found {
    fn of(times: &[Option<f64>]) -> Self {
        let mut found: Vec<f64> = times.iter().copied().flatten().collect();
        found.sort_by(f64::total_cmp);
        Self {
            recall: clopper_pearson(found.len() as u64, times.len() as u64),
            median_s: found.get(found.len() / 2).copied(),
            longest_s: found.last().copied(),
        }
    }
}

/// The page.
pub fn report(figures: &Figures) -> String {
    let mut page = String::from(
        "# How well it detects\n\n\
         Written by `make evaluate`; do not edit. The same commit gives the same figures.\n\n\
         Attacks and ordinary sessions are written by `egret simulate` as a capture and two proxy\n\
         logs, with seeds from 1001 on, which nobody tunes by. `egret analyze` reads them, cold,\n\
         with its shipped priors. Every incident counts as an alert. Bounds are Clopper and\n\
         Pearson's, 95 %.\n\n\
         | attack | tried | found | recall | at least | at most | median s | longest s |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, found) in &figures.attacks {
        let Found { recall, median_s, longest_s } = found;
        let _ = writeln!(
            page,
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            recall.of,
            recall.count,
            percent(recall.share()),
            percent(Some(recall.low)),
            percent(Some(recall.high)),
            seconds(*median_s),
            seconds(*longest_s),
        );
    }
    page.push_str(
        "\n| ordinary sessions | how many | with an alert | per 1000 | at most |\n\
         |---|---:|---:|---:|---:|\n",
    );
    for (name, alarms) in [
        ("without an attack anywhere", figures.false_alarms),
        ("beside an attack", figures.false_alarms_beside_attacks),
    ] {
        let share = alarms.share().map_or_else(|| "–".to_owned(), per_1000);
        let _ = writeln!(
            page,
            "| {name} | {} | {} | {share} | {} |",
            alarms.of,
            alarms.count,
            per_1000(alarms.high),
        );
    }
    let _ = writeln!(page, "\nAlerts about no session (a blind source): {}.", figures.others);
    page
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn per_1000(share: f64) -> String {
    format!("{:.2}", 1000.0 * share)
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}"))
}
