//! Alerts leave oldest first, those of one incident strictly in order, and none is forgotten.

use egret_analyzer::{ChangeKind, IncidentChange};

use super::made::{Made, at, change, incident, opened, store};
use crate::{DeliveryState, StoreError};

fn grew(n: u128, number: u32) -> IncidentChange {
    let mut incident = incident(n, "evil.example");
    incident.updated_at = at(number.into());
    change(ChangeKind::Grew, number, &incident)
}

/// (incident, number) of what is due.
fn due(made: &Made, seconds: u64) -> Vec<(u128, u32)> {
    let due = made.outbox_due("chat", at(seconds), 10).unwrap();
    due.iter()
        .map(|delivery| (delivery.change.incident.id.bits(), delivery.change.number))
        .collect()
}

fn record(made: &Made, change: &IncidentChange, state: &DeliveryState) {
    made.outbox_record(change.alert_id(), "chat", state).unwrap();
}

fn retry(seconds: u64) -> DeliveryState {
    let tried_at = at(seconds.saturating_sub(1));
    DeliveryState::Retry { tried_at, at: at(seconds), error: "connection refused".into() }
}

#[test]
fn a_later_alert_waits_for_the_earlier_one_of_its_incident_only() {
    let made = store();
    let first = opened(1, "evil.example");
    for change in [&first, &grew(1, 1), &opened(2, "evil.example"), &grew(1, 2)] {
        made.write_change(change, &["chat", "pager"]);
    }
    assert_eq!(due(&made, 10), [(1, 0), (2, 0)]);
    assert_eq!(made.outbox_due("chat", at(10), 1).unwrap().len(), 1);
    record(&made, &first, &retry(100));
    assert_eq!(due(&made, 10), [(2, 0)], "the incident's later alert overtook");
    assert_eq!(due(&made, 100), [(1, 0), (2, 0)]);
    record(&made, &first, &DeliveryState::Delivered { at: at(101) });
    assert_eq!(due(&made, 101), [(1, 1), (2, 0)]);
    record(&made, &grew(1, 1), &DeliveryState::Dead { at: at(102), error: "404".into() });
    assert_eq!(due(&made, 102), [(2, 0), (1, 2)], "a dead one holds nothing up");
}

#[test]
fn what_was_told_last_and_not_closed_stands() {
    let made = store();
    let closed = change(ChangeKind::Closed, 1, &incident(2, "evil.example"));
    let told = [opened(1, "evil.example"), opened(2, "evil.example"), grew(1, 1), closed];
    let waiting = opened(3, "evil.example");
    for change in told.iter().chain([&waiting]) {
        made.write_change(change, &["chat"]);
    }
    for change in &told {
        record(&made, change, &DeliveryState::Delivered { at: at(100) });
    }
    assert_eq!(made.outbox_standing("chat").unwrap(), [grew(1, 1)]);
    assert!(made.outbox_standing("pager").unwrap().is_empty());
}

#[test]
fn the_next_attempt_is_that_of_an_alert_that_nothing_holds_up() {
    let made = store();
    assert_eq!(made.outbox_next("chat").unwrap(), None);
    let first = opened(1, "evil.example");
    made.write_change(&first, &["chat"]);
    made.write_change(&grew(1, 1), &["chat"]);
    assert_eq!(made.outbox_next("chat").unwrap(), Some(at(0)));
    record(&made, &first, &retry(100));
    // The second is due at 1, but cannot leave before the first.
    assert_eq!(made.outbox_next("chat").unwrap(), Some(at(100)));
    assert_eq!(made.outbox_next("pager").unwrap(), None);
}

#[test]
fn attempts_and_their_errors_are_kept() {
    let made = store();
    let first = opened(1, "evil.example");
    made.write_change(&first, &["chat"]);
    record(&made, &first, &retry(5));
    record(&made, &first, &retry(6));
    let delivery = &made.outbox_due("chat", at(6), 1).unwrap()[0];
    assert_eq!(delivery.attempts, 2);
    assert_eq!(delivery.last_error.as_deref(), Some("connection refused"));
    assert_eq!(delivery.queued_at, at(0));
    assert_eq!(delivery.change, first);
}

#[test]
fn what_was_delivered_stays_delivered() {
    let made = store();
    let first = opened(1, "evil.example");
    made.write_change(&first, &["chat"]);
    record(&made, &first, &DeliveryState::Delivered { at: at(1) });
    record(&made, &first, &DeliveryState::Delivered { at: at(2) });
    record(&made, &first, &retry(3));
    assert!(due(&made, 10).is_empty());
    let error = made
        .outbox_record(first.alert_id(), "nowhere", &DeliveryState::Delivered { at: at(1) })
        .unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

#[test]
fn dead_letters_are_listed_newest_first_and_can_be_replayed() {
    let made = store();
    let changes = [opened(1, "a.example"), opened(2, "b.example"), opened(3, "c.example")];
    for (seconds, change) in (10..).zip(&changes) {
        made.write_change(change, &["chat", "pager"]);
        let state = DeliveryState::Dead { at: at(seconds), error: "gone".into() };
        made.outbox_record(change.alert_id(), "pager", &state).unwrap();
        record(&made, change, &state);
    }
    let listed: Vec<u128> = made
        .dead_letters(Some("chat"))
        .unwrap()
        .iter()
        .map(|delivery| delivery.change.incident.id.bits())
        .collect();
    assert_eq!(listed, [3, 2, 1]);
    assert_eq!(made.dead_letters(None).unwrap().len(), 6);
    assert_eq!(made.outbox_counts().unwrap(), [("chat".into(), 0, 3), ("pager".into(), 0, 3)]);
    let second = changes[1].alert_id();
    assert_eq!(made.replay_dead_letters(Some("chat"), Some(second), at(50)).unwrap(), 1);
    assert_eq!(due(&made, 49), []);
    assert_eq!(due(&made, 50), [(2, 0)]);
    assert_eq!(made.outbox_due("chat", at(50), 1).unwrap()[0].attempts, 0);
    assert_eq!(made.replay_dead_letters(None, None, at(51)).unwrap(), 5);
    assert_eq!(made.dead_letters(None).unwrap(), []);
    assert_eq!(due(&made, 51), [(1, 0), (2, 0), (3, 0)]);
}
