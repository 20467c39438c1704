//! Lines as Envoy 1.40 writes them in the shipped format, with other names and addresses.

use super::*;
use crate::logs::text::json_decoded;

const BLOCKED: Verdict = Verdict::Blocked(BlockReason::ProxyDenied);

pub(super) fn request(entry: logs::Entry<'_>) -> LogRecord<'_> {
    let logs::Entry::Request(record) = entry else { panic!("no request: {entry:?}") };
    record
}

fn record(line: &str) -> LogRecord<'_> {
    request(parse(line.as_bytes()).unwrap_or_else(|problem| panic!("{problem}: {line}")))
}

/// The fields that most tests do not care about, and `more`.
fn line(more: &str) -> String {
    format!(
        "{{\"start_time\":\"2026-01-31T09:30:00.123Z\",\
         \"downstream_direct_remote_address\":\"10.20.0.17:35720\"{more}}}"
    )
}

#[test]
fn a_request_is_read_in_full_and_its_time_is_its_end() {
    let text = r#"{"authority":"up.example:8080","bytes_received":1048576,"bytes_sent":1000,"connection_termination_details":null,"downstream_direct_remote_address":"10.20.0.17:35734","duration":55,"method":"POST","path":"/upload?key=value","requested_server_name":null,"response_code":200,"response_code_details":"via_upstream","response_flags":"-","start_time":"2026-01-31T09:30:00.123Z","upstream_cluster":"egress","upstream_host":"192.0.2.7:8080","user":"spiffe://x/agent","user_agent":"curl/7.88.1"}"#;
    assert_eq!(
        record(text),
        LogRecord {
            at: "2026-01-31T09:30:00.178Z".parse().unwrap(),
            client: ("10.20.0.17".parse().unwrap(), 35734),
            host: Cow::Borrowed(b"up.example"),
            named_by: NameSource::ProxyLog,
            port: 8080,
            address: Some("192.0.2.7".parse().unwrap()),
            verdict: Verdict::Allowed,
            up_bytes: Some(1_048_576),
            down_bytes: Some(1000),
            method: Cow::Borrowed(b"POST"),
            target: Some(Cow::Borrowed(b"/upload?key=value")),
            user_agent: Some(Written::from(Cow::Borrowed(&b"curl/7.88.1"[..]))),
            status: Some(200),
            duration_ms: Some(55),
            user: Some(Cow::Borrowed(b"spiffe://x/agent")),
            sni: None,
            content_type: None,
            body_bytes: None,
            client_certificate: None,
            seen_by: SeenBy::Proxy,
        }
    );
}

#[test]
fn the_shipped_format_is_read_quickly() {
    let text = line(r#","method":"GET","authority":"a.example","path":null,"bytes_sent":12"#);
    assert!(Entry::default().read_quickly(text.as_bytes()).is_some());
}

#[test]
fn a_tunnel_is_named_by_its_target_and_not_by_the_proxys_own_server_name() {
    let text = line(
        r#","method":"CONNECT","path":null,"authority":"tls.example:443","bytes_received":1050758,"requested_server_name":"proxy.internal""#,
    );
    let record = record(&text);
    assert_eq!((record.host.as_ref(), record.port), (&b"tls.example"[..], 443));
    assert_eq!(record.named_by, NameSource::Connect);
    assert_eq!((record.target, record.sni), (None, None));
    assert_eq!(record.up_bytes, Some(1_050_758));
}

#[test]
fn a_connection_passed_through_is_a_tunnel_named_by_its_server_name() {
    let text = line(
        r#","method":null,"authority":null,"path":null,"requested_server_name":"api.example","response_code":0,"upstream_host":"192.0.2.7:8443","bytes_received":1657"#,
    );
    let record = record(&text);
    assert_eq!((record.host.as_ref(), record.named_by), (&b"api.example"[..], NameSource::Sni));
    assert_eq!((record.method.as_ref(), record.port), (&b"CONNECT"[..], 8443));
    assert_eq!(record.status, None);
}

#[test]
fn only_a_refusal_by_rule_is_blocked() {
    for (fields, verdict) in [
        (r#""response_flags":"UAEX","response_code":403"#, BLOCKED),
        (r#""response_flags":"DC,UAEX","response_code":0"#, BLOCKED),
        (r#""response_flags":"RL","response_code":429"#, BLOCKED),
        (r#""response_flags":"NR","response_code":404"#, BLOCKED),
        (r#""response_code":403,"response_code_details":"direct_response""#, BLOCKED),
        (r#""response_code_details":"rbac_access_denied_matched_policy[x]""#, BLOCKED),
        (r#""connection_termination_details":"rbac_access_denied_matched_policy[x]""#, BLOCKED),
        (r#""upstream_cluster":"BlackHoleCluster","response_code":502"#, BLOCKED),
        (r#""response_code":403,"upstream_host":"192.0.2.7:80""#, Verdict::Allowed),
        (r#""response_flags":"UAEX","response_code":407"#, Verdict::Allowed),
        (r#""response_flags":"UF","response_code":503"#, Verdict::Allowed),
        (r#""response_flags":"UH","response_code":503"#, Verdict::Allowed),
        (r#""response_flags":"RLSE","response_code":500"#, Verdict::Allowed),
        (r#""response_flags":"-","response_code":200"#, Verdict::Allowed),
    ] {
        let text = line(&format!(r#","method":"GET","authority":"a.example",{fields}"#));
        assert_eq!(record(&text).verdict, verdict, "{fields}");
    }
}

#[test]
fn the_client_is_the_peer_and_not_what_a_header_claims() {
    let time = r#""start_time":"2026-01-31T09:30:00Z","authority":"a.example""#;
    for (fields, client) in [
        (
            r#""downstream_direct_remote_address":"10.0.0.1:1","downstream_remote_address":"9.9.9.9:2","x_forwarded_for":"8.8.8.8""#,
            ("10.0.0.1", 1),
        ),
        (
            r#""downstream_remote_address":"[2001:db8::1]:2","x_forwarded_for":"8.8.8.8""#,
            ("2001:db8::1", 2),
        ),
        (r#""x_forwarded_for":"9.9.9.9, 10.0.0.2""#, ("10.0.0.2", 0)),
        (r#""downstream_remote_address":"10.0.0.3""#, ("10.0.0.3", 0)),
    ] {
        let text = format!("{{{time},{fields}}}");
        assert_eq!(record(&text).client, (client.0.parse().unwrap(), client.1), "{fields}");
    }
    let nobody = format!("{{{time}}}");
    assert_eq!(parse(nobody.as_bytes()), Err(LineProblem::Malformed("client address")));
}

#[test]
fn numbers_as_text_and_dashes_are_understood() {
    let text = line(
        r#","method":"GET","authority":"a.example","path":"-","bytes_received":"12","bytes_sent":"-","response_code":"200","duration":"7","user_agent":"-","user":"""#,
    );
    let record = record(&text);
    assert_eq!((record.up_bytes, record.down_bytes), (Some(12), None));
    assert_eq!((record.status, record.duration_ms), (Some(200), Some(7)));
    assert_eq!((record.target, record.user_agent, record.user), (None, None, None));
}

#[test]
fn escaped_and_invalid_text_is_kept_as_bytes() {
    let text =
        line(r#","authority":"a.example","method":"GET","path":"/a\u0022b?c","user_agent":"x""#);
    assert_eq!(record(&text).path_and_query().0, Some(&b"/a\"b"[..]));
    let raw = text.replace("\"x\"", "\"\u{0}\u{0}\"").into_bytes();
    let raw: Vec<u8> = raw.into_iter().map(|byte| if byte == 0 { 0xff } else { byte }).collect();
    let record = request(parse(&raw).unwrap());
    assert_eq!(record.user_agent.unwrap().decoded().as_ref(), b"\xff\xff");
}

#[test]
fn a_request_that_made_no_sense_has_no_destination() {
    let text = line(
        r#","authority":null,"method":null,"response_code":400,"response_flags":"DPE","upstream_host":null"#,
    );
    assert_eq!(parse(text.as_bytes()), Err(LineProblem::NoDestination));
}

#[test]
fn damaged_lines_are_malformed() {
    let unfinished = line("");
    for text in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        r#"{"start_time":"yesterday","authority":"a"}"#,
        r#"{"start_time":["2026-01-31T09:30:00Z"]}"#,
        r#"{"start_time":7}"#,
        &unfinished[..unfinished.len() - 1],
        &(line("") + "x"),
    ] {
        let problem = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(problem, LineProblem::Malformed(_)), "{text}");
    }
}

#[test]
fn the_quick_reading_of_times_agrees_with_the_full_one() {
    for text in [
        "1970-01-01T00:00:00.000Z",
        "2000-02-28T23:59:59.999Z",
        "2024-03-01T00:00:00.001Z",
        "1969-12-28T00:00:00.500Z",
        "2100-03-01T12:34:56.789Z",
    ] {
        let full: Timestamp = text.parse().unwrap();
        assert_eq!(quick_timestamp(text.as_bytes()), Some(full), "{text}");
    }
    for (text, read) in [
        ("2024-02-29T00:00:00.000Z", true),
        ("2023-02-29T00:00:00.000Z", false),
        ("2026-01-31T09:30:00+02:00", true),
        ("2026-13-01T00:00:00.000Z", false),
    ] {
        assert_eq!(quick_timestamp(text.as_bytes()), None, "{text}");
        assert_eq!(timestamp(text.as_bytes()).is_some(), read, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn parsers_never_panic(text in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = parse(&text);
    }

    #[test]
    fn parsers_never_panic_on_any_value_of_a_field(
        field in proptest::sample::select(&[
            "start_time", "authority", "path", "method", "upstream_host", "bytes_received",
            "x_forwarded_for", "duration", "response_code", "requested_server_name",
        ][..]),
        value in "\"[ -~]{0,20}\"|-?[0-9]{1,25}(\\.[0-9]{1,3})?|null|true|\\[1\\]",
    ) {
        let _ = parse(format!("{{\"{field}\":{value}}}").as_bytes());
        let _ = parse(line(&format!(",\"authority\":\"a\",\"{field}\":{value}")).as_bytes());
    }

    /// Lines of the plain form, and ones that are nearly so.
    #[test]
    fn the_quick_reader_agrees_with_the_general_one(
        fields in proptest::collection::btree_map(
            proptest::sample::select(&[
                "start_time", "duration", "method", "authority", "path", "response_code",
                "response_code_details", "connection_termination_details", "response_flags",
                "bytes_received", "bytes_sent", "downstream_direct_remote_address",
                "downstream_remote_address", "x_forwarded_for", "upstream_host",
                "upstream_cluster", "requested_server_name", "user_agent", "user", "protocol",
                "responses", "", "us\\u0065r",
            ][..]),
            "\"[ !#-~]{0,8}\"|\"([ -~]|\\\\[\"\\\\/bfnrtux])*\"|0|[1-9][0-9]{0,17}|null|0[0-9]|-1|1\\.5|true|\\[\\]|\\{\\}| 1|\"\\\\n\"",
            0..5,
        ),
        end in "\\}|\\}|\\}|\\} |\\}\\}|,\\}|",
    ) {
        let fields: Vec<_> =
            fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let text = format!("{{{}{end}", fields.join(","));
        let mut quick = Entry::default();
        if quick.read_quickly(text.as_bytes()).is_some() {
            if quick.is_agent_escaped {
                let agent = quick.user_agent.0.map(|raw| json_decoded(&raw).into_owned());
                (quick.user_agent, quick.is_agent_escaped) = (Text(agent.map(Cow::Owned)), false);
            }
            let general: Entry<'_> = serde_json::from_str(&text).unwrap();
            proptest::prop_assert_eq!(quick, general);
        }
    }

    #[test]
    fn every_day_is_where_the_calendar_has_it(days in -200_000i64..200_000) {
        let moment = Timestamp::from_secs(days * 86_400);
        let text = moment.to_string().replace("Z", ".000Z");
        if let Some(quick) = quick_timestamp(text.as_bytes()) {
            proptest::prop_assert_eq!(quick, moment);
        }
    }
}
