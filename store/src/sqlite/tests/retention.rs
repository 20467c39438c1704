//! What goes, what stays, and that sums outlive the events they were made of.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use egret_analyzer::ChangeKind;
use egret_event::ExecutorRegistration;

use super::made::{Made, at, flow, id, logged, opened, store, store_with, suppression};
use crate::{
    Action, DeliveryState, DestinationQuery, EventQuery, ExecutorQuery, IncidentQuery, Pruned,
};

const DAY: u64 = 86_400;

fn count(made: &Made, table: &str) -> i64 {
    made.reader().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn events_go_after_a_week_and_their_sums_stay() {
    let made = store();
    let events: Vec<_> = (0..200).map(|n| flow(n, n * 60, "job-1", "a.example")).collect();
    made.write_events(&events);
    let before = made.destinations(&DestinationQuery::default()).unwrap();
    let half = at(100 * 60 + 7 * DAY);
    let pruned = made.prune(half).unwrap();
    assert_eq!((pruned.events, pruned.sum_rows), (100, 100));
    assert_eq!(
        made.events(&EventQuery { limit: Some(1000), ..EventQuery::default() })
            .unwrap()
            .items
            .len(),
        100
    );
    assert_eq!(made.destinations(&DestinationQuery::default()).unwrap(), before);
    // A short span, too, is answered from hours once its minutes are gone.
    let short =
        DestinationQuery { since: Some(at(0)), until: Some(at(3600)), ..Default::default() };
    assert_eq!(made.destinations(&short).unwrap().items[0].allowed, 60);
    let series = crate::SeriesQuery {
        since: at(0),
        until: at(3600),
        step_s: 60,
        destination: None,
        executor: None,
        group_by: crate::GroupBy::Nothing,
    };
    let series = made.series(&series).unwrap();
    assert_eq!((series.step_s, series.points[0].allowed), (3600, 60));
    assert_eq!(made.prune(half).unwrap(), Pruned::default(), "nothing is left to prune");
}

#[test]
fn everything_goes_in_the_end_and_the_names_with_it() {
    let made = store();
    made.write_events(&[flow(1, 1, "job-1", "a.example"), logged(2, 2, "job-2", "b.example", 9)]);
    made.add_suppression(&suppression(5, "a.example")).unwrap();
    made.prune(at(200 * DAY)).unwrap();
    let tables = ["events", "minutes", "hours", "origins", "destinations", "executors"];
    for table in tables.into_iter().chain(["suppressions", "evidence"]) {
        assert_eq!(count(&made, table), 0, "{table}");
    }
    assert!(made.executors(&ExecutorQuery::default()).unwrap().items.is_empty());
    // Numbers of names that are gone are not used for what comes later.
    made.write_events(&[flow(3, 200 * DAY, "job-1", "a.example")]);
    let event = &made.events(&EventQuery::default()).unwrap().items[0];
    assert_eq!(event.destination.domain, "a.example");
}

#[test]
fn late_events_keep_their_names() {
    let made = store();
    made.write_events(&[flow(1, 1, "job-1", "a.example")]);
    made.prune(at(8 * DAY)).unwrap();
    made.write_events(&[flow(2, 2, "job-1", "a.example"), flow(3, 8 * DAY, "job-2", "b.example")]);
    made.prune(at(8 * DAY)).unwrap();
    let events = made.events(&EventQuery::default()).unwrap().items;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].origin.executor, "job-2");
}

#[test]
fn only_closed_incidents_and_delivered_alerts_go() {
    let made = store();
    for n in [1, 2, 3] {
        made.write_change(&opened(n, "evil.example"), &["chat"]);
    }
    for (n, kind) in [(1, ChangeKind::Closed), (2, ChangeKind::Acknowledged)] {
        let action = Action { by: "ana".into(), kind, comment: None, verdict: None };
        made.act(id(n), &action, at(9), &[]).unwrap();
    }
    let delivered = DeliveryState::Delivered { at: at(10) };
    made.outbox_record(opened(1, "evil.example").alert_id(), "chat", &delivered).unwrap();
    let dead = DeliveryState::Dead { at: at(10), error: "gone".into() };
    made.outbox_record(opened(2, "evil.example").alert_id(), "chat", &dead).unwrap();
    assert_eq!(made.prune(at(89 * DAY)).unwrap().incidents, 0);
    let pruned = made.prune(at(91 * DAY)).unwrap();
    assert_eq!((pruned.incidents, pruned.alerts), (1, 1));
    let left = made.incidents(&IncidentQuery::default()).unwrap().items;
    assert_eq!(left.len(), 2);
    assert_eq!(count(&made, "history"), 3);
    assert_eq!(made.outbox_counts().unwrap(), [("chat".into(), 1, 1)]);
}

#[test]
fn beyond_the_size_limit_the_oldest_events_go_first_and_the_file_shrinks() {
    let limit = 4 << 20;
    let made = store_with(|config| config.max_size_bytes = limit);
    let events: Vec<_> = (0..100_000).map(|n| flow(n, n, "job-1", "a.example")).collect();
    made.write_events(&events);
    let before = made.destinations(&DestinationQuery::default()).unwrap();
    let size = || std::fs::metadata(&made.config.path).unwrap().len();
    let pruned = made.prune(at(100_000)).unwrap();
    assert!(pruned.events > 0 && pruned.events < 100_000, "{pruned:?}");
    made.maintain(|db| Ok(db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)).unwrap();
    assert!(size() <= limit, "{} bytes", size());
    let oldest: i64 =
        made.reader().query_row("SELECT min(at) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(oldest, at(pruned.events).as_nanos(), "not the oldest went");
    assert_eq!(made.destinations(&DestinationQuery::default()).unwrap(), before);
}

#[test]
fn a_limit_that_nothing_can_keep_ends() {
    let made = store_with(|config| config.max_size_bytes = 1);
    made.write_events(&[flow(1, 1, "job-1", "a.example")]);
    made.write_change(&opened(1, "evil.example"), &["chat"]);
    assert_eq!(made.prune(at(2)).unwrap().events, 1);
    assert_eq!(made.incidents(&IncidentQuery::default()).unwrap().items.len(), 1);
    assert_eq!(made.outbox_due("chat", at(2), 1).unwrap().len(), 1);
}

#[test]
fn writes_get_in_between_the_chunks_of_a_deletion() {
    let made = store_with(|config| config.keep_events = Duration::from_secs(60));
    let events: Vec<_> = (0..60_000).map(|n| flow(n, n / 60, "job-1", "a.example")).collect();
    made.write_events(&events);
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let pruning = scope.spawn(|| {
            let pruned = made.prune(at(DAY)).unwrap();
            done.store(true, Relaxed);
            pruned
        });
        let mut written = 0;
        while !done.load(Relaxed) {
            made.write_events(&[flow(100_000 + written, DAY, "job-1", "a.example")]);
            written += 1;
        }
        assert_eq!(pruning.join().unwrap().events, 60_000);
        written
    });
    // Three chunks of events and as many of nothing left: one write at least fits between each.
    assert!(written >= 4, "{written}");
    assert_eq!(count(&made, "events"), i64::try_from(written).unwrap());
}

#[test]
fn a_retention_without_end_deletes_nothing() {
    let made = store_with(|config| {
        config.keep_events = Duration::MAX;
        config.keep_history = Duration::MAX;
        config.max_size_bytes = u64::MAX;
    });
    made.write_events(&[flow(1, 1, "job-1", "a.example")]);
    assert_eq!(made.prune(at(10_000 * DAY)).unwrap(), Pruned::default());
}

#[test]
fn registrations_go_when_they_have_long_ended_or_been_replaced() {
    let made = store();
    let registration = |id: &str, address: u8, from, until: Option<u64>| ExecutorRegistration {
        id: id.into(),
        address: [10, 0, 0, address].into(),
        template: None,
        tenant: None,
        session: None,
        from: at(from),
        until: until.map(at),
    };
    made.put_executor(&registration("ended", 1, 0, Some(10))).unwrap();
    made.put_executor(&registration("replaced", 2, 0, None)).unwrap();
    let kept = [registration("running", 3, 0, None), registration("successor", 2, 10, None)];
    for registration in &kept {
        made.put_executor(registration).unwrap();
    }
    made.prune(at(91 * DAY)).unwrap();
    assert_eq!(made.registrations(at(0)).unwrap(), kept);
    let rows = made.executors(&ExecutorQuery::default()).unwrap().items;
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["successor", "running"]);
}
