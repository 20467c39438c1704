//! What only adds to other evidence: addresses that no name led to, odd certificates, and what is
//! left out of an upload.

use egret_analyzer::{AnalyzerConfig, Detector, Engine, Finding, Incident};
use egret_event::{Event, Fact, ServerCertificate};

use crate::traffic::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn found(incident: &Incident, detector: Detector) -> Option<&Finding> {
    incident.explanation.findings.iter().find(|finding| finding.detector == detector)
}

/// The last of the incidents about a destination.
fn about<'a>(incidents: &'a [Incident], destination: &str) -> &'a Incident {
    incidents.iter().rfind(|incident| incident.destination == destination).unwrap()
}

/// A question, a contact with a first address that no name led to, and an upload to a second one.
fn direct(executor: &mut Executor, asks: bool) -> Vec<Event> {
    let question = executor.question(0, "www.example.org", (1, 60));
    let rest = [
        executor.flow(1_000, bare("192.0.2.7", 443), 500, 500),
        executor.flow(2_000, bare("198.51.100.9", 443), 600 * KIB, 500),
    ];
    asks.then_some(question).into_iter().chain(rest).collect()
}

#[test]
fn addresses_that_no_name_led_to_add_evidence_where_names_are_seen() {
    let seen = incidents(&direct(&mut Executor::new("sandbox-1"), true));
    let finding = found(about(&seen, "198.51.100.9"), Detector::DirectAddress).unwrap();
    assert!((0.001..0.01).contains(&finding.p), "{}", finding.p);
    assert_eq!(finding.observed.value, 2.0);
    assert!(finding.words.contains("number 2 of such new ones"), "{}", finding.words);
    let why = &about(&seen, "198.51.100.9").explanation;
    assert!(why.next_steps.iter().any(|step| step.contains("reverse name")), "{why:#?}");

    let unseen = incidents(&direct(&mut Executor::new("sandbox-1"), false));
    let incident = about(&unseen, "198.51.100.9");
    assert!(found(incident, Detector::DirectAddress).is_none(), "its questions may be sealed");
    assert!(why.p_combined < incident.explanation.p_combined);
}

#[test]
fn an_address_in_a_proxys_log_was_asked_for_as_it_stands_there() {
    let mut executor = Executor::new("sandbox-1");
    let events = [
        executor.logged(0, "192.0.2.7", Some(500), 500),
        executor.logged(1_000, "198.51.100.9", Some(600 * KIB), 500),
    ];
    assert!(found(&incidents(&events)[0], Detector::DirectAddress).is_some());
}

#[test]
fn resolvers_clocks_private_networks_and_names_are_not_direct() {
    let mut executor = Executor::new("sandbox-1");
    let mut events = direct(&mut executor, true);
    events.truncate(1);
    let others = [bare("192.0.2.53", 53), bare("192.0.2.123", 123), bare("10.9.8.7", 443)];
    for (number, other) in others.into_iter().chain([web("www.example.org")]).enumerate() {
        events.push(executor.flow(1_000 + number as i64, other, 500, 500));
    }
    events.push(executor.flow(2_000, bare("198.51.100.9", 443), 600 * KIB, 500));
    let seen = incidents(&events);
    let incident = about(&seen, "198.51.100.9");
    assert!(found(incident, Detector::DirectAddress).is_none(), "the only one: {incident:#?}");
}

/// A session that asks for a name and contacts it, at an hour of its own.
fn ordinary(number: i64) -> Vec<Event> {
    let (mut executor, ms) = (Executor::new(&format!("sandbox-{number}")), number * 3_600_000);
    let mut certificate = executor.event(ms + 200, web("www.example.org"), shown(|_| ()));
    certificate.up = egret_event::Volume::UNKNOWN;
    vec![
        executor.question(ms, "www.example.org", (1, 60)),
        certificate,
        executor.flow(ms + 500, web("www.example.org"), 900, 9_000),
    ]
}

/// A certificate of an authority, as changed.
fn shown(change: impl FnOnce(&mut ServerCertificate)) -> Fact {
    let mut certificate = ServerCertificate {
        sni: Some("www.example.org".into()),
        subject: "CN=www.example.org".into(),
        issuer: "CN=Authority".into(),
        names: vec!["www.example.org".into()],
        not_before: at(-86_400_000),
        not_after: at(400 * 86_400_000),
        key: "ec 256".into(),
        sha256: None,
        chain: 2,
        self_signed: false,
        name_matches: Some(true),
    };
    change(&mut certificate);
    Fact::Certificate(Box::new(certificate))
}

#[test]
fn where_no_session_does_either_one_is_enough_for_evidence_and_not_for_an_alert() {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    let sessions = 700;
    (0..sessions).for_each(|number| engine.observe(&ordinary(number), &mut changes));
    assert!(changes.is_empty(), "{changes:#?}");

    let (mut executor, ms) = (Executor::new("sandbox-x"), sessions * 3_600_000);
    let question = executor.question(ms, "www.example.org", (1, 60));
    let odd = shown(|shown| {
        (shown.self_signed, shown.issuer) = (true, "CN=\u{202e}gnp.\n".into());
    });
    let small = [
        executor.event(ms + 1_000, bare("198.51.100.9", 443), odd.clone()),
        executor.flow(ms + 2_000, bare("198.51.100.9", 443), 500, 500),
    ];
    engine.observe(&[question], &mut changes);
    engine.observe(&small, &mut changes);
    assert!(changes.is_empty(), "alone they alert: {changes:#?}");

    engine.observe(
        &[executor.flow(ms + 3_000, bare("198.51.100.9", 443), 200 * KIB, 500)],
        &mut changes,
    );
    let incident = &opened(&changes)[0].incident;
    for detector in [Detector::DirectAddress, Detector::OddCertificate] {
        let finding = found(incident, detector).unwrap_or_else(|| panic!("{detector:?}"));
        assert!((0.001..0.01).contains(&finding.p), "{detector:?}: {}", finding.p);
        assert!(finding.normal.as_ref().unwrap().p98 <= 1.0);
    }
    let words = &found(incident, Detector::OddCertificate).unwrap().words;
    assert!(words.contains(r#"issued by itself (issuer "CN=\u{202e}gnp.\n")"#), "{words}");
}

#[test]
fn each_oddity_of_a_certificate_is_told() {
    type Change = fn(&mut ServerCertificate);
    let odd: [(Change, &str); 6] = [
        (|shown| shown.self_signed = true, "issued by itself"),
        (|shown| shown.name_matches = Some(false), "for another name than was asked for"),
        (|shown| shown.not_after = at(-1), "expired"),
        (|shown| shown.not_before = at(86_400_000), "not yet valid"),
        (|shown| shown.key = "rsa 1024".into(), "of a key that is too short"),
        (|shown| shown.not_after = at(3_650 * 86_400_000), "valid for years"),
    ];
    for (change, words) in odd {
        let mut executor = Executor::new("sandbox-1");
        let events = [
            executor.event(0, web("files.example.net"), shown(change)),
            executor.flow(1_000, web("files.example.net"), 600 * KIB, 500),
        ];
        let told = incidents(&events);
        let finding = found(&told[0], Detector::OddCertificate).unwrap();
        assert!(finding.words.contains(words), "{words:?}: {}", finding.words);
    }
    let mut executor = Executor::new("sandbox-1");
    let events = [
        executor.event(0, web("files.example.net"), shown(|_| ())),
        executor.flow(1_000, web("files.example.net"), 600 * KIB, 500),
    ];
    assert!(found(&incidents(&events)[0], Detector::OddCertificate).is_none());
}

#[test]
fn what_receiving_takes_is_no_upload() {
    let mut executor = Executor::new("sandbox-1");
    let download = executor.flow(0, web("video.example.net"), 700 * KIB, 60 * MIB);
    assert!(incidents(std::slice::from_ref(&download)).is_empty());
    // A proxy counts requests, and no acknowledgements.
    let logged = executor.logged(0, "video.example.net", Some(700 * KIB), 60 * MIB);
    assert_eq!(destinations(&incidents(&[logged])), ["example.net"]);
    // What went out in a contact of its own is not hidden by what came back in another.
    let upload = executor.flow(1_000, web("video.example.net"), 700 * KIB, 500);
    let found = incidents(&[download, upload]);
    assert_eq!(destinations(&found), ["example.net"]);
    let mixed = executor.flow(0, web("video.example.net"), 900 * KIB, 8 * MIB);
    let words = &incidents(&[mixed])[0].explanation.findings[0].words;
    assert!(
        words.contains("sent 644 KiB in one contact (acknowledgements of what came back left out)"),
        "{words}"
    );
}
