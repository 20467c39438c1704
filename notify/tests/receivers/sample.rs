//! Incidents to tell of.

use egret_analyzer::{
    ChangeBy, ChangeKind, Detector, Explanation, Finding, Incident, IncidentChange, Observed,
    Quantity, Severity, Stage, Tail,
};
use egret_event::{Attribution, EventId, NamedBy, Timestamp};
use egret_store::Delivery;

/// 2026-10-22T00:00:00.123456789Z.
pub(crate) const AT: Timestamp = Timestamp::from_parts(1_792_627_200, 123_456_789);

/// An incident of high severity; `name` makes its id.
pub(crate) fn incident(name: &str) -> Incident {
    Incident {
        id: EventId::of(&[name.as_bytes()]),
        title: "10.20.0.17 sent 48 MiB to paste.example.net".to_owned(),
        severity: Severity::High,
        score: 0.917,
        stage: Stage::Calibrated,
        origin: Attribution {
            executor: "10.20.0.17".into(),
            session: None,
            template: Some("python-3.12".into()),
            tenant: None,
            segment: "pods".into(),
            named_by: NamedBy::Address,
        },
        session: "10.20.0.17@2026-10-21T23:58:00Z".into(),
        destination: "example.net".into(),
        hosts: vec!["paste.example.net".into()],
        addresses: vec!["203.0.113.9".parse().expect("an address")],
        ports: vec![443],
        opened_at: AT,
        updated_at: AT,
        first_seen: AT,
        last_seen: AT,
        observed: Observed { up_bytes: 50_331_648, ..Observed::default() },
        explanation: explanation(),
    }
}

fn explanation() -> Explanation {
    Explanation {
        summary: "It sent far more than is normal.".to_owned(),
        p_combined: 1e-9,
        threshold: 1e-4,
        findings: vec![Finding {
            detector: Detector::UploadSize,
            p: 1e-9,
            tail: Tail::Extrapolated,
            share: 1.0,
            place: None,
            judged_benign: None,
            observed: Quantity { value: 50_331_648.0, unit: "bytes".into() },
            normal: None,
            words: "48 MiB sent".to_owned(),
        }],
        baseline: EventId::of(&[b"baseline"]),
        baseline_frozen_at: None,
        baseline_sessions: 40,
        evidence: Vec::new(),
        gaps: Vec::new(),
        techniques: Vec::new(),
        next_steps: Vec::new(),
    }
}

/// What the engine did to an incident; `number` counts from 0.
pub(crate) fn change(kind: ChangeKind, number: u32, incident: Incident) -> IncidentChange {
    IncidentChange { kind, at: AT, by: ChangeBy::Engine, number, incident }
}

/// The alert about a change, on its way.
#[allow(dead_code, reason = "this file is part of two test crates, of which one needs it")]
pub(crate) fn delivery(change: &IncidentChange) -> Delivery {
    Delivery {
        alert: change.alert_id(),
        target: "siem".to_owned(),
        change: change.clone(),
        queued_at: change.at,
        attempts: 0,
        last_error: None,
        roll_up: None,
        gathered: None,
    }
}

/// Text that breaks receivers which are not careful.
pub(crate) fn hostile() -> String {
    let tricks = "a\nb\r\n<0>1 - forged\0 \u{1b}[2J \"quoted\" \\back\\ ] [x y=\"z\"] \
                  <script>alert(1)</script> \u{202e}gpj.exe\u{2066} \u{feff}end ";
    tricks.to_owned() + &"x".repeat(64 * 1024)
}
