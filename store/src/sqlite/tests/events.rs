//! Events come back whole, newest first, page by page.

use egret_event::{Event, Fact, TlsCarrier};

use super::made::{Made, at, change, every_kind, flow, gap, id, incident, logged, store};
use crate::sqlite::event_body::{Columns, pack, unpack};
use crate::{EventQuery, StoreError};

fn all_pages(made: &Made, query: EventQuery) -> Vec<Event> {
    let mut query = query;
    let mut events = Vec::new();
    loop {
        let page = made.events(&query).unwrap();
        events.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return events,
        }
    }
}

fn newest_first(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
    events
}

#[test]
fn every_kind_of_event_comes_back_whole() {
    let made = store();
    let events = every_kind();
    made.write_events(&events);
    let found = all_pages(&made, EventQuery::default());
    assert_eq!(found, newest_first(events));
}

#[test]
fn events_are_read_onward_in_the_order_of_their_time_whatever_that_in_which_they_came() {
    let made = store();
    let events: Vec<Event> =
        (0..5000).rev().map(|n| flow(n, n / 3, "job", "example.org")).collect();
    made.write_events(&events);
    let (since, until) = (at(10), at(1600));
    let (mut read, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = made.events_onward(since, until, read.last()).unwrap();
        if page.is_empty() {
            break;
        }
        pages.push(page.len());
        read.extend(page);
    }
    let mut expected = newest_first(events);
    expected.retain(|event| (since..until).contains(&event.at));
    expected.reverse();
    assert_eq!(read, expected);
    assert_eq!(pages, [4096, 674]);
}

/// The packed form is what old files hold. When this fails, rows of the last release cannot be
/// read any more: add a version to `event_body`, do not change the expected bytes.
#[test]
fn the_packed_form_stays_what_it_was() {
    let packed: Vec<String> = every_kind()
        .iter()
        .map(|event| {
            let body = pack(event, Vec::new()).unwrap();
            body.iter().map(|byte| format!("{byte:02x}")).collect()
        })
        .collect();
    let expected = include_str!("packed_events_v3.txt");
    assert_eq!(packed.join("\n"), expected.trim_end());
}

#[test]
fn events_that_version_1_packed_are_still_read() {
    let lines = include_str!("packed_events_v1.txt").lines();
    let events = every_kind();
    assert_eq!(lines.clone().count(), 42, "the golden file holds what version 1 knew");
    for (line, event) in lines.zip(&events) {
        assert_eq!(unpacked(line, event), as_version_1_knew_it(event));
    }
}

#[test]
fn events_that_version_2_packed_are_still_read() {
    let lines = include_str!("packed_events_v2.txt").lines();
    let events = every_kind();
    assert_eq!(lines.clone().count(), 58, "the golden file holds what version 2 knew");
    for (line, event) in lines.zip(&events) {
        assert_eq!(unpacked(line, event), *event);
    }
}

/// What a line of a golden file holds; the columns beside it are those of `event`.
fn unpacked(line: &str, event: &Event) -> Event {
    let body: Vec<u8> = (0..line.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
        .collect();
    let columns = Columns {
        at: event.at,
        id: event.id,
        source: event.source.clone(),
        origin: event.origin.clone(),
        domain: event.destination.domain.clone(),
    };
    unpack(columns, &body).unwrap()
}

/// The event without what version 1 could not say.
fn as_version_1_knew_it(event: &Event) -> Event {
    let mut event = event.clone();
    event.also_seen_by = None;
    match &mut event.fact {
        Fact::Flow(flow) => flow.protocol = None,
        Fact::Dns(dns) => {
            dns.edns_bytes = None;
            if let Some(answer) = &mut dns.resolution {
                answer.services.clear();
            }
        }
        Fact::Tls(hello) => (hello.carrier, hello.ech) = (TlsCarrier::Tcp, false),
        Fact::Http(request) => (request.content_type, request.body_bytes) = (None, None),
        Fact::Gap(_) | Fact::Certificate(_) | Fact::Contradiction(_) => {}
    }
    event
}

#[test]
fn events_are_found_by_each_filter() {
    let made = store();
    let blocked = egret_event::Verdict::Blocked(egret_event::BlockReason::ProxyDenied);
    let events = [
        flow(1, 10, "job-1", "a.example"),
        flow(2, 70, "job-2", "a.example"),
        Event { verdict: blocked, ..flow(3, 130, "job-1", "b.example") },
        logged(4, 190, "job-2", "b.example", 5),
        gap(5, 200, 9),
    ];
    made.write_events(&events);
    let ids = |query| -> Vec<u128> {
        all_pages(&made, query).iter().map(|event| event.id.bits()).collect()
    };
    let any = EventQuery::default;
    assert_eq!(ids(any()), [5, 4, 3, 2, 1]);
    assert_eq!(ids(EventQuery { since: Some(at(70)), until: Some(at(190)), ..any() }), [3, 2]);
    assert_eq!(ids(EventQuery { destination: Some("a.example".into()), ..any() }), [2, 1]);
    assert_eq!(ids(EventQuery { executor: Some("job-1".into()), ..any() }), [3, 1]);
    let both = EventQuery {
        destination: Some("b.example".into()),
        executor: Some("job-2".into()),
        limit: Some(1),
        ..any()
    };
    assert_eq!(ids(both), [4]);
    assert_eq!(ids(EventQuery { blocked: Some(true), ..any() }), [3]);
    assert_eq!(ids(EventQuery { blocked: Some(false), ..any() }), [5, 4, 2, 1]);
    assert_eq!(ids(EventQuery { kind: Some("http".into()), ..any() }), [4]);
    assert_eq!(ids(EventQuery { kind: Some("gap".into()), ..any() }), [5]);
    assert_eq!(ids(EventQuery { ids: vec![id(2), id(4), id(77)], ..any() }), [4, 2]);
    assert!(ids(EventQuery { executor: Some("nobody".into()), ..any() }).is_empty());
    assert!(ids(EventQuery { since: Some(at(9)), until: Some(at(9)), ..any() }).is_empty());
}

#[test]
fn evidence_of_an_incident_is_found_by_id() {
    let made = store();
    made.write_events(&[flow(1, 1, "job-1", "a.example"), flow(2, 1, "job-1", "a.example")]);
    let opened = change(egret_analyzer::ChangeKind::Opened, 0, &incident(7, "a.example"));
    made.write_change(&opened, &[]);
    let evidence = opened.incident.explanation.evidence[0].event;
    let found = all_pages(&made, EventQuery { ids: vec![evidence], ..EventQuery::default() });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, evidence);
}

#[test]
fn paging_visits_each_event_once_while_others_arrive() {
    let made = store();
    let first: Vec<_> = (0..500).map(|n| flow(n, n / 7, "job-1", "a.example")).collect();
    made.write_events(&first);
    for by_name in [false, true] {
        let destination = by_name.then(|| "a.example".into());
        let mut query = EventQuery { limit: Some(33), destination, ..EventQuery::default() };
        let mut seen = Vec::new();
        let mut arrived = if by_name { 20_000 } else { 10_000 };
        loop {
            let page = made.events(&query).unwrap();
            seen.extend(page.items.iter().map(|event| event.id.bits()));
            arrived += 1;
            made.write_events(&[flow(arrived, 1_000, "job-1", "a.example")]);
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        let mut old: Vec<u128> = seen.into_iter().filter(|id| *id < 500).collect();
        assert_eq!(old.len(), 500);
        old.sort_unstable();
        old.dedup();
        assert_eq!(old.len(), 500, "an event was shown twice");
    }
}

#[test]
fn a_bad_cursor_is_named() {
    let made = store();
    for bad in ["", "x", "e.zz.00", "iu.0000000000000000.00", "e.0000000000000000.00", "e.ÿ.ÿ"] {
        let after = Some(crate::Cursor(bad.to_owned()));
        let error = made.events(&EventQuery { after, ..EventQuery::default() }).unwrap_err();
        assert!(matches!(error, StoreError::BadQuery(_)), "{error}");
        assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
    }
}

#[test]
fn an_unknown_kind_and_too_many_ids_are_refused() {
    let made = store();
    let query = EventQuery { kind: Some("flows".into()), ..EventQuery::default() };
    let error = made.events(&query).unwrap_err().to_string();
    assert_eq!(
        error,
        "\"flows\" is not a kind of event: use flow, dns, tls, http, gap, certificate or contradiction"
    );
    let query = EventQuery { ids: vec![id(1); 1001], ..EventQuery::default() };
    assert!(made.events(&query).unwrap_err().to_string().contains("1000 at most"));
}

#[test]
fn a_hundred_thousand_events_come_back() {
    let made = store();
    let hosts = ["a.example", "b.example", "c.example.co.uk", "192.0.2.9"];
    let events: Vec<_> = (0..100_000)
        .map(|n| flow(n, n / 50, &format!("job-{}", n % 97), hosts[n as usize % hosts.len()]))
        .collect();
    for batch in events.chunks(5_000) {
        assert_eq!(made.write_events(batch).events, batch.len() as u64);
    }
    let query = EventQuery { limit: Some(1000), ..EventQuery::default() };
    assert_eq!(all_pages(&made, query), newest_first(events));
}
