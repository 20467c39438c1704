//! Claims about messages in and events out, over real sockets.

use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use egret_event::{Event, EventBatch, Fact, GapReason, LedgerReading, Loss, Timestamp};

use super::intake::Intake;
use super::streams::serve;
use crate::{AttributionTable, Context, Segment};

fn line(n: u64) -> String {
    format!(
        "{}.000 1 10.20.0.17:4000 TCP_MISS/200 up=100 down=200 GET http://a.example/{n} \
         192.0.2.7:80 hier=HIER_DIRECT user=- sni=- ua=-",
        1_700_000_000 + n
    )
}

fn context() -> Context {
    let segment = Segment { name: "s".into(), ranges: vec!["10.20.0.0/16".parse().unwrap()] };
    Context::new(Arc::new(AttributionTable::new(vec![segment], Vec::new())), now)
}

/// A clock that is a second further each time.
fn now() -> Timestamp {
    static SECONDS: AtomicI64 = AtomicI64::new(1_700_000_000);
    Timestamp::from_secs(SECONDS.fetch_add(1, Relaxed))
}

/// Events and the account of these messages.
fn taken(messages: &[String]) -> (Vec<Event>, LedgerReading) {
    let context = context();
    let mut events = Vec::new();
    let mut emit = |batch: EventBatch| {
        events.extend(batch.events);
        Ok(())
    };
    let mut intake = Intake::new(&"s".into(), None, &context, &mut emit);
    for message in messages {
        intake.message(IpAddr::from([192, 0, 2, 1]), message.as_bytes());
    }
    intake.finish();
    let account = context.ledger.read();
    assert_eq!(account.unaccounted(), 0, "{account:?}");
    (events, account)
}

fn gaps(events: &[Event]) -> Vec<(GapReason, u64)> {
    let gap = |event: &Event| match &event.fact {
        Fact::Gap(gap) => Some((gap.reason, gap.count)),
        _ => None,
    };
    events.iter().filter_map(gap).collect()
}

#[test]
fn lines_are_read_in_any_envelope() {
    let (events, account) = taken(&[
        line(1),
        format!("<134>Nov 25 01:02:03 gw squid[9]: {}\n", line(2)),
        format!("<134>1 2026-11-25T01:02:03Z gw squid 9 - - {}", line(3)),
        format!("{}\n{}\n", line(4), line(5)),
        "<134>Nov 25 01:02:03 gw squid[9]: what is this".to_owned(),
    ]);
    assert_eq!(account.passed, 5);
    assert_eq!(account.lost, [(Loss::Malformed, 1)]);
    assert_eq!(gaps(&events), [(GapReason::Malformed, 1)]);
}

#[test]
fn a_line_that_another_one_repeats_is_filtered_as_such() {
    let looked = line(1)
        .replace("TCP_MISS/200", "NONE_NONE/200")
        .replace("GET http://a.example/1 192.0.2.7:80", "CONNECT a.example:443 -:-")
        .replace("ua=-", "bump=splice ua=-");
    let (events, account) = taken(&[looked, line(2)]);
    assert_eq!((events.len(), account.lost), (1, vec![(Loss::Duplicate, 1)]));
}

#[test]
fn what_a_line_tells_beside_its_entry_is_told_too() {
    // Questions that nobody answers: Suricata's lines of them are no entries by themselves.
    let asked = |second: u64, n: u64| {
        format!(
            "<134>1 - gw suricata - - - {{\"timestamp\":\"2026-01-31T09:30:{second:02}.0+0000\",\
             \"flow_id\":7,\"event_type\":\"dns\",\"src_ip\":\"10.20.0.17\",\"src_port\":5000,\
             \"dest_ip\":\"192.0.2.53\",\"dest_port\":53,\"proto\":\"UDP\",\"dns\":{{\"version\":2,\
             \"type\":\"query\",\"id\":{n},\"rrname\":\"q{n}.example\",\"rrtype\":\"TXT\"}}}}"
        )
    };
    let (events, account) = taken(&[asked(0, 1), asked(9, 2), asked(10, 3)]);
    let host = |event: &Event| event.destination.host.clone().unwrap();
    let hosts: Vec<_> = events.iter().map(host).collect();
    assert_eq!(hosts, ["q1.example", "q2.example", "q3.example"]);
    assert_eq!(account.lost, [(Loss::NotEgress, 3)]);
}

#[test]
fn numbers_that_never_came_are_a_gap_for_each_writer() {
    let message = |writer: &str, n: u64| {
        format!("<134>1 - gw {writer} - - [meta sequenceId=\"{n}\"] {}", line(n))
    };
    let (events, _) = taken(&[
        message("a", 7),
        message("b", 100),
        message("a", 8),
        message("a", 12),
        message("b", 101),
        // Begun anew.
        message("a", 1),
        message("a", 2),
    ]);
    assert_eq!(gaps(&events), [(GapReason::SequenceHole, 3)]);
}

#[test]
fn a_line_that_comes_twice_is_two_events_with_the_same_ids_each_time() {
    let ids = || taken(&[line(1), line(1)]).0.iter().map(|event| event.id).collect::<Vec<_>>();
    assert_eq!(ids(), ids());
    assert_ne!(ids()[0], ids()[1]);
}

#[test]
fn streams_are_read_to_their_end_and_in_parallel() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let context = context();
    let (told, heard) = mpsc::channel();
    let server = {
        let context = context.clone();
        thread::spawn(move || {
            let mut emit = |batch: EventBatch| {
                told.send(batch.events.len()).unwrap();
                Ok(())
            };
            serve(&"s".into(), listener, None, &context, &mut emit);
        })
    };
    let mut streams = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
    for n in 0..100 {
        let message = format!("<134>Nov 25 01:02:03 gw squid: {}", line(n));
        write!(streams[0], "{} {message}", message.len()).unwrap();
        writeln!(streams[1], "{}", line(1_000 + n)).unwrap();
    }
    // The last one has no line end.
    write!(streams[1], "{}", line(2_000)).unwrap();
    drop(streams);
    let mut events = 0;
    while events < 201 {
        events += heard.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    context.stop.store(true, Relaxed);
    server.join().unwrap();
    assert_eq!((events, context.ledger.read().passed), (201, 201));
}
