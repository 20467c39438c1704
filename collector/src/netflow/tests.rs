//! Claims about datagrams in and events out, on datagrams made here.

use std::net::SocketAddr;
use std::sync::Arc;

use egret_event::{
    BlockReason, Event, EventBatch, Fact, FlowInterval, GapReason, LedgerReading, Loss, NameSource,
    Timestamp, Verdict,
};
use proptest::prelude::*;

use super::intake::Intake;
use super::{Decoded, Decoder};
use crate::{AttributionTable, Context, Segment};

const EXPORTED_S: u32 = 1_795_451_434;
const CLIENT: [u8; 4] = [10, 20, 0, 17];
const SERVER: [u8; 4] = [203, 0, 113, 9];
const SYN: u8 = 2;
const RST_ACK: u8 = 20;
const ALL: u8 = 0x1b;

/// A v9 template, id 256: addresses, ports, protocol, flags, uptimes, bytes, packets.
const TEMPLATE: [(u16, u16); 10] =
    [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (22, 4), (21, 4), (1, 8), (2, 4)];

/// One record of [`TEMPLATE`].
#[derive(Clone, Copy)]
struct Row {
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    flags: u8,
    /// Milliseconds of uptime; the export is at 600,000.
    first: u32,
    last: u32,
    octets: u64,
    packets: u32,
}

const UP: Row = Row {
    from: (CLIENT, 40_000),
    to: (SERVER, 443),
    flags: ALL,
    first: 10_000,
    last: 20_000,
    octets: 100_000,
    packets: 100,
};

const DOWN: Row = Row { from: UP.to, to: UP.from, octets: 5_000, packets: 50, first: 10_050, ..UP };

impl Row {
    fn bytes(&self) -> Vec<u8> {
        let mut out = [self.from.0, self.to.0].concat();
        out.extend([self.from.1, self.to.1].map(u16::to_be_bytes).concat());
        out.extend([6, self.flags]);
        out.extend([self.first, self.last].map(u32::to_be_bytes).concat());
        out.extend(self.octets.to_be_bytes());
        out.extend(self.packets.to_be_bytes());
        out
    }
}

fn set(id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 4).unwrap();
    [&id.to_be_bytes(), &length.to_be_bytes(), content].concat()
}

fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let count = u16::try_from(fields.len()).unwrap();
    let mut content = [id.to_be_bytes(), count.to_be_bytes()].concat();
    for (field, bytes) in fields {
        content.extend([field.to_be_bytes(), bytes.to_be_bytes()].concat());
    }
    content
}

fn rows(rows: &[Row]) -> Vec<u8> {
    set(256, &rows.iter().flat_map(Row::bytes).collect::<Vec<_>>())
}

fn v9(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0, 9, 0, 1];
    for word in [600_000, EXPORTED_S, sequence, 7] {
        out.extend(u32::to_be_bytes(word));
    }
    [out, sets.concat()].concat()
}

fn ipfix(sequence: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let mut out = vec![0, 10];
    out.extend(u16::try_from(16 + sets.len()).unwrap().to_be_bytes());
    for word in [EXPORTED_S, sequence, 7] {
        out.extend(u32::to_be_bytes(word));
    }
    [out, sets].concat()
}

fn v5(sequence: u32, rows: &[Row]) -> Vec<u8> {
    let mut out = vec![0, 5, 0, u8::try_from(rows.len()).unwrap()];
    for word in [600_000, EXPORTED_S, 0, sequence, 0] {
        out.extend(u32::to_be_bytes(word));
    }
    for row in rows {
        let mut record = [&row.from.0[..], &row.to.0, &[0; 8]].concat();
        let octets = u32::try_from(row.octets).unwrap();
        for word in [row.packets, octets, row.first, row.last] {
            record.extend(word.to_be_bytes());
        }
        record.extend([row.from.1, row.to.1].map(u16::to_be_bytes).concat());
        record.extend([0, row.flags, 6]);
        record.resize(48, 0);
        out.extend(record);
    }
    out
}

fn known() -> Vec<u8> {
    v9(0, &[set(0, &template(256, &TEMPLATE))])
}

fn exporter(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// Events and the account of these datagrams, each from its exporter.
fn taken_from(datagrams: &[(SocketAddr, Vec<u8>)]) -> (Vec<Event>, LedgerReading) {
    let segment = Segment { name: "s".into(), ranges: vec!["10.20.0.0/16".parse().unwrap()] };
    let context = Context::new(Arc::new(AttributionTable::new(vec![segment], Vec::new())), || {
        Timestamp::from_secs(i64::from(EXPORTED_S))
    });
    let mut events = Vec::new();
    let mut emit = |batch: EventBatch| {
        events.extend(batch.events);
        Ok(())
    };
    let mut intake = Intake::new(&"nf".into(), &context, &mut emit);
    for (from, datagram) in datagrams {
        intake.datagram(Some(*from), datagram, None);
    }
    intake.finish();
    let account = context.ledger.read();
    assert_eq!(account.unaccounted(), 0, "{account:?}");
    (events, account)
}

fn taken(datagrams: &[Vec<u8>]) -> (Vec<Event>, LedgerReading) {
    let from: Vec<_> = datagrams.iter().map(|bytes| (exporter(1), bytes.clone())).collect();
    taken_from(&from)
}

fn events(datagrams: &[Vec<u8>]) -> Vec<Event> {
    taken(datagrams).0
}

fn interval(event: &Event) -> &FlowInterval {
    match &event.fact {
        Fact::Flow(interval) => interval,
        other => panic!("not a flow: {other:?}"),
    }
}

fn gaps(events: &[Event]) -> Vec<(GapReason, u64)> {
    let gap = |event: &Event| match &event.fact {
        Fact::Gap(gap) => Some((gap.reason, gap.count)),
        _ => None,
    };
    events.iter().filter_map(gap).collect()
}

fn at_uptime(ms: i64) -> Timestamp {
    Timestamp::from_nanos((i64::from(EXPORTED_S) * 1_000 - 600_000 + ms) * 1_000_000)
}

#[test]
fn both_directions_of_a_flow_are_one_event_in_v5_and_v9() {
    for datagrams in [vec![v5(0, &[DOWN, UP])], vec![known(), v9(1, &[rows(&[UP, DOWN])])]] {
        let events = events(&datagrams);
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!(event.client, (CLIENT.into(), 40_000));
        assert_eq!((event.destination.address, event.destination.port), (Some(SERVER.into()), 443));
        assert_eq!((event.up.wire_bytes, event.up.packets), (Some(100_000), Some(100)));
        assert_eq!((event.down.wire_bytes, event.down.packets), (Some(5_000), Some(50)));
        // 100 packets with 20 bytes of IPv4 and 32 of TCP.
        assert_eq!(event.up.bytes, Some(100_000 - 100 * 52));
        assert_eq!((interval(event).from, event.at), (at_uptime(10_000), at_uptime(20_000)));
        assert!(event.is_contact() && event.verdict == Verdict::Allowed);
    }
}

#[test]
fn a_long_flow_in_pieces_is_one_contact() {
    let piece =
        |n: u32| Row { first: 10_000 + n * 60_000, last: 69_000 + n * 60_000, flags: 0x18, ..UP };
    let seen = events(&[
        known(),
        v9(1, &[rows(&[Row { flags: 0x1a, ..piece(0) }])]),
        v9(2, &[rows(&[piece(1)])]),
        v9(3, &[rows(&[Row { from: UP.to, to: UP.from, ..piece(1) }])]),
        v9(4, &[rows(&[Row { flags: 0x19, ..piece(2) }])]),
        // The same ends, after the end: another connection.
        v9(5, &[rows(&[Row { first: 200_000, last: 201_000, ..UP }])]),
    ]);
    let told: Vec<_> =
        seen.iter().map(|event| (interval(event).number, event.up.wire_bytes)).collect();
    let sent = Some(100_000);
    assert_eq!(told, [(0, sent), (1, sent), (2, Some(0)), (3, sent), (0, sent)]);
    let flows: Vec<_> = seen.iter().map(|event| interval(event).flow).collect();
    assert!(flows[..4].iter().all(|flow| *flow == flows[0]) && flows[4] != flows[0]);
    assert_eq!(seen[2].down.wire_bytes, sent, "the answer is no egress");
}

#[test]
fn what_somebody_outside_began_is_not_egress() {
    let ask = Row { from: (SERVER, 50_000), to: (CLIENT, 22), flags: SYN, ..UP };
    let refuse = Row { from: ask.to, to: ask.from, flags: RST_ACK, ..ask };
    let early = Row { first: 9_000, flags: ALL, ..ask };
    let late = Row { first: 9_001, flags: ALL, ..refuse };
    for records in [vec![ask], vec![refuse], vec![early, late], vec![late, early]] {
        let (events, account) = taken(&[v5(0, &records)]);
        assert_eq!(events, []);
        assert_eq!(account.lost, [(Loss::NotEgress, records.len() as u64)]);
    }
}

#[test]
fn attempts_without_an_answer_are_blocked() {
    let ask = Row { flags: SYN, packets: 1, octets: 60, ..UP };
    let reset = Row { flags: RST_ACK, packets: 1, octets: 40, ..DOWN };
    let verdict = |rows: &[Row]| events(&[v5(0, rows)])[0].verdict;
    assert_eq!(verdict(&[ask]), Verdict::Blocked(BlockReason::NoAnswer));
    assert_eq!(verdict(&[ask, reset]), Verdict::Blocked(BlockReason::Reset));
    assert_eq!(verdict(&[UP]), Verdict::Allowed);
}

#[test]
fn templates_of_one_exporter_are_not_those_of_another() {
    let swapped: Vec<_> = [(12, 4), (8, 4)].into_iter().chain(TEMPLATE[2..].to_vec()).collect();
    let (other, data) = (v9(0, &[set(0, &template(256, &swapped))]), v9(1, &[rows(&[UP])]));
    let (events, _) = taken_from(&[
        (exporter(1), known()),
        (exporter(2), other),
        (exporter(1), data.clone()),
        (exporter(2), data),
    ]);
    let clients: Vec<_> = events.iter().map(|event| event.client.0).collect();
    assert_eq!(clients[0], std::net::IpAddr::from(CLIENT));
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn records_wait_for_their_template_and_are_counted_when_it_never_comes() {
    let (data, template_after) =
        (v9(1, &[rows(&[UP, DOWN])]), v9(2, &[set(0, &template(256, &TEMPLATE))]));
    let (seen, account) = taken(&[data.clone(), template_after]);
    assert_eq!((seen.len(), account.passed), (1, 2));
    let (seen, account) = taken(&[data]);
    assert_eq!(account.lost, [(Loss::NoTemplate, 1)]);
    assert_eq!(gaps(&seen), [(GapReason::NoTemplate, 1)]);
}

#[test]
fn missing_numbers_are_a_gap_and_overtaken_ones_are_not() {
    let up = |sequence| v5(sequence, &[UP]);
    assert_eq!(gaps(&events(&[up(0), up(1), up(5)])), [(GapReason::SequenceHole, 3)]);
    assert_eq!(gaps(&events(&[up(0), up(2), up(1), up(3)])), []);
    assert_eq!(gaps(&events(&[up(1_000_000), up(0), up(1)])), []);
}

#[test]
fn sampled_counts_are_scaled_and_their_flags_prove_nothing() {
    // Options template 257: one byte of system scope, the interval.
    let options = [257u16, 4, 4, 1, 4, 34, 4].map(u16::to_be_bytes).concat();
    let sampling = set(257, &[0, 0, 0, 1, 0, 0, 0, 100]);
    let row = Row { flags: SYN, ..UP };
    let seen = events(&[known(), v9(1, &[set(1, &options), sampling]), v9(2, &[rows(&[row])])]);
    assert_eq!((seen[0].up.wire_bytes, seen[0].up.packets), (Some(10_000_000), Some(10_000)));
    assert_eq!(seen[0].verdict, Verdict::Allowed);
}

#[test]
fn ipfix_biflows_names_and_absolute_times_are_read() {
    let mut fields = template(300, &[(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4)]);
    fields[3] = 12;
    for (field, bytes, enterprise) in [
        (1u16, 4u16, Some(29_305u32)),
        (2, 4, Some(29_305)),
        (152, 8, None),
        (153, 8, None),
        (460, 0xffff, None),
    ] {
        let bit = if enterprise.is_some() { 0x8000 } else { 0 };
        fields.extend([(field | bit).to_be_bytes(), bytes.to_be_bytes()].concat());
        fields.extend(enterprise.map(u32::to_be_bytes).into_iter().flatten());
    }
    let mut record = [CLIENT, SERVER].concat();
    record.extend([40_000u16, 80].map(u16::to_be_bytes).concat());
    record.push(6);
    record.extend([9_000u32, 10, 700, 7].map(u32::to_be_bytes).concat());
    let end_ms = u64::from(EXPORTED_S) * 1_000;
    record.extend([end_ms - 5_000, end_ms - 1_000].map(u64::to_be_bytes).concat());
    record.extend(b"\x0eup.example.com");
    let seen = events(&[ipfix(0, &[set(2, &fields), set(300, &record)])]);
    let event = &seen[0];
    assert_eq!(event.destination.host.as_deref(), Some("up.example.com"));
    assert_eq!(event.destination.named_by, Some(NameSource::HttpHost));
    assert_eq!((event.up.wire_bytes, event.down.wire_bytes), (Some(9_000), Some(700)));
    assert_eq!(event.at, Timestamp::from_nanos((end_ms as i64 - 1_000) * 1_000_000));
}

#[test]
fn what_two_routers_saw_is_counted_once() {
    let (events, account) = taken_from(&[
        (exporter(1), v5(0, &[UP])),
        (exporter(2), v5(0, &[Row { first: 10_100, ..UP }])),
    ]);
    assert_eq!(events.len(), 1);
    assert_eq!(account.lost, [(Loss::Duplicate, 1)]);
}

#[test]
fn the_same_datagram_gives_the_same_ids() {
    let ids = |events: Vec<Event>| events.iter().map(|event| event.id).collect::<Vec<_>>();
    let datagrams = [known(), v9(1, &[rows(&[UP, Row { from: (CLIENT, 1), ..UP }])])];
    let first = ids(events(&datagrams));
    assert_eq!(first, ids(events(&datagrams)));
    assert!(first[0] != first[1]);
}

#[test]
fn damaged_datagrams_are_counted_as_such() {
    let mut cut = v5(0, &[UP, DOWN]);
    cut.pop();
    let backwards = v9(0, &[vec![1, 0, 0, 2]]);
    for damaged in [vec![], vec![0, 7], cut, backwards, ipfix(0, &[vec![0, 9, 0, 4]])] {
        let (seen, account) = taken(&[damaged]);
        assert_eq!(account.lost, [(Loss::Malformed, 1)]);
        assert_eq!(gaps(&seen), [(GapReason::Malformed, 1)]);
    }
}

#[test]
fn datagrams_in_a_row_are_told_apart() {
    let all = [
        known(),
        v9(1, &[rows(&[UP])]),
        v5(0, &[UP, DOWN]),
        ipfix(0, &[set(2, &template(256, &TEMPLATE))]),
    ];
    let joined = all.concat();
    let mut rest = &joined[..];
    for datagram in &all {
        let length = super::wire::datagram_bytes(rest).unwrap();
        assert_eq!(&rest[..length], datagram);
        assert!(super::wire::is_plausible(datagram));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

proptest! {
    /// Bytes after a version, so that more than the first word is looked at.
    #[test]
    fn no_datagram_panics(
        version in prop::sample::select(vec![5u8, 9, 10]),
        tails in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
    ) {
        let mut decoder = Decoder::new();
        let mut decoded = Decoded::default();
        for tail in tails {
            let datagram = [vec![0, version], tail].concat();
            decoder.datagram(None, &datagram, &mut decoded);
        }
        decoder.finish();
    }

    /// Sound datagrams with damaged bytes and lengths.
    #[test]
    fn no_damage_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let sets = [set(0, &template(256, &TEMPLATE)), rows(&[UP, DOWN])];
        for mut datagram in [v9(0, &sets), ipfix(0, &sets), v5(0, &[UP, DOWN])] {
            for (place, byte) in &damage {
                let place = place.index(datagram.len());
                datagram[place] = *byte;
            }
            let (_, account) = taken(&[known(), datagram]);
            prop_assert_eq!(account.unaccounted(), 0);
        }
    }
}
