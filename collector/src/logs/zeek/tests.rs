use std::time::Duration;

use egret_event::{
    BlockReason, FlowPhase, GapReason, NameSource, Protocol, SeenBy, Timestamp, TlsCarrier,
    Transport, Verdict, Volume,
};

use super::super::{DnsRecord, Entry, FlowRecord, LogRecord, Reader};
use super::*;
use crate::Dialect;

/// 2026-01-31T09:30:00Z.
const START: Timestamp = Timestamp::from_secs(1_769_851_800);

/// Reads the last of `lines`, and what it tells beside.
fn read_both<'a>(
    dialect: Dialect,
    lines: &'a str,
) -> (Result<Entry<'a>, LineProblem>, Option<Entry<'static>>) {
    let mut reader = Reader::new(Some(dialect));
    let mut last = Err(LineProblem::Note);
    for line in lines.lines() {
        last = reader.read(line.as_bytes());
    }
    (last, reader.take_beside())
}

fn tsv(lines: &str) -> Result<Entry<'_>, LineProblem> {
    read_both(Dialect::ZeekTsv, lines).0
}

fn json(line: &str) -> Result<Entry<'_>, LineProblem> {
    read_both(Dialect::ZeekJson, line).0
}

fn flow(read: Result<Entry<'_>, LineProblem>) -> FlowRecord<'_> {
    match read.unwrap() {
        Entry::Flow(record) => record,
        other => panic!("no flow: {other:?}"),
    }
}

fn request(read: Result<Entry<'_>, LineProblem>) -> LogRecord<'_> {
    match read.unwrap() {
        Entry::Request(record) => record,
        other => panic!("no request: {other:?}"),
    }
}

fn dns(read: Result<Entry<'_>, LineProblem>) -> DnsRecord<'_> {
    match read.unwrap() {
        Entry::Dns(record) => record,
        other => panic!("no question: {other:?}"),
    }
}

/// A file of `path` with these columns and cells, words apart.
fn file(path: &str, columns: &str, cells: &str) -> String {
    format!(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n\
         #path\t{path}\n#open\t2026-01-31-09-30-00\n#fields\t{}\n#types\tignored\n{}",
        columns.replace(' ', "\t"),
        cells.replace(' ', "\t"),
    )
}

const ENDS: &str = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p";
const ENDS_OF_LINE: &str = "1769851800.000000 C1 10.20.0.17 40000 203.0.113.9 443";

fn conn(more_columns: &str, more_cells: &str) -> String {
    file("conn", &format!("{ENDS} {more_columns}"), &format!("{ENDS_OF_LINE} {more_cells}"))
}

#[test]
fn a_line_of_conn_is_a_flow_with_what_was_sent_and_what_was_on_the_wire() {
    let columns = "proto service duration orig_bytes resp_bytes conn_state local_orig \
                   missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes";
    let text = conn(columns, "tcp ssl 2.5 5242880 900 SF T 0 ShADadFf 3700 5391000 1800 72900");
    let record = flow(tsv(&text));
    assert_eq!(record.from, START);
    assert_eq!(record.ends.at, START + Duration::from_millis(2_500));
    assert_eq!(record.ends.client, ("10.20.0.17".parse().unwrap(), 40_000));
    assert_eq!(record.ends.server, ("203.0.113.9".parse().unwrap(), 443));
    assert_eq!((record.transport, record.protocol), (Transport::Tcp, Some(Protocol::Tls)));
    let up = Volume { bytes: Some(5_242_880), wire_bytes: Some(5_391_000), packets: Some(3_700) };
    assert_eq!(record.up, up);
    assert_eq!(record.down.bytes, Some(900));
    assert_eq!((record.verdict, record.phase), (Verdict::Allowed, FlowPhase::Finished));
    assert_eq!(record.id.as_deref(), Some(&b"C1"[..]));
}

#[test]
fn columns_and_json_tell_the_same() {
    let columns = "proto service duration orig_bytes resp_bytes conn_state";
    let text = conn(columns, "udp quic,ssl 0.25 100 - SF");
    let line = r#"{"ts":1769851800.0,"uid":"C1","id.orig_h":"10.20.0.17","id.orig_p":40000,
        "id.resp_h":"203.0.113.9","id.resp_p":443,"proto":"udp","service":"quic,ssl",
        "duration":0.25,"orig_bytes":100,"conn_state":"SF","tags":[],"new":{"a":[1]}}"#
        .replace('\n', "");
    let record = flow(tsv(&text));
    assert_eq!(record, flow(json(&line)));
    assert_eq!(record.protocol, Some(Protocol::Quic));
    assert_eq!(record.down, Volume::UNKNOWN);
    let iso = line.replace("1769851800.0", "\"2026-01-31T09:30:00.000000Z\"");
    assert_eq!(record, flow(json(&iso)));
    let exponent = line.replace("1769851800.0", "1.7698518e9");
    assert_eq!(record, flow(json(&exponent)));
    let shipped = line.replace("id.", "id_").replace("{\"ts\"", "{\"@stream\":\"conn\",\"ts\"");
    assert_eq!(record, flow(json(&shipped)));
}

#[test]
fn how_a_connection_ended_says_whether_it_was_blocked() {
    use FlowPhase::{Finished, Idle, Reset};
    let no_answer = Verdict::Blocked(BlockReason::NoAnswer);
    for (proto, state, verdict, phase) in [
        ("tcp", "S0", no_answer, Idle),
        ("udp", "S0", Verdict::Allowed, Idle),
        ("tcp", "REJ", Verdict::Blocked(BlockReason::Reset), Reset),
        ("tcp", "RSTOS0", no_answer, Reset),
        ("tcp", "RSTR", Verdict::Allowed, Reset),
        ("tcp", "S1", Verdict::Allowed, Idle),
        ("tcp", "OTH", Verdict::Allowed, Idle),
        ("tcp", "SF", Verdict::Allowed, Finished),
        ("udp", "SF", Verdict::Allowed, Idle),
    ] {
        let text = conn("proto conn_state", &format!("{proto} {state}"));
        let record = flow(tsv(&text));
        assert_eq!((record.verdict, record.phase), (verdict, phase), "{proto} {state}");
    }
}

#[test]
fn what_was_sent_is_unknown_where_only_replies_were_seen() {
    let columns = "proto orig_bytes conn_state orig_pkts orig_ip_bytes resp_pkts";
    let text = conn(columns, "tcp 0 SHR 0 0 6");
    assert_eq!(flow(tsv(&text)).up, Volume::UNKNOWN);
    let text = conn(columns, "tcp 0 S0 1 40 0");
    assert_eq!(flow(tsv(&text)).up.bytes, Some(0));
}

#[test]
fn bytes_that_zeek_missed_are_a_gap_beside_the_flow() {
    let text = conn("proto duration missed_bytes conn_state", "tcp 3.0 1460 SF");
    let (read, beside) = read_both(Dialect::ZeekTsv, &text);
    assert!(matches!(read, Ok(Entry::Flow(_))));
    let Some(Entry::Gap(gap)) = beside else { panic!("{beside:?}") };
    assert_eq!((gap.reason, gap.count), (GapReason::MissedBytes, 1_460));
    assert_eq!((gap.from, gap.at), (START, START + Duration::from_secs(3)));
    let text = conn("proto missed_bytes conn_state", "tcp 0 SF");
    assert_eq!(read_both(Dialect::ZeekTsv, &text).1, None);
}

#[test]
fn icmp_has_no_ports_and_unknown_transports_have_their_number() {
    let record = conn("proto conn_state", "icmp OTH");
    let record = flow(tsv(&record));
    assert_eq!((record.ends.client.1, record.ends.server.1), (0, 0));
    let text = conn("proto ip_proto", "unknown_transport 47");
    assert_eq!(flow(tsv(&text)).transport, Transport::Other(47));
}

#[test]
fn answers_are_addresses_and_the_chain_of_names_to_them() {
    let text = file(
        "dns",
        &format!("{ENDS} proto rtt query qtype rcode answers"),
        &format!("{ENDS_OF_LINE} udp 0.5 a.example 28 0 b.example,C.example,2001:db8::1"),
    );
    let record = dns(tsv(&text));
    assert_eq!(record.ends.at, START + Duration::from_millis(500));
    assert_eq!((record.name.as_ref(), record.query_type), (&b"a.example"[..], 28));
    let resolution = record.resolution.unwrap();
    assert_eq!(resolution.addresses, ["2001:db8::1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(resolution.aliases, ["b.example", "c.example"]);
}

#[test]
fn a_question_without_an_answer_and_a_text_answer_are_told_apart() {
    let line = |more: &str| {
        format!(
            "{{\"ts\":1769851800,\"id.orig_h\":\"10.20.0.17\",\"id.resp_h\":\"192.0.2.53\",\
             \"proto\":\"tcp\",\"trans_id\":7,\"query\":\"x.example\",\"qtype\":16{more}}}"
        )
    };
    let silent = line("");
    let record = dns(json(&silent));
    assert!(record.over_tcp);
    assert_eq!(record.resolution, None);
    let answered = line(r#","rcode":0,"answers":["TXT 5 he\"lo"]"#);
    let resolution = dns(json(&answered)).resolution.unwrap();
    assert!(resolution.addresses.is_empty() && resolution.aliases.is_empty());
    let nameless = answered.replace("\"query\":\"x.example\",", "");
    assert_eq!(json(&nameless), Err(LineProblem::NoDestination));
}

const HTTP: &str = "method host uri user_agent request_body_len response_body_len status_code \
                    username orig_mime_types";

fn http(cells: &str) -> String {
    file("http", &format!("{ENDS} {HTTP}"), &format!("{ENDS_OF_LINE} {cells}"))
}

#[test]
fn a_request_goes_to_its_host_at_the_address_that_was_contacted() {
    let text = http("POST up.example:443 /a?b=c curl/8\\x2c5 1178 52 200 bob application/x-gzip");
    let record = request(tsv(&text));
    assert_eq!((record.host.as_ref(), record.port), (&b"up.example"[..], 443));
    assert_eq!(record.address, Some("203.0.113.9".parse().unwrap()));
    assert_eq!((record.named_by, record.seen_by), (NameSource::HttpHost, SeenBy::Sensor));
    assert_eq!((record.up_bytes, record.down_bytes), (Some(1_178), Some(52)));
    assert_eq!(
        (record.path_and_query().0, record.path_and_query().1.map(<[u8]>::len)),
        (Some(&b"/a"[..]), Some(3))
    );
    assert_eq!(record.user_agent.unwrap().decoded().as_ref(), b"curl/8,5");
    assert_eq!(record.content_type.as_deref(), Some(&b"application/x-gzip"[..]));
    assert_eq!(record.user, None, "a user of some site is no proof of who runs");
}

#[test]
fn a_request_to_a_proxy_goes_where_the_url_says() {
    let text = http("CONNECT evil.example evil.example:8443 - 0 0 200 - -");
    let tunnel = request(tsv(&text));
    assert_eq!((tunnel.host.as_ref(), tunnel.port), (&b"evil.example"[..], 8443));
    assert_eq!((tunnel.named_by, tunnel.address), (NameSource::Connect, None));
    assert_eq!((tunnel.up_bytes, tunnel.down_bytes), (None, None));
    assert_eq!(tunnel.verdict, Verdict::Allowed);
    let text = http("CONNECT evil.example evil.example:8443 - 0 0 403 - -");
    assert!(request(tsv(&text)).verdict.is_blocked());
    let text = http("GET proxy http://u:p@[2001:db8::1]:81/x?y - 7 0 200 - -");
    let proxied = request(tsv(&text));
    assert_eq!((proxied.host.as_ref(), proxied.port), (&b"2001:db8::1"[..], 81));
    assert_eq!((proxied.address, proxied.path_and_query().0), (None, Some(&b"/x"[..])));
    assert_eq!(proxied.up_bytes, Some(7));
}

#[test]
fn a_request_of_which_only_the_answer_was_seen_has_an_unknown_volume() {
    let text = http("- - - - 0 12 200 - -");
    let record = request(tsv(&text));
    assert_eq!((record.host.as_ref(), record.port), (&b"203.0.113.9"[..], 443));
    assert_eq!((record.up_bytes, record.down_bytes), (None, Some(12)));
}

#[test]
fn a_handshake_tells_the_name_and_its_certificate_is_beside_it() {
    let text = file(
        "ssl",
        &format!("{ENDS} version server_name next_protocol ja4 subject issuer cert_chain_fuids"),
        &format!("{ENDS_OF_LINE} TLSv12 A.example h2 t12d0909h2_0_1 CN=a CN=a F1,F2"),
    );
    let (read, beside) = read_both(Dialect::ZeekTsv, &text);
    let Ok(Entry::Tls(ends, hello)) = read else { panic!("{read:?}") };
    assert_eq!(ends.at, START);
    assert_eq!(hello.sni.as_deref(), Some("a.example"));
    assert_eq!((hello.alpn.as_deref(), hello.version), (Some("h2"), 0x0303));
    assert_eq!((hello.ja4.as_str(), hello.carrier), ("t12d0909h2_0_1", TlsCarrier::Tcp));
    let Some(Entry::Certificate(_, shown)) = beside else { panic!("{beside:?}") };
    assert_eq!((shown.subject.as_str(), shown.self_signed, shown.chain), ("CN=a", true, 2));
    assert_eq!(shown.sni.as_deref(), Some("a.example"));
}

#[test]
fn in_one_stream_a_certificate_is_found_by_its_fingerprint() {
    let fingerprint = "ab".repeat(32);
    let stream = format!(
        "{{\"_path\":\"x509\",\"ts\":1769851800,\"fingerprint\":\"{fingerprint}\",\
         \"certificate.subject\":\"CN=b\",\"certificate.issuer\":\"CN=ca\",\
         \"certificate.not_valid_before\":1700000000.0,\"certificate.key_type\":\"ecdsa\",\
         \"certificate.key_length\":256,\"san.dns\":[\"b.example\"]}}\n\
         {{\"_path\":\"ssl\",\"ts\":1769851800,\"id.orig_h\":\"10.20.0.17\",\
         \"id.resp_h\":\"203.0.113.9\",\"version\":\"TLSv12\",\"server_name\":\"b.example\",\
         \"cert_chain_fps\":[\"{fingerprint}\"],\"sni_matches_cert\":true}}"
    );
    let (_, beside) = read_both(Dialect::ZeekJson, &stream);
    let Some(Entry::Certificate(_, shown)) = beside else { panic!("{beside:?}") };
    assert_eq!((shown.key.as_str(), shown.self_signed), ("ec 256", false));
    assert_eq!(shown.names, ["b.example"]);
    assert_eq!(shown.sha256.as_deref(), Some(fingerprint.as_str()));
    assert_eq!(shown.not_before, Timestamp::from_secs(1_700_000_000));
    assert_eq!(shown.name_matches, Some(true));
}

#[test]
fn certificates_are_forgotten_before_they_are_too_many() {
    let mut zeek = Zeek::default();
    for n in 0..5_000 {
        let line = format!("{{\"_path\":\"x509\",\"ts\":1,\"id\":\"F{}\"}}", n % 2_500);
        let read = zeek.read_json(line.as_bytes(), &mut None);
        assert_eq!(read, Err(LineProblem::Note));
    }
    assert!(zeek.certificates.get(b"F2499").is_some());
    assert!(zeek.certificates.get(b"F0").is_none());
}

#[test]
fn quic_is_a_hello_too() {
    let text = file(
        "quic",
        &format!("{ENDS} version client_initial_dcid server_name client_protocol"),
        &format!("{ENDS_OF_LINE} 1 ab discord.example h3"),
    );
    let read = tsv(&text);
    let Ok(Entry::Tls(_, hello)) = read else { panic!("{read:?}") };
    assert_eq!((hello.carrier, hello.version), (TlsCarrier::Quic, 0x0304));
    assert_eq!(hello.sni.as_deref(), Some("discord.example"));
}

#[test]
fn what_zeek_says_it_lost_is_a_gap() {
    let text = file(
        "capture_loss",
        "ts ts_delta peer gaps acks percent_lost",
        "1769851800 900.0 z 12 9 1.3",
    );
    let read = tsv(&text);
    let Ok(Entry::Gap(gap)) = read else { panic!("{read:?}") };
    assert_eq!((gap.reason, gap.count), (GapReason::SensorLoss, 12));
    assert_eq!((gap.from, gap.at), (START - Duration::from_secs(900), START));
    assert_eq!(tsv(&text.replace("\t12\t", "\t0\t")), Err(LineProblem::Note));
}

#[test]
fn lines_of_other_logs_are_notes_and_no_damage() {
    for path in ["weird", "files", "notice", "dhcp"] {
        let text = file(path, "ts a b", "1769851800 - fewer-cells-do-not-matter");
        assert_eq!(tsv(&text), Err(LineProblem::Note));
    }
    let weird = r#"{"ts":1769851800.5,"name":"dns_unmatched_msg","peer":"zeek"}"#;
    assert_eq!(json(weird), Err(LineProblem::Note));
    assert_eq!(json(r#"{"a":1}"#), Err(LineProblem::Malformed("ts")));
    assert_eq!(json("{"), Err(LineProblem::Malformed("JSON")));
}

#[test]
fn columns_are_found_by_the_header_whatever_it_says() {
    let other = "#separator \\x7c\n#set_separator|;\n#empty_field|E\n#unset_field|?\n\
                 #path|dns\n#fields|answers|query|id.resp_h|id.orig_h|ts|qtype\n\
                 192.0.2.1;b.example|q.example|192.0.2.53|10.20.0.17|1769851800|1";
    let record = dns(tsv(other));
    assert_eq!(record.name.as_ref(), b"q.example");
    assert_eq!(record.resolution.unwrap().aliases, ["b.example"]);
    let unset = other.replace("192.0.2.1;b.example", "?");
    assert_eq!(dns(tsv(&unset)).resolution, None);
    let rewritten = conn("proto conn_state", "tcp SF").replace("\\x09", "\\t") + "\t";
    assert_eq!(flow(tsv(&rewritten)).transport, Transport::Tcp);
    // A header in the middle, as after a restart or in files put together.
    let joined = format!("{other}\n{}", conn("proto conn_state", "tcp SF"));
    assert_eq!(flow(tsv(&joined)).transport, Transport::Tcp);
}

#[test]
fn damaged_lines_say_what_is_wrong() {
    let whole = conn("proto conn_state", "tcp SF");
    for (text, problem) in [
        ("1769851800.0\tC1\t10.20.0.17".to_owned(), "no #fields line before it"),
        (whole.replace("\ttcp\tSF", "\ttcp"), "fewer cells than columns"),
        (whole.clone() + "\tmore", "more cells than columns"),
        (whole.replace("10.20.0.17", "10.20.0"), "id.orig_h"),
        (whole.replace("203.0.113.9", "-"), "id.resp_h"),
        (whole.replace("1769851800.0", "17698x"), "ts"),
        (whole.replace("\ttcp", "\t-"), "proto"),
        ("#separator tab".to_owned(), "#separator"),
    ] {
        assert_eq!(tsv(&text), Err(LineProblem::Malformed(problem)), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_input_makes_it_panic(
        input in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
        cells in "[-0-9a-zA-Z.,\\\\\t(){}\":]{0,300}",
    ) {
        let mut zeek = Zeek::default();
        let headers = conn("proto service duration orig_bytes conn_state", "");
        for line in headers.lines().map(str::as_bytes).chain([&input[..], cells.as_bytes()]) {
            let _ = zeek.read_tsv(line, &mut None);
        }
        let _ = zeek.read_json(&input, &mut None);
        let _ = zeek.read_json(cells.as_bytes(), &mut None);
    }

    #[test]
    fn any_value_of_any_field_is_taken(
        key in "ts|uid|id.orig_h|id.orig_p|proto|duration|orig_bytes|answers|query|uri|method",
        value in "[-0-9.eE]{1,30}|\"[ -~]{0,20}\"|\\[[0-9\",]{0,20}\\]|null|true",
        kind in "conn|dns|http|ssl|quic|x509|capture_loss",
    ) {
        let line = format!(
            "{{\"_path\":\"{kind}\",\"ts\":1,\"id.orig_h\":\"10.0.0.1\",\
             \"id.resp_h\":\"10.0.0.2\",\"proto\":\"tcp\",\"{key}\":{value}}}"
        );
        let _ = Zeek::default().read_json(line.as_bytes(), &mut None);
    }
}
