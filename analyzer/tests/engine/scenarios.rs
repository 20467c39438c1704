//! What becomes an incident and what does not.

use egret_analyzer::{AnalyzerConfig, ChangeKind, Detector, Engine, Severity, Stage, Tail};
use egret_event::{Destination, Fact, FlowPhase, Gap, GapReason, NameSource, Timestamp};

use crate::traffic::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// An upload in intervals of ten seconds.
fn upload(host: &str, interval_bytes: u64, intervals: u32) -> Vec<egret_event::Event> {
    let mut executor = Executor::new("sandbox-1");
    (0..intervals)
        .map(|number| {
            let last = number + 1 == intervals;
            let phase = if last { FlowPhase::Finished } else { FlowPhase::Open };
            let ms = 10_000 * i64::from(number + 1);
            executor.interval(ms, web(host), (1, number, phase), (interval_bytes, 500))
        })
        .collect()
}

#[test]
fn bulk_upload_to_a_new_domain_alerts_before_it_ends() {
    let events = upload("paste.example.net", 128 * KIB, 40);
    let changes = run(AnalyzerConfig::default(), &events);
    let opened = opened(&changes);
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].at, events[1].at, "256 KiB were reached in the second interval");
    assert_eq!(opened[0].incident.destination, "example.net");
    let last = &changes.last().unwrap();
    assert_eq!(last.kind, ChangeKind::Ended);
    assert_eq!(last.incident.observed.up_bytes, 5 * MIB);
    assert_eq!(last.incident.severity, Severity::High);
    let numbers: Vec<u32> = changes.iter().map(|change| change.number).collect();
    assert_eq!(numbers, (0..changes.len() as u32).collect::<Vec<_>>());
}

#[test]
fn an_upload_of_five_mebibytes_in_one_event_is_one_explained_incident() {
    let incidents = incidents(&upload("paste.example.net", 5 * MIB, 1));
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    let incident = &incidents[0];
    let why = &incident.explanation;
    assert_eq!((incident.severity, incident.stage), (Severity::High, Stage::Priors));
    assert_eq!(incident.title, "5.0 MiB sent to paste.example.net");
    assert_eq!(incident.hosts, ["paste.example.net"]);
    assert!(why.p_combined < why.threshold && incident.score > 0.5);
    let shares: f64 = why.findings.iter().map(|f| f.share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert_eq!(why.findings[0].detector, Detector::UploadSize);
    assert_eq!(why.findings[0].tail, Tail::Prior);
    assert_eq!(why.findings[1].detector, Detector::NewDestination);
    for words in ["5.0 MiB", "32 KiB (98 %)", "new here", "nothing was learned yet"] {
        assert!(why.summary.contains(words), "{words:?} is missing in: {}", why.summary);
    }
    assert_eq!(why.evidence.len(), 1);
    assert_eq!(why.evidence[0].up_bytes, Some(5 * MIB));
    assert_eq!(why.techniques[0].id, "T1567");
    assert!(why.next_steps[0].contains("acme"), "{:?}", why.next_steps);
}

#[test]
fn an_upload_to_several_hosts_of_a_domain_is_told_by_the_domain() {
    let mut executor = Executor::new("sandbox-1");
    let events = [
        executor.flow(0, web("a.example.net"), 20 * KIB, 0),
        executor.flow(1000, web("b.example.net"), 5 * MIB, 0),
    ];
    assert!(incidents(&events)[0].title.ends_with(" sent to example.net"));
}

#[test]
fn many_small_requests_to_one_new_domain_are_one_upload() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> =
        (0..500).map(|i| executor.flow(i * 1000, web("drop.example.net"), 10 * KIB, 300)).collect();
    assert_eq!(destinations(&incidents(&events)), ["example.net"]);
}

#[test]
fn thirty_blocked_hosts_alert_and_five_do_not() {
    let probes = |n: i64| {
        let mut executor = Executor::new("sandbox-1");
        let host = |i: i64| web(&format!("target{i}.example{i}.org"));
        (0..n)
            .flat_map(|i| [i * 500, i * 500 + 100].map(|ms| executor.blocked(ms, host(i))))
            .collect::<Vec<_>>()
    };
    assert!(incidents(&probes(5)).is_empty(), "retries do not count");
    let incidents = incidents(&probes(30));
    assert_eq!(destinations(&incidents), ["*"]);
    assert_eq!(incidents[0].observed.distinct_blocked, 30);
    assert_eq!(incidents[0].explanation.findings[0].detector, Detector::BlockedProbes);
    assert_eq!(incidents[0].explanation.techniques[0].id, "T1046");
    assert_eq!(incidents[0].explanation.evidence.len(), 5);
}

#[test]
fn a_crawler_whose_contacts_mostly_succeed_does_not_probe() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..400)
        .map(|i| {
            let host = web(&format!("www.site{i}.org"));
            if i % 10 == 0 {
                executor.blocked(i * 2000, host)
            } else {
                executor.flow(i * 2000, host, 2 * KIB, 50 * KIB)
            }
        })
        .collect();
    assert!(incidents(&events).is_empty());
}

#[test]
fn hundreds_of_contacts_in_ten_seconds_are_a_burst() {
    let mut executor = Executor::new("sandbox-1");
    let one: Vec<_> =
        (0..400).map(|i| executor.flow(i * 20, web("api.example.net"), 200, 200)).collect();
    let incidents_of_one = incidents(&one);
    assert_eq!(destinations(&incidents_of_one), ["example.net"]);
    assert_eq!(incidents_of_one[0].explanation.findings[0].detector, Detector::RateBurst);
    let mut executor = Executor::new("sandbox-2");
    let many: Vec<_> = (0..400)
        .map(|i| executor.flow(i * 20, web(&format!("h{i}.example{i}.net")), 200, 200))
        .collect();
    assert_eq!(destinations(&incidents(&many)), ["*"]);
}

#[test]
fn package_install_is_not_a_burst() {
    let mut executor = Executor::new("sandbox-1");
    let hosts = ["pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "mirror.example.org"];
    let events: Vec<_> =
        (0..200).map(|i| executor.flow(i * 50, web(hosts[i as usize % 4]), 900, 2 * MIB)).collect();
    assert!(incidents(&events).is_empty());
}

#[test]
fn a_package_index_read_through_a_logging_proxy_is_not_a_burst() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> =
        (0..600).map(|i| executor.logged(i * 40, "deb.debian.org", Some(300), 90 * KIB)).collect();
    assert!(incidents(&events).is_empty());
}

#[test]
fn browsing_a_page_is_not_an_incident() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..100)
        .map(|i| executor.flow(i * 50, web(&format!("cdn.site{}.com", i % 20)), 1500, 60 * KIB))
        .collect();
    assert!(incidents(&events).is_empty());
}

#[test]
fn a_download_is_not_an_upload() {
    let mut executor = Executor::new("sandbox-1");
    let events = [executor.flow(60_000, web("models.example.org"), 30 * KIB, 4096 * MIB)];
    assert!(incidents(&events).is_empty());
}

#[test]
fn a_model_call_is_no_incident_and_a_huge_upload_to_a_service_is() {
    let mut executor = Executor::new("sandbox-1");
    let mut events: Vec<_> = (0..20)
        .map(|i| executor.flow(i * 5000, web("api.openai.com"), 200 * KIB, 4 * KIB))
        .collect();
    assert!(incidents(&events).is_empty());
    events.push(executor.flow(200_000, web("api.github.com"), 60 * MIB, 4 * KIB));
    assert_eq!(destinations(&incidents(&events)), ["github.com"]);
}

#[test]
fn novelty_alone_never_alerts() {
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<_> = (0..2000)
        .map(|i| {
            executor.flow(i * 3000, web(&format!("x{i}.never-seen-{i}.example{i}.org")), 800, 900)
        })
        .collect();
    assert!(incidents(&events).is_empty());
}

#[test]
fn metadata_service_is_critical() {
    let mut executor = Executor::new("sandbox-1");
    let allowed = incidents(&[executor.flow(0, bare("169.254.169.254", 80), 120, 900)]);
    assert_eq!(allowed[0].severity, Severity::Critical);
    assert_eq!(allowed[0].stage, Stage::Rules);
    assert_eq!(allowed[0].explanation.techniques[0].id, "T1552.005");
    assert!(allowed[0].explanation.p_combined.abs() < f64::EPSILON);
    let blocked = incidents(&[executor.blocked(0, bare("169.254.169.254", 80))]);
    assert_eq!(blocked[0].severity, Severity::Medium);
}

#[test]
fn allowlist_holds_for_subdomains_and_tells_blocked_from_allowed() {
    let config = AnalyzerConfig {
        allow: vec!["example.org".into(), "files.pythonhosted.org".into()],
        ..AnalyzerConfig::default()
    };
    let mut executor = Executor::new("sandbox-1");
    let events = [
        executor.flow(0, web("api.example.org"), 2000, 2000),
        executor.flow(1000, web("files.pythonhosted.org"), 2000, 2000),
        executor.flow(2000, web("evil.pythonhosted.org"), 2000, 2000),
        executor.blocked(3000, web("telemetry.example.com")),
    ];
    let incidents = last_states(&run(config, &events));
    assert_eq!(destinations(&incidents), ["pythonhosted.org", "example.com"]);
    assert_eq!([incidents[0].severity, incidents[1].severity], [Severity::High, Severity::Low]);
    assert_eq!(incidents[0].hosts, ["evil.pythonhosted.org"]);
    assert_eq!(incidents[0].explanation.findings[0].tail, Tail::Rule);
}

#[test]
fn a_private_address_is_low_and_a_sweep_of_them_is_high() {
    let mut executor = Executor::new("sandbox-1");
    let one = incidents(&[executor.flow(0, bare("10.1.2.3", 5432), 300, 300)]);
    assert_eq!((one.len(), one[0].severity), (1, Severity::Low));
    let sweep: Vec<_> = (1..200)
        .map(|i| executor.flow(i * 1000, bare(&format!("10.1.2.{i}"), 22), 60, 60))
        .collect();
    let sweep = incidents(&sweep);
    let worst = sweep.iter().max_by_key(|incident| incident.severity).unwrap();
    assert_eq!((worst.destination.as_str(), worst.severity), ("*", Severity::High));
    assert_eq!(sweep.len(), 20, "19 of their own, then one for all the rest");
}

#[test]
fn resolvers_proxies_and_multicast_are_no_incidents() {
    let mut executor = Executor::new("sandbox-1");
    let through_proxy = Destination::named(
        "www.example.org",
        NameSource::Connect,
        Some("10.0.0.2".parse().unwrap()),
        3128,
    );
    let mut events: Vec<_> =
        (0..3000).map(|i| executor.flow(i * 1000, bare("10.0.0.53", 53), 60, 200)).collect();
    for ms in 0..200 {
        events.push(executor.flow(ms, bare("224.0.0.251", 5353), 2000, 0));
        events.push(executor.flow(ms, bare("255.255.255.255", 67), 300, 0));
        events.push(executor.flow(ms, bare("ff02::1", 0), 64, 0));
    }
    events.push(executor.flow(9000, through_proxy, 3000, 3000));
    assert!(incidents(&events).is_empty());
}

#[test]
fn unknown_volume_is_not_zero() {
    let mut executor = Executor::new("sandbox-1");
    let mut events: Vec<_> =
        (0..400).map(|i| executor.logged(i * 10, "drop.example.net", None, 539)).collect();
    let incident = incidents(&events).remove(0);
    assert_eq!(incident.observed.contacts_of_unknown_volume, 400);
    assert!(incident.explanation.summary.contains("not known"), "{}", incident.explanation.summary);
    events.push(executor.flow(5000, web("drop.example.net"), 5 * MIB, 100));
    let incident = incidents(&events).remove(0);
    assert_eq!(incident.observed.up_bytes, 5 * MIB);
    assert_eq!(incident.observed.contacts_of_unknown_volume, 399, "the wire measured one of them");
}

#[test]
fn same_upload_seen_by_wire_and_proxy_is_one_incident() {
    let mut executor = Executor::new("sandbox-1");
    let through = Destination::named(
        "drop.example.net",
        NameSource::Connect,
        Some("10.0.0.2".parse().unwrap()),
        3128,
    );
    let events = [
        executor.flow(1000, through, 3 * MIB, 4 * KIB),
        executor.logged(1100, "drop.example.net", Some(3 * MIB - 300), 4 * KIB),
    ];
    let incidents = incidents(&events);
    assert_eq!(destinations(&incidents), ["example.net"]);
    assert_eq!(incidents[0].observed.up_bytes, 3 * MIB, "not six");
    assert_eq!(incidents[0].observed.contacts_allowed, 1);
}

const DAY_MS: i64 = 86_400_000;

/// A nightly session that sends about `mib` MiB to the backup and talks to a few others.
fn night(day: i64, mib: u64) -> Vec<egret_event::Event> {
    let mut executor = Executor::new(&format!("backup-{day}"));
    let ms = day * DAY_MS;
    vec![
        executor.flow(ms, web("pypi.org"), 3000, 100_000),
        executor.flow(ms + 2000, web("nas.backup.example.net"), mib * MIB, 20_000),
        executor.flow(ms + 9000, web("status.example.org"), 1000, 1000),
    ]
}

#[test]
fn nightly_backup_learned_is_not_exfiltration() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for day in 0..50 {
        engine.observe(&night(day, 900 + day as u64 % 7 * 40), &mut changes);
    }
    let alerts: Vec<i64> =
        opened(&changes).iter().map(|c| c.at.since(at(0)).as_secs() as i64 / 86_400).collect();
    assert_eq!(alerts.first(), Some(&0), "the first night is unlike anything known");
    assert!(alerts.iter().all(|day| *day < 14), "it went on to alert: {alerts:?}");
    assert!(engine.summary().baseline_sessions > 30);
    changes.clear();
    let mut thief = Executor::new("backup-51");
    engine.observe(
        &[thief.flow(51 * DAY_MS, web("drop.attacker.example"), 5 * MIB, 1)],
        &mut changes,
    );
    let incident = &opened(&changes)[0].incident;
    assert_eq!(incident.destination, "attacker.example", "the same amount elsewhere still is");
    let frozen = engine.frozen_baseline().expect("something was learned");
    assert_eq!(frozen.id, engine.baseline_id());
    assert!(!frozen.content.is_empty());
    assert_eq!(incident.explanation.baseline_frozen_at, Some(frozen.frozen_at));
    assert_eq!(incident.explanation.baseline, frozen.id);
    assert!(incident.explanation.baseline_sessions > 30);
}

#[test]
fn an_incident_ends_with_its_session_and_the_next_session_has_its_own() {
    let mut executor = Executor::with("sandbox-1", |origin| origin.session = Some("task-7".into()));
    let events = [
        executor.flow(0, web("drop.example.net"), 5 * MIB, 0),
        executor.flow(4_000_000, web("drop.example.net"), 5 * MIB, 0),
    ];
    let changes = run(AnalyzerConfig::default(), &events);
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    use ChangeKind::{Ended, Opened};
    assert_eq!(kinds, [Opened, Ended, Opened, Ended]);
    assert_eq!(changes[1].at, at(1_800_000), "half an hour after its last event");
    assert_ne!(changes[0].incident.id, changes[2].incident.id);
    assert_eq!(changes[2].incident.session, "task-7");
}

#[test]
fn time_alone_ends_sessions() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    let mut executor = Executor::new("sandbox-1");
    engine.observe(&[executor.flow(0, web("drop.example.net"), 5 * MIB, 0)], &mut changes);
    engine.tick(at(1_700_000), &mut changes);
    assert_eq!((changes.len(), engine.summary().live_sessions), (1, 1));
    engine.tick(at(1_900_000), &mut changes);
    assert_eq!((changes.len(), engine.summary().live_sessions), (2, 0));
}

#[test]
fn an_incident_says_where_we_were_blind() {
    let mut executor = Executor::new("sandbox-1");
    let mut gap = |ms: i64, from_ms: i64| {
        let gap = Gap { reason: GapReason::KernelDrop, count: 42, from: at(from_ms) };
        executor.event(ms, bare("0.0.0.0", 0), Fact::Gap(gap))
    };
    let gaps = [gap(1500, 500), gap(14_000, 13_500)];
    let mut events = upload("drop.example.net", 5 * MIB, 1);
    events[0].at = at(2000);
    let mut other = events[0].clone();
    other.at = at(1000);
    let events = [other, gaps[0].clone(), events[0].clone(), gaps[1].clone()];
    let incidents = incidents(&events);
    assert_eq!(incidents[0].explanation.gaps.len(), 1);
    assert_eq!(incidents[0].explanation.gaps[0].count, 42);
}

#[test]
fn a_growing_incident_is_reported_when_it_doubles_but_not_more_often_than_twice_a_minute() {
    let events = upload("drop.example.net", 2 * MIB, 60);
    let changes = run(AnalyzerConfig::default(), &events);
    let grew: Vec<Timestamp> =
        changes.iter().filter(|c| c.kind == ChangeKind::Grew).map(|c| c.at).collect();
    assert!((3..=7).contains(&grew.len()), "{grew:?}");
    assert_eq!(changes.last().unwrap().incident.severity, Severity::Critical);
}

#[test]
fn an_upload_that_is_over_at_once_is_told_whole_half_a_minute_later() {
    let mut executor = Executor::new("sandbox-1");
    let first = executor.interval(0, web("drop.example.net"), (1, 0, FlowPhase::Open), (MIB, 0));
    let rest =
        executor.interval(400, web("drop.example.net"), (1, 1, FlowPhase::Finished), (5 * MIB, 0));
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    engine.observe(&[first, rest], &mut changes);
    assert_eq!(changes.len(), 1, "opened, and not grown at once");
    engine.tick(at(90_000), &mut changes);
    let grew = &changes[1];
    assert_eq!((grew.kind, grew.at), (ChangeKind::Grew, at(30_000)));
    assert_eq!(grew.incident.observed.up_bytes, 6 * MIB);
    engine.tick(at(180_000), &mut changes);
    assert_eq!(changes.len(), 2, "it is told once");
}

#[test]
fn a_burst_to_one_destination_is_one_incident_whenever_it_began() {
    for silence_ms in [0, 55_000, 70_000] {
        let mut executor = Executor::new("sandbox-1");
        let mut events = vec![executor.flow(0, web("sink.example.net"), 400, 100)];
        events.extend((0..1500).map(|number| {
            executor.flow(silence_ms + 20 * number, web("sink.example.net"), 400, 100)
        }));
        assert_eq!(destinations(&incidents(&events)), ["example.net"], "after {silence_ms} ms");
    }
}

#[test]
fn a_name_of_one_label_that_led_nowhere_is_no_private_address() {
    let logged = |up, down| {
        let mut executor = Executor::new("sandbox-1");
        let line = executor.logged(0, "awqiizxequsixgr", Some(up), down);
        destinations(&incidents(&[line]))
    };
    assert!(logged(0, 0).is_empty());
    assert_eq!(logged(0, 200), ["awqiizxequsixgr"], "somebody answers for it");
}
