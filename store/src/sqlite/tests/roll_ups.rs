//! Incidents that are one story are counted together, and whoever was called about it is not called again.

use std::time::Duration;

use egret_analyzer::{ChangeKind, IncidentChange, Member, RollUp, Severity, roll_up};
use egret_event::EventId;

use super::made::{Made, alert, at, change, id, incident, opened, store, suppression, told_all};
use crate::{
    Action, Addressee, Committed, IncidentQuery, IncidentStatus, SqliteStore, StoreError, WriteUnit,
};

/// The `n`-th incident, an hour after the one before, of a session and executor of its own.
fn nth(n: u64, destination: &str) -> IncidentChange {
    let mut incident = incident(n.into(), destination);
    incident.origin.executor = format!("job-{n}").into();
    incident.origin.tenant = Some(format!("tenant-{}", n % 3).into());
    incident.session = format!("job-{n}/task").into();
    incident.opened_at = at(n * 3600);
    incident.last_seen = incident.opened_at;
    incident.updated_at = incident.opened_at;
    change(ChangeKind::Opened, 0, &incident)
}

fn graver(change: &IncidentChange, severity: Severity) -> IncidentChange {
    let mut graver = change.clone();
    graver.incident.severity = severity;
    graver
}

fn resumed(change: &IncidentChange, number: u32) -> IncidentChange {
    IncidentChange { kind: ChangeKind::Resumed, number, ..change.clone() }
}

fn grew(change: &IncidentChange, number: u32) -> IncidentChange {
    IncidentChange { kind: ChangeKind::Grew, number, ..change.clone() }
}

fn any() -> IncidentQuery {
    IncidentQuery::default()
}

fn list(made: &SqliteStore, query: &IncidentQuery) -> Vec<(String, u64)> {
    let page = made.roll_ups(query).unwrap();
    page.items.iter().map(|found| (found.destination.to_string(), found.incidents)).collect()
}

/// Writes a change and tells of it: the SIEM of everything, the pager of no repeats.
fn tell(made: &Made, change: &IncidentChange) -> Committed {
    let pager = Addressee { repeats: false, ..Addressee::of_all("pager") };
    let alerts = [told_all("siem"), pager].map(|to| crate::OutboxEntry { to, ..alert(change, "") });
    let unit = WriteUnit {
        changes: std::slice::from_ref(change),
        alerts: &alerts,
        now: change.at,
        ..WriteUnit::default()
    };
    made.commit(&unit).unwrap()
}

/// The incidents that the target was told of, each as often as it was.
fn told(made: &Made, target: &str) -> Vec<u128> {
    let mut all = Vec::new();
    loop {
        let due = made.outbox_due(target, at(1 << 30), 100).unwrap();
        if due.is_empty() {
            return all;
        }
        for delivery in due {
            all.push(delivery.change.incident.id.bits());
            let state = crate::DeliveryState::Delivered { at: at(1) };
            made.outbox_record(delivery.alert, target, &state).unwrap();
        }
    }
}

fn close(made: &Made, n: u128) {
    let action =
        Action { by: "ana".into(), kind: ChangeKind::Closed, comment: None, verdict: None };
    made.act(id(n), &action, at(0), &[]).unwrap();
}

#[test]
fn what_the_store_rolls_up_is_what_the_analyzer_does_and_an_incident_says_its_own() {
    let made = store();
    let mut changes: Vec<_> = (1..=5).map(|n| nth(n, "bad.example")).collect();
    changes.extend([nth(6, "10.0.0.5"), nth(7, "*"), nth(40, "bad.example"), nth(41, "*")]);
    for change in changes.iter().rev() {
        made.write_change(change, &[]);
    }
    close(&made, 2);
    let status = |n: EventId| match n == id(2) {
        true => IncidentStatus::Closed,
        false => IncidentStatus::Open,
    };
    let members = changes.iter().map(|c| Member::of(&c.incident, status(c.incident.id)));
    let mut expected: Vec<RollUp> = roll_up(members.collect());
    expected.sort_by_key(|found| std::cmp::Reverse((found.last_seen, found.id)));
    assert_eq!(made.roll_ups(&any()).unwrap().items, expected);
    assert_eq!(expected.len(), 5, "the last at bad.example follows after more than a day");
    let third = made.incident(id(3)).unwrap().unwrap().roll_up;
    assert_eq!((third.incidents, third.sessions, third.tenants.count), (5, 5, 3));
    assert_eq!((third.open, third.closed, third.first_opened_at), (4, 1, at(3600)));
    assert_eq!(made.incident(id(40)).unwrap().unwrap().roll_up.incidents, 1);
}

#[test]
fn a_roll_up_is_listed_when_one_of_its_incidents_matches_and_counts_all() {
    let made = store();
    made.write_change(&nth(1, "bad.example"), &[]);
    made.write_change(&graver(&nth(2, "bad.example"), Severity::Critical), &[]);
    made.write_change(&nth(3, "other.example"), &[]);
    close(&made, 1);
    let bad = [("bad.example".to_owned(), 2)];
    let status = vec![IncidentStatus::Closed];
    assert_eq!(list(&made, &IncidentQuery { status, ..any() }), bad);
    assert_eq!(list(&made, &IncidentQuery { min_severity: Some(Severity::High), ..any() }), bad);
    assert_eq!(list(&made, &IncidentQuery { executor: Some("job-1".into()), ..any() }), bad);
    assert_eq!(list(&made, &IncidentQuery { search: Some("BAD".into()), ..any() }), bad);
    let destination = Some("up.bad.example".into());
    assert_eq!(list(&made, &IncidentQuery { destination, ..any() }), bad);
    let since = Some(at(3 * 3600));
    assert_eq!(list(&made, &IncidentQuery { since, ..any() }), [("other.example".to_owned(), 1)]);
    let nobody = IncidentQuery { tenant: Some("nobody".into()), ..any() };
    assert!(list(&made, &nobody).is_empty());
}

#[test]
fn an_incident_without_tenant_matches_no_tenant() {
    let made = store();
    let mut homeless = nth(1, "bad.example");
    homeless.incident.origin.tenant = None;
    made.write_change(&homeless, &[]);
    assert!(list(&made, &IncidentQuery { tenant: Some("acme".into()), ..any() }).is_empty());
    assert_eq!(list(&made, &any()), [("bad.example".to_owned(), 1)]);
}

#[test]
fn pages_hold_each_roll_up_once_the_last_seen_first() {
    let made = store();
    for n in 1..=23 {
        made.write_change(&nth(n, &format!("d{}.example", n % 11)), &[]);
    }
    let whole = list(&made, &any());
    assert_eq!(whole.len(), 11);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let query = IncidentQuery { after, limit: Some(2), ..any() };
        let page = made.roll_ups(&query).unwrap();
        paged.extend(page.items.iter().map(|r| (r.destination.to_string(), r.incidents)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert_eq!(whole[0], ("d1.example".to_owned(), 3));
    let foreign = Some(crate::Cursor("iu.00.00".into()));
    let refused = made.roll_ups(&IncidentQuery { after: foreign, ..any() }).unwrap_err();
    assert!(matches!(refused, StoreError::BadQuery(_)));
}

#[test]
fn the_incidents_of_a_roll_up_are_listed_by_any_of_them() {
    let made = store();
    for change in [nth(1, "bad.example"), nth(2, "bad.example"), nth(3, "other.example")] {
        made.write_change(&change, &[]);
    }
    made.write_change(&nth(40, "bad.example"), &[]);
    let ids = |of: u128| {
        let query = IncidentQuery { roll_up_of: Some(id(of)), ..any() };
        let page = made.incidents(&query).unwrap();
        page.items.iter().map(|row| row.incident.id.bits()).collect::<Vec<_>>()
    };
    assert_eq!(ids(1), [2, 1]);
    assert_eq!(ids(2), [2, 1]);
    assert_eq!(ids(40), [40]);
    assert!(ids(9).is_empty());
}

#[test]
fn hidden_incidents_count_only_where_they_are_wanted_and_for_themselves() {
    let made = store();
    made.add_suppression(&suppression(50, "ours.example")).unwrap();
    let mut hidden = nth(1, "ours.example");
    hidden.at = at(0);
    let unit = |change| WriteUnit {
        changes: std::slice::from_ref(change),
        now: at(0),
        ..WriteUnit::default()
    };
    made.commit(&unit(&hidden)).unwrap();
    assert!(list(&made, &any()).is_empty());
    let all = IncidentQuery { with_suppressed: true, ..any() };
    assert_eq!(list(&made, &all), [("ours.example".to_owned(), 1)]);
    assert_eq!(made.incident(id(1)).unwrap().unwrap().roll_up.incidents, 1);
}

#[test]
fn whoever_was_called_is_not_called_again_about_one_story_and_the_siem_gets_each() {
    let made = store();
    let first = tell(&made, &nth(1, "bad.example"));
    assert_eq!((first.alerts, first.repeats), (2, 0));
    for n in 2..=5 {
        let next = tell(&made, &nth(n, "bad.example"));
        assert_eq!((next.alerts, next.repeats), (1, 1), "{n}");
        assert_eq!(tell(&made, &nth(n, "bad.example")), Committed::default(), "it came again");
    }
    tell(&made, &nth(6, "other.example"));
    let due = made.outbox_due("siem", at(1 << 30), 10).unwrap();
    let said: Vec<_> = due
        .iter()
        .map(|delivery| delivery.roll_up.as_ref().unwrap())
        .map(|r| (r.incidents, r.sessions, r.tenants, r.repeats))
        .collect();
    assert_eq!(
        said,
        [
            (1, 1, 1, false),
            (2, 2, 2, true),
            (3, 3, 3, true),
            (4, 4, 3, true),
            (5, 5, 3, true),
            (1, 1, 1, false)
        ]
    );
    assert!(due[..5].iter().all(|d| d.roll_up.as_ref().unwrap().first_opened_at == at(3600)));
    assert_eq!(told(&made, "pager"), [1, 6]);
    assert_eq!(told(&made, "siem"), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn in_one_transaction_the_first_is_told_and_the_others_repeat_it() {
    let made = store();
    let changes = [nth(1, "bad.example"), nth(2, "bad.example"), nth(3, "bad.example")];
    let pager = || Addressee { repeats: false, ..Addressee::of_all("pager") };
    let entry = |change| crate::OutboxEntry { to: pager(), ..alert(change, "") };
    let alerts: Vec<_> = changes.iter().map(entry).collect();
    let unit = WriteUnit { changes: &changes, alerts: &alerts, now: at(0), ..WriteUnit::default() };
    let committed = made.commit(&unit).unwrap();
    assert_eq!((committed.alerts, committed.repeats), (1, 2));
    assert_eq!(told(&made, "pager"), [1]);
}

#[test]
fn what_goes_on_in_a_later_session_calls_nobody_again_unless_it_was_closed() {
    let made = store();
    tell(&made, &nth(1, "bad.example"));
    assert_eq!(tell(&made, &resumed(&nth(1, "bad.example"), 1)).repeats, 1);
    let close = Action { by: "ana".into(), kind: ChangeKind::Closed, comment: None, verdict: None };
    made.act(id(1), &close, at(9000), &[]).unwrap();
    assert_eq!(tell(&made, &resumed(&nth(1, "bad.example"), 2)).repeats, 0, "it is open again");
    assert_eq!(tell(&made, &resumed(&nth(1, "bad.example"), 3)).repeats, 1);
    // The second of the story only repeated the first; that one is closed now.
    assert_eq!(tell(&made, &nth(2, "bad.example")).repeats, 1);
    made.act(id(1), &close, at(9000), &[]).unwrap();
    assert_eq!(tell(&made, &resumed(&nth(2, "bad.example"), 1)).repeats, 0, "nobody knows of it");
    let all = |target| {
        let mut told = told(&made, target);
        told.sort_unstable();
        told
    };
    assert_eq!(all("pager"), [1, 1, 2]);
    assert_eq!(all("siem"), [1, 1, 1, 1, 2, 2]);
}

#[test]
fn what_is_more_severe_calls_again_and_then_stands_for_the_others() {
    let made = store();
    tell(&made, &nth(1, "bad.example"));
    tell(&made, &nth(2, "bad.example"));
    let second = graver(&nth(2, "bad.example"), Severity::High);
    assert_eq!(tell(&made, &grew(&second, 1)).alerts, 2, "it grew beyond what was told");
    assert_eq!(tell(&made, &grew(&second, 2)).alerts, 2, "it is known by itself now");
    let third = graver(&nth(3, "bad.example"), Severity::High);
    assert_eq!(tell(&made, &third).repeats, 1);
    let worst = graver(&nth(4, "bad.example"), Severity::Critical);
    assert_eq!(tell(&made, &worst).repeats, 0);
    assert_eq!(told(&made, "pager"), [1, 2, 4, 2], "the second of an incident waits for its first");
}

#[test]
fn what_comes_after_the_told_one_was_closed_calls_again() {
    let made = store();
    tell(&made, &nth(1, "bad.example"));
    tell(&made, &nth(2, "bad.example"));
    close(&made, 1);
    tell(&made, &nth(3, "bad.example"));
    tell(&made, &nth(4, "bad.example"));
    assert_eq!(told(&made, "pager"), [1, 3]);
}

#[test]
fn what_nobody_was_told_of_silences_nothing() {
    let made = store();
    made.add_suppression(&suppression(50, "bad.example")).unwrap();
    let mut hidden = nth(1, "bad.example");
    hidden.at = at(0);
    assert_eq!(tell(&made, &hidden).suppressed, 2);
    made.prune(at(7200)).unwrap();
    assert_eq!(tell(&made, &nth(2, "bad.example")).repeats, 0, "the suppression has expired");
    assert_eq!(told(&made, "pager"), [2]);
}

#[test]
fn what_people_do_with_a_repeat_is_not_told_to_whom_was_not_told_of_it() {
    let made = store();
    tell(&made, &nth(1, "bad.example"));
    tell(&made, &nth(2, "bad.example"));
    let action =
        Action { by: "ana".into(), kind: ChangeKind::Acknowledged, comment: None, verdict: None };
    let pager = [Addressee { repeats: false, ..Addressee::of_all("pager") }];
    for n in [1, 2] {
        made.act(id(n), &action, at(9), &pager).unwrap();
    }
    assert_eq!(told(&made, "pager"), [1, 1]);
}

#[test]
fn a_file_of_an_older_release_is_filled_in() {
    let made = store();
    for change in [nth(1, "bad.example"), nth(2, "bad.example"), opened(3, "10.0.0.5")] {
        made.write_change(&change, &[]);
    }
    let before = made.roll_ups(&any()).unwrap().items;
    // As version 5 left it.
    made.maintain(|db| {
        db.execute_batch(
            "DROP INDEX incidents_by_story;
             ALTER TABLE incidents DROP COLUMN story;
             ALTER TABLE incidents DROP COLUMN last_seen;
             ALTER TABLE incidents DROP COLUMN score;
             ALTER TABLE incidents DROP COLUMN detector;
             ALTER TABLE incidents DROP COLUMN session;
             ALTER TABLE incidents DROP COLUMN told;
             PRAGMA user_version = 5;",
        )?;
        for index in [
            "raised", "told", "held", "leading", "tried", "led", "ended", "repeats", "waiting", "waiting_by_incident",
        ] {
            db.execute_batch(&format!("DROP INDEX outbox_{index}"))?;
        }
        for column in ["roll_up", "signal", "rank", "held", "tried_at", "leads", "led_by", "gathered"] {
            db.execute_batch(&format!("ALTER TABLE outbox DROP COLUMN {column}"))?;
        }
        db.execute_batch(
            "CREATE INDEX outbox_waiting ON outbox (target, seq) WHERE state = 0;
             CREATE INDEX outbox_waiting_by_incident ON outbox (target, incident, seq) WHERE state = 0;
             CREATE INDEX outbox_delivered ON outbox (ended_at) WHERE state = 1;",
        )?;
        Ok(())
    })
    .unwrap();
    assert_eq!(made.again().roll_ups(&any()).unwrap().items, before);
    assert_eq!(before.len(), 2);
}

#[test]
fn no_incident_is_read_whole_to_be_rolled_up() {
    let made = store();
    let plan = made.plan(
        "SELECT story, id, opened_at, last_seen, severity, score, detector, status, session, executor,
            template, tenant, updated_at >= ?1 FROM incidents
         WHERE story IS NOT NULL AND suppressed_by IS NULL AND judged_like IS NULL
         ORDER BY story, opened_at, id",
    );
    let [step] = &plan[..] else { panic!("{plan:?}") };
    assert!(step.contains("COVERING INDEX incidents_by_story"), "{step}");
}

#[test]
fn a_day_is_what_the_analyzer_says_it_is() {
    let made = store();
    let day = Duration::from_secs(86_400);
    let mut late = nth(2, "bad.example");
    late.incident.opened_at = nth(1, "bad.example").incident.last_seen + day;
    made.write_change(&nth(1, "bad.example"), &[]);
    made.write_change(&late, &[]);
    assert_eq!(list(&made, &any()), [("bad.example".to_owned(), 2)]);
}

#[test]
fn a_storm_calls_once_and_an_alert_reads_a_bounded_part_of_it() {
    let made = store();
    let storm = |n: u64| {
        let mut one = nth(n, "drop.example");
        one.incident.opened_at = at(n);
        one.incident.last_seen = at(n);
        one.incident.updated_at = at(n);
        IncidentChange { at: at(n), ..one }
    };
    for n in 0..1_300 {
        tell(&made, &storm(n));
    }
    assert_eq!(told(&made, "pager"), [0]);
    let detail = made.incident(id(1_299)).unwrap().unwrap();
    assert_eq!(detail.roll_up.incidents, 1_300, "a page counts all of them");
    let last = made.outbox_due("siem", at(1 << 30), 10_000).unwrap();
    let counts = last.iter().filter_map(|due| Some(due.roll_up.as_ref()?.incidents));
    assert_eq!(counts.max(), Some(500), "an alert those before it, as far as they are read");
}
