use std::time::Duration;

use egret_event::{
    BlockReason, FlowPhase, GapReason, NameSource, Protocol, SeenBy, TlsCarrier, Verdict, Volume,
};

use super::super::{DnsRecord, FlowRecord, Reader};
use super::*;
use crate::Dialect;

/// Written by Suricata 7.0.10 (`flow`, `netflow`, `dns`, `http`, `tls` with `ja4: on`) of traffic
/// made for it: two look-ups, a POST of 20,000 bytes by HTTP and one by TLS 1.2, a connection
/// refused by reset, a ping.
const GOLDEN: &str = include_str!("golden.jsonl");

type Read<'a> = (Result<Entry<'a>, LineProblem>, Option<Entry<'static>>);

/// Every line with what it tells beside.
fn read_all(text: &str) -> Vec<Read<'_>> {
    let mut reader = Reader::new(Some(Dialect::SuricataEve));
    text.lines().map(|line| (reader.read(line.as_bytes()), reader.take_beside())).collect()
}

fn read(line: &str) -> Result<Entry<'_>, LineProblem> {
    Suricata::default().read(line.as_bytes(), &mut None)
}

fn flows(text: &str) -> Vec<FlowRecord<'_>> {
    let of = |(read, _)| match read {
        Ok(Entry::Flow(record)) => Some(record),
        _ => None,
    };
    read_all(text).into_iter().filter_map(of).collect()
}

fn exchanges(text: &str) -> Vec<DnsRecord<'_>> {
    let of = |(read, _)| match read {
        Ok(Entry::Dns(record)) => Some(record),
        _ => None,
    };
    read_all(text).into_iter().filter_map(of).collect()
}

/// The golden flow to `port`.
fn golden_flow(port: u16) -> FlowRecord<'static> {
    flows(GOLDEN).into_iter().find(|record| record.ends.server.1 == port).unwrap()
}

#[test]
fn every_golden_line_is_understood() {
    let all = read_all(GOLDEN);
    let damaged: Vec<_> =
        all.iter().filter(|(read, _)| matches!(read, Err(LineProblem::Malformed(_)))).collect();
    assert!(damaged.is_empty(), "{damaged:?}");
}

#[test]
fn a_flow_has_its_exact_size_on_the_wire_and_at_most_its_true_payload() {
    let record = golden_flow(443);
    assert_eq!((record.up.wire_bytes, record.up.packets), (Some(21_724 - 14 * 13), Some(13)));
    let payload = record.up.bytes.unwrap();
    assert!((20_000..21_000).contains(&payload), "{payload}");
    assert_eq!(record.protocol, Some(Protocol::Tls));
    assert_eq!((record.verdict, record.phase), (Verdict::Allowed, FlowPhase::Finished));
    assert_eq!(record.ends.at.since(record.from), Duration::from_micros(68_921));
    assert!(record.id.is_some());
}

#[test]
fn a_refused_attempt_is_told_from_one_without_an_answer() {
    let refused = golden_flow(81);
    assert_eq!(refused.verdict, Verdict::Blocked(BlockReason::Reset));
    assert_eq!(refused.phase, FlowPhase::Reset);
    let silent = GOLDEN
        .replace("\"tcp_flags_tc\":\"14\"", "\"tcp_flags_tc\":\"00\"")
        .replace("\"pkts_toclient\":1,", "\"pkts_toclient\":0,");
    let silent = flows(&silent).into_iter().find(|flow| flow.ends.server.1 == 81).unwrap().verdict;
    assert_eq!(silent, Verdict::Blocked(BlockReason::NoAnswer));
    let dropped = GOLDEN.replace("\"alerted\":false", "\"action\":\"drop\"");
    assert!(flows(&dropped).iter().all(|flow| flow.verdict.is_blocked()));
}

#[test]
fn netflow_lines_count_only_where_there_are_no_flow_lines() {
    let both = flows(GOLDEN);
    let without: String = GOLDEN
        .lines()
        .filter(|line| !line.contains("\"event_type\":\"flow\""))
        .map(|line| format!("{line}\n"))
        .collect();
    let single = flows(&without);
    let uploads = |records: &[FlowRecord<'_>]| -> Vec<Volume> {
        let of_tls = records.iter().filter(|record| record.ends.server.1 == 443);
        of_tls.map(|record| record.up).collect()
    };
    assert_eq!(uploads(&both), uploads(&single));
    assert!(single.iter().all(|record| record.down == Volume::UNKNOWN));
}

#[test]
fn a_question_and_its_answer_are_one_exchange() {
    let exchanges = exchanges(GOLDEN);
    let told: Vec<_> = exchanges.iter().map(|record| record.name.as_ref()).collect();
    assert_eq!(told, [&b"drop.example.net"[..], b"nothere.example.net"]);
    let codes: Vec<_> =
        exchanges.iter().map(|record| record.resolution.as_ref().unwrap().code).collect();
    assert_eq!(codes, [0, 3]);
    let answer = exchanges[0].resolution.as_ref().unwrap();
    assert_eq!(answer.addresses, ["10.9.0.7".parse::<IpAddr>().unwrap()]);
    assert_eq!(answer.canonical().map(|name| name.as_str()), Some("real.drop.example.net"));
}

fn dns(second: u32, dns: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-01-31T09:30:{second:02}.0+0000\",\"flow_id\":7,\
         \"event_type\":\"dns\",\"src_ip\":\"10.20.0.17\",\"src_port\":5000,\
         \"dest_ip\":\"192.0.2.53\",\"dest_port\":53,\"proto\":\"UDP\",\"dns\":{{{dns}}}}}\n"
    )
}

#[test]
fn a_question_that_nobody_answers_is_told_after_ten_seconds_or_at_the_end() {
    let asked = |id| {
        format!(r#""version":2,"type":"query","id":{id},"rrname":"q{id}.example","rrtype":"TXT""#)
    };
    let text = dns(0, &asked(1)) + &dns(9, &asked(2)) + &dns(10, &asked(3));
    let mut reader = Reader::new(None);
    let mut told = Vec::new();
    for line in text.lines() {
        assert_eq!(reader.read(line.as_bytes()), Err(LineProblem::Note));
        told.push(reader.take_beside());
    }
    let name = |entry: &Option<Entry<'_>>| match entry {
        Some(Entry::Dns(record)) => {
            assert_eq!((record.query_type, &record.resolution), (16, &None));
            String::from_utf8(record.name.to_vec()).unwrap()
        }
        other => format!("{other:?}"),
    };
    let names: Vec<_> = told.iter().map(name).collect();
    assert_eq!(names, ["None", "None", "q1.example"]);
    reader.next_file(Timestamp::from_secs(0));
    assert_eq!(name(&reader.take_left()), "q2.example");
    assert_eq!(name(&reader.take_left()), "q3.example");
    assert_eq!(reader.take_left(), None);
}

#[test]
fn held_questions_are_never_too_many() {
    let mut suricata = Suricata::default();
    let mut told = 0;
    for id in 0..3_000 {
        let line = dns(0, &format!(r#""type":"query","id":{id},"rrname":"a","rrtype":"A""#));
        let mut beside = None;
        let _ = suricata.read(line.as_bytes(), &mut beside);
        told += usize::from(beside.is_some());
    }
    assert_eq!(told, 3_000 - 1_024);
}

#[test]
fn versions_1_and_3_of_dns_are_read_too() {
    let first = dns(0, r#""type":"query","id":9,"rrname":"a.example","rrtype":"A","tx_id":0"#)
        + &dns(
            1,
            r#""type":"answer","id":9,"rcode":"NOERROR","rrname":"a.example","rrtype":"A","ttl":5,"rdata":"192.0.2.9""#,
        )
        + &dns(
            1,
            r#""type":"answer","id":9,"rcode":"NOERROR","rrname":"a.example","rrtype":"A","ttl":5,"rdata":"192.0.2.10""#,
        );
    let told = exchanges(&first);
    assert_eq!(told.len(), 1);
    let third = dns(
        0,
        r#""version":3,"type":"response","id":9,"rcode":"NOERROR",
           "queries":[{"rrname":"b.example","rrtype":"AAAA"}],
           "answers":[{"rrname":"b.example","rrtype":"AAAA","rdata":"2001:db8::1"},
                      {"rrname":"b.example","rrtype":"SOA","rdata":{"mname":"x"}}]"#,
    )
    .replace("\n ", " ");
    let told = exchanges(&third);
    assert_eq!((told[0].name.as_ref(), told[0].query_type), (&b"b.example"[..], 28));
    assert_eq!(told[0].resolution.as_ref().unwrap().addresses.len(), 1);
}

#[test]
fn a_handshake_has_its_certificate_beside_it() {
    let all = read_all(GOLDEN);
    let hello = all.into_iter().find(|(read, _)| matches!(read, Ok(Entry::Tls(..)))).unwrap();
    let (Ok(Entry::Tls(ends, hello)), Some(Entry::Certificate(_, shown))) = hello else { panic!() };
    assert_eq!(hello.sni.as_deref(), Some("drop.example.net"));
    assert_eq!((hello.version, hello.carrier), (0x0303, TlsCarrier::Tcp));
    assert_eq!(hello.ja4, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6");
    assert_eq!(shown.subject, "O=Golden, CN=drop.example.net");
    assert!(shown.self_signed && shown.not_before < ends.at && ends.at < shown.not_after);
}

#[test]
fn quic_is_a_hello_too() {
    let line = r#"{"timestamp":"2026-01-31T09:30:00.5+0000","event_type":"quic","proto":"UDP",
        "src_ip":"10.20.0.17","src_port":5000,"dest_ip":"203.0.113.9","dest_port":443,
        "quic":{"version":"1","sni":"cloud.example","ja4":"q13d0310h3_55b375c5d22e_cd85d2d88918"}}"#;
    let Ok(Entry::Tls(_, hello)) = read(line) else { panic!() };
    assert_eq!((hello.sni.as_deref(), hello.carrier), (Some("cloud.example"), TlsCarrier::Quic));
    assert_eq!(hello.ja4, "q13d0310h3_55b375c5d22e_cd85d2d88918");
    let nameless = line.replace("\"sni\"", "\"x\"");
    assert_eq!(read(&nameless), Err(LineProblem::NoDestination));
}

#[test]
fn a_request_has_an_unknown_upload() {
    let all = read_all(GOLDEN);
    let request = all.into_iter().find_map(|(read, _)| match read {
        Ok(Entry::Request(record)) => Some(record),
        _ => None,
    });
    let record = request.unwrap();
    assert_eq!((record.host.as_ref(), record.port), (&b"up.example.org"[..], 80));
    assert_eq!((record.named_by, record.seen_by), (NameSource::HttpHost, SeenBy::Sensor));
    assert_eq!(
        (record.path_and_query().0, record.path_and_query().1.map(<[u8]>::len)),
        (Some(&b"/in/box"[..]), Some(9))
    );
    assert_eq!(record.user_agent.unwrap().decoded().as_ref(), b"made-up/1.0 \"q\"");
    assert_eq!((record.up_bytes, record.down_bytes), (None, Some(5)));
}

fn stats(second: u32, drops: u64) -> String {
    format!(
        "{{\"timestamp\":\"2026-01-31T09:30:{second:02}.0+0000\",\"event_type\":\"stats\",\
         \"stats\":{{\"uptime\":9,\"capture\":{{\"kernel_packets\":9,\"kernel_drops\":{drops}}}}}}}\n"
    )
}

#[test]
fn drops_are_told_by_how_much_they_grew() {
    let text = stats(0, 5) + &stats(8, 5) + &stats(16, 12) + &stats(24, 3);
    let gaps: Vec<_> = read_all(&text)
        .into_iter()
        .map(|(read, _)| match read {
            Ok(Entry::Gap(gap)) => {
                assert_eq!(gap.reason, GapReason::SensorLoss);
                assert_eq!(gap.at.since(gap.from), Duration::from_secs(8));
                gap.count
            }
            other => {
                assert_eq!(other, Err(LineProblem::Note));
                0
            }
        })
        .collect();
    assert_eq!(gaps, [0, 0, 7, 3]);
}

#[test]
fn what_could_not_be_decoded_is_a_gap_and_other_kinds_are_notes() {
    let line = |kind: &str, more: &str| {
        format!("{{\"timestamp\":\"2026-01-31T09:30:00.0+0000\",\"event_type\":\"{kind}\"{more}}}")
    };
    let decode = line("anomaly", ",\"anomaly\":{\"type\":\"decode\",\"event\":\"decoder.x\"}");
    let Ok(Entry::Gap(gap)) = read(&decode) else { panic!() };
    assert_eq!((gap.reason, gap.count), (GapReason::Malformed, 1));
    let stream = line("anomaly", ",\"anomaly\":{\"type\":\"stream\"}");
    for note in [stream, line("alert", ""), line("fileinfo", ",\"http\":[1]"), line("new", "")] {
        assert_eq!(read(&note), Err(LineProblem::Note));
    }
}

#[test]
fn damaged_lines_say_what_is_wrong() {
    for (line, problem) in [
        ("{", "JSON"),
        ("{}", "event_type"),
        ("{\"event_type\":\"flow\"}", "flow"),
        ("{\"event_type\":\"flow\",\"flow\":{}}", "timestamp"),
        ("{\"event_type\":\"tls\",\"tls\":3}", "tls"),
        ("{\"event_type\":\"http\",\"http\":{},\"timestamp\":\"2026-01-31T09:30:00Z\"}", "src_ip"),
    ] {
        assert_eq!(read(line), Err(LineProblem::Malformed(problem)), "{line}");
    }
}

proptest::proptest! {
    #[test]
    fn no_input_makes_it_panic(
        input in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        kind in "flow|netflow|dns|tls|quic|http|stats|anomaly",
        key in "flow|dns|tls|rrname|answers|queries|start|bytes_toserver|url|sni|capture",
        value in "[-0-9.eE]{1,25}|\"[ -~]{0,20}\"|\\[[0-9\",]{0,20}\\]|\\{\\}|null",
    ) {
        let mut suricata = Suricata::default();
        let _ = suricata.read(&input, &mut None);
        let line = format!(
            "{{\"event_type\":\"{kind}\",\"timestamp\":\"2026-01-31T09:30:00Z\",\"proto\":\"TCP\",\
             \"src_ip\":\"10.0.0.1\",\"dest_ip\":\"10.0.0.2\",\"{key}\":{value},\
             \"{kind}\":{{\"{key}\":{value},\"type\":\"query\"}}}}"
        );
        let _ = suricata.read(line.as_bytes(), &mut None);
    }
}

#[test]
fn times_are_the_same_read_quickly_or_in_full() {
    let quick = ["2026-01-28T09:30:59.123456+0000", "1999-12-01T23:59:00.000001+0000"];
    let full = [
        "2026-01-31T09:30:59.123456+0000",
        "2026-01-28T09:30:59.123456+0100",
        "2026-01-28T09:30:59.12345+00:00",
        "2026-01-28T09:30:60.123456+0000",
        "2026-01-28 09:30:59.123456+0000",
        "2026-01-28T09:30:59.12345x+0000",
        "2026-13-28T09:30:59.123456+0000",
        "2026-01-28T24:30:59.123456+0000",
    ];
    for (text, is_quick) in
        quick.map(|text| (text, true)).into_iter().chain(full.map(|t| (t, false)))
    {
        let quickly = super::quick_time(text.as_bytes());
        assert_eq!(quickly.is_some(), is_quick, "{text}");
        if is_quick {
            assert_eq!(quickly, text.parse().ok(), "{text}");
        }
    }
}
