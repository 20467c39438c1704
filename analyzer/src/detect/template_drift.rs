//! T: the sessions of a template are no longer what its threshold was calibrated on.
//!
//! A new image, another tool, a prompt that lets agents do more: then the promise of at most one
//! alert in 1000 sessions ([`crate::calibration`]) does not hold any more. Whether it does is asked by
//! betting. If nothing changed, one of a template's next sessions scores above the 64th highest of n
//! earlier ones with probability 64 / (n + 1), whatever scores are. For each of a few ratios somebody
//! bets in every epoch that there are so many times as many, and his wealth is multiplied by how much
//! better that predicted what came. As nobody knows when a change begins, each of them gets one more
//! unit before every epoch. What they have together after N epochs without a change is N on average;
//! so reaching [`ALARM`] by chance takes as many epochs.
//!
//! Only the number of sessions above counts, so that it does not matter in which order they end.
//!
//! Then it is told once, and the template's threshold is calibrated anew: until there are enough
//! sessions again, the shipped one holds.
//!
//! Sources: Vovk, Nouretdinov and Gammerman, "Testing exchangeability on-line", ICML 2003; Shin, Ramdas
//! and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England
//! Journal of Statistics in Data Science 2 (2024), theorem 2.4.

use std::collections::BTreeMap;
use std::time::Duration;

use egret_event::{Attribution, EventId, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::dossier::JudgedBy;
use crate::explain::score;
use crate::incident::{
    ChangeKind, Detector, Explanation, Finding, Incident, IncidentChange, MANY, Observed, Quantity,
    Severity, Stage, Tail,
};
use crate::standing::Standing;
use crate::steps::next_steps_of_template_drift;
use crate::words::{count_words, probability_words};

/// By how many times more sessions are bet on. Less than twice as many is what a calibration on a few
/// thousand sessions may be wrong by. Egret's own choice.
const RATIOS: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

/// The mean wealth from which on it is told: with epochs of an hour once in eleven years of a template that
/// stays what it is. Egret's own choice.
const ALARM: f64 = 1e5;

/// Wealth beyond this says no more.
const MOST_WEALTH: f64 = 1e30;

/// Without enough sessions for a new threshold it ends nevertheless.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// How the templates' sessions compare with those before them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TemplateDrifts {
    templates: BTreeMap<u64, Watched>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Watched {
    /// By [`RATIOS`].
    wealth: [f64; RATIOS.len()],
    /// Since the mean wealth was last below one.
    since: Timestamp,
    sessions: u64,
    above: u64,
    expected: f64,
    open: Option<Standing>,
}

/// Scores of sessions that ended in one epoch, and what their templates are called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) scores: &'a BTreeMap<u64, Calibration>,
    pub(crate) names: &'a BTreeMap<u64, SmolStr>,
}

impl TemplateDrifts {
    /// Holds the scores of an epoch that ended at `at` against what thresholds are calibrated on; the
    /// templates that are to be calibrated anew.
    pub(crate) fn look(
        &mut self,
        (known, news): (&BTreeMap<u64, Calibration>, News<'_>),
        (at, judged_by): (Timestamp, JudgedBy),
        out: &mut Vec<IncidentChange>,
    ) -> Vec<u64> {
        self.end(known, at, out);
        let mut changed = Vec::new();
        for (template, scores) in news.scores {
            let Some(usual) = known.get(template).and_then(Calibration::usual) else { continue };
            let watched = self.templates.entry(*template).or_insert_with(|| Watched::since(at));
            if watched.open.is_some() {
                continue;
            }
            watched.bet((scores.sessions(), scores.above(usual.score)), usual.share, at);
            if watched.mean_wealth() < ALARM {
                continue;
            }
            let name = news.names.get(template).cloned();
            let incident = watched.incident(name, usual.sessions, (at, judged_by));
            let opened = watched.open.insert(Standing::new(incident));
            out.push(opened.change(ChangeKind::Opened, at));
            changed.push(*template);
        }
        changed
    }

    /// Ends what has a new threshold, or waits for one too long, and forgets templates that are forgotten.
    fn end(
        &mut self,
        known: &BTreeMap<u64, Calibration>,
        at: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) {
        self.templates.retain(|template, watched| {
            let Some(open) = &mut watched.open else { return known.contains_key(template) };
            let is_calibrated = known.get(template).and_then(Calibration::usual).is_some();
            let is_over = is_calibrated || at.since(open.incident.opened_at) >= LONGEST;
            if is_over {
                out.push(open.change(ChangeKind::Ended, at));
            }
            !is_over
        });
    }
}

impl Watched {
    fn since(at: Timestamp) -> Self {
        let wealth = [0.0; RATIOS.len()];
        Self { wealth, since: at, sessions: 0, above: 0, expected: 0.0, open: None }
    }

    /// Bets on an epoch in which so many of so many sessions scored above what a share of them should.
    fn bet(&mut self, (sessions, above): (u64, u64), share: f64, at: Timestamp) {
        if self.mean_wealth() < 1.0 {
            *self = Self { wealth: self.wealth, ..Self::since(at) };
        }
        self.sessions += sessions;
        self.above += above;
        self.expected += share * sessions as f64;
        let below = sessions.saturating_sub(above) as f64;
        for (wealth, ratio) in self.wealth.iter_mut().zip(RATIOS) {
            let won = above as f64 * ratio.ln()
                + below * ((1.0 - ratio * share).max(f64::MIN_POSITIVE) / (1.0 - share)).ln();
            *wealth = ((*wealth + 1.0) * won.exp()).min(MOST_WEALTH);
        }
    }

    fn mean_wealth(&self) -> f64 {
        self.wealth.iter().sum::<f64>() / self.wealth.len() as f64
    }

    fn incident(
        &self,
        name: Option<SmolStr>,
        calibrated_on: u64,
        (at, judged_by): (Timestamp, JudgedBy),
    ) -> Incident {
        let called =
            name.as_ref().map_or_else(|| "without a name".to_owned(), |name| format!("{name:?}"));
        let (p, threshold) = (1.0 / self.mean_wealth(), 1.0 / ALARM);
        let words = format!(
            "{} of {} since {} were more unusual than nearly all of the {} that the threshold was \
             calibrated on, and {:.1} were to be expected",
            self.above,
            count_words(self.sessions, "session"),
            self.since,
            calibrated_on,
            self.expected,
        );
        let finding = Finding {
            detector: Detector::TemplateDrift,
            p,
            tail: Tail::Empirical,
            share: 1.0,
            place: None,
            judged_benign: None,
            observed: Quantity {
                value: self.above as f64,
                unit: SmolStr::new_static("unusual sessions"),
            },
            normal: None,
            words: words.clone(),
        };
        let bar = crate::calibration::Bar { threshold, ..Default::default() };
        Incident {
            id: EventId::of(&[b"template drift", called.as_bytes(), &at.as_nanos().to_le_bytes()]),
            title: format!("sessions of template {called} are not what they were"),
            severity: Severity::Low,
            score: score(bar.margin(p)),
            stage: Stage::Calibrated,
            origin: Attribution { template: name, ..Attribution::nobody() },
            session: SmolStr::new_static(MANY),
            destination: SmolStr::new_static(MANY),
            hosts: Vec::new(),
            addresses: Vec::new(),
            ports: Vec::new(),
            opened_at: at,
            updated_at: at,
            first_seen: self.since,
            last_seen: at,
            observed: Observed::default(),
            explanation: Explanation {
                summary: format!(
                    "Why: {words}. Where nothing changed, it comes to this in one of {:.0} epochs (here \
                     {}). The template's threshold is calibrated anew; until about 3,000 sessions were \
                     scored again, the shipped one holds.",
                    ALARM,
                    probability_words(p),
                ),
                p_combined: p,
                threshold,
                findings: vec![finding],
                baseline: judged_by.baseline,
                baseline_frozen_at: judged_by.frozen_at,
                baseline_sessions: calibrated_on,
                evidence: Vec::new(),
                gaps: Vec::new(),
                techniques: Vec::new(),
                next_steps: next_steps_of_template_drift(&called),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Score;
    use crate::hash::quick;

    const EPOCH: Duration = Duration::from_secs(3_600);

    /// A score as every session might have it: 1 in 10ⁿ scores above n.
    fn of_chance(number: u64) -> Score {
        Score::of(((quick(number) >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
    }

    fn calibration(scores: impl Iterator<Item = Score>) -> Calibration {
        let mut calibration = Calibration::default();
        scores.for_each(|score| calibration.add(score));
        calibration
    }

    /// What is told in so many epochs of 200 sessions, whose scores are made of those of chance.
    fn run(
        drifts: &mut TemplateDrifts,
        (known, first): (&BTreeMap<u64, Calibration>, u64),
        epochs: u64,
        change: impl Fn(u64, Score) -> Score,
    ) -> Vec<IncidentChange> {
        let mut out = Vec::new();
        let names = BTreeMap::from([(7, SmolStr::new_static("python"))]);
        let judged_by =
            JudgedBy { baseline: EventId::of(&[]), frozen_at: None, template_sessions: 0 };
        for epoch in first..first + epochs {
            let numbers = (0..200).map(|n| 1_000_000 + epoch * 200 + n);
            let scores = calibration(numbers.map(|number| change(number, of_chance(number))));
            let scores = BTreeMap::from([(7, scores)]);
            let at = Timestamp::from_secs(0) + EPOCH * epoch as u32;
            let news = News { scores: &scores, names: &names };
            drifts.look((known, news), (at, judged_by), &mut out);
        }
        out
    }

    fn known(sessions: u64) -> BTreeMap<u64, Calibration> {
        BTreeMap::from([(7, calibration((0..sessions).map(of_chance)))])
    }

    #[test]
    fn sessions_that_stay_what_they_are_raise_nothing() {
        for sessions in [3_000, 10_000, 100_000] {
            let told =
                run(&mut TemplateDrifts::default(), (&known(sessions), 0), 5_000, |_, score| score);
            assert!(told.is_empty(), "{sessions}: {told:#?}");
        }
    }

    #[test]
    fn a_change_is_told_once_and_ends_with_a_new_threshold() {
        let known = known(10_000);
        let mut drifts = TemplateDrifts::default();
        assert!(run(&mut drifts, (&known, 0), 500, |_, score| score).is_empty());
        // One session in twenty gets far; one in 156 did.
        let changed = |number, score: Score| {
            if number % 20 == 0 { Score::of(1e-9) } else { score }
        };
        let told = run(&mut drifts, (&BTreeMap::from([(7, known[&7].clone())]), 500), 48, changed);
        // The threshold it was told against still stands, so it ends at the next look and opens anew.
        assert_eq!(told[0].kind, ChangeKind::Opened);
        let incident = &told[0].incident;
        assert!(incident.opened_at.since(Timestamp::from_secs(0)) < EPOCH * 512, "{incident:#?}");
        assert_eq!(incident.origin.template.as_deref(), Some("python"));
        assert_eq!(told[1].kind, ChangeKind::Ended);

        // Where the threshold was given up, it stays open until there is another, or for long enough.
        let mut drifts = TemplateDrifts::default();
        let is_told = |epoch: &u64| !run(&mut drifts, (&known, *epoch), 1, changed).is_empty();
        let first = (0..12).find(is_told).unwrap() + 1;
        let none = BTreeMap::new();
        assert!(run(&mut drifts, (&none, first), 700, changed).is_empty(), "no storm");
        let ended = run(&mut drifts, (&none, first + 720), 1, changed);
        assert_eq!(ended.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Ended]);
    }

    #[test]
    fn a_state_that_was_saved_goes_on() {
        let known = known(5_000);
        let many = |number, score| if number % 30 == 0 { Score::of(1e-9) } else { score };
        let mut whole = TemplateDrifts::default();
        let told = run(&mut whole, (&known, 0), 6, many);
        let mut cut = TemplateDrifts::default();
        let mut of_cut = run(&mut cut, (&known, 0), 3, many);
        let bytes = postcard::to_stdvec(&cut).unwrap();
        let mut cut: TemplateDrifts = postcard::from_bytes(&bytes).unwrap();
        of_cut.extend(run(&mut cut, (&known, 3), 3, many));
        assert_eq!((told, whole), (of_cut, cut));
    }
}
