//! What was learned: thresholds from the sessions seen here, and baselines that are brought along.

use egret_analyzer::{
    AnalyzerConfig, Detector, Engine, Finding, IncidentChange, RestoreError, Stage,
};

use egret_event::Event;

use crate::traffic::{Executor, bare, chance, opened, web};

const DAY_MS: i64 = 86_400_000;

/// Days of ordinary sessions, and sessions of each.
const DAYS: i64 = 10;
const PER_DAY: i64 = 400;

/// When all that was learned counts.
const LATER_MS: i64 = (DAYS + 9) * DAY_MS;

/// Ten days of short sessions: each installs something, one in twenty sends a little to a place of
/// its own.
fn after_ten_days() -> Engine {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..DAYS * PER_DAY {
        let mut executor = Executor::new(&format!("ordinary-{number}"));
        let ms = number * (DAY_MS / PER_DAY);
        let mut events = vec![executor.flow(ms, web("pypi.org"), 3_000, 100_000)];
        if number % 20 == 0 {
            let bytes = 1_000 + (20_000.0 * chance(number as u64)) as u64;
            let place = web(&format!("www.site-{number}.example"));
            events.push(executor.flow(ms + 1_000, place, bytes, 9_000));
        }
        engine.observe(&events, &mut changes);
    }
    assert!(opened(&changes).is_empty(), "ordinary sessions do not alert");
    engine
}

/// What a session is told that sends `bytes` to a place where nobody was before.
fn leak(engine: &mut Engine, bytes: u64) -> Vec<IncidentChange> {
    let mut changes = Vec::new();
    let mut thief = Executor::new(&format!("thief-{bytes}"));
    engine.observe(&[thief.flow(LATER_MS, web("drop.example.net"), bytes, 500)], &mut changes);
    changes
}

#[test]
fn thresholds_are_calibrated_when_thousands_of_sessions_have_waited_for_a_week() {
    const BYTES: u64 = 150 << 10;
    let mut engine = after_ten_days();
    assert_eq!(engine.summary().stage, Stage::Priors, "what waits does not count yet");
    assert!(leak(&mut Engine::new(AnalyzerConfig::default()), BYTES).is_empty(), "cold");
    let mut changes = Vec::new();
    engine.tick(crate::traffic::at(LATER_MS - 3_600_000), &mut changes);
    assert_eq!(engine.summary().stage, Stage::Calibrated);
    let changes = leak(&mut engine, BYTES);
    let incident = &opened(&changes)[0].incident;
    assert_eq!(incident.stage, Stage::Calibrated);
    let why = &incident.explanation;
    assert!(why.p_combined < why.threshold && why.threshold > 1e-4, "{why:?}");
    assert!(why.summary.contains("no more than one in 1000 gets there"), "{}", why.summary);
}

#[test]
fn a_template_that_changes_is_told_once_and_its_threshold_is_given_up() {
    let mut engine = after_ten_days();
    let mut changes = Vec::new();
    engine.tick(crate::traffic::at(LATER_MS), &mut changes);
    assert_eq!(engine.summary().stage, Stage::Calibrated);
    // One session in four sends something to a place of its own, and more than before.
    for number in 0..PER_DAY {
        let mut executor = Executor::new(&format!("changed-{number}"));
        let ms = LATER_MS + number * (DAY_MS / PER_DAY);
        let mut events = vec![executor.flow(ms, web("pypi.org"), 3_000, 100_000)];
        if number % 4 == 0 {
            let place = web(&format!("www.service-{number}.example"));
            events.push(executor.flow(ms + 1_000, place, 30_000, 9_000));
        }
        engine.observe(&events, &mut changes);
    }
    let mut drifts = opened(&changes);
    drifts.retain(|change| {
        change.incident.explanation.findings[0].detector == Detector::TemplateDrift
    });
    assert_eq!(drifts.len(), 1, "{drifts:#?}");
    let incident = &drifts[0].incident;
    assert_eq!(incident.origin.template.as_deref(), Some("python"));
    assert!(incident.title.contains("template \"python\""), "{}", incident.title);
    assert!(incident.opened_at < crate::traffic::at(LATER_MS + DAY_MS), "{}", incident.opened_at);
    assert_eq!(engine.summary().stage, Stage::Priors);
}

#[test]
fn what_one_session_in_twenty_does_is_no_burst_and_what_none_does_is_one() {
    const CONTACTS: i64 = 44;
    let session = |number: i64, contacts: i64| -> Vec<Event> {
        let mut executor = Executor::new(&format!("session-{number}"));
        let ms = number * (DAY_MS / PER_DAY);
        let flow = |contact| executor.flow(ms + contact * 20, web("deb.debian.org"), 300, 20_000);
        (0..contacts).map(flow).collect()
    };
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..2 * PER_DAY {
        let contacts = if number % 20 == 7 { CONTACTS } else { 1 + number % 3 };
        engine.observe(&session(number, contacts), &mut changes);
    }
    assert!(opened(&changes).is_empty(), "{:#?}", opened(&changes));
    engine.observe(&session(2 * PER_DAY, 50 * CONTACTS), &mut changes);
    let bursts = opened(&changes);
    assert_eq!(bursts.len(), 1, "{bursts:#?}");
    let finding = &bursts[0].incident.explanation.findings[0];
    assert_eq!(finding.detector, Detector::RateBurst);
    assert!(finding.words.contains("sessions of template \"python\""), "{}", finding.words);
}

#[test]
fn more_new_destinations_than_sessions_have_are_found_however_slowly_they_come() {
    const PLACES: i64 = 100;
    let mut engine = after_ten_days();
    let mut changes = Vec::new();
    engine.tick(crate::traffic::at(LATER_MS - 3_600_000), &mut changes);
    // One every four minutes, and each again a minute later: more than a session remembers exactly.
    let mut executor = Executor::new("spread");
    for number in 0..PLACES {
        let ms = LATER_MS + number * 240_000;
        let place = || web(&format!("www.part-{number}.example"));
        let events = [0, 60_000].map(|later| executor.flow(ms + later, place(), 400, 9_000));
        engine.observe(&events, &mut changes);
    }
    let told = opened(&changes);
    assert_eq!(told.len(), 1, "{told:#?}");
    let last = &changes.last().expect("it was opened").incident;
    assert_eq!((last.destination.as_str(), last.id), ("*", told[0].incident.id));
    let is_fan_out = |finding: &&Finding| finding.detector == Detector::FanOut;
    let finding = last.explanation.findings.iter().find(is_fan_out).expect("by their number");
    assert!((80.0..=100.0).contains(&finding.observed.value), "{finding:?}");
    assert!(finding.words.contains("destinations that are new here"), "{}", finding.words);
    assert!(last.title.contains("new destinations contacted"), "{}", last.title);
}

#[test]
fn a_crawler_that_goes_to_new_places_all_day_is_normal_for_its_template() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..PER_DAY * 2 {
        let mut executor = Executor::new(&format!("crawler-{number}"));
        let ms = number * (DAY_MS / PER_DAY);
        let places = 20 + (60.0 * chance(number as u64)) as i64;
        let place = |part| web(&format!("www.page-{number}-{part}.example"));
        let events: Vec<Event> = (0..places)
            .map(|part| executor.flow(ms + part * 2_000, place(part), 600, 9_000))
            .collect();
        engine.observe(&events, &mut changes);
    }
    assert!(opened(&changes).is_empty(), "{:#?}", opened(&changes));
}

#[test]
fn a_baseline_that_is_brought_along_judges_as_where_it_was_learned() {
    let mut engine = after_ten_days();
    engine.finish(&mut Vec::new());
    let learned = engine.baseline();
    let mut elsewhere = Engine::with_baseline(AnalyzerConfig::default(), &learned).unwrap();
    for bytes in [10 << 10, 150 << 10, 5 << 20] {
        let [here, there] = [&mut engine, &mut elsewhere].map(|engine| leak(engine, bytes));
        assert_eq!(here.len(), there.len(), "{bytes}");
        for (here, there) in here.iter().zip(&there) {
            assert_eq!(here.incident.stage, there.incident.stage);
            assert_eq!(here.incident.explanation.p_combined, there.incident.explanation.p_combined);
        }
    }
}

#[test]
fn what_is_no_baseline_is_refused() {
    let engine = Engine::new(AnalyzerConfig::default());
    let refused =
        |bytes: &[u8]| Engine::with_baseline(AnalyzerConfig::default(), bytes).unwrap_err();
    assert!(matches!(refused(&engine.snapshot()), RestoreError::NoBaseline));
    assert!(matches!(refused(b""), RestoreError::NoBaseline));
    let baseline = engine.baseline();
    assert!(matches!(refused(&baseline[..baseline.len() - 1]), RestoreError::Unreadable(_)));
    let mut newer = baseline;
    newer[b"egret baseline\n".len()] = 200;
    assert!(matches!(refused(&newer), RestoreError::Unreadable(_) | RestoreError::Newer(_)));
}

/// A session of a tenant: it installs something, and sends `bytes` somewhere.
fn session_of(tenant: &str, number: i64, (ms, place, bytes): (i64, &str, u64)) -> Vec<Event> {
    let name = format!("{tenant}-{number}");
    let mut executor = Executor::with(&name, |origin| origin.tenant = Some(tenant.into()));
    vec![
        executor.flow(ms, web("pypi.org"), 3_000, 100_000),
        executor.flow(ms + 1_000, web(place), bytes, 9_000),
    ]
}

#[test]
fn two_thousand_sessions_of_one_tenant_do_not_silence_the_attack_that_follows() {
    const RUN_UP: i64 = 2_000;
    const HOURS: i64 = 24 * 14;
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..RUN_UP {
        let ms = number * HOURS * 3_600_000 / RUN_UP;
        // From a kilobyte to four mebibytes, a little more each time.
        let bytes = (1_000.0 * 4_000f64.powf(number as f64 / RUN_UP as f64)) as u64;
        let mut events = session_of("mallory", number, (ms, "drop.example.net", bytes));
        if number % 4 == 0 {
            let tenant = ["acme", "globex", "initech"][number as usize / 4 % 3];
            let small = 1_000 + (5_000.0 * chance(number as u64)) as u64;
            let place = format!("www.site-{}.example", number % 60);
            events.extend(session_of(tenant, number, (ms + 100, &place, small)));
        }
        events.sort_by_key(|event| event.at);
        engine.observe(&events, &mut changes);
    }
    // For others what the run-up sent is no less unusual; for the tenant itself what is beyond it.
    for (n, (tenant, bytes)) in [("acme", 2 << 20), ("mallory", 6 << 20)].into_iter().enumerate() {
        changes.clear();
        let ms = (HOURS + 24 * 9 + n as i64) * 3_600_000;
        let place = "drop.example.net";
        engine.observe(&session_of(tenant, RUN_UP, (ms, place, bytes)), &mut changes);
        let alerts: Vec<_> = opened(&changes).iter().map(|c| &c.incident.destination).collect();
        assert_eq!(alerts, ["example.net"], "by {tenant}");
    }
}

#[test]
fn a_template_that_is_introduced_lately_uses_what_all_use() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    let work = |executor: &mut Executor, ms: i64, place: &str, bytes: u64| {
        [
            executor.flow(ms, bare("10.0.0.53", 53), 300, 900),
            executor.flow(ms + 100, web("registry.example.net"), 2_000, 90_000),
            executor.flow(ms + 200, web(place), bytes, 9_000),
        ]
    };
    for number in 0..3_000_i64 {
        let tenant = ["acme", "globex", "initech"][number as usize % 3];
        let name = format!("old-{number}");
        let mut executor = Executor::with(&name, |origin| origin.tenant = Some(tenant.into()));
        let place = format!("www.site-{number}.example");
        engine.observe(&work(&mut executor, number * 60_000, &place, 900), &mut changes);
    }
    for number in 0..20_i64 {
        let mut executor = Executor::with(&format!("new-{number}"), |origin| {
            origin.template = Some("rust".into());
        });
        let ms = (3_100 + number) * 60_000;
        engine.observe(&work(&mut executor, ms, "registry.example.net", 5_000), &mut changes);
    }
    assert!(opened(&changes).is_empty(), "{:?}", opened(&changes)[0].incident.title);
    let mut thief = Executor::with("thief", |origin| origin.template = Some("rust".into()));
    engine.observe(&work(&mut thief, 3_200 * 60_000, "drop.example.org", 400_000), &mut changes);
    let alerts: Vec<_> = opened(&changes).iter().map(|c| &c.incident.destination).collect();
    assert_eq!(alerts, ["example.org"]);
}

#[test]
fn a_long_life_at_the_usual_resolver_is_no_upload() {
    let resolver = || bare("10.0.0.53", 53);
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for number in 0..600 {
        let mut executor = Executor::new(&format!("short-{number}"));
        let ms = number * 600_000;
        let bytes = 200 + (400.0 * chance(number as u64)) as u64;
        engine.observe(&[executor.flow(ms, resolver(), bytes, 900)], &mut changes);
    }
    let ms = 600 * 600_000 + 8 * DAY_MS;
    let mut long = Executor::new("long");
    let day: Vec<Event> =
        (0..2_000).map(|n| long.flow(ms + n * 40_000, resolver(), 400, 900)).collect();
    engine.observe(&day, &mut changes);
    assert!(opened(&changes).is_empty(), "{:?}", opened(&changes)[0].incident.title);
    // Elsewhere the same amount would be one.
    let mut elsewhere = Executor::new("elsewhere");
    let sent = [elsewhere.flow(ms + DAY_MS, web("drop.example.net"), 800_000, 900)];
    engine.observe(&sent, &mut changes);
    assert_eq!(opened(&changes).len(), 1);
}
