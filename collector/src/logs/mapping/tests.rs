//! Lines in the formats that the proxies document. Those that real programs wrote are in
//! `tests/golden`.

use super::*;
use crate::logs::testing::in_short;

/// What a line tells, in short.
fn told(name: &str, line: &str) -> String {
    let latest = Some("2026-02-01T00:00:00Z".parse().unwrap());
    let mapping = shipped(name).unwrap_or_else(|| panic!("no mapping {name}"));
    match mapping.parse(line.as_bytes(), latest) {
        Ok(record) => in_short(&record),
        Err(problem) => problem.to_string(),
    }
}

/// Checks what lines tell, and that they are recognized.
fn check(name: &str, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        assert_eq!(told(name, line), *expected, "{name}: {line}");
    }
    let recognized = looks_like(lines[0].0.as_bytes()).map(Mapping::name);
    assert_eq!(recognized, Some(name), "{}", lines[0].0);
}

#[test]
fn caddy_tells_the_body_as_the_upload() {
    let line = |request: &str, rest: &str| {
        format!(
            r#"{{"level":"info","ts":1769851800.5,"logger":"http.log.access.log0","msg":"handled request","request":{{"remote_ip":"10.20.0.17","remote_port":"41342","proto":"HTTP/1.1",{request}}},{rest}}}"#
        )
    };
    let post = line(
        r#""method":"POST","host":"up.example:8080","uri":"/a?b=1\u0026c=2","headers":{"User-Agent":["curl/8"]}"#,
        r#""bytes_read":1234,"user_id":"","duration":0.25,"size":10,"status":200"#,
    );
    let connect = line(
        r#""method":"CONNECT","host":"x.example:443","uri":"x.example:443","headers":{}"#,
        r#""bytes_read":0,"duration":0.001,"size":0,"status":403"#,
    );
    check(
        "caddy",
        &[
            (
                &post,
                "2026-01-31T09:30:00.5Z 10.20.0.17/41342 POST up.example:8080/a 200 up 1234 down 10 ms 250",
            ),
            (
                &connect,
                "2026-01-31T09:30:00.5Z 10.20.0.17/41342 CONNECT x.example:443 403 up 0 down 0 ms 1 refused",
            ),
            (r#"{"level":"info","ts":1.5,"logger":"tls","msg":"x"}"#, "about the log itself"),
        ],
    );
    let post = shipped("caddy").unwrap().parse(post.as_bytes(), None).unwrap();
    assert_eq!(post.path_and_query().1.map(<[u8]>::len), Some(7));
    assert_eq!(&*post.user_agent.unwrap().decoded(), b"curl/8");
    assert_eq!(post.user, None);
}

#[test]
fn traefik_tells_in_json_and_in_its_common_format() {
    let json = |rest: &str| {
        format!(
            r#"{{"ClientAddr":"10.20.0.17:5000","ClientHost":"10.20.0.17","ClientPort":"5000","ClientUsername":"-","DownstreamContentSize":5,"Duration":1500000,"RequestAddr":"up.example","RequestContentSize":77,"RequestHost":"up.example","RequestMethod":"POST","RequestPath":"/x?y","RequestPort":"-","RequestScheme":"https","StartUTC":"2026-01-31T09:30:00.000000123Z",{rest}}}"#
        )
    };
    check(
        "traefik-json",
        &[
            (
                &json(r#""DownstreamStatus":200,"ServiceAddr":"192.0.2.7:443""#),
                "2026-01-31T09:30:00.001500123Z 10.20.0.17/5000 POST up.example:443/x 200 up 77 down 5 ms 1",
            ),
            (
                &json(r#""DownstreamStatus":404"#),
                "2026-01-31T09:30:00.001500123Z 10.20.0.17/5000 POST up.example:443/x 404 up 77 down 5 ms 1 refused",
            ),
        ],
    );
    check(
        "traefik-clf",
        &[
            (
                r#"10.20.0.17 - - [31/Jan/2026:09:30:00 +0000] "GET /x HTTP/1.1" 200 12 "-" "curl/8" 7 "r@file" "https://up.example" 42ms"#,
                "2026-01-31T09:30:00.042Z 10.20.0.17/0 GET up.example:443/x 200 up ? down 12 ms 42",
            ),
            (
                r#"10.20.0.17 - - [31/Jan/2026:09:30:00 +0000] "GET /x HTTP/1.1" 404 19 "-" "-" 8 "-" "-" 0ms"#,
                "no destination",
            ),
        ],
    );
}

#[test]
fn envoy_s_text_needs_a_forwarded_client() {
    let line = |request: &str, status: &str, client: &str| {
        format!(
            r#"[2026-01-31T09:30:00.123Z] "{request} HTTP/1.1" {status} 154 226 100 - "{client}" "curl/8" "-" "up.example:8443" "192.0.2.7:8443""#
        )
    };
    check(
        "envoy-text",
        &[
            (
                &line("POST /a?b", "200 -", "203.0.113.9, 10.20.0.17"),
                "2026-01-31T09:30:00.223Z 10.20.0.17/0 POST up.example:8443/a 200 up 154 down 226 ms 100",
            ),
            (
                &line("CONNECT -", "403 UAEX", "10.20.0.17"),
                "2026-01-31T09:30:00.223Z 10.20.0.17/0 CONNECT up.example:8443 403 up 154 down 226 ms 100 refused",
            ),
            (&line("GET /", "200 -", "-"), "malformed: client address"),
        ],
    );
    check(
        "istio-text",
        &[(
            r#"[2026-01-31T09:30:00.123Z] "- - -" 0 - - - "-" 1200 3400 50 - "-" "-" "-" "-" "192.0.2.7:443" PassthroughCluster 10.20.0.17:4000 192.0.2.7:443 10.20.0.17:3999 up.example -"#,
            "2026-01-31T09:30:00.173Z 10.20.0.17/3999 CONNECT up.example:443 ? up 1200 down 3400 ms 50",
        )],
    );
}

#[test]
fn gh_aw_firewall_tells_in_text_and_in_json() {
    check(
        "gh-aw-firewall",
        &[
            (
                r#"1769851800.123 172.20.98.20:55960 x.example:443 -:- 1.1 CONNECT 403 TCP_DENIED:HIER_NONE x.example:443 "curl/7.81.0""#,
                "2026-01-31T09:30:00.123Z 172.20.98.20/55960 CONNECT x.example:443 403 up ? down ? ms ? refused",
            ),
            (
                r#"1769851800.123 172.20.98.20:55952 up.example 192.0.2.7:80 1.1 GET 200 TCP_MISS:HIER_DIRECT http://up.example/a "curl \"x\"""#,
                "2026-01-31T09:30:00.123Z 172.20.98.20/55952 GET up.example:80/a 200 up ? down ? ms ?",
            ),
            (
                r#"1769851800.123 172.20.98.20:1 - -:- 0.0 - 0 NONE_NONE:HIER_NONE error:transaction-end-before-headers "-""#,
                "no destination",
            ),
        ],
    );
    check(
        "gh-aw-firewall-audit",
        &[(
            r#"{"_schema":"audit/v0.27.0","ts":1769851800.123,"client":"172.20.98.20","host":"x.example:443","dest":"-:-","method":"CONNECT","status":403,"decision":"TCP_DENIED","url":"x.example:443"}"#,
            "2026-01-31T09:30:00.123Z 172.20.98.20/0 CONNECT x.example:443 403 up ? down ? ms ? refused",
        )],
    );
}

#[test]
fn proxifier_counts_a_connection_when_it_closes() {
    check(
        "proxifier",
        &[
            (
                "[01.31 09:30:00] chrome.exe *64 - up.example:443 close, 1714 bytes (1.67 KB) sent, 865 bytes received, lifetime 02:07",
                "2026-01-31T09:30:00Z 127.0.0.1/0 CONNECT up.example:443 ? up 1714 down 865 ms ?",
            ),
            (
                "[01.31 09:30:00] a.exe - up.example:443 close, 0 bytes sent, 0 bytes received, lifetime <1 sec",
                "2026-01-31T09:30:00Z 127.0.0.1/0 CONNECT up.example:443 ? up 0 down 0 ms ?",
            ),
            (
                "[01.31 09:30:00] a.exe - up.example:443 open through proxy p.example:5070 HTTPS",
                "about the log itself",
            ),
            (
                "[01.31 09:30:00] a.exe - up.example:443 error : Could not connect through proxy p.example:5070 - Proxy server cannot establish a connection with the target, status code 403",
                "2026-01-31T09:30:00Z 127.0.0.1/0 CONNECT up.example:443 ? up 0 down 0 ms ? refused",
            ),
        ],
    );
}

#[test]
fn the_usual_text_formats_tell_apart_what_they_hold() {
    check(
        "nginx-combined",
        &[
            (
                r#"10.20.0.17 - bob [31/Jan/2026:09:30:00 +0000] "POST http://up.example/a?b=c HTTP/1.1" 403 12 "-" "curl/8""#,
                "2026-01-31T09:30:00Z 10.20.0.17/0 POST up.example:80/a 403 up ? down 12 ms ?",
            ),
            (
                r#"10.20.0.17 - - [31/Jan/2026:09:30:00 +0000] "CONNECT x.example:443 HTTP/1.1" 403 12 "-" "-""#,
                "2026-01-31T09:30:00Z 10.20.0.17/0 CONNECT x.example:443 403 up ? down 12 ms ? refused",
            ),
            (
                r#"10.20.0.17 - - [31/Jan/2026:09:30:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#,
                "no destination",
            ),
            (
                r#"10.20.0.17 - - [31/Jan/2026:09:30:00 +0000] "\x16\x03\x01" 400 1 "-" "-""#,
                "no destination",
            ),
        ],
    );
    check(
        "squid-combined",
        &[(
            r#"10.20.0.17 - - [31/Jan/2026:09:30:00 +0000] "CONNECT x.example:443 HTTP/1.1" 403 3900 "-" "curl/8" TCP_DENIED:HIER_NONE"#,
            "2026-01-31T09:30:00Z 10.20.0.17/0 CONNECT x.example:443 403 up ? down 3900 ms ? refused",
        )],
    );
}

#[test]
fn haproxy_tells_behind_a_syslog_header_too() {
    let plain = r#"10.20.0.17:33317 [31/Jan/2026:09:30:00.655] http-in out/up 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {up.example} "GET http://up.example/a HTTP/1.1""#;
    let behind = format!("<134>Jan 31 09:30:00 gw haproxy[14389]: {plain}");
    let told =
        "2026-01-31T09:30:00.764Z 10.20.0.17/33317 GET up.example:80/a 200 up ? down 2750 ms 109";
    check(
        "haproxy-http",
        &[
            (plain, told),
            (&behind, told),
            (
                r#"fd00::17:33317 [31/Jan/2026:09:30:00.655] in in/<NOSRV> 0/-1/-1/-1/0 403 192 - - PR-- 1/1/0/0/0 0/0 "CONNECT x.example:443 HTTP/1.1""#,
                "2026-01-31T09:30:00.655Z fd00::17/33317 CONNECT x.example:443 403 up ? down 192 ms 0 refused",
            ),
            (
                r#"10.20.0.17:1 [31/Jan/2026:09:30:00.655] in in/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>""#,
                "no destination",
            ),
        ],
    );
    check(
        "haproxy-tcp",
        &[(
            "10.20.0.17:33313 [31/Jan/2026:09:30:00.000] fnt bck/up.example 0/0/5007 212 -- 0/0/0/0/3 0/0",
            "2026-01-31T09:30:05.007Z 10.20.0.17/33313 CONNECT up.example:443 ? up ? down 212 ms 5007",
        )],
    );
}

#[test]
fn a_login_challenge_is_no_refusal_and_passes_nothing_on() {
    let line = r#"{"by":"nginx","time":1769851800.123,"client":"10.20.0.17","method":"GET","host":"a.example","url":"/","status":407,"up":100}"#;
    assert_eq!(
        told("nginx-json", line),
        "2026-01-31T09:30:00.123Z 10.20.0.17/0 GET a.example:80/ 407 up 0 down ? ms ?"
    );
}

#[test]
fn an_address_gives_way_to_the_server_name_in_the_session() {
    let line = r#"{"by":"haproxy","start":1769851800.123,"client":"10.20.0.17","server":"192.0.2.7:8443","host":"192.0.2.7","sni":"up.example","took":5}"#;
    let record = shipped("haproxy-json").unwrap().parse(line.as_bytes(), None).unwrap();
    assert_eq!((&*record.host, record.port), (&b"up.example"[..], 8443));
    assert_eq!(record.named_by, egret_event::NameSource::Sni);
}

#[test]
fn a_login_for_the_destination_names_nobody() {
    let line = r#"192.0.2.1 - somebody [31/Jan/2026:09:30:00 +0000] "CONNECT a.example:443 HTTP/1.1" 200 5 "-" "-""#;
    let record = shipped("nginx-combined").unwrap().parse(line.as_bytes(), None).unwrap();
    assert_eq!(record.user, None);
    let line = r#"{"by":"nginx","time":1769851800.123,"client":"192.0.2.1","method":"GET","host":"a.example","url":"/","status":200,"up":100,"user":"somebody"}"#;
    let record = shipped("nginx-json").unwrap().parse(line.as_bytes(), None).unwrap();
    assert_eq!(record.user, None);
}

#[test]
fn an_ipv6_address_may_have_its_port_without_brackets() {
    for (server, address, port) in [
        ("2001:db8::7:443", "2001:db8::7", 443),
        ("::1:8080", "::1", 8080),
        ("192.0.2.7:443", "192.0.2.7", 443),
    ] {
        let line = format!(
            r#"{{"by":"haproxy","start":1769851800.123,"client":"::1","took":5,"server":"{server}"}}"#
        );
        let record = shipped("haproxy-json").unwrap().parse(line.as_bytes(), None).unwrap();
        assert_eq!((record.address, record.port), (Some(address.parse().unwrap()), port));
    }
}

#[test]
fn shipped_mappings_compile_and_have_names_of_their_own() {
    for (n, mapping) in all_shipped().iter().enumerate() {
        assert_eq!(mapping.raw.compile().unwrap(), *mapping);
        assert!(mapping.raw.like.is_none(), "{}", mapping.name());
        let same = all_shipped().iter().filter(|other| other.name() == mapping.name());
        assert_eq!(same.count(), 1, "{n}: {}", mapping.name());
    }
}

proptest::proptest! {
    #[test]
    fn no_line_makes_a_mapping_panic(
        raw in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        text in "[\\[\\]{}\":,. 0-9a-zA-Z/<>+-]{0,120}",
        url in "(https?://)?[\\[\\]a-z@:0-9.é]{0,12}(/[a-z?%]{0,6})?",
    ) {
        let line = format!(r#"10.0.0.1 - - [31/Jan/2026:09:30:00 +0000] "GET {url} HTTP/1.1" 200 1 "-" "-""#);
        let json = format!(r#"{{"by":"nginx","time":{text},"client":"{url}","url":"{url}","host":"{url}"}}"#);
        for mapping in all_shipped() {
            for line in [&raw[..], text.as_bytes(), line.as_bytes(), json.as_bytes()] {
                let _ = mapping.parse(line, None);
            }
        }
    }
}
