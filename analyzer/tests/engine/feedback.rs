//! Feedback: what analysts judged benign is not reported again, and all else is.

use std::time::Duration;

use egret_analyzer::{
    AnalyzerConfig, Detector, Engine, Feedback, FeedbackSet, Incident, IncidentChange, Stage,
};
use egret_event::{ContentPlace, Event, Fact, Sections, Sensitive, SensitiveKind, Timestamp};

use crate::traffic::*;

const MIB: u64 = 1 << 20;
const DAY_MS: i64 = 86_400_000;

/// What a new engine opens that was told this.
fn with(feedback: &[Feedback], events: &[Event]) -> Vec<Incident> {
    let mut engine = Engine::new(AnalyzerConfig::default());
    engine.take_feedback(feedback.iter().cloned());
    let mut changes = Vec::new();
    engine.observe(events, &mut changes);
    engine.finish(&mut changes);
    last_states(&changes)
}

fn upload(name: &str, ms: i64, bytes: u64) -> Vec<Event> {
    vec![Executor::new(name).flow(ms, web("drop.example.net"), bytes, 500)]
}

/// The verdict on the only incident that events open, given a second after the start.
fn judged(events: &[Event]) -> Vec<Feedback> {
    let incidents = incidents(events);
    assert_eq!(incidents.len(), 1);
    Feedback::of(&incidents[0], at(1_000))
}

#[test]
fn the_like_of_what_was_judged_benign_does_not_alert_and_twice_as_much_does() {
    let verdict = judged(&upload("sandbox-1", 0, 5 * MIB));
    let detectors: Vec<Detector> = verdict.iter().map(|one| one.detector).collect();
    assert_eq!(detectors, [Detector::UploadSize, Detector::NewDestination]);
    for bytes in [MIB, 5 * MIB, 9 * MIB] {
        assert_eq!(incidents(&upload("sandbox-2", 60_000, bytes)).len(), 1, "{bytes}");
        assert!(with(&verdict, &upload("sandbox-2", 60_000, bytes)).is_empty(), "{bytes}");
    }
    let more = with(&verdict, &upload("sandbox-2", 60_000, 10 * MIB));
    assert_eq!(destinations(&more), ["example.net"]);
    let upload = &more[0].explanation.findings[0];
    assert_eq!((upload.detector, &upload.judged_benign), (Detector::UploadSize, &None));
}

#[test]
fn a_verdict_counts_for_its_template_and_destination_alone() {
    let verdict = judged(&upload("sandbox-1", 0, 5 * MIB));
    let mut other = Executor::with("sandbox-2", |origin| origin.template = Some("rust".into()));
    let by_other = [other.flow(60_000, web("drop.example.net"), 5 * MIB, 500)];
    assert_eq!(with(&verdict, &by_other).len(), 1);
    let mut same = Executor::new("sandbox-3");
    let elsewhere = [same.flow(60_000, web("drop.example.org"), 5 * MIB, 500)];
    assert_eq!(with(&verdict, &elsewhere).len(), 1);
}

#[test]
fn after_thirty_days_a_verdict_counts_no_more_and_event_time_says_when() {
    let verdict = judged(&upload("sandbox-1", 0, 5 * MIB));
    let last_ms = 30 * DAY_MS + 1_000;
    assert!(with(&verdict, &upload("sandbox-2", last_ms - 1, 5 * MIB)).is_empty());
    let after = upload("sandbox-2", last_ms, 5 * MIB);
    assert_eq!(with(&verdict, &after), incidents(&after));
}

#[test]
fn a_session_that_goes_on_beyond_what_was_judged_alerts_then() {
    let verdict = judged(&upload("sandbox-1", 0, 5 * MIB));
    let mut executor = Executor::new("sandbox-2");
    let events: Vec<Event> =
        (0..20).map(|n| executor.flow(n * 1_000, web("drop.example.net"), MIB, 500)).collect();
    let found = with(&verdict, &events);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].opened_at, at(9_000), "with the tenth of 20 MiB");
}

#[test]
fn what_policy_and_known_secrets_say_is_not_a_matter_of_feedback() {
    let secret = Sensitive {
        kind: SensitiveKind::Canary,
        name: "build key".into(),
        place: ContentPlace::Query,
        layers: Vec::new(),
        count: 1,
        fingerprint: None,
        sections: Some(Sections { seen: 0xff, of: 8 }),
    };
    let leak = |name: &str, ms| {
        let mut event = Executor::new(name).logged(ms, "drop.example.net", Some(5 * MIB), 500);
        let Fact::Http(request) = &mut event.fact else { unreachable!("a log tells of requests") };
        request.sensitive = vec![secret.clone()];
        vec![event]
    };
    let verdict = judged(&leak("sandbox-1", 0));
    assert!(verdict.iter().all(|one| one.detector != Detector::SensitiveContent), "{verdict:?}");
    let again = with(&verdict, &leak("sandbox-2", 60_000));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].stage, Stage::Rules);
    let why = &again[0].explanation;
    assert_eq!(why.findings[0].detector, Detector::SensitiveContent);
    // What was judged is told beside it.
    let upload = why.findings.iter().find(|f| f.detector == Detector::UploadSize).unwrap();
    let benign = upload.judged_benign.as_ref().unwrap();
    assert!(benign.p < 1e-4 && upload.p >= 0.5, "{upload:?}");
    assert_eq!((benign.sessions, benign.judged_at), (50, at(1_000)));
    let said = "an analyst judged the like benign on 2026-01-31, which counts as 50 more sessions \
                that did so until 2026-03-02";
    assert!(why.summary.contains(said), "{}", why.summary);
    let metadata =
        |name: &str| vec![Executor::new(name).flow(0, bare("169.254.169.254", 80), 9, 9)];
    let verdict = judged(&metadata("sandbox-1"));
    assert_eq!(with(&verdict, &metadata("sandbox-2")).len(), 1);
}

#[test]
fn a_stranger_who_was_judged_benign_excuses_no_other_one() {
    let gist = |name: &str, owners: &[&str]| -> Vec<Event> {
        let mut executor = Executor::new(name);
        let write = |(n, owner): (usize, &&str)| {
            let host = format!("{owner}.requestrepo.com");
            executor.logged(60_000 + n as i64, &host, Some(3_000), 400)
        };
        owners.iter().enumerate().map(write).collect()
    };
    let verdict = judged(&gist("sandbox-1", &["ours"]));
    let place = verdict.iter().find_map(|one| one.place.clone());
    assert_eq!(place.as_deref(), Some("ours.requestrepo.com"), "{verdict:?}");
    assert!(with(&verdict, &gist("sandbox-2", &["ours"])).is_empty());
    for owners in [&["mallory"][..], &["ours", "mallory"], &["mallory", "ours"]] {
        let found = with(&verdict, &gist("sandbox-2", owners));
        assert_eq!(found.len(), 1, "{owners:?}");
        let place = found[0].explanation.findings[0].place.as_deref();
        assert_eq!(place, Some("mallory.requestrepo.com"), "{owners:?}");
    }
}

#[test]
fn what_would_have_been_prevented_is_what_the_engine_does_not_open() {
    let verdict = judged(&upload("sandbox-1", 0, 5 * MIB));
    let set = FeedbackSet::new(verdict.clone());
    for bytes in (1..=20).map(|n| n * MIB) {
        let events = upload("sandbox-2", 60_000, bytes);
        let incident = &incidents(&events)[0];
        let is_prevented = set.prevents(incident, at(60_000)) == Some(verdict[0].incident);
        assert_eq!(with(&verdict, &events).is_empty(), is_prevented, "{bytes}");
        assert_eq!(set.prevents(incident, verdict[0].expires_at), None);
    }
    let itself = &incidents(&upload("sandbox-1", 0, 5 * MIB))[0];
    assert_eq!(set.prevents(itself, at(60_000)), None, "it is judged, and like no other");
}

/// A fleet's months with an upload a day that an analyst has judged benign, or not.
fn learned(feedback: Vec<Feedback>) -> (Vec<u8>, Vec<IncidentChange>) {
    let mut engine = Engine::new(AnalyzerConfig::default());
    engine.take_feedback(feedback);
    let mut changes = Vec::new();
    for day in 0..29 {
        for n in 0..20 {
            let mut executor = Executor::new(&format!("ordinary-{day}-{n}"));
            let ms = day * DAY_MS + n * 3_600_000;
            engine.observe(&[executor.flow(ms, web("pypi.org"), 3_000, 100_000)], &mut changes);
        }
        let ms = day * DAY_MS + 20 * 3_600_000;
        engine.observe(&upload(&format!("backup-{day}"), ms, 5 * MIB), &mut changes);
    }
    engine.finish(&mut changes);
    (engine.baseline(), changes)
}

#[test]
fn a_verdict_teaches_nothing_and_edits_no_threshold() {
    let (without, told) = learned(Vec::new());
    let first = opened(&told)[0].incident.clone();
    let (with, spared) = learned(Feedback::of(&first, at(0)));
    assert!(with == without, "what was learned, and what waits, is the same to the byte");
    assert!(opened(&spared).is_empty(), "{:?}", opened(&spared)[0].incident.title);
    assert!(opened(&told).len() > 5, "{}", opened(&told).len());
}

#[test]
fn a_restored_engine_counts_what_it_is_told_again() {
    let verdict = judged(&upload("sandbox-1", 0, 5 * MIB));
    let mut engine = Engine::new(AnalyzerConfig::default());
    engine.take_feedback(verdict.clone());
    engine.observe(&upload("sandbox-2", 60_000, 5 * MIB), &mut Vec::new());
    let mut restored = Engine::restore(AnalyzerConfig::default(), &engine.snapshot()).unwrap();
    restored.take_feedback(verdict);
    let mut changes = Vec::new();
    restored.observe(&upload("sandbox-3", 120_000, 5 * MIB), &mut changes);
    assert!(changes.is_empty());
    restored.take_feedback([]);
    restored.observe(&upload("sandbox-4", 180_000, 5 * MIB), &mut changes);
    assert_eq!(opened(&changes).len(), 1);
}

/// Long before all traffic of these tests, and so out of force.
pub(crate) fn long_ago() -> Timestamp {
    at(0) - Duration::from_secs(31 * 86_400)
}
