//! What people judged incidents to be.

use egret_analyzer::{ChangeKind, Detector, IncidentChange};
use egret_event::{EventId, Timestamp};

use super::made::{Made, at, change, id, incident, opened, store};
use crate::sqlite::feedback::UNMARK_EXPIRED;
use crate::{Action, IncidentQuery, IncidentRow, IncidentVerdict, StoreError};

use IncidentVerdict::{FalsePositive, TruePositive};

const DAY_S: u64 = 86_400;

fn closing(verdict: Option<IncidentVerdict>) -> Action {
    let comment = Some("the nightly backup".to_owned());
    Action { by: "ana".into(), kind: ChangeKind::Closed, comment, verdict }
}

fn judge(made: &Made, n: u128, verdict: IncidentVerdict, now: Timestamp) {
    made.act(id(n), &closing(Some(verdict)), now, &[]).unwrap();
}

fn row(made: &Made, n: u128) -> IncidentRow {
    made.incident(id(n)).unwrap().unwrap().row
}

fn like(made: &Made, n: u128) -> Option<u128> {
    row(made, n).judged_like.map(EventId::bits)
}

fn listed(made: &Made) -> usize {
    made.incidents(&IncidentQuery::default()).unwrap().items.len()
}

/// One that sent three times as much as the others.
fn larger(n: u128) -> IncidentChange {
    let mut incident = incident(n, "ours.example");
    incident.observed.up_bytes *= 3;
    change(ChangeKind::Opened, 0, &incident)
}

/// Three incidents at one place, of which the third is closed, a larger one there, and one elsewhere.
fn some() -> Made {
    let made = store();
    for n in [1, 2, 3] {
        made.write_change(&opened(n, "ours.example"), &[]);
    }
    made.act(id(3), &closing(None), at(1), &[]).unwrap();
    made.write_change(&larger(4), &[]);
    made.write_change(&opened(5, "evil.example"), &[]);
    made
}

#[test]
fn a_false_positive_is_kept_counts_for_thirty_days_and_marks_what_it_would_have_prevented() {
    let made = some();
    judge(&made, 1, FalsePositive, at(10));
    let judged = row(&made, 1).verdict.unwrap();
    assert_eq!((judged.verdict, judged.by.as_str(), judged.at), (FalsePositive, "ana", at(10)));
    assert_eq!(judged.note.as_deref(), Some("the nightly backup"));
    let feedback = made.feedback(at(11)).unwrap();
    assert_eq!(feedback.len(), 1);
    assert_eq!((feedback[0].incident, feedback[0].detector), (id(1), Detector::UploadSize));
    assert_eq!(feedback[0].expires_at, at(10 + 30 * DAY_S));
    assert_eq!([1, 2, 3, 4, 5].map(|n| like(&made, n)), [None, Some(1), None, None, None]);
    assert_eq!(listed(&made), 4, "the one that is like it is not listed");
    let next = made.write_change(&opened(6, "ours.example"), &["chat"]);
    assert_eq!((next.changes, next.alerts, next.suppressed), (1, 0, 1));
    assert_eq!(like(&made, 6), Some(1));
    let more = made.write_change(&larger(7), &["chat"]);
    assert_eq!((more.alerts, more.suppressed), (1, 0));
}

#[test]
fn marks_go_when_what_was_judged_expires() {
    let made = some();
    judge(&made, 1, FalsePositive, at(0));
    made.prune(at(30 * DAY_S - 1)).unwrap();
    assert_eq!((like(&made, 2), listed(&made)), (Some(1), 4));
    made.prune(at(30 * DAY_S)).unwrap();
    assert_eq!((like(&made, 2), listed(&made)), (None, 5));
    assert_eq!(made.feedback(at(30 * DAY_S - 1)).unwrap(), []);
    assert_eq!(row(&made, 1).verdict.unwrap().verdict, FalsePositive, "the verdict stays");
    let mut late = opened(6, "ours.example");
    late.at = at(31 * DAY_S);
    assert_eq!(made.write_change(&late, &["chat"]).alerts, 1);
}

#[test]
fn what_expired_counts_no_more_before_it_is_pruned() {
    let made = some();
    judge(&made, 1, FalsePositive, at(0));
    made.write_change(&opened(6, "ours.example"), &[]);
    let mut late = opened(7, "ours.example");
    late.at = at(30 * DAY_S);
    assert_eq!(made.write_change(&late, &["chat"]).alerts, 1);
    assert_eq!(made.feedback(at(30 * DAY_S)).unwrap(), []);
}

#[test]
fn a_preview_says_what_saving_does_and_does_nothing() {
    let made = some();
    let preview = made.preview_feedback(id(1), at(10), at(0)).unwrap();
    let found = &preview.incidents;
    assert_eq!((found.recent, found.open, preview.feedback.len()), (2, 1, 1));
    let newest: Vec<u128> = found.newest.iter().map(|row| row.incident.id.bits()).collect();
    assert_eq!(newest, [3, 2], "newest first: 3 was closed last");
    assert_eq!((like(&made, 2), made.feedback(at(10)).unwrap().len()), (None, 0));
    judge(&made, 1, FalsePositive, at(10));
    let again = made.preview_feedback(id(2), at(11), at(0)).unwrap().incidents;
    assert_eq!((again.recent, again.open), (0, 0), "what is prevented already is not counted");
    let none = made.preview_feedback(id(99), at(10), at(0)).unwrap_err();
    assert!(matches!(none, StoreError::NotFound { .. }), "{none}");
}

#[test]
fn another_verdict_and_opening_again_take_it_back() {
    let made = some();
    judge(&made, 1, FalsePositive, at(10));
    judge(&made, 1, TruePositive, at(11));
    assert_eq!(row(&made, 1).verdict.unwrap().verdict, TruePositive);
    assert_eq!((like(&made, 2), made.feedback(at(12)).unwrap().len()), (None, 0));
    judge(&made, 1, FalsePositive, at(13));
    assert_eq!(like(&made, 2), Some(1));
    let reopen =
        Action { by: "bo".into(), kind: ChangeKind::Reopened, comment: None, verdict: None };
    made.act(id(1), &reopen, at(14), &[]).unwrap();
    assert_eq!((row(&made, 1).verdict, like(&made, 2)), (None, None));
    assert_eq!(made.feedback(at(15)).unwrap(), []);
    let history = made.incident(id(1)).unwrap().unwrap().history;
    let told: Vec<_> = history.iter().map(|entry| (entry.kind, entry.verdict)).collect();
    let expected = [
        (ChangeKind::Opened, None),
        (ChangeKind::Closed, Some(FalsePositive)),
        (ChangeKind::Commented, Some(TruePositive)),
        (ChangeKind::Commented, Some(FalsePositive)),
        (ChangeKind::Reopened, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_two_verdicts_prevent_stays_hidden_until_both_are_taken_back() {
    let made = some();
    judge(&made, 1, FalsePositive, at(10));
    made.act(id(2), &closing(Some(FalsePositive)), at(11), &[]).unwrap();
    made.write_change(&opened(6, "ours.example"), &[]);
    assert_eq!(like(&made, 6), Some(2), "the newest");
    judge(&made, 2, TruePositive, at(12));
    assert_eq!(like(&made, 6), Some(1));
    judge(&made, 1, TruePositive, at(13));
    assert_eq!(like(&made, 6), None);
}

#[test]
fn a_verdict_comes_with_closing_and_the_same_one_again_changes_nothing() {
    let made = some();
    let wrong = Action { kind: ChangeKind::Commented, ..closing(Some(FalsePositive)) };
    let refused = made.act(id(1), &wrong, at(1), &[]).unwrap_err();
    assert!(matches!(refused, StoreError::BadQuery(_)), "{refused}");
    judge(&made, 1, FalsePositive, at(10));
    let again = Action { comment: None, ..closing(Some(FalsePositive)) };
    let (_, changed) = made.act(id(1), &again, at(20), &[]).unwrap();
    assert_eq!(changed, None);
    assert_eq!(made.feedback(at(21)).unwrap()[0].at, at(10), "it does not last longer by that");
}

#[test]
fn a_judged_incident_that_grows_is_open_again_and_its_verdict_still_seen() {
    let made = some();
    judge(&made, 1, FalsePositive, at(10));
    let mut grown = incident(1, "ours.example");
    (grown.updated_at, grown.observed.up_bytes) = (at(20), 50_000_000);
    let told = made.write_change(&change(ChangeKind::Grew, 1, &grown), &["chat"]);
    assert_eq!(told.alerts, 1);
    let row = row(&made, 1);
    assert_eq!(row.status, crate::IncidentStatus::Open);
    assert_eq!(row.verdict.unwrap().at, at(10));
}

#[test]
fn a_verdict_given_in_another_process_counts_at_once() {
    let made = some();
    made.write_change(&opened(6, "else.example"), &[]);
    made.again().act(id(1), &closing(Some(FalsePositive)), at(10), &[]).unwrap();
    assert_eq!(made.write_change(&opened(7, "ours.example"), &["chat"]).suppressed, 1);
}

#[test]
fn expired_marks_are_found_by_their_index() {
    let steps = store().plan(UNMARK_EXPIRED);
    assert!(steps[0].contains("INDEX incidents_by_likeness"), "{steps:?}");
}
