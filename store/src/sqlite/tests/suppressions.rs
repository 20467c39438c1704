//! What a person decided not to be alerted about.

use egret_analyzer::{ChangeKind, IncidentChange, Suppression};

use super::made::{Made, at, change, id, incident, opened, store, suppression, told_all};
use crate::sqlite::suppressions::UNMARK_EXPIRED;
use crate::{Action, IncidentQuery, StoreError};

fn suppressed_by(made: &Made, n: u128) -> Option<u128> {
    let row = made.incident(id(n)).unwrap().unwrap().row;
    row.suppressed_by.map(egret_event::EventId::bits)
}

fn grew(number: u32, seconds: u64) -> IncidentChange {
    let mut incident = incident(7, "ours.example");
    incident.updated_at = at(seconds);
    change(ChangeKind::Grew, number, &incident)
}

#[test]
fn a_suppressed_incident_is_stored_marked_and_not_alerted() {
    let made = store();
    made.add_suppression(&suppression(50, "ours.example")).unwrap();
    let committed = made.write_change(&opened(7, "ours.example"), &["chat", "pager"]);
    assert_eq!((committed.changes, committed.alerts, committed.suppressed), (1, 0, 2));
    assert_eq!(suppressed_by(&made, 7), Some(50));
    assert_eq!(made.outbox_next("chat").unwrap(), None);
    assert!(made.incidents(&IncidentQuery::default()).unwrap().items.is_empty());
    let all = IncidentQuery { with_suppressed: true, ..IncidentQuery::default() };
    assert_eq!(made.incidents(&all).unwrap().items.len(), 1);
    let other = made.write_change(&opened(8, "evil.example"), &["chat"]);
    assert_eq!((other.alerts, other.suppressed), (1, 0));
}

#[test]
fn an_incident_that_changes_after_the_suppression_expired_is_alerted() {
    let made = store();
    made.add_suppression(&suppression(50, "ours.example")).unwrap();
    made.write_change(&opened(7, "ours.example"), &["chat"]);
    assert_eq!(made.write_change(&grew(1, 3599), &["chat"]).suppressed, 1);
    let late = made.write_change(&grew(2, 3600), &["chat"]);
    assert_eq!((late.alerts, late.suppressed), (1, 0));
    assert_eq!(suppressed_by(&made, 7), None);
}

#[test]
fn an_incident_is_listed_again_when_its_suppression_has_expired() {
    let made = store();
    made.add_suppression(&suppression(50, "ours.example")).unwrap();
    made.write_change(&opened(7, "ours.example"), &["chat"]);
    made.prune(at(3599)).unwrap();
    assert_eq!(suppressed_by(&made, 7), Some(50));
    assert!(made.incidents(&IncidentQuery::default()).unwrap().items.is_empty());
    made.prune(at(3600)).unwrap();
    assert_eq!(suppressed_by(&made, 7), None);
    assert_eq!(made.incidents(&IncidentQuery::default()).unwrap().items.len(), 1);
}

#[test]
fn expired_marks_are_found_by_their_index() {
    let steps = store().plan(UNMARK_EXPIRED);
    assert!(steps[0].contains("INDEX incidents_by_suppression"), "{steps:?}");
}

#[test]
fn adding_marks_the_incidents_it_matches_and_removing_unmarks_them() {
    let made = store();
    for n in [1, 2] {
        made.write_change(&opened(n, "ours.example"), &[]);
    }
    made.write_change(&opened(3, "evil.example"), &[]);
    made.write_change(&opened(4, "ours.example"), &[]);
    let close = Action { by: "ana".into(), kind: ChangeKind::Closed, comment: None, verdict: None };
    made.act(id(4), &close, at(1), &[]).unwrap();
    let entry = suppression(50, "ours.example");
    let preview = made.preview_suppression(&entry, at(0)).unwrap();
    assert_eq!(
        (preview.recent, preview.open),
        (3, 2),
        "what was closed would have been silent too"
    );
    let newest: Vec<u128> = preview.newest.iter().map(|row| row.incident.id.bits()).collect();
    assert_eq!(newest, [4, 2, 1], "newest first: 4 was closed last");
    assert_eq!(suppressed_by(&made, 1), None, "a preview marks nothing");
    assert_eq!(made.add_suppression(&entry).unwrap(), 2);
    assert_eq!((suppressed_by(&made, 2), suppressed_by(&made, 3)), (Some(50), None));
    assert!(made.remove_suppression(id(50)).unwrap());
    assert_eq!(suppressed_by(&made, 2), None);
    assert!(!made.remove_suppression(id(50)).unwrap());
    let committed = made.write_change(&grew(1, 9), &["chat"]);
    assert_eq!(committed.alerts, 1, "a removed suppression goes on silencing");
}

#[test]
fn a_preview_counts_the_time_asked_for_what_is_open_and_shows_the_newest_five() {
    let made = store();
    for n in 1..=9 {
        let mut incident = incident(n, "ours.example");
        incident.updated_at = at(n as u64);
        made.write_change(&change(ChangeKind::Opened, 0, &incident), &[]);
    }
    let preview = made.preview_suppression(&suppression(50, "ours.example"), at(3)).unwrap();
    assert_eq!((preview.recent, preview.open), (7, 9), "saving it hides older ones too");
    let newest: Vec<u128> = preview.newest.iter().map(|row| row.incident.id.bits()).collect();
    assert_eq!(newest, [9, 8, 7, 6, 5]);
    let other = made.preview_suppression(&suppression(51, "other.example"), at(3)).unwrap();
    assert_eq!((other.recent, other.open, other.newest.len()), (0, 0, 0));
}

#[test]
fn what_people_do_to_a_suppressed_incident_is_not_alerted() {
    let made = store();
    made.add_suppression(&suppression(50, "ours.example")).unwrap();
    made.write_change(&opened(7, "ours.example"), &[]);
    let close = Action { by: "ana".into(), kind: ChangeKind::Closed, comment: None, verdict: None };
    made.act(id(7), &close, at(1), &[told_all("chat")]).unwrap();
    assert_eq!(made.outbox_next("chat").unwrap(), None);
}

#[test]
fn a_suppression_made_by_another_process_counts_at_once() {
    let made = store();
    made.write_change(&opened(1, "ours.example"), &[]);
    made.again().add_suppression(&suppression(50, "ours.example")).unwrap();
    assert_eq!(made.write_change(&opened(7, "ours.example"), &["chat"]).suppressed, 1);
}

#[test]
fn expired_ones_are_not_listed_and_an_id_is_taken_once() {
    let made = store();
    let entry = suppression(50, "ours.example");
    made.add_suppression(&entry).unwrap();
    assert_eq!(made.suppressions(at(3599)).unwrap(), std::slice::from_ref(&entry));
    assert_eq!(made.suppressions(at(3600)).unwrap(), Vec::<Suppression>::new());
    let error = made.add_suppression(&entry).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
}
