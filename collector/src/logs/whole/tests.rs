use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::{EventBatch, GapReason, Loss, MAX_BATCH_EVENTS, NamedBy, Timestamp};

use super::super::squid;
use super::super::testing::{Seen, context, line, lines, seen};
use super::*;
use crate::Refused;
use crate::unpack::testing::{gzip, zstd};

fn read(content: &[u8], context: &Context) -> Vec<EventBatch> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, content).unwrap();
    let mut batches = Vec::new();
    let mut emit = |batch: EventBatch| {
        batches.push(batch);
        Ok(())
    };
    run_whole(&"proxy".into(), &path, None, context, &mut emit).unwrap();
    batches
}

fn all(batches: &[EventBatch]) -> Vec<Seen> {
    batches.iter().flat_map(|batch| &batch.events).map(seen).collect()
}

#[test]
fn a_log_becomes_full_batches_that_say_where_they_end() {
    let context = context();
    let text = lines(0..1000);
    let batches = read(text.as_bytes(), &context);
    assert_eq!(all(&batches), (0..1000).map(Seen::Line).collect::<Vec<_>>());
    let sizes: Vec<_> = batches.iter().map(|batch| batch.events.len()).collect();
    assert_eq!(sizes, [MAX_BATCH_EVENTS, 1000 - MAX_BATCH_EVENTS]);
    let ends: Vec<_> = batches.iter().map(|b| b.position.as_ref().unwrap().offset).collect();
    let first = lines(0..MAX_BATCH_EVENTS as u64).len() as u64;
    assert_eq!(ends, [first, text.len() as u64]);
    assert_eq!(batches[1].seen_until, Timestamp::from_secs(1_700_000_999));
    assert_eq!(context.progress.load(Relaxed), text.len() as u64);
    assert_eq!(context.ledger.read().unaccounted(), 0);
    assert_eq!(context.ledger.read().passed, 1000);
}

#[test]
fn a_compressed_log_gives_the_same_events() {
    let text = lines(0..1000);
    let plain = read(text.as_bytes(), &context());
    let (head, tail) = text.as_bytes().split_at(70);
    for pack in [gzip, zstd] {
        let packed = [pack(head), pack(tail)].concat();
        let context = context();
        let batches = read(&packed, &context);
        let events = |batches: &[EventBatch]| -> Vec<_> {
            batches.iter().flat_map(|batch| batch.events.clone()).collect()
        };
        assert_eq!(events(&batches), events(&plain));
        assert_eq!(context.progress.load(Relaxed), packed.len() as u64);
    }
}

#[test]
fn a_compressed_log_that_is_cut_is_used_as_far_as_it_goes() {
    let text = lines(0..1000);
    for pack in [gzip, zstd] {
        let (whole, rest) = (pack(text.as_bytes()), pack(b"half a line"));
        let context = context();
        let batches = read(&[&whole[..], &rest[..rest.len() - 6]].concat(), &context);
        let seen = all(&batches);
        assert_eq!(seen[..1000], (0..1000).map(Seen::Line).collect::<Vec<_>>());
        assert!(matches!(seen[1000..], [Seen::Gap(GapReason::LogLost, _)]), "{:?}", &seen[1000..]);
        assert_eq!(context.ledger.read().unaccounted(), 0);
    }
}

#[test]
fn what_cannot_be_read_is_a_gap_and_the_next_line_is_fine() {
    let context = context();
    let mut content = line(1).into_bytes();
    content.extend_from_slice(&vec![b'x'; 1 << 20]);
    content.extend_from_slice(b"\nhello\n\xff\xfe\n");
    content.extend_from_slice(line(2).replace('\n', "\r\n").as_bytes());
    content.extend_from_slice(line(3).trim_end().as_bytes());
    let batches = read(&content, &context);
    assert_eq!(
        all(&batches),
        [
            Seen::Line(1),
            Seen::Gap(GapReason::LineTooLong, 1),
            Seen::Gap(GapReason::Malformed, 2),
            Seen::Line(2),
            Seen::Line(3)
        ]
    );
    let gap = &batches[0].events[2];
    assert_eq!(gap.at, Timestamp::from_secs(1_700_000_002));
    let reading = context.ledger.read();
    assert_eq!(reading.lost, [(Loss::Malformed, 2), (Loss::TooLong, 1)]);
    assert_eq!((reading.received, reading.unaccounted()), (6, 0));
}

#[test]
fn a_long_url_does_not_hide_the_next_line() {
    let context = context();
    let first = line(1).replace("/1 ", "/1? ");
    let (start, _) = first.split_once("? ").unwrap();
    let cut = format!("{start}?{}", "a".repeat(squid::CUT_BYTES - start.len() - 1));
    let content = format!("{cut}\0{}{}", line(2), line(3));
    let batches = read(content.as_bytes(), &context);
    assert_eq!(all(&batches), [Seen::Line(1), Seen::Line(2), Seen::Line(3)]);
    assert_eq!(context.ledger.read().passed, 3);
    assert_eq!(context.ledger.read().unaccounted(), 0);
}

#[test]
fn gaps_at_the_begin_and_the_end_have_a_time_too() {
    let content = format!("hello\n{}goodbye\n", line(5));
    let batches = read(content.as_bytes(), &context());
    let expected =
        [Seen::Gap(GapReason::Malformed, 1), Seen::Line(5), Seen::Gap(GapReason::Malformed, 1)];
    assert_eq!(all(&batches), expected);
    assert!(batches[0].events.iter().all(|e| e.at == Timestamp::from_secs(1_700_000_005)));
    let ids: std::collections::BTreeSet<_> = batches[0].events.iter().map(|e| e.id).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn clients_outside_every_segment_and_lines_without_destination_are_filtered() {
    let context = context();
    let content = line(1).replace("10.20.", "192.0.")
        + &line(2).replace("http://a.example/2", "error:invalid-request")
        + &line(3);
    assert_eq!(all(&read(content.as_bytes(), &context)), [Seen::Line(3)]);
    assert_eq!(context.ledger.read().lost, [(Loss::NotEgress, 2)]);
    assert_eq!(context.ledger.read().unaccounted(), 0);
}

#[test]
fn a_line_that_another_one_repeats_is_filtered_as_such() {
    let context = context();
    let looked = "1700000001.000 0 10.20.0.17:4000 NONE_NONE/200 up=69 down=0 CONNECT \
                  a.example:443 -:- hier=HIER_NONE user=- sni=a.example bump=splice ua=-\n";
    let content = looked.to_owned() + &line(2);
    assert_eq!(all(&read(content.as_bytes(), &context)), [Seen::Line(2)]);
    assert_eq!(context.ledger.read().lost, [(Loss::Duplicate, 1)]);
    assert_eq!(context.ledger.read().unaccounted(), 0);
}

#[test]
fn the_same_line_of_the_same_log_is_the_same_event_whatever_the_file_is_called() {
    let text = lines(0..5);
    let ids = |batches: &[EventBatch]| -> Vec<_> {
        batches.iter().flat_map(|batch| &batch.events).map(|event| event.id).collect()
    };
    let once = ids(&read(text.as_bytes(), &context()));
    assert_eq!(once, ids(&read(text.as_bytes(), &context())));
    let other = ids(&read(lines(1..6).as_bytes(), &context()));
    assert!(other.iter().all(|id| !once.contains(id)));
}

#[test]
fn a_users_name_is_the_executor_only_once_the_proxy_has_let_it_in() {
    let named = line(1).replace("user=-", "user=agent%207");
    let refused = named.replace("TCP_MISS/200", "TCP_DENIED/407");
    let batches = read((named + &refused).as_bytes(), &context());
    let events = &batches[0].events;
    assert_eq!(events[0].origin.executor, "agent 7");
    assert_eq!(events[0].origin.named_by, NamedBy::ProxyUser);
    assert_eq!(events[1].origin.executor, "10.20.0.17");
    assert_eq!(events[1].up.bytes, Some(0));
}

#[test]
fn hosts_are_clean_and_addresses_are_not_names() {
    let content = line(1).replace("http://a.example/", "http://WWW.Example.co.uk./")
        + &line(2).replace("http://a.example/", "http://192.0.2.9/")
        + &line(3).replace("sni=-", "sni=other.example")
        + &line(4).replace("sni=-", "sni=A.example");
    let batches = read(content.as_bytes(), &context());
    let events = &batches[0].events;
    let destination = &events[0].destination;
    assert_eq!(destination.domain, "example.co.uk");
    assert_eq!(destination.host.as_deref(), Some("www.example.co.uk"));
    assert_eq!(destination.address, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(events[1].destination.host, None);
    assert_eq!(events[1].destination.domain, "192.0.2.9");
    let sni = |n: usize| match &events[n].fact {
        egret_event::Fact::Http(request) => request.sni.clone(),
        _ => None,
    };
    assert_eq!(sni(2).as_deref(), Some("other.example"));
    assert_eq!(sni(3), None);
}

#[test]
fn a_refused_batch_is_offered_again_and_a_closed_channel_ends_the_reading() {
    let context = context();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, lines(0..600)).unwrap();
    let (mut offers, mut taken) = (0, Vec::new());
    let mut emit = |batch: EventBatch| {
        offers += 1;
        match offers {
            1 | 2 => Err(Refused::Full(batch)),
            3 => {
                taken.extend(batch.events.iter().map(seen));
                Ok(())
            }
            _ => Err(Refused::Closed),
        }
    };
    run_whole(&"proxy".into(), &path, None, &context, &mut emit).unwrap();
    assert_eq!(taken, (0..512).map(Seen::Line).collect::<Vec<_>>());
    assert_eq!(offers, 4);
}

#[test]
fn what_is_no_file_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut emit = |_| Ok(());
    let name = "proxy".into();
    let mut run =
        |path: &Path| run_whole(&name, path, None, &context(), &mut emit).unwrap_err().to_string();
    assert!(run(folder.path()).contains("is a directory"));
    assert!(run(&folder.path().join("nothing")).contains("no such file"));
    assert!(run(Path::new("/dev/null")).contains("no regular file"));
}

#[test]
fn one_executor_is_one_attribution_however_many_lines_it_wrote() {
    let batches = read(lines(0..100).as_bytes(), &context());
    let first = &batches[0].events[0].origin;
    assert!(batches[0].events.iter().all(|event| Arc::ptr_eq(&event.origin, first)));
}
