//! Secrets in what is sent: which of them alert alone, and which only add to other evidence.

use egret_analyzer::{Detector, Incident, Severity, Stage};
use egret_event::{
    BlockReason, ContentLayer, ContentPlace, Event, Fact, Sections, Sensitive, SensitiveKind,
    Verdict,
};

use crate::traffic::*;

fn secret(kind: SensitiveKind, place: ContentPlace) -> Sensitive {
    let name = match kind {
        SensitiveKind::Canary | SensitiveKind::Registered => "build key",
        SensitiveKind::NamedValue => "password",
        _ => "GitHub token",
    };
    let sections = kind.is_known_value().then_some(Sections { seen: 0xff, of: 8 });
    let layers = vec![ContentLayer::Base64];
    Sensitive { kind, name: name.into(), place, layers, count: 1, fingerprint: None, sections }
}

/// A request that a proxy logged, with this in it.
fn carrying(executor: &mut Executor, ms: i64, host: &str, secrets: Vec<Sensitive>) -> Event {
    let mut event = executor.logged(ms, host, Some(700), 300);
    if let Fact::Http(request) = &mut event.fact {
        request.method = "GET".into();
        request.sensitive = secrets;
    }
    event
}

fn found_in(secrets: Vec<Sensitive>) -> Vec<Incident> {
    let mut executor = Executor::new("sandbox-1");
    incidents(&[carrying(&mut executor, 0, "px.drop.example", secrets)])
}

#[test]
fn a_known_value_and_a_proven_credential_alert_at_once_and_by_rule() {
    for kind in [SensitiveKind::Canary, SensitiveKind::Registered, SensitiveKind::Credential] {
        let found = found_in(vec![secret(kind, ContentPlace::Query)]);
        assert_eq!(destinations(&found), ["drop.example"], "{kind:?}");
        let incident = &found[0];
        assert_eq!((incident.stage, incident.severity), (Stage::Rules, Severity::High));
        let why = &incident.explanation;
        assert_eq!(why.findings[0].detector, Detector::SensitiveContent);
        let techniques: Vec<&str> = why.techniques.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(techniques[..3], ["T1552", "T1041", "T1132"]);
        assert!(why.next_steps[0].starts_with("Revoke this credential"), "{:?}", why.next_steps);
        assert!(why.summary.contains("A rule says so"), "{}", why.summary);
    }
}

#[test]
fn what_looks_like_a_credential_alerts_and_what_is_only_named_so_does_not() {
    let likely = secret(SensitiveKind::LikelyCredential, ContentPlace::Query);
    assert_eq!(found_in(vec![likely]).len(), 1);
    let environment = secret(SensitiveKind::Environment, ContentPlace::Query);
    assert_eq!(found_in(vec![environment]).len(), 1);
    let named = secret(SensitiveKind::NamedValue, ContentPlace::Query);
    assert_eq!(found_in(vec![named; 3]), []);
}

#[test]
fn a_known_value_in_pieces_alerts_when_enough_of_it_is_gone() {
    let piece = |seen| Sensitive {
        sections: Some(Sections { seen, of: 8 }),
        ..secret(SensitiveKind::Canary, ContentPlace::Query)
    };
    let mut executor = Executor::new("sandbox-1");
    let events: Vec<Event> = (0..4)
        .map(|n| {
            let host = format!("h{n}.drop{n}.example");
            carrying(&mut executor, n * 60_000, &host, vec![piece(1 << n)])
        })
        .collect();
    assert_eq!(incidents(&events[..3]), []);
    assert_eq!(destinations(&incidents(&events)), ["drop3.example"]);
}

#[test]
fn a_blocked_secret_is_less_urgent() {
    let mut executor = Executor::new("sandbox-1");
    let canary = secret(SensitiveKind::Canary, ContentPlace::Query);
    let mut event = carrying(&mut executor, 0, "px.drop.example", vec![canary]);
    event.verdict = Verdict::Blocked(BlockReason::ProxyDenied);
    let found = incidents(&[event]);
    assert_eq!(found.len(), 1);
    assert!(found[0].severity < Severity::High, "{:?}", found[0].severity);
}

#[test]
fn a_secret_in_a_question_makes_its_domain_a_destination() {
    let mut executor = Executor::new("sandbox-1");
    let mut question = executor.question(0, "4b455921.t.drop.example", (1, 60));
    if let Fact::Dns(asked) = &mut question.fact {
        asked.sensitive = vec![secret(SensitiveKind::Canary, ContentPlace::Name)];
    }
    assert_eq!(destinations(&incidents(&[question])), ["drop.example"]);
}
