//! Sources that do not see.

use egret_analyzer::{
    AnalyzerConfig, ChangeBy, ChangeKind, Engine, IncidentChange, Joined, Severity,
};
use egret_event::{Attribution, Event, Fact, Gap, GapReason, Volume};

use crate::traffic::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

struct Site {
    engine: Engine,
    executor: Executor,
    changes: Vec<IncidentChange>,
    joined: Vec<Joined>,
}

impl Site {
    /// A site where somebody listens to `eth0`.
    fn new() -> Self {
        let mut engine = Engine::new(AnalyzerConfig::default());
        engine.listen_to(["eth0".into()]);
        let executor = Executor::new("sandbox-1");
        Self { engine, executor, changes: Vec::new(), joined: Vec::new() }
    }

    fn observe(&mut self, event: &Event) {
        let events = std::slice::from_ref(event);
        self.engine.observe_and_join(events, &mut self.changes, &mut self.joined);
    }

    /// A small flow of 100 packets at a moment.
    fn flow(&mut self, source: &str, ms: i64) {
        let flow = self.executor.flow(ms, web("api.example.net"), 500, 500);
        let up = Volume { packets: Some(100), ..flow.up };
        self.observe(&Event { source: source.into(), up, ..flow });
    }

    /// Flows of `eth0`, one every `pause_ms`.
    fn flows(&mut self, (from, until): (i64, i64), pause_ms: i64) {
        for ms in (from..until).step_by(usize::try_from(pause_ms).unwrap()) {
            self.flow("eth0", ms);
        }
    }

    fn dropped(&mut self, ms: i64, count: u64) {
        let gap = Gap { reason: GapReason::KernelDrop, count, from: at(ms - 1000) };
        let event = self.executor.event(ms, bare("0.0.0.0", 0), Fact::Gap(gap));
        let origin = std::sync::Arc::new(Attribution::nobody());
        self.observe(&Event { source: "eth0".into(), origin, ..event });
    }

    /// Ticks every minute.
    fn silence(&mut self, (from, until): (i64, i64)) {
        for ms in (from..until).step_by(60_000) {
            self.engine.tick(at(ms), &mut self.changes);
        }
    }

    /// The changes of incidents about sources.
    fn about_sources(&self) -> impl DoubleEndedIterator<Item = &IncidentChange> {
        self.changes.iter().filter(|change| change.incident.origin.executor.is_empty())
    }

    /// The changes of incidents about executors.
    fn about_executors(&self) -> Vec<&IncidentChange> {
        self.changes.iter().filter(|change| !change.incident.origin.executor.is_empty()).collect()
    }

    /// What became of incidents about sources.
    fn told(&self) -> Vec<(ChangeKind, &str)> {
        self.about_sources().map(|change| (change.kind, change.incident.title.as_str())).collect()
    }
}

#[test]
fn a_source_that_falls_silent_is_told_and_closed_when_it_is_heard_again() {
    let mut site = Site::new();
    site.flows((0, 25 * HOUR), 20_000);
    site.silence((25 * HOUR, 25 * HOUR + 20 * MINUTE));
    let told = site.told();
    assert_eq!(told, [(ChangeKind::Opened, "source \"eth0\" has been quiet for 5 min")]);
    let opened = site.about_sources().last().unwrap().clone();
    assert_eq!(opened.incident.severity, Severity::Medium);
    assert_eq!(opened.incident.explanation.gaps[0].reason, GapReason::Quiet);

    site.flow("eth0", 25 * HOUR + 20 * MINUTE);
    let closed = site.about_sources().last().unwrap();
    assert_eq!((closed.kind, &closed.by), (ChangeKind::Closed, &ChangeBy::Engine));
    assert_eq!((closed.incident.id, closed.number), (opened.incident.id, 1));
    assert_ne!(closed.alert_id(), opened.alert_id());
    let Some(Joined::Quiet(gap)) = site.joined.last() else { panic!("no gap: {:?}", site.joined) };
    let Fact::Gap(gap) = &gap.fact else { panic!("not a gap: {gap:?}") };
    assert_eq!(gap.reason, GapReason::Quiet);
    assert!((20 * 60..21 * 60).contains(&gap.count), "{gap:?}");
}

#[test]
fn silence_as_long_as_usual_is_nothing_and_neither_is_that_of_files_and_strangers() {
    let mut site = Site::new();
    // Every hour it pauses for a quarter.
    for hour in 0..30 {
        site.flows((hour * HOUR, hour * HOUR + 45 * MINUTE), 20_000);
    }
    site.silence((30 * HOUR, 30 * HOUR + 40 * MINUTE));
    assert_eq!(site.told(), [], "40 minutes are less than four times its usual pause");
    let mut site = Site::new();
    for minute in 0..300 {
        site.flow("a-file", minute * MINUTE);
    }
    site.silence((300 * MINUTE, 30 * HOUR));
    assert_eq!(site.told(), [], "nobody listens to a file");
    let mut site = Site::new();
    site.flows((0, 30 * MINUTE), 60_000);
    site.silence((30 * MINUTE, 30 * HOUR));
    assert_eq!(site.told(), [], "too little was heard to know what is usual");
}

#[test]
fn the_first_day_needs_longer_silence() {
    let mut site = Site::new();
    site.flows((0, HOUR), 10_000);
    site.silence((HOUR, HOUR + 29 * MINUTE));
    assert_eq!(site.told(), []);
    site.silence((HOUR + 29 * MINUTE, HOUR + 40 * MINUTE));
    assert_eq!(site.told().len(), 1);
}

#[test]
fn while_egret_was_not_running_nobody_was_quiet() {
    let mut site = Site::new();
    site.flows((0, 25 * HOUR), 20_000);
    let snapshot = site.engine.snapshot();
    site.engine = Engine::restore(AnalyzerConfig::default(), &snapshot).unwrap();
    site.engine.listen_to(["eth0".into()]);
    site.silence((28 * HOUR, 28 * HOUR + 4 * MINUTE));
    assert_eq!(site.told(), []);
    site.silence((28 * HOUR + 4 * MINUTE, 28 * HOUR + 10 * MINUTE));
    assert_eq!(site.told().len(), 1, "but it is quiet still");
}

#[test]
fn loss_that_lasts_is_told_and_closed_when_it_is_over() {
    let mut site = Site::new();
    let mut minute = |lossy: bool, number: i64| {
        for second in 0..20 {
            site.flow("eth0", number * MINUTE + second * 1000);
        }
        if lossy {
            site.dropped(number * MINUTE + 30_000, 300);
        }
        site.told().len()
    };
    assert_eq!(minute(true, 0), 0);
    assert_eq!(minute(false, 1), 0, "a minute alone is no lasting loss");
    assert_eq!(minute(true, 2), 0);
    assert_eq!(minute(true, 3), 0);
    assert_eq!(minute(true, 4), 1);
    assert_eq!(minute(false, 5), 1);
    assert_eq!(minute(false, 6), 1);
    assert_eq!(minute(false, 7), 2);
    let title = "source \"eth0\" loses 13 % of what it should see";
    assert_eq!(site.told(), [(ChangeKind::Opened, title), (ChangeKind::Closed, title)]);
}

#[test]
fn an_incident_says_how_much_of_its_time_could_not_be_seen() {
    let mut site = Site::new();
    let first = site.executor.flow(0, web("drop.example.net"), 3 << 20, 0);
    site.observe(&Event { source: "eth0".into(), ..first });
    site.dropped(50_000, 1200);
    let second = site.executor.flow(100_000, web("drop.example.net"), 9 << 20, 0);
    site.observe(&Event { source: "eth0".into(), ..second });
    let last = &site.changes.last().unwrap().incident;
    let summary = &last.explanation.summary;
    assert!(
        summary.contains("in 1 % of this time (1200 packets dropped by the kernel by eth0)"),
        "{summary}"
    );
}

/// An upload of 5 MiB to somewhere new at the start, as the source `eth0` sees it.
fn upload(site: &mut Site) {
    let flow = site.executor.flow(0, web("drop.example.net"), 5 << 20, 0);
    site.observe(&Event { source: "eth0".into(), ..flow });
}

/// Packets dropped, as an incident tells them.
fn dropped(change: &IncidentChange) -> u64 {
    change.incident.explanation.gaps.iter().map(|gap| gap.count).sum()
}

#[test]
fn an_open_incident_tells_at_once_of_a_gap_that_comes_later_and_nobody_is_alerted() {
    let mut site = Site::new();
    upload(&mut site);
    site.dropped(1_500, 1200);
    site.engine.tick(at(3_000), &mut site.changes);
    let [opened, obscured] = site.about_executors()[..] else { panic!("{:?}", site.changes) };
    assert_eq!((opened.kind, dropped(opened)), (ChangeKind::Opened, 0));
    assert_eq!((obscured.kind, dropped(obscured)), (ChangeKind::Obscured, 1200));
    assert_eq!((obscured.number, obscured.incident.id), (1, opened.incident.id));
    assert_eq!(obscured.incident.severity, opened.incident.severity);
    let missed = obscured.incident.explanation.missed();
    assert_eq!(missed.as_deref(), Some("1200 packets dropped by the kernel by eth0"));
    let summary = &obscured.incident.explanation.summary;
    assert!(summary.contains(missed.as_deref().unwrap()), "{summary}");
    site.engine.tick(at(300_000), &mut site.changes);
    assert_eq!(site.about_executors().len(), 2, "nothing more was missed");
}

#[test]
fn loss_that_goes_on_is_told_twice_a_minute_and_to_the_packet() {
    let mut site = Site::new();
    let mut flow = site.executor.flow(0, web("drop.example.net"), 5 << 20, 0);
    flow.source = "eth0".into();
    site.observe(&flow);
    for second in 1..=100 {
        site.dropped(second * 1000, 10);
        let seen = site.executor.flow(second * 1000, web("drop.example.net"), 10, 0);
        site.observe(&Event { source: "eth0".into(), ..seen });
    }
    site.engine.tick(at(300_000), &mut site.changes);
    let told: Vec<_> = site.about_executors().iter().map(|c| (c.kind, dropped(c))).collect();
    let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
    assert!(kinds[1..].iter().all(|kind| *kind == ChangeKind::Obscured), "{told:?}");
    assert_eq!(kinds.len(), 6, "opened; at once; after 30, 60 and 90 s; the rest: {told:?}");
    assert_eq!(told.last().unwrap().1, 1000);
}

#[test]
fn growth_is_told_when_it_is_due_however_much_is_missed() {
    let grew = |lossy: bool| {
        let mut site = Site::new();
        for second in 0..100 {
            let sent = site.executor.flow(second * 1000, web("drop.example.net"), 1 << 20, 0);
            site.observe(&Event { source: "eth0".into(), ..sent });
            if lossy {
                site.dropped(second * 1000 + 500, 10);
            }
        }
        let changes = site.about_executors();
        let grew = changes.iter().filter(|change| change.kind == ChangeKind::Grew);
        grew.map(|change| (change.at, change.incident.observed.up_bytes)).collect::<Vec<_>>()
    };
    assert!(!grew(false).is_empty());
    assert_eq!(grew(true), grew(false));
}

#[test]
fn a_gap_elsewhere_or_at_another_time_does_not_obscure() {
    let mut site = Site::new();
    upload(&mut site);
    let stranger = |segment: &str, ms: i64| {
        let mut stranger = Executor::with("sandbox-2", |origin| origin.segment = segment.into());
        let seen = stranger.flow(ms, web("api.example.net"), 500, 500);
        Event { source: "eth0".into(), ..seen }
    };
    let gap = |source: &str, ms: i64| {
        let gap = Gap { reason: GapReason::KernelDrop, count: 7, from: at(ms - 1000) };
        let event = Executor::new("").event(ms, bare("0.0.0.0", 0), Fact::Gap(gap));
        let origin = std::sync::Arc::new(Attribution::nobody());
        Event { source: source.into(), origin, ..event }
    };
    site.observe(&Event { source: "eth9".into(), ..stranger("elsewhere", 1_000) });
    site.observe(&gap("eth9", 2_000));
    site.observe(&gap("eth0", 40_000));
    site.engine.tick(at(100_000), &mut site.changes);
    assert_eq!(site.about_executors().len(), 1, "{:?}", site.changes);
    site.observe(&Event { source: "eth9".into(), ..stranger("sandboxes", 101_000) });
    site.engine.tick(at(200_000), &mut site.changes);
    let obscured = site.about_executors()[1];
    assert_eq!(dropped(obscured), 7, "it watches the upload's segment too");
    assert_eq!(obscured.incident.explanation.gaps[0].source, "eth9");
}

#[test]
fn silence_that_began_with_the_last_of_an_incident_obscures_it() {
    let mut site = Site::new();
    site.flows((0, 25 * HOUR), 20_000);
    let last = site.executor.flow(25 * HOUR, web("drop.example.org"), 5 << 20, 0);
    site.observe(&Event { source: "eth0".into(), ..last });
    site.silence((25 * HOUR, 25 * HOUR + 20 * MINUTE));
    let changes = site.about_executors();
    let told = changes.iter().rfind(|change| change.incident.destination == "example.org");
    let told = told.unwrap();
    assert_eq!((told.kind, told.incident.explanation.gaps.len()), (ChangeKind::Obscured, 1));
    assert_eq!(told.incident.explanation.gaps[0].reason, GapReason::Quiet);
}

#[test]
fn neither_batches_nor_shards_nor_a_snapshot_change_what_is_told() {
    let told = |shards: usize, restart: bool| {
        let config = AnalyzerConfig { shards, ..AnalyzerConfig::default() };
        let mut site = Site::new();
        site.engine = Engine::new(config.clone());
        site.engine.listen_to(["eth0".into()]);
        for second in 0..400 {
            site.flow("eth0", second * 1000);
            if second % 10 == 0 {
                site.dropped(second * 1000, 400);
            }
            if restart && second == 200 {
                let snapshot = site.engine.snapshot();
                site.engine = Engine::restore(config.clone(), &snapshot).unwrap();
                site.engine.listen_to(["eth0".into()]);
            }
        }
        serde_json::to_string(&site.changes).unwrap()
    };
    let one = told(1, false);
    assert!(one.contains("loses"), "{one}");
    assert_eq!(told(7, false), one);
    assert_eq!(told(2, true), one);
}
