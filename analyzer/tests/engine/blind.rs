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

    /// What became of incidents about sources.
    fn told(&self) -> Vec<(ChangeKind, &str)> {
        let about = self.changes.iter().filter(|change| change.incident.origin.executor.is_empty());
        about.map(|change| (change.kind, change.incident.title.as_str())).collect()
    }
}

#[test]
fn a_source_that_falls_silent_is_told_and_closed_when_it_is_heard_again() {
    let mut site = Site::new();
    site.flows((0, 25 * HOUR), 20_000);
    site.silence((25 * HOUR, 25 * HOUR + 20 * MINUTE));
    let told = site.told();
    assert_eq!(told, [(ChangeKind::Opened, "source \"eth0\" has been quiet for 5 min")]);
    let opened = site.changes.last().unwrap().clone();
    assert_eq!(opened.incident.severity, Severity::Medium);
    assert_eq!(opened.incident.explanation.gaps[0].reason, GapReason::Quiet);

    site.flow("eth0", 25 * HOUR + 20 * MINUTE);
    let closed = site.changes.last().unwrap();
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
