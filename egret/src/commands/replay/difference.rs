//! What two replays of the same events found, side by side.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use egret_analyzer::{Detector, Incident, Severity};
use egret_event::{EventId, SmolStr, Timestamp};
use serde::Serialize;

use crate::terminal::{shown, table};

/// Scores are told to so many places, and what does not show there is no change.
const SCORE_STEPS: f64 = 100.0;

/// What is compared and told of an incident: a replay may find many.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Told {
    pub(super) id: EventId,
    pub(super) title: String,
    pub(super) severity: Severity,
    pub(super) score: f64,
    /// Strongest first.
    pub(super) detectors: Vec<Detector>,
    pub(super) opened_at: Timestamp,
    pub(super) executor: SmolStr,
    pub(super) destination: SmolStr,
    #[serde(skip)]
    pub(super) is_suppressed: bool,
}

/// The columns of [`Told::row`].
pub(super) const TOLD_COLUMNS: [&str; 6] =
    ["SEVERITY", "SCORE", "OPENED", "EXECUTOR", "DESTINATION", "BECAUSE"];

impl Told {
    pub(super) fn of(incident: Incident, is_suppressed: bool) -> Self {
        let findings = &incident.explanation.findings;
        Self {
            id: incident.id,
            severity: incident.severity,
            score: incident.score,
            detectors: findings.iter().map(|finding| finding.detector).collect(),
            opened_at: incident.opened_at,
            executor: incident.origin.executor,
            destination: incident.destination,
            title: incident.title,
            is_suppressed,
        }
    }

    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.severity.word().to_owned(),
            format!("{:.2}", self.score),
            self.opened_at.to_string(),
            shown(&self.executor),
            shown(&self.destination),
            names(&self.detectors),
        ]
    }
}

fn names(detectors: &[Detector]) -> String {
    let names: Vec<&str> = detectors.iter().map(|detector| detector.name()).collect();
    names.join(", ")
}

/// Most severe first, then in the order in which they opened.
pub(super) fn worst_first(a: &Told, b: &Told) -> Ordering {
    let by_rank = b.severity.cmp(&a.severity).then(b.score.total_cmp(&a.score));
    by_rank.then(a.opened_at.cmp(&b.opened_at)).then(a.id.cmp(&b.id))
}

/// What the changed configuration does to the incidents that people see.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    appear: Vec<OneSided>,
    vanish: Vec<OneSided>,
    change: Vec<Changed>,
    /// How many stay as they are.
    unchanged: u64,
}

/// An incident that only one of the two shows.
#[derive(Debug, Serialize)]
struct OneSided {
    #[serde(flatten)]
    told: Told,
    /// Whether the other one has found it too, and a suppression hides it there.
    suppressed_in_the_other: bool,
}

/// An incident that both show.
#[derive(Debug, Serialize)]
struct Changed {
    before: Told,
    after: Told,
    /// `severity`, `score`, `detectors`, `opened_at`: those that differ.
    differs: Vec<&'static str>,
}

impl Difference {
    pub(super) fn of(before: &BTreeMap<EventId, Told>, after: &BTreeMap<EventId, Told>) -> Self {
        let mut change = Vec::new();
        let mut unchanged = 0;
        for old in seen(before) {
            let Some(new) = after.get(&old.id).filter(|new| !new.is_suppressed) else { continue };
            let differs = differences(old, new);
            if differs.is_empty() {
                unchanged += 1;
            } else {
                change.push(Changed { before: old.clone(), after: new.clone(), differs });
            }
        }
        change.sort_by(|a, b| worst_first(&a.after, &b.after));
        Self { appear: only(after, before), vanish: only(before, after), change, unchanged }
    }

    /// For people.
    pub(super) fn as_table(&self) -> String {
        let mut out = String::new();
        let sided = [("would appear", &self.appear), ("would vanish", &self.vanish)];
        for (verb, all) in sided {
            let rows: Vec<_> = all.iter().map(OneSided::row).collect();
            section(&mut out, verb, (&TOLD_COLUMNS, &rows));
        }
        let rows: Vec<_> = self.change.iter().map(Changed::row).collect();
        section(&mut out, "would change", (&["EXECUTOR", "DESTINATION", "CHANGE"], &rows));
        let _ = writeln!(out, "\n{} as they are", counted(self.unchanged as usize, "would stay"));
        out
    }
}

fn section(out: &mut String, verb: &str, (columns, rows): (&[&str], &[Vec<String>])) {
    let _ = writeln!(out, "\n{}", counted(rows.len(), verb));
    if !rows.is_empty() {
        out.push_str(&table(columns, rows));
    }
}

fn counted(count: usize, verb: &str) -> String {
    match count {
        0 => format!("no incident {verb}"),
        1 => format!("1 incident {verb}"),
        _ => format!("{count} incidents {verb}"),
    }
}

/// Those that no suppression hides.
fn seen(told: &BTreeMap<EventId, Told>) -> impl Iterator<Item = &Told> {
    told.values().filter(|told| !told.is_suppressed)
}

/// Those that `these` show and `others` do not.
fn only(these: &BTreeMap<EventId, Told>, others: &BTreeMap<EventId, Told>) -> Vec<OneSided> {
    let mut only: Vec<OneSided> = seen(these)
        .filter_map(|told| {
            let other = others.get(&told.id);
            let is_shown = other.is_some_and(|other| !other.is_suppressed);
            let suppressed_in_the_other = other.is_some();
            (!is_shown).then(|| OneSided { told: told.clone(), suppressed_in_the_other })
        })
        .collect();
    only.sort_by(|a, b| worst_first(&a.told, &b.told));
    only
}

impl OneSided {
    fn row(&self) -> Vec<String> {
        let mut row = self.told.row();
        if let (true, Some(because)) = (self.suppressed_in_the_other, row.last_mut()) {
            because.push_str(" (suppressed)");
        }
        row
    }
}

fn differences(a: &Told, b: &Told) -> Vec<&'static str> {
    let steps = |told: &Told| (told.score * SCORE_STEPS).round() as i64;
    let all = [
        ("severity", a.severity != b.severity),
        ("score", steps(a) != steps(b)),
        ("detectors", a.detectors != b.detectors),
        ("opened_at", a.opened_at != b.opened_at),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

impl Changed {
    fn row(&self) -> Vec<String> {
        let parts: Vec<String> = self.differs.iter().map(|name| self.words(name)).collect();
        vec![shown(&self.after.executor), shown(&self.after.destination), parts.join("; ")]
    }

    fn words(&self, differs: &str) -> String {
        let part = |told: &Told| match differs {
            "severity" => told.severity.word().to_owned(),
            "score" => format!("{:.2}", told.score),
            "detectors" => names(&told.detectors),
            _ => told.opened_at.to_string(),
        };
        let name = differs.trim_end_matches("_at");
        format!("{name} {} → {}", part(&self.before), part(&self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(n: u128) -> Told {
        Told {
            id: EventId::from_bits(n),
            title: "something was sent".to_owned(),
            severity: Severity::Medium,
            score: 0.5,
            detectors: vec![Detector::UploadSize],
            opened_at: Timestamp::from_secs(60),
            executor: "job-1".into(),
            destination: "drop.example".into(),
            is_suppressed: false,
        }
    }

    fn all<const N: usize>(told: [Told; N]) -> BTreeMap<EventId, Told> {
        told.into_iter().map(|told| (told.id, told)).collect()
    }

    #[test]
    fn equal_findings_differ_in_nothing() {
        let difference = Difference::of(&all([told(1), told(2)]), &all([told(1), told(2)]));
        assert_eq!(difference.unchanged, 2);
        let words = "\nno incident would appear\n\nno incident would vanish\n\n\
                     no incident would change\n\n2 incidents would stay as they are\n";
        assert_eq!(difference.as_table(), words);
    }

    #[test]
    fn what_only_one_side_finds_appears_or_vanishes() {
        let difference = Difference::of(&all([told(1), told(2)]), &all([told(2), told(3)]));
        let ids = |sided: &[OneSided]| -> Vec<u128> {
            sided.iter().map(|one| one.told.id.bits()).collect()
        };
        assert_eq!((ids(&difference.vanish), ids(&difference.appear)), (vec![1], vec![3]));
        assert_eq!((difference.unchanged, difference.change.len()), (1, 0));
    }

    #[test]
    fn what_a_suppression_hides_vanishes_and_says_so_and_hidden_on_both_sides_is_not_told() {
        let hidden = |n| Told { is_suppressed: true, ..told(n) };
        let difference = Difference::of(&all([told(1), hidden(2)]), &all([hidden(1), hidden(2)]));
        assert!(difference.vanish[0].suppressed_in_the_other);
        assert_eq!((difference.vanish.len(), difference.appear.len()), (1, 0));
        assert_eq!((difference.change.len(), difference.unchanged), (0, 0));
        assert!(difference.as_table().contains("upload size (suppressed)"));
    }

    #[test]
    fn a_change_says_what_it_was_and_what_it_would_be() {
        let worse = Told {
            severity: Severity::High,
            score: 0.9,
            detectors: vec![Detector::Policy, Detector::UploadSize],
            opened_at: Timestamp::from_secs(30),
            ..told(1)
        };
        let difference = Difference::of(&all([told(1)]), &all([worse]));
        assert_eq!(difference.change[0].differs, ["severity", "score", "detectors", "opened_at"]);
        let words = difference.change[0].row().join(" ");
        for part in [
            "severity medium → high",
            "score 0.50 → 0.90",
            "detectors upload size → policy, upload size",
            "opened 1970-01-01T00:01:00Z → 1970-01-01T00:00:30Z",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }

    #[test]
    fn a_score_that_is_told_alike_is_no_change() {
        let difference = Difference::of(&all([told(1)]), &all([Told { score: 0.5001, ..told(1) }]));
        assert_eq!(difference.unchanged, 1);
    }
}
