//! What a commit promises: all or nothing, and each thing once.

use egret_analyzer::FrozenBaseline;
use egret_event::InputPosition;
use rusqlite::params;

use super::made::{alert, at, every_kind, flow, id, opened, store};
use crate::{EventQuery, IncidentQuery, SqliteStore, StoreError, WriteUnit};

fn position(offset: u64) -> InputPosition {
    InputPosition { path: "/var/log/a".into(), device: 1, inode: 2, first_line: u64::MAX, offset }
}

/// Everything that can be asked for, as text.
fn everything(store: &SqliteStore) -> String {
    let db = store.reader();
    let mut tables = String::new();
    for table in ["events", "minutes", "hours", "incidents", "history", "outbox", "executors"] {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let rows: Vec<String> = statement
            .query_map([], |row| {
                let value = |n| row.get::<_, rusqlite::types::Value>(n);
                Ok(format!("{:?}", (0..columns).map(value).collect::<Vec<_>>()))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        tables.push_str(&format!("{table}: {rows:#?}\n"));
    }
    tables
}

#[test]
fn a_repeated_unit_changes_nothing() {
    let made = store();
    let events = every_kind();
    let change = opened(7, "evil.example");
    let alerts = [alert(&change, "pager")];
    let changes = [change];
    let unit = WriteUnit {
        events: &events,
        changes: &changes,
        alerts: &alerts,
        baseline: None,
        snapshot: None,
        now: at(5),
    };
    let first = made.commit(&unit).unwrap();
    let before = everything(&made);
    let second = made.commit(&WriteUnit { now: at(50), ..unit }).unwrap();
    assert_eq!(first.events, events.len() as u64);
    assert_eq!((first.changes, first.alerts), (1, 1));
    assert_eq!(second.repeated_events, events.len() as u64);
    assert_eq!((second.events, second.changes, second.alerts), (0, 0, 0));
    assert_eq!(everything(&made), before);
}

#[test]
fn a_repeat_within_one_unit_counts_once() {
    let made = store();
    let event = flow(1, 1, "job-1", "a.example");
    let committed = made.write_events(&[event.clone(), event]);
    assert_eq!((committed.events, committed.repeated_events), (1, 1));
}

#[test]
fn a_process_that_dies_loses_nothing_that_was_committed() {
    let made = store();
    let events = every_kind();
    let positions = [position(u64::MAX), position(4)];
    made.commit(&WriteUnit {
        events: &events,
        snapshot: Some((b"state", &positions)),
        now: at(9),
        ..WriteUnit::default()
    })
    .unwrap();
    // What a killed process leaves: the file and its WAL, neither closed nor checkpointed.
    let left = tempfile::tempdir().unwrap();
    for name in ["egret.db", "egret.db-wal"] {
        std::fs::copy(made.config.path.with_file_name(name), left.path().join(name)).unwrap();
    }
    let after = SqliteStore::open(&super::made::config(left.path())).unwrap();
    let recovery = after.recover().unwrap().unwrap();
    assert_eq!(recovery.snapshot, b"state");
    assert_eq!(recovery.positions, positions);
    assert_eq!(recovery.written_at, at(9));
    let all = EventQuery { limit: Some(1000), ..EventQuery::default() };
    assert_eq!(after.events(&all).unwrap().items.len(), events.len());
    assert_eq!(everything(&after), everything(&made));
}

#[test]
fn only_the_last_snapshots_are_kept_and_the_newest_is_used() {
    let made = store();
    for n in 0..10_u8 {
        let positions = [position(u64::from(n))];
        made.commit(&WriteUnit {
            snapshot: Some((&[n], &positions)),
            now: at(n.into()),
            ..WriteUnit::default()
        })
        .unwrap();
    }
    assert_eq!(made.recover().unwrap().unwrap().snapshot, [9]);
    let kept: i64 =
        made.reader().query_row("SELECT count(*) FROM snapshots", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 3);
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_space_cures_it() {
    let made = store();
    made.write_events(&[flow(1, 1, "job-0", "first.example")]);
    let before = everything(&made);
    let limit = |pages: i64| {
        made.maintain(|db| Ok(db.pragma_update(None, "max_page_count", pages)?)).unwrap();
    };
    limit(1); // SQLite takes the present size where that is larger
    let events: Vec<_> = (2..20_000).map(|n| flow(n, n, "job-1", "new.example")).collect();
    let positions = [position(5)];
    let change = opened(7, "evil.example");
    let unit = WriteUnit {
        events: &events,
        changes: std::slice::from_ref(&change),
        snapshot: Some((b"state", &positions)),
        now: at(9),
        ..WriteUnit::default()
    };
    let error = made.commit(&unit).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("free some"), "{error}");
    assert_eq!(everything(&made), before);
    assert!(made.recover().unwrap().is_none());
    limit(1 << 30);
    let committed = made.commit(&unit).unwrap();
    assert_eq!(committed.events, events.len() as u64);
    assert_eq!(made.incidents(&IncidentQuery::default()).unwrap().items.len(), 1);
    // Names that were rolled back were not remembered by number.
    let query = EventQuery { destination: Some("new.example".into()), ..EventQuery::default() };
    assert_eq!(made.events(&query).unwrap().items.len(), 50);
}

#[test]
fn two_processes_on_one_file_do_not_mix_up_names() {
    let made = store();
    let other = made.again();
    made.write_events(&[flow(1, 1, "job-1", "one.example")]);
    let event = flow(2, 2, "job-2", "two.example");
    other.commit(&WriteUnit { events: &[event], now: at(2), ..WriteUnit::default() }).unwrap();
    // The first must not take "two.example" for new, nor another name for its number.
    made.write_events(&[flow(3, 3, "job-2", "two.example"), flow(4, 4, "job-3", "three.example")]);
    let page = made.events(&EventQuery::default()).unwrap();
    let names: Vec<_> = page
        .items
        .iter()
        .map(|event| (event.origin.executor.as_str(), event.destination.domain.as_str()))
        .collect();
    let expected = [
        ("job-3", "three.example"),
        ("job-2", "two.example"),
        ("job-2", "two.example"),
        ("job-1", "one.example"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn readers_see_whole_units_while_one_writes() {
    let made = store();
    let units = 50;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < units * 10 {
                        let count: i64 = made
                            .reader()
                            .query_row("SELECT count(*) FROM events", params![], |row| row.get(0))
                            .unwrap();
                        assert_eq!(count % 10, 0, "half a unit was visible");
                        assert!(count >= seen, "what was committed vanished");
                        seen = count;
                    }
                })
            })
            .collect();
        for unit in 0..units {
            let unit = u64::try_from(unit).unwrap();
            let events: Vec<_> =
                (0..10).map(|n| flow(unit * 10 + n, unit, "job-1", "a.example")).collect();
            made.write_events(&events);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn the_newest_baselines_are_kept_by_their_ids() {
    let made = store();
    let baseline = |n: u64| FrozenBaseline {
        id: id(u128::from(n)),
        frozen_at: at(n),
        sessions: n,
        content: vec![7; 100],
    };
    for n in (1..=60).chain([60]) {
        let frozen = baseline(n);
        made.commit(&WriteUnit { baseline: Some(&frozen), ..WriteUnit::default() }).unwrap();
    }
    assert_eq!(made.baseline(id(60)).unwrap(), Some(baseline(60)));
    assert_eq!(made.baseline(id(13)).unwrap(), Some(baseline(13)));
    assert_eq!(made.baseline(id(12)).unwrap(), None, "48 are kept");
    assert_eq!(made.baseline_at(at(40)).unwrap(), Some(baseline(40)), "frozen then, so in force");
    assert_eq!(made.baseline_at(at(99)).unwrap(), Some(baseline(60)));
    assert_eq!(made.baseline_at(at(12)).unwrap(), None);
}
