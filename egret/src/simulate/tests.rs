//! What is written is read back and compared with the truth.

mod attacks;
mod capture;
mod recorded;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use egret_collector::{
    AttributionTable, Context, Dialect, Recognized, Segment, SourceConfig, SourceKind, logs,
    recognize,
};
use egret_event::Event;

use capture::{Seen, read_capture};

use super::wire::track::Way;
use super::*;

const SEED: u64 = 11;

fn plan(scenario: Scenario) -> Plan {
    Plan {
        scenario,
        manner: Manner::Plain,
        seed: SEED,
        start: Timestamp::from_secs(1_769_850_000),
        benign_sessions: 8,
        most_bytes: None,
    }
}

fn named(scenario: &str) -> Scenario {
    scenario.parse().unwrap()
}

/// A scenario that was written to a folder and read back.
struct Story {
    _folder: tempfile::TempDir,
    written: Written,
    truth: Truth,
    packets: Vec<Seen>,
}

impl Story {
    fn of(scenario: Scenario) -> Self {
        Self::told(&plan(scenario))
    }

    fn told(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let written = write(plan, folder.path()).unwrap();
        let truth = serde_json::from_slice(&std::fs::read(&written.truth).unwrap()).unwrap();
        let packets = read_capture(&written.capture);
        Self { _folder: folder, written, truth, packets }
    }

    fn attacks(&self) -> Vec<(&SessionTruth, &Attack)> {
        let with_attack = |session| -> Option<(&SessionTruth, &Attack)> {
            let session: &SessionTruth = session;
            Some((session, session.attack.as_ref()?))
        };
        self.truth.sessions.iter().filter_map(with_attack).collect()
    }

    fn lines(&self, path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    /// The packets of an executor from the first to the last moment of an attack.
    fn during<'a>(&'a self, session: &SessionTruth, attack: &Attack) -> Vec<&'a Seen> {
        let in_it = |seen: &&Seen| {
            seen.executor == session.executor.address
                && (attack.start..=attack.end).contains(&seen.at)
        };
        self.packets.iter().filter(in_it).collect()
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |plan: &Plan| {
        let folder = tempfile::tempdir().unwrap();
        let w = write(plan, folder.path()).unwrap();
        [w.capture, w.squid_log, w.envoy_log, w.truth, w.registrations, w.configuration]
            .map(|path| std::fs::read(path).unwrap())
    };
    let first = bytes(&plan(named("blocked-probes")));
    assert!(first == bytes(&plan(named("blocked-probes"))), "two runs differ");
    let other = bytes(&Plan { seed: SEED + 1, ..plan(named("blocked-probes")) });
    for (one, another) in first.iter().zip(&other) {
        assert!(one != another, "the seed changes nothing");
    }
}

#[test]
fn every_scenario_is_what_its_truth_says_and_points_at_nothing_real() {
    for scenario in Scenario::ALL {
        let plan = Plan { benign_sessions: 3, ..plan(scenario) };
        let story = Story::told(&plan);
        check_order_and_counts(&plan, &story);
        story.truth.sessions.iter().for_each(|session| check_session(&story, session));
        check_addresses(&story);
        check_lines(&story);
    }
}

/// The capture is in order, within its span, and as large as the truth says; so are the logs.
fn check_order_and_counts(plan: &Plan, story: &Story) {
    let scenario = plan.scenario;
    assert_eq!(story.packets.len() as u64, story.truth.packets, "{scenario}");
    assert!(story.packets.is_sorted_by_key(|seen| seen.at), "{scenario}");
    let span = plan.start..plan.start + scenario.span(plan.manner);
    assert!(story.packets.iter().all(|seen| span.contains(&seen.at)), "{scenario}");
    let squid = story.lines(&story.written.squid_log).len() as u64;
    let envoy = story.lines(&story.written.envoy_log).len() as u64;
    assert_eq!((squid, envoy), (story.truth.squid_lines, story.truth.envoy_lines));
    assert_eq!(story.written.lines, squid + envoy);
}

/// A session has the flows and the bytes of its truth.
fn check_session(story: &Story, session: &SessionTruth) {
    let own = story.packets.iter().filter(|seen| {
        seen.executor == session.executor.address && session.executor.covers(seen.at)
    });
    let (mut up, mut down, mut flows) = (0, 0, HashSet::new());
    for seen in own {
        match seen.way {
            Way::Up => up += seen.payload_bytes,
            Way::Down => down += seen.payload_bytes,
        }
        flows.extend(seen.flow);
    }
    let told = (session.up_bytes, session.down_bytes, session.flows);
    let scenario = story.truth.scenario;
    assert_eq!((up, down, flows.len() as u64), told, "{scenario} {}", session.executor.id);
}

/// Every address is one of those that are reserved.
fn check_addresses(story: &Story) {
    let reserved: [(IpAddr, u8); 9] = [
        ("10.0.0.0", 8),
        ("198.18.0.0", 15),
        ("192.0.2.0", 24),
        ("198.51.100.0", 24),
        ("203.0.113.0", 24),
        ("2001:2::", 48),
        ("2001:db8::", 32),
        ("fd00::", 8),
        // Link-local: the clouds' metadata services.
        ("169.254.169.254", 32),
    ]
    .map(|(net, bits)| (net.parse().unwrap(), bits));
    for peer in story.packets.iter().map(|seen| seen.peer).collect::<BTreeSet<IpAddr>>() {
        let known = reserved.iter().any(|(net, bits)| within(peer, *net, *bits));
        assert!(known, "{}: {peer} is not reserved", story.truth.scenario);
    }
}

fn within(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (a.to_bits() ^ n.to_bits()) >> (32 - bits) == 0,
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits() ^ n.to_bits()) >> (128 - bits) == 0,
        _ => false,
    }
}

/// The collector reads every log line and its verdict.
fn check_lines(story: &Story) {
    for (path, dialect) in [
        (&story.written.squid_log, Dialect::SquidEgret),
        (&story.written.envoy_log, Dialect::EnvoyJson),
    ] {
        for line in story.lines(path) {
            let entry = logs::Reader::new(Some(dialect)).read(line.as_bytes()).unwrap();
            let logs::Entry::Request(record) = entry else { panic!("no request: {line}") };
            let refused = ["TCP_DENIED/403", "\"response_code\":403"];
            let refused = refused.iter().any(|word| line.contains(word));
            assert_eq!(record.verdict.is_blocked(), refused, "{line}");
            assert!(refused || record.up_bytes.is_some_and(|bytes| bytes > 0), "{line}");
            assert!(record.user_agent.is_some(), "{line}");
        }
    }
}

#[test]
fn ids_and_addresses_of_different_scenarios_can_stand_side_by_side() {
    let mut ids = BTreeSet::new();
    let mut address_owner = BTreeMap::new();
    for scenario in Scenario::ALL {
        for executor in cast::play(&plan(scenario)).into_iter().map(|played| played.truth.executor)
        {
            assert!(ids.insert(executor.id.clone()), "{} twice", executor.id);
            assert_eq!(*address_owner.entry(executor.address).or_insert(scenario), scenario);
        }
    }
}

#[test]
fn every_packet_belongs_to_a_registered_executor() {
    let story = Story::of(named("bulk-upload"));
    for seen in &story.packets {
        let owners = story.written.executors.iter();
        let owners = owners.filter(|e| e.address == seen.executor && e.covers(seen.at)).count();
        assert_eq!(owners, 1, "{} at {}", seen.executor, seen.at);
    }
}

#[test]
fn registrations_are_valid_with_unique_ids_and_addresses_that_are_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { benign_sessions: 40, ..plan(Scenario::BENIGN) };
    let written = write(&plan, folder.path()).unwrap();
    let ids: BTreeSet<_> = written.executors.iter().map(|e| &e.id).collect();
    let addresses: BTreeSet<_> = written.executors.iter().map(|e| e.address).collect();
    assert_eq!(ids.len(), 40);
    assert!(addresses.len() < 40, "no address was used again");
    assert!(addresses.iter().any(IpAddr::is_ipv6));
    written.executors.iter().for_each(|executor| executor.check().unwrap());
    let read: Vec<ExecutorRegistration> =
        serde_json::from_slice(&std::fs::read(&written.registrations).unwrap()).unwrap();
    assert_eq!(read, written.executors);
}

#[test]
fn bulk_uploads_are_of_5_to_8_mib_by_three_ways() {
    let story = Story::of(named("bulk-upload"));
    let attacks = story.attacks();
    assert_eq!(attacks.len(), 3);
    for (session, attack) in attacks {
        assert!((5 << 20..8 << 20).contains(&attack.stolen_bytes));
        assert!(attack.up_bytes > attack.stolen_bytes);
        let seen = story.during(session, attack);
        let largest = by_flow(&seen, |seen| (seen.way == Way::Up).then_some(seen.payload_bytes))
            .into_values()
            .max();
        assert_eq!(largest, Some(attack.up_bytes), "{}", attack.route);
        if attack.route == "squid" {
            let logged = format!(" up={} ", attack.up_bytes);
            let lines = story.lines(&story.written.squid_log);
            let line = lines.iter().find(|line| line.contains(&logged)).unwrap();
            assert!(line.contains(" TCP_TUNNEL/200 "), "{line}");
            assert!(line.contains(&attack.destination), "{line}");
        } else if attack.route == "direct" {
            assert!(seen.iter().any(|seen| attack.addresses.contains(&seen.peer)));
        }
    }
}

#[test]
fn a_burst_has_hundreds_of_contacts_in_ten_seconds() {
    let story = Story::of(named("burst"));
    let [(session, attack)] = story.attacks()[..] else { panic!("one attack") };
    let to_it: Vec<&Seen> = story
        .during(session, attack)
        .into_iter()
        .filter(|seen| attack.addresses.contains(&seen.peer))
        .collect();
    let begins: Vec<Timestamp> = to_it.iter().filter(|s| s.opens).map(|s| s.at).collect();
    assert_eq!(begins.len(), attack.contacts.len());
    let ten_seconds = begins[0] + Duration::from_secs(10);
    assert!(begins.iter().filter(|at| **at < ten_seconds).count() >= 300, "{}", begins.len());
    assert_eq!(up_bytes(&to_it), attack.up_bytes);
}

#[test]
fn forty_hosts_are_kept_out_of_reach_in_four_ways() {
    let story = Story::of(named("blocked-probes"));
    let [(session, attack)] = story.attacks()[..] else { panic!("one attack") };
    let seen = story.during(session, attack);
    let hostile = |address: &IpAddr| !address.to_string().starts_with("10.");
    let places = |pick: fn(&Seen) -> bool| -> BTreeSet<IpAddr> {
        seen.iter().filter(|s| pick(s) && hostile(&s.peer)).map(|s| s.peer).collect()
    };
    let tried = places(|seen| seen.opens);
    let reset = places(|seen| seen.way == Way::Down && seen.resets);
    let prohibited: BTreeSet<IpAddr> = seen.iter().filter_map(|s| s.prohibits).collect();
    let denied: BTreeSet<String> = story
        .lines(&story.written.squid_log)
        .iter()
        .filter(|line| line.contains(&format!(" {}:", session.executor.address)))
        .filter(|line| line.contains("TCP_DENIED/403"))
        .filter_map(|line| line.split(' ').nth(7).map(str::to_owned))
        .filter(|target| target.contains(".example:") || target.contains(".test:"))
        .collect();
    let silent = tried.difference(&reset).filter(|place| !prohibited.contains(place)).count();
    assert_eq!((reset.len(), prohibited.len(), silent, denied.len()), (8, 8, 8, 16));
    assert_eq!(attack.blocked_destinations, 40);
    assert!(attack.contacts.len() > 40, "nothing was tried twice");
}

#[test]
fn benign_sessions_touch_no_attackers_place() {
    let story = Story::of(Scenario::BENIGN);
    assert!(story.attacks().is_empty());
    assert_eq!(story.truth.sessions.len(), 8);
    let documentation = ["192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"];
    for seen in &story.packets {
        let peer = seen.peer.to_string();
        assert!(!documentation.iter().any(|net| peer.starts_with(net)), "{peer}");
    }
}

#[test]
fn the_configuration_is_read_by_the_collectors_section() {
    #[derive(serde::Deserialize)]
    struct Sections {
        collector: egret_collector::RawCollector,
        analyzer: egret_analyzer::RawAnalyzer,
    }
    let story = Story::of(named("bulk-upload"));
    let text = std::fs::read_to_string(&story.written.configuration).unwrap();
    let sections: Sections = toml::from_str(&text).unwrap();
    assert_eq!(sections.collector.sources.len(), 3);
    assert_eq!(sections.analyzer.allow_private.map(|ranges| ranges.len()), Some(2));
    let ranges = &sections.collector.segments[0].ranges;
    assert!(!sections.collector.executors.is_empty());
    for executor in &sections.collector.executors {
        assert!(ranges.iter().any(|range| range.contains(&executor.address)));
    }
}

/// What the collector makes of a source.
fn events_of(kind: SourceKind) -> Vec<Event> {
    let ranges = SEGMENT_RANGES.map(|range| range.parse().unwrap()).to_vec();
    let segment = Segment { name: "executors".into(), ranges };
    let context =
        Context::new(Arc::new(AttributionTable::new(vec![segment], Vec::new())), || Timestamp::MIN);
    let source = SourceConfig { name: "simulated".into(), kind };
    let mut events = Vec::new();
    egret_collector::run(&source, &[], &context, &mut |batch| {
        events.extend(batch.events);
        Ok(())
    })
    .unwrap();
    let reading = context.ledger.read();
    assert_eq!((reading.unaccounted(), reading.lost), (0, Vec::new()));
    events
}

fn log_source(path: &Path, dialect: Dialect) -> SourceKind {
    SourceKind::Log { path: path.to_owned(), dialect: Some(dialect), follow: false }
}

#[test]
fn a_plan_that_cannot_be_written_down_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |plan: Plan| write(&plan, folder.path()).unwrap_err().to_string();
    let many = Plan { benign_sessions: MAX_BENIGN_SESSIONS + 1, ..plan(Scenario::BENIGN) };
    assert_eq!(refused(many), "5001 benign sessions are too many: at most 5000");
    let early = Plan { start: Timestamp::from_secs(-1), ..plan(Scenario::BENIGN) };
    assert!(refused(early).starts_with("start 1969-12-31T23:59:59Z is outside"));
    assert!("bulk".parse::<Scenario>().is_err());
    for scenario in Scenario::ALL {
        assert_eq!(scenario.to_string().parse::<Scenario>().unwrap(), scenario);
    }
}

#[test]
fn a_load_has_the_packets_and_flows_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.pcap");
    let load = Load {
        seed: SEED,
        start: Timestamp::from_secs(1_769_850_000),
        packets: 20_000,
        flows: 20_000 / USUAL_PACKETS_PER_FLOW,
        span: Duration::from_secs(60),
    };
    let written = write_load_capture(&load, &path).unwrap();
    let packets = read_capture(&path);
    assert_eq!(packets.len() as u64, written.packets);
    assert!(written.packets.abs_diff(load.packets) < 200, "{}", written.packets);
    let mean = written.bytes / written.packets;
    assert!((500..650).contains(&mean), "{mean} bytes a frame");
    let flows: HashSet<_> = packets.iter().filter_map(|seen| seen.flow).collect();
    assert_eq!(flows.len() as u64, load.flows);
    assert!(packets.is_sorted_by_key(|seen| seen.at));
}

#[test]
fn load_logs_have_the_lines_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let start = Timestamp::from_secs(1_769_850_000);
    for (log, dialect) in [
        (LoadLog::Squid, Dialect::SquidEgret),
        (LoadLog::SquidNative, Dialect::SquidNative),
        (LoadLog::Envoy, Dialect::EnvoyJson),
        (LoadLog::ZeekConn, Dialect::ZeekJson),
        (LoadLog::Suricata, Dialect::SuricataEve),
    ] {
        let path = folder.path().join(format!("{log:?}"));
        write_load_log(log, 1000, (SEED, start), &path).unwrap();
        assert_eq!(recognize(&path).unwrap(), Recognized::Log(dialect), "{log:?}");
        let mut reader = logs::Reader::new(Some(dialect));
        let text = std::fs::read_to_string(path).unwrap();
        let read = text.lines().map(|line| reader.read(line.as_bytes()).unwrap());
        let last = read.map(|entry| entry.at()).max().unwrap();
        assert!(last.since(start) < Duration::from_secs(1), "{log:?} ends at {last}");
        assert_eq!(text.lines().count(), 1000);
    }
}

fn up_bytes(packets: &[&Seen]) -> u64 {
    packets.iter().filter(|seen| seen.way == Way::Up).map(|seen| seen.payload_bytes).sum()
}

fn by_flow(packets: &[&Seen], count: fn(&Seen) -> Option<u64>) -> BTreeMap<(IpAddr, u16), u64> {
    let mut sums = BTreeMap::new();
    for seen in packets {
        if let (Some(bytes), Some((port, peer, _))) = (count(seen), seen.flow) {
            *sums.entry((peer, port)).or_insert(0) += bytes;
        }
    }
    sums
}
