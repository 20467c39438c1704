use proptest::prelude::*;

use super::*;

fn complete(bytes: &[u8]) -> Request<'_> {
    match head(bytes) {
        Head::Complete(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_says_where_it_goes_and_with_which_query() {
    let seen = complete(
        b"POST /a/b?token=secret HTTP/1.1\r\nhost: Files.Example:8080\r\n\
          User-Agent:  curl/8 \r\n\r\nbody",
    );
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, Target::Path(b"/a/b", Some(b"token=secret")));
    let host = Authority { host: b"Files.Example", port: Some(8080) };
    assert_eq!(seen.host, Some(host));
    assert_eq!(seen.user_agent, Some(&b"curl/8"[..]));
}

#[test]
fn proxies_are_asked_by_url_or_by_connect() {
    let seen = complete(b"GET http://user:pw@a.example:81?q HTTP/1.0\n\n");
    let there = Authority { host: b"a.example", port: Some(81) };
    assert_eq!(seen.target, Target::Url(there, b"/", Some(b"q")));
    let seen = complete(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n");
    let there = Authority { host: b"2001:db8::1", port: Some(443) };
    assert_eq!(seen.target, Target::Tunnel(there));
    assert_eq!(there.address(), Some("2001:db8::1".parse().unwrap()));
}

#[test]
fn a_long_query_counts_before_its_line_has_ended() {
    let Head::Partial(Some(seen)) = head(b"GET /q?aaaaaaaa") else { panic!("not seen") };
    assert_eq!(seen.target, Target::Path(b"/q", Some(b"aaaaaaaa")));
    let Head::Partial(Some(seen)) = head(b"GET / HTTP/1.1\r\nHost: a.exa") else {
        panic!("not seen")
    };
    assert_eq!(seen.host, None, "half a name is no name");
}

#[test]
fn what_only_resembles_a_request_is_none() {
    for bytes in [
        &b"GET"[..],
        b"GETTING / HTTP/1.1",
        b"get / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-x y\r\n",
        b"GET / SIP/2.0\r\n\r\n",
        b"FOO / HTTP/2.0\r\n\r\n",
        b"",
    ] {
        assert_eq!(head(bytes), Head::No, "{}", bytes.escape_ascii());
    }
}

#[test]
fn kept_text_is_printable_and_short() {
    assert_eq!(printable(b"a\x1b[31m\\ \xff"), "a\\x1b[31m\\x5c \\xff");
    assert!(printable(&[b'\n'; 1000]).len() <= MAX_TEXT_BYTES);
}

#[test]
fn a_head_says_what_body_follows() {
    let post = |headers: &str| format!("POST /up HTTP/1.1\r\n{headers}\r\nbody");
    let seen = post("Content-Type: Text/Plain; charset=utf-8\r\nContent-Length: 4\r\n");
    let seen = complete(seen.as_bytes());
    assert_eq!((seen.body, seen.media_type()), (Body::Length(4), Some(&b"Text/Plain"[..])));
    for (headers, body) in [
        ("", Body::Length(0)),
        ("Content-Length : 7\r\n", Body::Length(7)),
        ("Content-Length: 7\r\nContent-Length: 7\r\n", Body::Length(7)),
        ("Content-Length: 7\r\nContent-Length: 8\r\n", Body::Unknown),
        ("Content-Length: -1\r\n", Body::Unknown),
        ("Transfer-Encoding: gzip, Chunked\r\nContent-Length: 7\r\n", Body::Chunked),
        ("Transfer-Encoding: gzip\r\n", Body::Unknown),
    ] {
        assert_eq!(complete(post(headers).as_bytes()).body, body, "{headers}");
    }
}

#[test]
fn the_length_of_a_head_is_where_the_body_starts() {
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\n\r\nbody";
    assert_eq!(&bytes[complete(bytes).head_bytes..], b"body");
}

#[test]
fn a_chunked_body_is_counted_where_all_of_it_is_there() {
    let bytes = b"4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\nTrailer: x\r\n\r\nGET ";
    assert_eq!(chunked(bytes), Some((10, bytes.len() - 4)));
    for length in 0..bytes.len() - 4 {
        assert_eq!(chunked(&bytes[..length]), None, "{length} bytes");
    }
    for bytes in [&b"\r\n"[..], b"ffffffffffffffffff\r\n", b"1\r\nab\r\n0\r\n\r\n"] {
        assert_eq!(chunked(bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn an_answer_gives_its_status_and_its_length() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\n";
    let seen = response(bytes).unwrap();
    assert_eq!((seen.status, seen.length), (200, Some(bytes.len() - 24)));
    let cut = response(b"HTTP/1.0 404 Not Found\r\nCont").unwrap();
    assert_eq!((cut.status, cut.length), (404, None));
    for bytes in [&b"HTTP/1.1 20"[..], b"HTTP/2 200 ", b"HTTP/1.1 2000 ", b"HTTP/1.1 099 ", b""] {
        assert_eq!(response(bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_proxy_refuses_a_tunnel_by_rule_or_asks_who_one_is() {
    let refuses = |head: &str| response(head.as_bytes()).unwrap().refuses_tunnel();
    assert!(refuses("HTTP/1.1 403 Forbidden\r\n\r\n"));
    assert!(refuses("HTTP/1.1 407 Request rejected by proxy\r\nX-Reason: rule\r\n\r\n"));
    assert!(!refuses("HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n"));
    assert!(!refuses("HTTP/1.1 200 Connection established\r\n\r\n"));
    assert!(!refuses("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
}

#[test]
fn a_request_line_is_enough_to_know_the_protocol() {
    assert!(is_request(b"GET / HTTP/1.1\r\nHo"));
    assert!(is_request(b"POST /upload?x=1"));
    assert!(is_request(b"M-SEARCH * HTTP/1.1\r\n"));
    assert!(!is_request(b"OPTIONS sip:a@b SIP/2.0\r\n"));
    assert!(!is_request(b"GET it"));
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = head(&bytes);
        let _ = is_request(&bytes);
        let _ = response(&bytes);
        let _ = chunked(&bytes);
    }

    #[test]
    fn no_headers_bring_it_down(text in "(GET|POST) /[ -~]{0,20} HTTP/1.1\r\n([ -~]{0,30}\r?\n){0,6}") {
        if let Head::Complete(request) | Head::Partial(Some(request)) = head(text.as_bytes()) {
            prop_assert!(request.head_bytes <= text.len());
        }
        let _ = response(text.replacen("GET", "HTTP/1.1 200", 1).as_bytes());
    }
}
