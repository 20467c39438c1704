//! The engine owns what an incident says; people own where it stands.

use egret_analyzer::{ChangeBy, ChangeKind, GapSeen, IncidentChange, Severity};
use egret_event::GapReason;

use super::made::{Made, alert, at, change, id, incident, opened, store, told_all};
use crate::{
    Action, IncidentQuery, IncidentSort, IncidentStatus, IncidentVerdict, SortOrder, StoreError,
    WriteUnit,
};

fn action(kind: ChangeKind, comment: Option<&str>) -> Action {
    Action { by: "ana".into(), kind, comment: comment.map(Into::into), verdict: None }
}

fn act(made: &Made, kind: ChangeKind, seconds: u64) -> Option<IncidentChange> {
    made.act(id(7), &action(kind, None), at(seconds), &[told_all("pager")]).unwrap().1
}

fn grew(number: u32, seconds: u64, up_bytes: u64) -> IncidentChange {
    let mut incident = incident(7, "evil.example");
    incident.severity = Severity::High;
    incident.observed.up_bytes = up_bytes;
    incident.updated_at = at(seconds);
    change(ChangeKind::Grew, number, &incident)
}

fn ids(made: &Made, query: &IncidentQuery) -> Vec<u128> {
    made.incidents(query).unwrap().items.iter().map(|row| row.incident.id.bits()).collect()
}

#[test]
fn an_incident_comes_back_whole_with_its_history() {
    let made = store();
    let opened = opened(7, "evil.example");
    made.write_change(&opened, &[]);
    let detail = made.incident(id(7)).unwrap().unwrap();
    assert_eq!(detail.row.incident, opened.incident);
    assert_eq!(detail.row.status, IncidentStatus::Open);
    assert!(!detail.row.ended);
    assert_eq!(detail.history.len(), 1);
    assert_eq!(detail.history[0].kind, ChangeKind::Opened);
    assert_eq!(detail.history[0].words.as_deref(), Some(opened.incident.title.as_str()));
    assert!(made.incident(id(8)).unwrap().is_none());
}

#[test]
fn growth_changes_what_it_says_and_not_who_works_on_it() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    act(&made, ChangeKind::Acknowledged, 5);
    made.write_change(&grew(1, 10, 9_000_000), &[]);
    let row = made.incident(id(7)).unwrap().unwrap().row;
    assert_eq!(row.status, IncidentStatus::Acknowledged);
    assert_eq!(row.acknowledged_by.as_deref(), Some("ana"));
    assert_eq!(row.incident.observed.up_bytes, 9_000_000);
    assert_eq!(row.incident.updated_at, at(10));
}

#[test]
fn what_grows_after_it_was_closed_is_open_again_and_says_so() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    act(&made, ChangeKind::Closed, 5);
    made.write_change(&grew(1, 10, 9_000_000), &[]);
    let detail = made.incident(id(7)).unwrap().unwrap();
    assert_eq!(detail.row.status, IncidentStatus::Open);
    let kinds: Vec<_> = detail.history.iter().map(|entry| entry.kind).collect();
    let expected = [ChangeKind::Opened, ChangeKind::Closed, ChangeKind::Grew, ChangeKind::Reopened];
    assert_eq!(kinds, expected);
    assert_eq!(detail.history[3].by, ChangeBy::Engine);
    assert_eq!(detail.history[3].words.as_deref(), Some("it grew after it was closed"));
}

#[test]
fn what_a_later_session_does_again_opens_what_was_closed_unless_it_was_judged_benign() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    made.write_change(&change(ChangeKind::Ended, 1, &incident(7, "evil.example")), &[]);
    act(&made, ChangeKind::Acknowledged, 5);
    let resumed = |number| change(ChangeKind::Resumed, number, &incident(7, "evil.example"));
    made.write_change(&resumed(2), &[]);
    let row = made.incident(id(7)).unwrap().unwrap().row;
    assert_eq!((row.status, row.ended), (IncidentStatus::Acknowledged, false));
    act(&made, ChangeKind::Closed, 6);
    made.write_change(&resumed(3), &[]);
    let detail = made.incident(id(7)).unwrap().unwrap();
    assert_eq!(detail.row.status, IncidentStatus::Open);
    let why = detail.history.last().unwrap();
    assert_eq!(why.kind, ChangeKind::Reopened);
    assert_eq!(why.words.as_deref(), Some("a later session did the same after it was closed"));
    let benign = Some(IncidentVerdict::FalsePositive);
    let action =
        Action { by: "ana".into(), kind: ChangeKind::Closed, comment: None, verdict: benign };
    made.act(id(7), &action, at(7), &[]).unwrap();
    made.write_change(&resumed(4), &[]);
    let row = made.incident(id(7)).unwrap().unwrap().row;
    assert_eq!(row.status, IncidentStatus::Closed);
}

#[test]
fn the_end_of_a_session_leaves_a_closed_incident_closed() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    act(&made, ChangeKind::Closed, 5);
    made.write_change(&change(ChangeKind::Ended, 1, &incident(7, "evil.example")), &[]);
    let row = made.incident(id(7)).unwrap().unwrap().row;
    assert_eq!(row.status, IncidentStatus::Closed);
    assert!(row.ended);
    assert_eq!(row.incident.updated_at, at(5), "the later of the two changes counts");
}

#[test]
fn what_could_not_be_seen_is_kept_and_leaves_an_incident_where_it_stands() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    act(&made, ChangeKind::Closed, 5);
    let mut obscured = incident(7, "evil.example");
    obscured.explanation.gaps = vec![GapSeen {
        source: "eth0".into(),
        reason: GapReason::KernelDrop,
        count: 1200,
        from: at(1),
        until: at(2),
    }];
    made.write_change(&change(ChangeKind::Obscured, 1, &obscured), &[]);
    let detail = made.incident(id(7)).unwrap().unwrap();
    assert_eq!(detail.row.incident.explanation.gaps, obscured.explanation.gaps);
    assert_eq!((detail.row.status, detail.row.ended), (IncidentStatus::Closed, false));
    let told = detail.history.iter().find(|entry| entry.kind == ChangeKind::Obscured).unwrap();
    assert_eq!(told.words.as_deref(), Some("1200 packets dropped by the kernel by eth0"));
}

#[test]
fn what_the_engine_closes_is_closed_and_its_alert_goes_out() {
    let made = store();
    made.write_change(&opened(7, "*"), &["pager"]);
    let closed = change(ChangeKind::Closed, 1, &incident(7, "*"));
    let committed = made.write_change(&closed, &["pager"]);
    assert_eq!((committed.changes, committed.alerts), (1, 1));
    let detail = made.incident(id(7)).unwrap().unwrap();
    assert_eq!(detail.row.status, IncidentStatus::Closed);
    assert!(detail.row.ended);
    assert_eq!(detail.history[1].by, ChangeBy::Engine);
    assert_eq!(detail.history[1].words, None);
}

#[test]
fn a_change_that_comes_again_after_later_ones_undoes_nothing() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    made.write_change(&grew(1, 10, 9_000_000), &[]);
    let committed = made.write_change(&opened(7, "evil.example"), &["pager"]);
    assert_eq!((committed.changes, committed.alerts), (0, 0));
    let row = made.incident(id(7)).unwrap().unwrap().row;
    assert_eq!(row.incident.observed.up_bytes, 9_000_000);
}

#[test]
fn the_states_follow_what_people_do() {
    use ChangeKind::{Acknowledged, Closed, Reopened};
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    let status = || made.incident(id(7)).unwrap().unwrap().row.status;
    let steps = [
        (Acknowledged, Some(0), IncidentStatus::Acknowledged),
        (Acknowledged, None, IncidentStatus::Acknowledged),
        (Closed, Some(1), IncidentStatus::Closed),
        (Closed, None, IncidentStatus::Closed),
        (Reopened, Some(2), IncidentStatus::Open),
        (Reopened, None, IncidentStatus::Open),
        (Closed, Some(3), IncidentStatus::Closed),
    ];
    for (kind, number, after) in steps {
        assert_eq!(act(&made, kind, 9).map(|change| change.number), number, "{kind:?}");
        assert_eq!(status(), after, "{kind:?}");
    }
    let refused = made.act(id(7), &action(Acknowledged, None), at(9), &[]).unwrap_err();
    let words = "the incident is closed: reopen it before acknowledging it";
    assert_eq!(refused.to_string(), words);
    assert!(made.act(id(7), &action(ChangeKind::Grew, None), at(9), &[]).is_err());
    let missing = made.act(id(8), &action(Closed, None), at(9), &[]).unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
}

#[test]
fn acts_are_told_to_every_target_once_but_comments_are_not() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    let targets = ["chat", "pager"].map(told_all);
    made.act(id(7), &action(ChangeKind::Commented, Some("looking")), at(2), &targets).unwrap();
    assert_eq!(made.outbox_counts().unwrap(), []);
    for _ in 0..2 {
        made.act(id(7), &action(ChangeKind::Closed, None), at(3), &targets).unwrap();
    }
    assert_eq!(made.outbox_counts().unwrap(), [("chat".into(), 1, 0), ("pager".into(), 1, 0)]);
    let delivery = &made.outbox_due("chat", at(3), 9).unwrap()[0];
    assert_eq!(delivery.change.kind, ChangeKind::Closed);
    assert_eq!(delivery.change.by, ChangeBy::Analyst("ana".into()));
    assert_eq!(delivery.alert, delivery.change.alert_id());
}

#[test]
fn a_comment_is_never_lost_even_where_the_act_changes_nothing() {
    let made = store();
    made.write_change(&opened(7, "evil.example"), &[]);
    act(&made, ChangeKind::Closed, 1);
    let closed_again = action(ChangeKind::Closed, Some("was a backup"));
    let (row, change) = made.act(id(7), &closed_again, at(2), &[]).unwrap();
    assert_eq!(change.unwrap().kind, ChangeKind::Commented);
    assert_eq!((row.comments, row.status), (1, IncidentStatus::Closed));
    let detail = made.incident(id(7)).unwrap().unwrap();
    assert_eq!(detail.history.last().unwrap().words.as_deref(), Some("was a backup"));
    for bad in ["", "  ", &"x".repeat(10_001)] {
        let comment = action(ChangeKind::Commented, Some(bad));
        let error = made.act(id(7), &comment, at(3), &[]).unwrap_err();
        assert!(matches!(error, StoreError::BadQuery(_)), "{error}");
    }
}

fn write_many(made: &Made) {
    let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    let mut changes = Vec::new();
    for n in 0..40_u32 {
        let mut incident = incident(u128::from(n), "evil.example");
        incident.severity = severities[n as usize % 4];
        incident.score = f64::from(n % 3) / 2.0;
        incident.opened_at = at(u64::from(n % 5));
        incident.updated_at = at(u64::from(n % 7));
        incident.observed.up_bytes = u64::from(n % 2) * u64::MAX;
        changes.push(change(ChangeKind::Opened, 0, &incident));
    }
    let unit = WriteUnit { changes: &changes, now: at(9), ..WriteUnit::default() };
    made.commit(&unit).unwrap();
}

#[test]
fn every_order_visits_each_incident_once() {
    let made = store();
    write_many(&made);
    for sort in [
        IncidentSort::UpdatedAt,
        IncidentSort::OpenedAt,
        IncidentSort::Severity,
        IncidentSort::UpBytes,
    ] {
        for order in [SortOrder::Ascending, SortOrder::Descending] {
            let mut query =
                IncidentQuery { sort, order, limit: Some(7), ..IncidentQuery::default() };
            let mut rows = Vec::new();
            loop {
                let page = made.incidents(&query).unwrap();
                rows.extend(page.items);
                let Some(next) = page.next else { break };
                query.after = Some(next);
            }
            let mut sorted = rows.clone();
            sorted.sort_by(|a, b| {
                let (a, b) = (&a.incident, &b.incident);
                let by = match sort {
                    IncidentSort::UpdatedAt => a.updated_at.cmp(&b.updated_at),
                    IncidentSort::OpenedAt => a.opened_at.cmp(&b.opened_at),
                    IncidentSort::Severity => {
                        a.severity.cmp(&b.severity).then(a.score.total_cmp(&b.score))
                    }
                    IncidentSort::UpBytes => a.observed.up_bytes.cmp(&b.observed.up_bytes),
                }
                .then(a.id.cmp(&b.id));
                if order == SortOrder::Ascending { by } else { by.reverse() }
            });
            assert_eq!(rows.len(), 40, "{sort:?} {order:?}");
            assert_eq!(rows, sorted, "{sort:?} {order:?}");
        }
    }
}

#[test]
fn incidents_are_found_by_each_filter() {
    let made = store();
    made.write_change(&opened(1, "evil.example"), &[]);
    let mut other = incident(2, "other.example");
    other.title = "100% of_it".into();
    other.origin.executor = "job-2".into();
    other.origin.tenant = None;
    other.origin.template = Some("node".into());
    other.severity = Severity::Critical;
    other.updated_at = at(50);
    made.write_change(&change(ChangeKind::Opened, 0, &other), &[]);
    made.act(id(2), &action(ChangeKind::Acknowledged, None), at(60), &[]).unwrap();
    let any = IncidentQuery::default;
    let status = vec![IncidentStatus::Acknowledged, IncidentStatus::Closed];
    assert_eq!(ids(&made, &any()), [2, 1]);
    assert_eq!(ids(&made, &IncidentQuery { status, ..any() }), [2]);
    assert_eq!(ids(&made, &IncidentQuery { min_severity: Some(Severity::High), ..any() }), [2]);
    assert_eq!(ids(&made, &IncidentQuery { since: Some(at(60)), ..any() }), [2]);
    assert_eq!(ids(&made, &IncidentQuery { until: Some(at(60)), ..any() }), [1]);
    assert_eq!(ids(&made, &IncidentQuery { executor: Some("job-2".into()), ..any() }), [2]);
    assert_eq!(ids(&made, &IncidentQuery { tenant: Some("acme".into()), ..any() }), [1]);
    assert_eq!(ids(&made, &IncidentQuery { template: Some("node".into()), ..any() }), [2]);
    let searches = [("100% of_it", vec![2]), ("%", vec![2]), ("_", vec![2]), ("EVIL", vec![1])];
    for (text, expected) in searches {
        let query = IncidentQuery { search: Some(text.into()), ..any() };
        assert_eq!(ids(&made, &query), expected, "{text}");
    }
}

#[test]
fn a_domain_finds_itself_and_what_is_below_it_and_no_namesakes() {
    let made = store();
    made.write_change(&opened(1, "evil.example"), &[]);
    made.write_change(&opened(2, "notevil.example"), &[]);
    let cases: [(&str, &[u128]); 6] = [
        ("evil.example", &[1]),
        ("EVIL.example.", &[1]),
        ("up.evil.example", &[1]),
        ("example", &[2, 1]),
        ("down.evil.example", &[]),
        ("e_il.example", &[]),
    ];
    for (domain, expected) in cases {
        let query = IncidentQuery { destination: Some(domain.into()), ..IncidentQuery::default() };
        assert_eq!(ids(&made, &query), expected, "{domain}");
    }
}

#[test]
fn hostile_names_are_only_names() {
    let made = store();
    let hostile = "'); DROP TABLE incidents;--%_\\\u{1b}[2J\n\0";
    let mut change = opened(1, "evil.example");
    change.incident.destination = hostile.into();
    change.incident.title = hostile.into();
    change.incident.origin.executor = hostile.into();
    change.incident.hosts = vec![hostile.into()];
    made.write_change(&change, &[hostile]);
    made.act(id(1), &action(ChangeKind::Commented, Some(hostile)), at(1), &[]).unwrap();
    let query = IncidentQuery {
        search: Some(hostile.into()),
        executor: Some(hostile.into()),
        ..IncidentQuery::default()
    };
    let found = made.incidents(&query).unwrap().items;
    assert_eq!(found[0].incident.destination, hostile);
    assert_eq!(found.len(), 1);
    assert_eq!(made.outbox_due(hostile, at(9), 9).unwrap().len(), 1);
    assert_eq!(made.outbox_due("' OR 1=1 --", at(9), 9).unwrap().len(), 0);
    let long = IncidentQuery { search: Some("x".repeat(1001)), ..IncidentQuery::default() };
    assert!(matches!(made.incidents(&long), Err(StoreError::BadQuery(_))));
}

#[test]
fn alerts_of_one_unit_are_queued_with_their_change() {
    let made = store();
    let change = opened(7, "evil.example");
    let alerts = [alert(&change, "chat"), alert(&change, "pager"), alert(&change, "pager")];
    let unit = WriteUnit {
        changes: std::slice::from_ref(&change),
        alerts: &alerts,
        now: at(1),
        ..WriteUnit::default()
    };
    assert_eq!(made.commit(&unit).unwrap().alerts, 2);
}
