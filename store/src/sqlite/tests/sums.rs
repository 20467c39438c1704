//! Sums per minute and hour: right, in every order, and from minutes as from hours.

use std::collections::BTreeMap;

use egret_event::{BlockReason, Event, Fact, Verdict, Volume};

use super::made::{Made, at, flow, gap, logged, store};
use crate::{DestinationQuery, DestinationRow, DestinationSort, GroupBy, Series, SeriesQuery};

fn destinations(made: &Made, query: &DestinationQuery) -> Vec<DestinationRow> {
    made.destinations(query).unwrap().items
}

fn series(made: &Made, until: u64, step_s: u64) -> Series {
    made.series(&query(until, step_s)).unwrap()
}

fn query(until: u64, step_s: u64) -> SeriesQuery {
    SeriesQuery {
        since: at(0),
        until: at(until),
        step_s,
        destination: None,
        executor: None,
        group_by: GroupBy::Nothing,
    }
}

fn blocked(event: Event) -> Event {
    Event { verdict: Verdict::Blocked(BlockReason::ProxyDenied), up: Volume::logged(0), ..event }
}

/// Six hours of traffic of three executors to three destinations.
fn traffic() -> Vec<Event> {
    (0..2_160)
        .map(|n| {
            let host = format!("d{}.example", n * n % 5);
            let event = flow(n, n * 10, &format!("job-{}", n % 3), &host);
            if n % 9 == 0 { blocked(event) } else { event }
        })
        .collect()
}

#[test]
fn totals_are_what_adding_up_the_events_gives() {
    let made = store();
    let events = traffic();
    made.write_events(&events);
    let mut expected = BTreeMap::<_, (u64, u64, u64)>::new();
    for event in &events {
        let sums = expected.entry(event.destination.domain.clone()).or_default();
        sums.0 += event.up.bytes.unwrap();
        sums.1 += u64::from(!event.verdict.is_blocked());
        sums.2 += u64::from(event.verdict.is_blocked());
    }
    let rows = destinations(&made, &DestinationQuery::default());
    let found: BTreeMap<_, _> = rows
        .into_iter()
        .map(|row| (row.destination, (row.up_bytes, row.allowed, row.blocked)))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn minutes_and_hours_give_the_same_sums() {
    let made = store();
    made.write_events(&traffic());
    made.write_events(&[gap(9_000, 30, 4), gap(9_001, 4_000, 5)]);
    let sums = |series: Series| {
        let mut hours = BTreeMap::<_, [u64; 5]>::new();
        for point in series.points {
            let hour = hours.entry(point.at.as_secs().div_euclid(3600)).or_default();
            let counts =
                [point.up_bytes, point.down_bytes, point.allowed, point.blocked, point.missed];
            for (sum, count) in hour.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        hours
    };
    let from_minutes = sums(series(&made, 6 * 3600, 60));
    let from_hours = sums(series(&made, 6 * 3600, 3600));
    assert_eq!(from_minutes, from_hours);
    assert_eq!(from_hours.len(), 6);
    assert_eq!(from_hours.values().map(|sums| sums[4]).sum::<u64>(), 9);

    let span = |until| DestinationQuery {
        since: Some(at(0)),
        until: Some(at(until)),
        ..DestinationQuery::default()
    };
    let short = destinations(&made, &span(6 * 3600));
    let long = destinations(&made, &span(7 * 3600));
    assert_eq!(short, long);
    assert_eq!(short.len(), 3, "squares modulo 5 are 0, 1 and 4");
}

#[test]
fn the_same_egress_on_the_wire_and_in_a_log_counts_once() {
    let made = store();
    let later_interval = |event: Event| {
        let Fact::Flow(mut interval) = event.fact.clone() else { panic!("a flow was made") };
        interval.number = 1;
        Event { fact: Fact::Flow(interval), ..event }
    };
    made.write_events(&[
        flow(1, 1, "job-1", "a.example"),
        later_interval(flow(2, 100, "job-1", "a.example")),
        logged(3, 130, "job-1", "a.example", 150),
        blocked(logged(4, 131, "job-1", "a.example", 0)),
    ]);
    let row = &destinations(&made, &DestinationQuery::default())[0];
    assert_eq!((row.up_bytes, row.allowed, row.blocked), (200, 1, 1));
    assert_eq!((row.executors, row.first_seen, row.last_seen), (1, at(1), at(131)));
    let series = series(&made, 600, 600);
    assert_eq!(series.points.len(), 1);
    assert_eq!(series.points[0].up_bytes, 200);
}

#[test]
fn every_order_of_destinations_visits_each_once() {
    let made = store();
    made.write_events(&traffic());
    for sort in [
        DestinationSort::UpBytes,
        DestinationSort::Contacts,
        DestinationSort::Blocked,
        DestinationSort::FirstSeen,
        DestinationSort::LastSeen,
    ] {
        let mut query = DestinationQuery { sort, limit: Some(2), ..DestinationQuery::default() };
        let mut rows = Vec::new();
        loop {
            let page = made.destinations(&query).unwrap();
            rows.extend(page.items);
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        let whole = DestinationQuery { sort, ..DestinationQuery::default() };
        assert_eq!(rows, destinations(&made, &whole), "{sort:?}");
        assert_eq!(rows.len(), 3, "{sort:?}");
    }
}

#[test]
fn destinations_are_found_by_each_filter() {
    let made = store();
    made.write_events(&[
        flow(1, 0, "job-1", "a_b.example"),
        flow(2, 120, "job-2", "axb.example"),
        gap(3, 130, 7),
    ]);
    let names = |query: DestinationQuery| -> Vec<_> {
        destinations(&made, &query).into_iter().map(|row| row.destination).collect()
    };
    let any = DestinationQuery::default;
    assert_eq!(names(any()), ["a_b.example", "axb.example"], "a gap makes no destination");
    assert_eq!(
        names(DestinationQuery { executor: Some("job-2".into()), ..any() }),
        ["axb.example"]
    );
    assert_eq!(names(DestinationQuery { search: Some("A_B".into()), ..any() }), ["a_b.example"]);
    assert_eq!(names(DestinationQuery { since: Some(at(60)), ..any() }), ["axb.example"]);
    assert_eq!(
        names(DestinationQuery { since: Some(at(0)), until: Some(at(60)), ..any() }),
        ["a_b.example"]
    );
}

#[test]
fn a_series_is_split_by_its_largest_groups() {
    let made = store();
    let events: Vec<_> = (0..30)
        .map(|n| {
            let up = Volume::logged(1_000 * (n + 1));
            Event { up, ..flow(n, n, &format!("job-{n}"), &format!("d{n}.example")) }
        })
        .collect();
    made.write_events(&events);
    for (group_by, first) in [(GroupBy::Destination, "d10.example"), (GroupBy::Executor, "job-10")]
    {
        let split = made.series(&SeriesQuery { group_by, ..query(60, 60) }).unwrap();
        assert_eq!(split.points.len(), 20);
        assert_eq!(split.points[0].group, first);
        assert_eq!(split.points[0].up_bytes, 11_000);
    }
    let one = SeriesQuery { destination: Some("d3.example".into()), ..query(60, 60) };
    assert_eq!(made.series(&one).unwrap().points[0].up_bytes, 4_000);
    let none = SeriesQuery { executor: Some("nobody".into()), ..query(60, 60) };
    assert_eq!(made.series(&none).unwrap().points, []);
}

#[test]
fn steps_are_whole_minutes_or_hours_and_at_most_a_thousand() {
    let made = store();
    made.write_events(&traffic());
    let step = |until, wanted| series(&made, until, wanted).step_s;
    assert_eq!(step(600, 0), 60);
    assert_eq!(step(600, 61), 120);
    assert_eq!(step(86_400, 3_601), 7_200);
    assert_eq!(step(86_400, 1), 120, "1,440 minutes");
    assert_eq!(step(30 * 86_400, 1), 2_640, "43,200 minutes");
    assert_eq!(step(60 * 86_400, 1), 7_200, "86,400 minutes");
    let ages = SeriesQuery { since: egret_event::Timestamp::MIN, ..query(600, u64::MAX) };
    assert!(made.series(&ages).unwrap().points.len() <= 1_000);
    let nothing = SeriesQuery { until: at(0), ..query(600, 60) };
    assert!(made.series(&nothing).unwrap_err().to_string().contains("is not after since"));
}

#[test]
fn forged_volumes_do_not_break_the_sums() {
    let made = store();
    let events: Vec<_> =
        (0..3_000).map(|n| logged(n, n * 60, "job-1", "a.example", u64::MAX)).collect();
    made.write_events(&events);
    made.write_events(&[gap(9_000, 1, u64::MAX), gap(9_001, 2, u64::MAX)]);
    let rows = destinations(&made, &DestinationQuery::default());
    assert_eq!(rows[0].allowed, 3_000);
    assert!(rows[0].up_bytes >= 1 << 53);
    assert!(series(&made, 86_400, 60).points[0].missed >= 1 << 53);
}
