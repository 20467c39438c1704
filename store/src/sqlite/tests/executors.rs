//! Executors, seen or registered.

use egret_event::{Event, ExecutorRegistration};

use super::made::{at, flow, gap, logged, origin, store};
use crate::ExecutorQuery;

fn registration(id: &str, from: u64, until: Option<u64>) -> ExecutorRegistration {
    ExecutorRegistration {
        id: id.into(),
        address: [10, 9, 8, 7].into(),
        template: Some("node".into()),
        tenant: None,
        session: None,
        from: at(from),
        until: until.map(at),
    }
}

#[test]
fn seen_and_registered_executors_are_one_list_newest_first() {
    let made = store();
    made.write_events(&[
        flow(1, 10, "job-1", "a.example"),
        flow(2, 90, "job-2", "a.example"),
        logged(3, 70, "job-2", "a.example", 40),
        gap(4, 500, 1),
    ]);
    made.put_executor(&registration("job-3", 50, None)).unwrap();
    made.put_executor(&registration("job-1", 5, Some(60))).unwrap();
    let rows = made.executors(&ExecutorQuery::default()).unwrap().items;
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["job-2", "job-3", "job-1"]);
    assert_eq!((rows[0].up_bytes, rows[0].allowed), (100, 1), "one egress was counted twice");
    assert_eq!(rows[0].address, Some([10, 0, 0, 7].into()));
    assert_eq!((rows[1].last_seen, rows[1].from), (None, Some(at(50))));
    assert_eq!((rows[2].last_seen, rows[2].until), (Some(at(10)), Some(at(60))));
    assert_eq!(rows[2].template.as_deref(), Some("node"));
    assert_eq!(
        rows[2].tenant.as_deref(),
        Some("acme"),
        "a registration that is silent adds nothing"
    );
}

#[test]
fn paging_and_search_visit_each_executor_once() {
    let made = store();
    let events: Vec<_> =
        (0..30).map(|n| flow(n, n / 4, &format!("job-{n}"), "a.example")).collect();
    made.write_events(&events);
    for search in [None, Some("job-".to_owned()), Some("ACME".to_owned())] {
        let mut query = ExecutorQuery { limit: Some(7), search, ..ExecutorQuery::default() };
        let mut ids = std::collections::BTreeSet::new();
        let mut rows = 0;
        loop {
            let page = made.executors(&query).unwrap();
            rows += page.items.len();
            ids.extend(page.items.into_iter().map(|row| row.id));
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        assert_eq!((rows, ids.len()), (30, 30));
    }
    let query = ExecutorQuery { search: Some("job_1".into()), ..ExecutorQuery::default() };
    assert!(made.executors(&query).unwrap().items.is_empty());
}

#[test]
fn totals_are_those_of_the_time_asked_for() {
    let made = store();
    made.write_events(&[flow(1, 0, "job-1", "a.example"), flow(2, 120, "job-1", "b.example")]);
    let query =
        ExecutorQuery { since: Some(at(60)), until: Some(at(180)), ..ExecutorQuery::default() };
    assert_eq!(made.executors(&query).unwrap().items[0].up_bytes, 100);
    assert_eq!(made.executors(&ExecutorQuery::default()).unwrap().items[0].up_bytes, 200);
}

#[test]
fn a_registration_is_replaced_to_end_it_and_found_while_it_lasts() {
    let made = store();
    made.put_executor(&registration("job-1", 10, None)).unwrap();
    made.put_executor(&registration("job-2", 20, Some(30))).unwrap();
    assert_eq!(made.registrations(at(30)).unwrap(), [registration("job-1", 10, None)]);
    made.put_executor(&registration("job-1", 10, Some(40))).unwrap();
    assert_eq!(made.registrations(at(39)).unwrap(), [registration("job-1", 10, Some(40))]);
    assert_eq!(made.registrations(at(40)).unwrap(), []);
}

#[test]
fn the_last_seen_attribution_is_shown_whatever_the_order_of_arrival() {
    let made = store();
    let newer = (*origin("job-1")).clone();
    let newer = egret_event::Attribution { template: Some("new".into()), ..newer };
    let newer = Event { origin: newer.into(), ..flow(1, 99, "job-1", "a.example") };
    made.write_events(&[newer]);
    made.write_events(&[flow(2, 50, "job-1", "a.example")]);
    let row = &made.executors(&ExecutorQuery::default()).unwrap().items[0];
    assert_eq!((row.template.as_deref(), row.last_seen), (Some("new"), Some(at(99))));
}
