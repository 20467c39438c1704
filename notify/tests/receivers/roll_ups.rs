//! What one story costs whoever is on call, and what of it a SIEM gets.

use std::time::Duration;

use egret_analyzer::{ChangeKind, Incident, IncidentChange, Severity};
use serde_json::Value;

use crate::http::{Receiver, status};
use crate::outbox::{HeldClock, Outbox, until};
use crate::rsyslog::Rsyslog;
use crate::sample::{AT, change, incident};

/// An incident of a session of its own, at one place, a second after the one before.
fn of_session(n: u64, severity: Severity) -> IncidentChange {
    let opened = Incident {
        session: format!("job-{n}/task").into(),
        severity,
        opened_at: AT + Duration::from_secs(n),
        ..incident(&format!("incident-{n}"))
    };
    change(ChangeKind::Opened, 0, opened)
}

#[tokio::test(start_paused = true)]
async fn forty_sessions_at_one_place_call_once_and_a_graver_one_again_and_the_siem_gets_each() {
    let _clock = HeldClock::hold();
    let siem = Rsyslog::start(None).await;
    let mut pager = Receiver::start(|_| status("204 No Content")).await;
    let outbox = Outbox::new(&format!(
        "{}repeats = false\n[[targets]]\nkind = 'syslog'\nname = 'siem'\naddress = 'localhost:{}'\n",
        pager.target("pager"),
        siem.port
    ));
    let forty: Vec<_> = (0..40).map(|n| of_session(n, Severity::High)).collect();
    let running = outbox.start();
    outbox.put(&forty[..1]);
    outbox.put(&forty[1..]);
    outbox.put(&[of_session(40, Severity::Critical), of_session(41, Severity::High)]);
    let messages = siem.messages(42).await;
    until("the pager has everything", || outbox.counts("pager") == (0, 0)).await;
    running.stop().await;

    for (n, severity, incidents, repeats) in [(0, "high", 1, false), (40, "critical", 41, false)] {
        let request = pager.next().await;
        let data = serde_json::from_str::<Value>(&request.body).unwrap()["data"].take();
        assert_eq!(data["incident"]["session"], format!("job-{n}/task"));
        assert_eq!(data["incident"]["severity"], severity);
        assert_eq!(data["roll_up"]["incidents"], incidents);
        assert_eq!(data["roll_up"]["sessions"], incidents);
        assert_eq!(data["roll_up"]["repeats"], repeats);
        assert_eq!(data["roll_up"]["first_opened_at"], "2026-10-22T00:00:00.123456789Z");
    }
    assert!(pager.requests.try_recv().is_err(), "the pager was called a third time");

    let told = |message: &Value| message["rfc5424-sd"]["egret@32473"].clone();
    let roll_ups: Vec<Value> =
        messages.iter().map(|message| told(message)["roll_up"].take()).collect();
    assert!(roll_ups.iter().all(|id| *id == roll_ups[0] && id.is_string()), "{roll_ups:?}");
    let repeats = messages.iter().filter(|message| told(message)["repeats"] == "true").count();
    assert_eq!((messages.len(), repeats), (42, 40));
    let last = told(messages.last().unwrap());
    assert_eq!(
        (&last["roll_up_incidents"], &last["roll_up_sessions"]),
        (&"42".into(), &"42".into())
    );
}
