//! Feedback: what analysts judged benign counts, for a time, as sessions that behaved like this.
//!
//! A verdict edits no threshold and teaches no baseline. It adds [`PSEUDO_SESSIONS`] to the sessions
//! that a detector compares with, for one template and one destination: of n sessions whose tail
//! probability is p, and k more that reached the value that was judged, a value up to that one has
//! (n·p + k)/(n + k), and a larger one keeps its p. It is a matter of what is reported: what a session
//! teaches and what its score calibrates is the same with and without.
//!
//! Only detectors that compare with other sessions take it. What policy forbids (P), a secret (D12), two
//! observers that contradict each other (D10) and a blind source (B) were observed and not estimated,
//! and are what they are however often somebody finds one harmless: that is what suppressions are for.
//! A fleet drip (D14) is about a place and all sessions, and opens once.

use std::collections::BTreeMap;
use std::time::Duration;

use egret_event::{EventId, SmolStr, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dossier::weight;
use crate::incident::{Detector, Finding, Incident, JudgedBenign, Quantity, Stage};
use crate::moments::PARENT_WEIGHT;
use crate::tails::combine;
use crate::words::{count_words, date_words};

/// Sessions that one verdict stands for: as many as a level's parent weighs ([`PARENT_WEIGHT`]), because it
/// is a belief about this level that comes from outside of it.
const PSEUDO_SESSIONS: u64 = 50;

/// Sessions learned from that count against a verdict, at the most: from about so many on thresholds are
/// calibrated ([`crate::calibration`]), and of a million sessions a verdict would change nothing. With so
/// many, one verdict leaves 0.016, above every threshold.
const MOST_SESSIONS: u64 = 3_000;

/// Values up to so many times what was judged are the like. An incident is told to have grown when its bytes
/// have doubled: what is more than that was not judged.
const LIKE: f64 = 2.0;

/// Where values cannot be compared, p down to so much of what was judged is the like: one of the powers of
/// ten that a score counts. The p of one thing falls as sessions are learned from that do not do it.
const LIKE_P: f64 = 0.1;

/// Days for which a verdict counts.
const LASTS: Duration = Duration::from_secs(30 * 86_400);

/// One detector's finding that an analyst judged benign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Feedback {
    /// The incident that was judged.
    pub incident: EventId,
    /// Whose finding it was.
    pub detector: Detector,
    /// The template of the session. `None`: it had none, and others without one are the like.
    pub template: Option<SmolStr>,
    /// The registrable domain, the address, or `"*"` for many destinations together.
    pub destination: SmolStr,
    /// The tenant's place on a shared service, where the finding is about one.
    pub place: Option<SmolStr>,
    /// What was measured; of uploads and drips the bytes sent to the destination in all.
    pub judged: Quantity,
    /// How unlikely that was.
    pub p: f64,
    /// When it was judged.
    pub at: Timestamp,
    /// When it stops to count.
    pub expires_at: Timestamp,
}

/// Whose finding is looked at.
pub(crate) struct Subject<'a> {
    pub(crate) template: Option<&'a SmolStr>,
    pub(crate) destination: &'a SmolStr,
    /// Bytes sent to it in all.
    pub(crate) up_bytes: u64,
    /// Sessions of the template that were learned from.
    pub(crate) sessions: u64,
}

/// What was judged benign, by destination.
#[derive(Debug, Clone, Default)]
pub struct FeedbackSet {
    by_destination: BTreeMap<SmolStr, Vec<Feedback>>,
}

impl Feedback {
    /// What the engine is told when `incident` is judged benign at `at`: one for each detector that has a
    /// share in it and compares with other sessions.
    pub fn of(incident: &Incident, at: Timestamp) -> Vec<Self> {
        let has_part = |finding: &&Finding| {
            is_comparison(finding.detector)
                && (finding.share > 0.0 || finding.judged_benign.is_some())
        };
        let findings = incident.explanation.findings.iter().filter(has_part);
        findings
            .map(|finding| Self {
                incident: incident.id,
                detector: finding.detector,
                template: incident.origin.template.clone(),
                destination: incident.destination.clone(),
                place: finding.place.clone(),
                judged: Quantity {
                    value: measure(finding, incident.observed.up_bytes),
                    unit: finding.observed.unit.clone(),
                },
                p: finding.own_p(),
                at,
                expires_at: at + LASTS,
            })
            .collect()
    }

    /// Whether it counts at `at`, which is event time: for what was before it was given too, as suppressions
    /// do.
    fn is_in_force(&self, at: Timestamp) -> bool {
        at < self.expires_at
    }

    /// Whether a finding is like the one that was judged, or less.
    fn covers(&self, finding: &Finding, subject: &Subject<'_>) -> bool {
        let is_same = self.detector == finding.detector
            && self.template.as_ref() == subject.template
            && self.destination == *subject.destination
            && self.place == finding.place;
        is_same
            && if self.is_measured_like(finding) {
                measure(finding, subject.up_bytes) < LIKE * self.judged.value
            } else {
                finding.own_p() >= LIKE_P * self.p
            }
    }

    /// Whether the value says how strong a finding is, and this one's was measured in the same unit. How
    /// often a destination was contacted before says the opposite, and of a write to a stranger it is the
    /// stranger that counts.
    fn is_measured_like(&self, finding: &Finding) -> bool {
        match finding.detector {
            Detector::NewDestination | Detector::ForeignTenant => false,
            Detector::UploadSize | Detector::SlowDrip => true,
            _ => self.judged.unit == finding.observed.unit,
        }
    }
}

/// Whether a detector compares with what other sessions did.
const fn is_comparison(detector: Detector) -> bool {
    match detector {
        Detector::NewDestination
        | Detector::UploadSize
        | Detector::RateBurst
        | Detector::SlowDrip
        | Detector::Beacon
        | Detector::DnsTunnel
        | Detector::BlockedProbes
        | Detector::ForeignTenant
        | Detector::DirectAddress
        | Detector::OddCertificate
        | Detector::FanOut
        | Detector::NotFound => true,
        Detector::SensitiveContent
        | Detector::Policy
        | Detector::Contradiction
        | Detector::Blind
        | Detector::FleetDrip
        | Detector::TemplateDrift
        | Detector::Health => false,
    }
}

/// How strong a finding is, in its unit. Uploads are measured in several manners, and drips at several ages:
/// what all have in common are the bytes sent in all, which are also what an incident says.
fn measure(finding: &Finding, up_bytes: u64) -> f64 {
    match finding.detector {
        Detector::UploadSize | Detector::SlowDrip => up_bytes as f64,
        _ => finding.observed.value,
    }
}

impl FeedbackSet {
    /// In any order.
    pub fn new(feedback: impl IntoIterator<Item = Feedback>) -> Self {
        let mut by_destination: BTreeMap<SmolStr, Vec<Feedback>> = BTreeMap::new();
        for one in feedback {
            by_destination.entry(one.destination.clone()).or_default().push(one);
        }
        Self { by_destination }
    }

    /// The ones that count for a finding at `at`.
    fn covering<'a>(
        &'a self,
        finding: &'a Finding,
        subject: &'a Subject<'_>,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Feedback> {
        let there = self.by_destination.get(subject.destination);
        there
            .into_iter()
            .flatten()
            .filter(move |one| one.is_in_force(at) && one.covers(finding, subject))
    }

    /// Lets what was judged benign count for a finding at `at`, and says so in it.
    pub(crate) fn weigh(&self, finding: &mut Finding, subject: &Subject<'_>, at: Timestamp) {
        let Some(judged) = self.judgement(finding, subject, at) else { return };
        finding.p = p_with(judged.p, subject.sessions, judged.sessions);
        finding.words.push_str(&words(&judged));
        finding.judged_benign = Some(judged);
    }

    fn judgement(
        &self,
        finding: &Finding,
        subject: &Subject<'_>,
        at: Timestamp,
    ) -> Option<JudgedBenign> {
        let covering = || self.covering(finding, subject, at);
        Some(JudgedBenign {
            p: finding.own_p(),
            sessions: PSEUDO_SESSIONS.saturating_mul(covering().count() as u64),
            judged_at: covering().map(|one| one.at).max()?,
            expires_at: covering().map(|one| one.expires_at).max()?,
        })
    }

    /// Whether `incident` would not have opened with what counts at `at`: the judged incident that it is
    /// like, the newest where there are several. `None`: it would have, or is itself the one that was judged.
    pub fn prevents(&self, incident: &Incident, at: Timestamp) -> Option<EventId> {
        let why = &incident.explanation;
        if incident.stage == Stage::Rules {
            return None;
        }
        let subject = Subject {
            template: incident.origin.template.as_ref(),
            destination: &incident.destination,
            up_bytes: incident.observed.up_bytes,
            sessions: why.baseline_sessions,
        };
        let covering = why.findings.iter().flat_map(|finding| self.covering(finding, &subject, at));
        let newest = covering.map(|one| (one.at, one.incident)).max()?.1;
        let p = combine(why.findings.iter().map(|finding| {
            let k = self.judgement(finding, &subject, at).map_or(0, |judged| judged.sessions);
            (weight(finding.detector), p_with(finding.own_p(), subject.sessions, k))
        }));
        (newest != incident.id && p >= why.threshold).then_some(newest)
    }
}

impl Finding {
    /// The probability without what analysts judged.
    pub(crate) fn own_p(&self) -> f64 {
        self.judged_benign.as_ref().map_or(self.p, |judged| judged.p)
    }
}

/// The tail probability p of `sessions` when `more` reached the value too. What was believed before anything
/// was learned counts as [`PARENT_WEIGHT`] sessions.
fn p_with(p: f64, sessions: u64, more: u64) -> f64 {
    let n = sessions.min(MOST_SESSIONS) as f64 + PARENT_WEIGHT;
    let k = more as f64;
    // In this form no rounding makes it smaller than p.
    p + (1.0 - p).max(0.0) * k / (n + k)
}

fn words(judged: &JudgedBenign) -> String {
    format!(
        "; an analyst judged the like benign on {}, which counts as {} that did so until {}",
        date_words(judged.judged_at),
        count_words(judged.sessions, "more session"),
        date_words(judged.expires_at),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Tail;

    const DAY: Duration = Duration::from_secs(86_400);

    fn finding(detector: Detector, value: f64, p: f64) -> Finding {
        Finding {
            detector,
            p,
            tail: Tail::Prior,
            share: 0.0,
            place: None,
            judged_benign: None,
            observed: Quantity { value, unit: "pieces".into() },
            normal: None,
            words: String::new(),
        }
    }

    fn feedback(detector: Detector, value: f64, (day, number): (u32, u128)) -> Feedback {
        let at = Timestamp::from_secs(0) + DAY * day;
        Feedback {
            incident: EventId::from_bits(number),
            detector,
            template: Some("python".into()),
            destination: "example.net".into(),
            place: None,
            judged: Quantity { value, unit: "pieces".into() },
            p: 1e-6,
            at,
            expires_at: at + LASTS,
        }
    }

    fn judged(set: &FeedbackSet, finding: &Finding, sessions: u64, at: Timestamp) -> Finding {
        let mut finding = finding.clone();
        let subject = Subject {
            template: Some(&"python".into()),
            destination: &"example.net".into(),
            up_bytes: finding.observed.value as u64,
            sessions,
        };
        set.weigh(&mut finding, &subject, at);
        finding
    }

    fn at(day: u32) -> Timestamp {
        Timestamp::from_secs(1) + DAY * day
    }

    #[test]
    fn one_verdict_leaves_every_threshold_behind_however_much_was_learned() {
        let set = FeedbackSet::new([feedback(Detector::UploadSize, 5e6, (0, 1))]);
        for sessions in [0, 300, 3_000, 1_000_000] {
            let like = judged(&set, &finding(Detector::UploadSize, 5e6, 1e-15), sessions, at(1));
            let floor = 50.0 / (sessions.min(3_000) as f64 + 100.0);
            assert!((like.p - floor).abs() < 1e-9 && like.p > 1e-2, "{sessions}: {}", like.p);
            let said = "; an analyst judged the like benign on 1970-01-01, which counts as 50 more \
                        sessions that did so until 1970-01-31";
            assert_eq!(like.words, said);
        }
    }

    #[test]
    fn what_was_not_judged_is_what_it_was() {
        let set = FeedbackSet::new([feedback(Detector::UploadSize, 5e6, (0, 1))]);
        let like = finding(Detector::UploadSize, 5e6, 1e-9);
        assert!(judged(&set, &like, 100, at(1)).judged_benign.is_some());
        let [mut elsewhere, mut of_tenant] = [like.clone(), like.clone()];
        elsewhere.detector = Detector::DnsTunnel;
        of_tenant.place = Some("github.com/mallory".into());
        for other in [elsewhere, of_tenant, finding(Detector::UploadSize, 1e7, 1e-9)] {
            assert_eq!(judged(&set, &other, 100, at(1)), other);
        }
        for (template, destination) in [(None, "example.net"), (Some("python"), "example.org")] {
            let mut other = like.clone();
            let (template, destination) = (template.map(SmolStr::from), destination.into());
            let subject = Subject {
                template: template.as_ref(),
                destination: &destination,
                up_bytes: 5_000_000,
                sessions: 100,
            };
            set.weigh(&mut other, &subject, at(1));
            assert_eq!(other, like);
        }
    }

    #[test]
    fn without_a_value_that_compares_what_is_ten_times_as_unlikely_is_not_the_like() {
        let novelty = |p| finding(Detector::NewDestination, 0.0, p);
        let set = FeedbackSet::new([feedback(Detector::NewDestination, 0.0, (0, 1))]);
        assert!(judged(&set, &novelty(1.1e-7), 100, at(1)).judged_benign.is_some());
        assert!(judged(&set, &novelty(0.9e-7), 100, at(1)).judged_benign.is_none());
        // Contacts in 10 s say nothing of contacts in 60 s.
        let mut burst = finding(Detector::RateBurst, 1e9, 1e-6);
        burst.observed.unit = "other pieces".into();
        let set = FeedbackSet::new([feedback(Detector::RateBurst, 1.0, (0, 1))]);
        assert!(judged(&set, &burst, 100, at(1)).judged_benign.is_some());
        burst.p = 1e-8;
        assert!(judged(&set, &burst, 100, at(1)).judged_benign.is_none());
    }

    #[test]
    fn what_is_observed_and_not_estimated_takes_no_feedback() {
        let without = Detector::ALL.into_iter().filter(|detector| !is_comparison(*detector));
        let codes: Vec<&str> = without.map(Detector::code).collect();
        assert_eq!(codes, ["D12", "P", "D10", "B", "D14", "T", "H"]);
    }

    fn some_detector() -> impl Strategy<Value = Detector> {
        prop::sample::select(Detector::ALL.to_vec())
    }

    fn verdicts() -> impl Strategy<Value = Vec<Feedback>> {
        let one = (some_detector(), 0.0..100f64, (0u32..60, 0u128..9));
        let one = one.prop_map(|(detector, value, when)| feedback(detector, value, when));
        prop::collection::vec(one, 0..20)
    }

    proptest! {
        #[test]
        fn feedback_expires(
            verdicts in verdicts(),
            (by, value, p) in (some_detector(), 0.0..200f64, 0.0..1f64),
            sessions in 0u64..10_000,
        ) {
            let set = FeedbackSet::new(verdicts.clone());
            let one = finding(by, value, p);
            let last = verdicts.iter().map(|one| one.expires_at).max();
            let last = last.unwrap_or(Timestamp::from_secs(0));
            prop_assert_eq!(&judged(&set, &one, sessions, last), &one);
            let before = judged(&set, &one, sessions, last - DAY);
            let there = verdicts.iter().filter(|v| v.expires_at > last - DAY);
            let of_this = there.filter(|v| v.detector == by).count() as u64;
            let counted = before.judged_benign.map_or(0, |judged| judged.sessions);
            prop_assert!(counted <= 50 * of_this);
        }

        #[test]
        fn the_order_of_verdicts_does_not_matter(
            (verdicts, shuffled) in verdicts().prop_flat_map(|verdicts| {
                (Just(verdicts.clone()), Just(verdicts).prop_shuffle())
            }),
            (by, value, p) in (some_detector(), 0.0..200f64, 0.0..1f64),
            day in 0u32..90,
        ) {
            let [one, other] = [verdicts, shuffled].map(|verdicts| {
                judged(&FeedbackSet::new(verdicts), &finding(by, value, p), 100, at(day))
            });
            prop_assert_eq!(one, other);
        }

        #[test]
        fn more_is_never_likelier_and_nothing_becomes_less_likely_than_it_was(
            verdicts in verdicts(),
            by in some_detector(),
            (value, more) in (0.0..200f64, 0.0..100f64),
            (p, less) in (1e-9..1f64, 0.0..1f64),
            day in 0u32..90,
        ) {
            let set = FeedbackSet::new(verdicts);
            let (weak, strong) = (finding(by, value, p), finding(by, value + more, p * less));
            let [with_weak, with_strong] =
                [&weak, &strong].map(|one| judged(&set, one, 100, at(day)).p);
            prop_assert!(with_weak >= weak.p && with_strong >= strong.p);
            prop_assert!(with_strong <= with_weak);
        }
    }
}
