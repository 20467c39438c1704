//! Lines as Squid 5.7 writes them, with other names and addresses.

use super::*;

const BLOCKED: Verdict = Verdict::Blocked(BlockReason::ProxyDenied);

fn native(line: &str) -> LogRecord<'_> {
    request(parse_native(line.as_bytes())).unwrap_or_else(|problem| panic!("{problem}: {line}"))
}

fn egret(line: &str) -> LogRecord<'_> {
    request(parse_egret(line.as_bytes())).unwrap_or_else(|problem| panic!("{problem}: {line}"))
}

fn request(read: Result<Entry<'_>, LineProblem>) -> Result<LogRecord<'_>, LineProblem> {
    read.map(|entry| match entry {
        Entry::Request(record) => record,
        other => panic!("no request: {other:?}"),
    })
}

fn text<'a>(field: &'a Option<Cow<'_, [u8]>>) -> Option<&'a str> {
    field.as_deref().map(|bytes| str::from_utf8(bytes).unwrap())
}

#[test]
fn a_native_line_says_all_but_the_upload() {
    let record = native(
        "1795451434.455      7 10.20.0.17 TCP_MISS/200 1246 POST \
         http://up.example:8080/upload? alice HIER_DIRECT/192.0.2.7 text/html",
    );
    assert_eq!(
        record,
        LogRecord {
            at: Timestamp::from_parts(1_795_451_434, 455_000_000),
            client: ("10.20.0.17".parse().unwrap(), 0),
            host: Cow::Borrowed(b"up.example"),
            named_by: NameSource::ProxyLog,
            port: 8080,
            address: Some("192.0.2.7".parse().unwrap()),
            verdict: Verdict::Allowed,
            up_bytes: None,
            down_bytes: Some(1246),
            method: Cow::Borrowed(b"POST"),
            target: Some(Cow::Borrowed(b"/upload?")),
            user_agent: None,
            status: Some(200),
            duration_ms: Some(7),
            user: Some(Cow::Borrowed(b"alice")),
            sni: None,
            content_type: None,
            body_bytes: None,
            client_certificate: None,
            seen_by: SeenBy::Proxy,
        }
    );
}

#[test]
fn our_own_format_says_what_went_up_and_from_which_port() {
    let record = egret(
        "1795451434.504 11 10.20.0.17:45266 TCP_TUNNEL/200 up=1050878 down=3044 CONNECT \
         tls.example:8443 192.0.2.7:8443 hier=HIER_DIRECT user=al%20ice%20%C3%A9 sni=other.example \
         ua=Mo%20zilla%20%22q%22 future=field",
    );
    assert_eq!(record.client, ("10.20.0.17".parse().unwrap(), 45266));
    assert_eq!((record.up_bytes, record.down_bytes), (Some(1_050_878), Some(3044)));
    assert_eq!((record.host.as_ref(), record.port), (&b"tls.example"[..], 8443));
    assert_eq!((record.named_by, record.target.clone()), (NameSource::Connect, None));
    assert_eq!(record.address, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(text(&record.user), Some("al ice é"));
    let agent = record.user_agent.as_ref().map(Written::decoded);
    assert_eq!(text(&agent), Some("Mo zilla \"q\""));
    assert_eq!(text(&record.sni), Some("other.example"));
}

#[test]
fn our_own_format_may_do_without_the_fields_at_the_end() {
    let record = egret(
        "1795451434.757 3 ::1:45350 TCP_MISS/200 up=126 down=1246 GET http://[2001:db8::7]:8080/six \
         2001:db8::7:8080",
    );
    assert_eq!(record.client, ("::1".parse().unwrap(), 45350));
    assert_eq!((record.host.as_ref(), record.port), (&b"2001:db8::7"[..], 8080));
    assert_eq!(record.address, Some("2001:db8::7".parse().unwrap()));
    assert_eq!(record.path_and_query().1.map(<[u8]>::len), Some(0));
    assert_eq!((record.user, record.sni), (None, None));
}

#[test]
fn only_a_refusal_by_rule_is_blocked() {
    for (outcome, verdict) in [
        ("TCP_DENIED/403", BLOCKED),
        ("TCP_DENIED_ABORTED/403", BLOCKED),
        ("TCP_DENIED/407", Verdict::Allowed),
        ("TCP_DENIED_REPLY/403", Verdict::Allowed),
        ("TCP_MISS/403", Verdict::Allowed),
        ("TCP_MISS/502", Verdict::Allowed),
        ("NONE_NONE/503", Verdict::Allowed),
        ("TAG_NONE/503", Verdict::Allowed),
    ] {
        let line = format!(
            "1795451434.520 0 10.20.0.17:9 {outcome} up=142 down=3459 GET http://a.example/x -:-"
        );
        assert_eq!(egret(&line).verdict, verdict, "{outcome}");
        let line = format!(
            "1795451434.520      0 10.20.0.17 {outcome} 3459 GET http://a.example/x - HIER_NONE/- -"
        );
        assert_eq!(native(&line).verdict, verdict, "{outcome}");
    }
}

#[test]
fn a_request_to_log_in_sent_nothing_to_the_destination() {
    let record = egret(
        "1795451434.554 0 10.20.0.17:45286 TCP_DENIED/407 up=1137 down=3524 POST \
         http://auth.example/ -:- user=mallory",
    );
    assert_eq!(record.up_bytes, Some(0));
    assert!(record.is_login_challenge());
}

#[test]
fn requests_that_squid_could_not_act_on_have_no_destination() {
    for (method, url) in [
        ("-", "error:transaction-end-before-headers"),
        ("NONE", "error:invalid-request"),
        ("garbage", "error:invalid-request"),
        ("GET", "error:request-too-large"),
        ("CONNECT", "error:invalid-request"),
        ("GET", "/rel"),
        ("OPTIONS", "http://:80*"),
        ("OPTIONS", "*"),
        ("GET", "-"),
    ] {
        let line = format!(
            "1795451435.072      0 10.20.0.17 NONE_NONE/400 0 {method} {url} - HIER_NONE/- -"
        );
        assert_eq!(
            parse_native(line.as_bytes()),
            Err(LineProblem::NoDestination),
            "{method} {url}"
        );
        let line =
            format!("1795451435.072 0 10.20.0.17:9 NONE_NONE/000 up=0 down=0 {method} {url} -:-");
        assert_eq!(parse_egret(line.as_bytes()), Err(LineProblem::NoDestination), "{method} {url}");
    }
}

#[test]
fn urls_are_split_into_host_port_path_and_length_of_query() {
    for (url, host, port, path, query) in [
        ("http://a.example", "a.example", 80, None, Some(0)),
        ("https://a.example/", "a.example", 443, Some("/"), Some(0)),
        ("http://a.example:81/x?y=z", "a.example", 81, Some("/x"), Some(3)),
        ("http://a.example?y=z", "a.example", 80, None, Some(3)),
        ("http://a.example/x?", "a.example", 80, Some("/x"), None),
        ("http://u:p@a.example/@x", "a.example", 80, Some("/@x"), Some(0)),
        ("ftp://a.example/x", "a.example", 21, Some("/x"), Some(0)),
        ("cache_object://a.example/info", "a.example", 0, Some("/info"), Some(0)),
        ("http://[2001:db8::1]/x", "2001:db8::1", 80, Some("/x"), Some(0)),
        ("http://a.example:99999/", "a.example", 80, Some("/"), Some(0)),
    ] {
        let line = format!("1795451434.4 1 10.0.0.1 TCP_MISS/200 1 GET {url} - HIER_DIRECT/- -");
        let line = line.replace(".4 ", ".400 ");
        let record = native(&line);
        assert_eq!(str::from_utf8(&record.host).unwrap(), host, "{url}");
        assert_eq!(
            (record.port, text(&record.path_and_query().0.map(Cow::Borrowed))),
            (port, path),
            "{url}"
        );
        assert_eq!(record.path_and_query().1.map(<[u8]>::len), query, "{url}");
    }
}

#[test]
fn a_user_name_with_spaces_does_not_shift_the_fields() {
    let record = native(
        "1795451497.322      4 10.20.0.17 TCP_MISS/200 1246 GET http://a.example/q \
         x hier_direct/9.9.9.9 a%1b\"%5b%5d HIER_DIRECT/192.0.2.7 -",
    );
    assert_eq!(text(&record.user), Some("x hier_direct/9.9.9.9 a\u{1b}\"[]"));
    assert_eq!(record.address, Some("192.0.2.7".parse().unwrap()));
    let record = native(
        "1795451497.322 4 10.20.0.17 TCP_MISS/200 1 GET http://a.example/q bob HIER_DIRECT/192.0.2.7 \
         text/html [User-Agent: x\\r\\n] [Server: y z\\r\\n]",
    );
    assert_eq!(text(&record.user), Some("bob"));
}

#[test]
fn a_field_forged_in_a_url_with_spaces_is_overruled_by_squids_own() {
    let record = egret(
        "1795451434.428 1 10.20.0.17:9 TCP_MISS/200 up=1 down=2 GET http://a.example/ user=root \
         sni=b.example 192.0.2.7:80 hier=HIER_DIRECT user=- sni=- ua=-",
    );
    assert_eq!((record.user, record.sni, record.user_agent), (None, None, None));
}

#[test]
fn the_address_of_a_parent_proxy_is_not_the_destinations() {
    for (way, is_destination) in
        [("HIER_DIRECT", true), ("PINNED", true), ("FIRSTUP_PARENT", false), ("SIBLING_HIT", false)]
    {
        let line =
            format!("1795451434.428 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - {way}/192.0.2.7 -");
        assert_eq!(native(&line).address.is_some(), is_destination, "{way}");
        let line = format!(
            "1795451434.428 1 10.0.0.1:9 TCP_MISS/200 up=1 down=1 GET http://a/ 192.0.2.7:80 \
             hier={way}"
        );
        assert_eq!(egret(&line).address.is_some(), is_destination, "{way}");
    }
}

#[test]
fn an_intercepted_connection_is_named_by_its_tls_server_name() {
    let record = egret(
        "1795451590.825 3 10.20.0.17:50096 TCP_TUNNEL/500 up=703 down=3005 CONNECT 192.0.2.7:443 \
         192.0.2.7:443 hier=ORIGINAL_DST user=- sni=api.example ua=-",
    );
    assert_eq!((record.host.as_ref(), record.named_by), (&b"api.example"[..], NameSource::Sni));
    assert_eq!(record.address, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(record.port, 443);
}

#[test]
fn a_line_that_squid_has_cut_still_names_the_destination() {
    let start = "1795451491.296 0 10.20.0.17:33328 TCP_MISS/200 up=20059 down=43635 GET \
                 http://a.example:8080/";
    let line = start.to_owned() + &"a".repeat(CUT_BYTES - start.len());
    let record = egret(&line);
    assert_eq!((record.host.as_ref(), record.port), (&b"a.example"[..], 8080));
    assert_eq!((record.up_bytes, record.user, record.address), (Some(20059), None, None));
    let start = "1795451491.296      0 10.20.0.17 TCP_MISS/200 43635 GET http://a.example/";
    // The user may be half a name by now: it is not taken.
    let line = start.to_owned() + &"a".repeat(CUT_BYTES - start.len() - 4) + " bob";
    assert_eq!((native(&line).host.as_ref(), native(&line).user), (&b"a.example"[..], None));
}

#[test]
fn damaged_lines_are_malformed() {
    for line in [
        "",
        " ",
        "hello",
        "1795451434.428",
        "-1.000 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_DIRECT/- -",
        "1795451434.4281 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_DIRECT/- -",
        "999999999999.000 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_DIRECT/- -",
        "1795451434.428 1 client TCP_MISS/200 1 GET http://a/ - HIER_DIRECT/- -",
        "1795451434.428 1 10.0.0.1 TCP_MISS 1 GET http://a/ - HIER_DIRECT/- -",
        "1795451434.428 1 10.0.0.1 TCP_MISS/200 1 GET http://a/ - HIER_DIRECT",
        "1795451434.428 1 10.0.0.1 TCP_MISS/200 1 GET http://a/",
    ] {
        assert!(
            matches!(parse_native(line.as_bytes()), Err(LineProblem::Malformed(_))),
            "{line:?}"
        );
        assert!(matches!(parse_egret(line.as_bytes()), Err(LineProblem::Malformed(_))), "{line:?}");
    }
}

proptest::proptest! {
    #[test]
    fn parsers_never_panic(line in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = parse_native(&line);
        let _ = parse_egret(&line);
    }

    #[test]
    fn parsers_never_panic_on_nearly_good_lines(
        at in 0usize..200,
        put in proptest::collection::vec(proptest::num::u8::ANY, 0..4),
        cut in 0usize..4,
    ) {
        let good = b"1795451434.504 11 10.20.0.17:45266 TCP_TUNNEL/200 up=1050878 down=3044 CONNECT \
            tls.example:8443 192.0.2.7:8443 hier=HIER_DIRECT user=a%20b sni=other.example ua=x";
        let at = at.min(good.len());
        let end = (at + cut).min(good.len());
        let line = [&good[..at], &put, &good[end..]].concat();
        let _ = parse_native(&line);
        let _ = parse_egret(&line);
    }
}

#[test]
fn a_tunnel_that_was_looked_into_counts_once_and_a_terminated_one_is_refused() {
    let line = |result: &str, server: &str, bump: &str| {
        format!(
            "1795886916.857 0 10.20.0.17:57108 {result} up=69 down=0 CONNECT up.example:443 \
             {server} hier=- user=- sni=up.example {bump} ua=-"
        )
    };
    for (result, server, bump, expected) in [
        ("NONE_NONE/200", "-:-", "bump=splice", Err(LineProblem::Duplicate)),
        ("NONE/200", "-:-", "bump=splice", Err(LineProblem::Duplicate)),
        ("NONE_NONE/200", "-:-", "bump=terminate", Ok(BLOCKED)),
        // Another line may not come after these, or nothing tells.
        ("NONE_NONE/200", "-:-", "bump=peek", Ok(Verdict::Allowed)),
        ("NONE_NONE/200", "-:-", "bump=bump", Ok(Verdict::Allowed)),
        ("NONE_NONE/200", "-:-", "future=field", Ok(Verdict::Allowed)),
        ("NONE_NONE_ABORTED/200", "-:-", "bump=splice", Ok(Verdict::Allowed)),
        // These are the lines that come after.
        ("TCP_TUNNEL/500", "192.0.2.7:443", "bump=splice", Ok(Verdict::Allowed)),
        ("NONE_NONE/503", "-:-", "bump=splice", Ok(Verdict::Allowed)),
        ("NONE_NONE/403", "-:-", "bump=splice", Ok(BLOCKED)),
        ("TCP_DENIED/200", "-:-", "bump=splice", Ok(BLOCKED)),
    ] {
        let line = line(result, server, bump);
        let told = request(parse_egret(line.as_bytes())).map(|record| record.verdict);
        assert_eq!(told, expected, "{line}");
    }
}

#[test]
fn a_tunnel_without_tls_is_logged_without_a_method() {
    let record = egret(
        "1795886917.296 1 10.20.0.17:57148 TCP_TUNNEL/500 up=5085 down=116 - up.example:25 \
         192.0.2.7:25 hier=HIER_DIRECT user=- sni=- bump=peek ua=-",
    );
    assert_eq!((&*record.method, &*record.host, record.port), (CONNECT, &b"up.example"[..], 25));
    assert_eq!(record.up_bytes, Some(5085));
}

proptest::proptest! {
    #[test]
    fn the_usual_time_is_what_any_other_is(text in "[0-9]{10}\\.[0-9]{3}|[0-9.:/ ]{14}") {
        let usual = text.as_bytes().try_into().ok().and_then(usual_timestamp);
        proptest::prop_assert_eq!(usual, timestamp(text.as_bytes()));
    }

    #[test]
    fn three_fields_at_the_end_are_what_is_read_from_behind(
        text in "[a /\\t\\]\\[]{0,12}|[a-z]{1,3} [a-z]{0,3}/[a-z]{0,3} [a-z]{1,3}( |\\t)?",
    ) {
        let text = text.as_bytes();
        if let Some(end) = NativeEnd::of_three(text, Fields::of(text)) {
            proptest::prop_assert_eq!(Ok(end), NativeEnd::from_behind(text));
        }
    }
}
