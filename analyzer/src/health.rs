//! H: Egret itself. What keeps it from doing its work is an incident like any other: a target that takes no alerts, a
//! disk that is nearly full, a clock that jumps, an account that does not balance.
//!
//! Whoever runs the parts looks at them every few seconds and hands in what is wrong ([`Complaint`]); when that is an
//! incident, and when it is over, is decided here. Sources that are silent or lose much are `blind.rs`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use egret_event::{EventId, SmolStr, Timestamp};

use crate::incident::{
    ChangeBy, ChangeKind, Detector, Explanation, Finding, Incident, IncidentChange, Quantity,
    Severity,
};

/// Complaints that are followed at once. A configuration has a handful of parts.
const MOST_COMPLAINTS: usize = 256;

/// How long nothing may have been wrong before it is over. Egret's own choice: what comes and goes is one trouble.
const OVER_AFTER: Duration = Duration::from_secs(120);

/// Something that keeps Egret from doing its work, as it is at the moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Complaint {
    /// What it is about, such as `"target pager"`: there is one incident about it at a time.
    pub about: SmolStr,
    /// How urgent it is, when it is told.
    pub severity: Severity,
    /// How long it must have lasted to be told. Zero: at once.
    pub patience: Duration,
    /// What was measured.
    pub measured: Quantity,
    /// One sentence without its full stop: what is wrong. It begins with a capital letter.
    pub words: String,
    /// What it means for the reader: a whole sentence.
    pub means: &'static str,
    /// What to do about it.
    pub steps: Vec<String>,
}

/// All that is wrong, and since when.
#[derive(Debug, Default)]
pub struct Health {
    troubles: BTreeMap<SmolStr, Trouble>,
}

/// What is, or just was, wrong.
#[derive(Debug)]
struct Trouble {
    since: Timestamp,
    last: Timestamp,
    /// `None`: it was not told.
    told: Option<Incident>,
}

impl Health {
    /// Goes on at `now` with what an earlier run told and did not close: it takes a while to see whether it is over.
    pub fn resume(open: impl IntoIterator<Item = Incident>, now: Timestamp) -> Self {
        let troubles = open.into_iter().map(|incident| {
            let since = incident.first_seen;
            (incident.session.clone(), Trouble { since, last: now, told: Some(incident) })
        });
        Self { troubles: troubles.collect() }
    }

    /// Takes in all that is wrong at `now`, and says what that opens and what is over.
    pub fn look(&mut self, now: Timestamp, complaints: Vec<Complaint>) -> Vec<IncidentChange> {
        let mut changes = Vec::new();
        for complaint in complaints {
            let has_room = self.troubles.len() < MOST_COMPLAINTS;
            let trouble = match self.troubles.get_mut(&complaint.about) {
                Some(known) => known,
                None if has_room => {
                    let new = Trouble { since: now, last: now, told: None };
                    self.troubles.entry(complaint.about.clone()).or_insert(new)
                }
                None => continue,
            };
            trouble.last = now;
            if trouble.told.is_none() && now.since(trouble.since) >= complaint.patience {
                let incident = incident(&complaint, trouble.since, now);
                trouble.told = Some(incident.clone());
                changes.push(change(ChangeKind::Opened, now, incident));
            }
        }
        self.troubles.retain(|_, trouble| {
            // A clock that was set back must not keep a trouble for ever.
            let is_over = now.since(trouble.last) >= OVER_AFTER || trouble.last > now + OVER_AFTER;
            if is_over && let Some(told) = trouble.told.take() {
                changes.push(change(ChangeKind::Closed, now, over(told, trouble.last, now)));
            }
            !is_over
        });
        changes
    }
}

fn change(kind: ChangeKind, at: Timestamp, incident: Incident) -> IncidentChange {
    let number = u32::from(kind == ChangeKind::Closed);
    IncidentChange { kind, at, by: ChangeBy::Engine, number, incident }
}

fn incident(complaint: &Complaint, since: Timestamp, now: Timestamp) -> Incident {
    let Complaint { about, severity, measured, words, means, steps, .. } = complaint;
    let id = EventId::of(&[b"health", about.as_bytes(), &since.as_nanos().to_le_bytes()]);
    let finding = Finding::by_rule(Detector::Health, measured.clone(), words.clone());
    let explanation = Explanation::by_rule(format!("{words}. {means}"), finding, steps.clone());
    Incident {
        title: format!("Egret itself: {words}"),
        first_seen: since,
        ..Incident::about_egret(id, about.clone(), *severity, now, explanation)
    }
}

fn over(told: Incident, last: Timestamp, now: Timestamp) -> Incident {
    let summary = format!("{} It is over since {last}.", told.explanation.summary);
    let explanation = Explanation { summary, ..told.explanation };
    Incident { updated_at: now, last_seen: last, explanation, ..told }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(about: &str, patience_s: u64) -> Complaint {
        Complaint {
            about: about.into(),
            severity: Severity::High,
            patience: Duration::from_secs(patience_s),
            measured: Quantity { value: 1.0, unit: "alerts".into() },
            words: "Target \"pager\" cannot be reached".to_owned(),
            means: "Whoever it calls hears nothing.",
            steps: vec!["Look at it.".to_owned()],
        }
    }

    /// (second, kind) of what is told when it is looked at every ten seconds and `is_wrong` in some.
    fn told(health: &mut Health, is_wrong: impl Fn(i64) -> bool) -> Vec<(i64, ChangeKind)> {
        let mut told = Vec::new();
        for second in (0..1000).step_by(10) {
            let complaints = is_wrong(second).then(|| complaint("target pager", 60));
            let changes =
                health.look(Timestamp::from_secs(second), complaints.into_iter().collect());
            told.extend(changes.iter().map(|change| (second, change.kind)));
        }
        told
    }

    #[test]
    fn what_lasts_is_told_once_and_closed_once() {
        let told = told(&mut Health::default(), |second| (100..500).contains(&second));
        assert_eq!(told, [(160, ChangeKind::Opened), (610, ChangeKind::Closed)]);
    }

    #[test]
    fn what_comes_and_goes_is_one_trouble_and_what_is_short_is_none() {
        let flaps = told(&mut Health::default(), |second| second % 100 < 50);
        assert_eq!(flaps, [(100, ChangeKind::Opened)]);
        assert_eq!(told(&mut Health::default(), |second| (100..150).contains(&second)), []);
    }

    #[test]
    fn a_restart_goes_on_with_what_was_told() {
        let mut health = Health::default();
        let opened = health.look(Timestamp::from_secs(5), vec![complaint("target pager", 0)]);
        let [opened] = &opened[..] else { panic!("{opened:?}") };
        let at = |second| Timestamp::from_secs(second);
        // An hour later; what is wrong shows only after a while.
        let mut health = Health::resume([opened.incident.clone()], at(3600));
        assert!(health.look(at(3600), Vec::new()).is_empty());
        assert!(health.look(at(3660), vec![complaint("target pager", 0)]).is_empty());
        let closed = health.look(at(3800), Vec::new());
        assert_eq!(closed.len(), 1);
        assert_eq!((closed[0].kind, closed[0].number), (ChangeKind::Closed, 1));
        assert_eq!(closed[0].incident.id, opened.incident.id);
        let summary = &closed[0].incident.explanation.summary;
        assert!(summary.ends_with("It is over since 1970-01-01T01:01:00Z."), "{summary}");
    }

    #[test]
    fn what_is_followed_has_a_bound() {
        let mut health = Health::default();
        let many = (0..1000).map(|n| complaint(&format!("target t{n}"), 0)).collect();
        assert_eq!(health.look(Timestamp::from_secs(5), many).len(), MOST_COMPLAINTS);
        assert_eq!(health.troubles.len(), MOST_COMPLAINTS);
    }
}
