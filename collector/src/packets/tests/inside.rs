//! Names, hellos, requests.

use egret_event::{NameSource, SeenBy};

use super::*;

/// `client` asks for `name` and is told `SERVER`.
fn resolve(tap: &mut Tap, client: [u8; 4], name: &str) {
    tap.see(&udp((client, 33_000, RESOLVER, 53), &dns(7, name, None)));
    tap.see(&udp((RESOLVER, 53, client, 33_000), &dns(7, name, Some(SERVER))));
}

fn host_of(event: &Event) -> Option<(&str, NameSource)> {
    Some((event.destination.host.as_deref()?, event.destination.named_by?))
}

/// The destination of a flow of `client` to `SERVER`.
fn destination_for(tap: &mut Tap, client: [u8; 4]) -> Option<String> {
    tap.events.clear();
    tap.see(&udp((client, 41_000, SERVER, 4433), b"x"));
    tap.pass(11_000);
    tap.flows()
        .iter()
        .find(|(event, _)| event.destination.port == 4433)?
        .0
        .destination
        .host
        .clone()
        .map(String::from)
}

#[test]
fn a_question_and_its_answer_are_one_event() {
    let mut tap = Tap::new();
    tap.see(&udp((CLIENT, 33_000, RESOLVER, 53), &dns(7, "Files.Example.org", None)));
    tap.see(&udp((CLIENT, 33_000, RESOLVER, 53), &dns(7, "files.example.org", None)));
    tap.see(&udp((RESOLVER, 53, CLIENT, 33_000), &dns(7, "files.example.org", Some(SERVER))));
    tap.see(&udp((RESOLVER, 53, CLIENT, 33_000), &dns(7, "files.example.org", Some(SERVER))));
    tap.pass(20_000);
    let questions = tap.questions();
    assert_eq!(questions.len(), 1);
    assert_eq!((questions[0].name.as_str(), questions[0].query_type), ("files.example.org", 1));
    let resolution = questions[0].resolution.as_ref().unwrap();
    assert_eq!(resolution.addresses, [std::net::IpAddr::from(SERVER)]);
    let event = tap.events.iter().find(|event| matches!(event.fact, Fact::Dns(_))).unwrap();
    assert_eq!(event.destination.domain, "example.org");
    assert_eq!(event.destination.address, Some(RESOLVER.into()));
}

#[test]
fn a_question_without_an_answer_is_told_after_ten_seconds() {
    let mut tap = Tap::new();
    tap.see(&udp((CLIENT, 33_000, RESOLVER, 53), &dns(7, "a.example", None)));
    tap.pass(9_000);
    assert!(tap.questions().is_empty());
    tap.pass(2_000);
    assert_eq!(tap.questions().len(), 1);
    assert_eq!(tap.questions()[0].resolution, None);
}

#[test]
fn an_address_is_named_for_the_client_that_asked_and_for_no_other() {
    let mut tap = Tap::new();
    resolve(&mut tap, CLIENT, "files.example.org");
    assert_eq!(destination_for(&mut tap, CLIENT).as_deref(), Some("files.example.org"));
    assert_eq!(destination_for(&mut tap, OTHER_CLIENT), None);
    tap.pass(400_000);
    assert_eq!(destination_for(&mut tap, CLIENT), None, "names are forgotten");
}

#[test]
fn an_answer_that_nobody_asked_for_names_nothing() {
    let mut tap = Tap::new();
    tap.see(&udp((CLIENT, 33_000, RESOLVER, 53), &dns(7, "a.example", None)));
    tap.see(&udp((RESOLVER, 53, CLIENT, 33_000), &dns(8, "a.example", Some(SERVER))));
    tap.see(&udp((RESOLVER, 53, CLIENT, 33_000), &dns(7, "b.example", Some(SERVER))));
    assert_eq!(destination_for(&mut tap, CLIENT), None);
}

#[test]
fn dns_over_tcp_is_read_across_segments() {
    let mut tap = Tap::new();
    let mut c = tap.connect(33_000, 53);
    let framed = |message: Vec<u8>| {
        let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
        bytes.extend(message);
        bytes
    };
    let question = framed(dns(7, "files.example.org", None));
    tap.see(&c.send(&question[..20]));
    tap.see(&c.send(&question[20..]));
    let mut answers = framed(dns(7, "files.example.org", Some(SERVER)));
    let half = answers.len() - 5;
    answers.extend(framed(dns(9, "x.example", Some(SERVER))));
    tap.see(&c.down(ACK, &answers[..half]));
    tap.see(&c.down(ACK, &answers[half..]));
    let questions = tap.questions();
    assert_eq!(questions.len(), 1);
    assert!(questions[0].over_tcp && questions[0].resolution.is_some());
    assert_eq!(tap.decoder.partials, 0, "buffers are given back");
}

#[test]
fn a_hello_names_the_flow_and_is_told_once() {
    let mut tap = Tap::new();
    resolve(&mut tap, CLIENT, "cdn.example.net");
    let mut c = tap.connect(40_000, 443);
    let repeated = c.clone();
    tap.see(&c.send(&hello("API.Example.org", 10)));
    tap.see(&repeated.clone().send(&hello("API.Example.org", 10)));
    tap.see(&c.up(RST, b""));
    let hellos = tap.hellos();
    assert_eq!(hellos.len(), 1);
    assert_eq!(hellos[0].sni.as_deref(), Some("api.example.org"));
    assert_eq!((hellos[0].alpn.as_deref(), hellos[0].version), (Some("h2"), 0x0304));
    assert_eq!(hellos[0].ja4.get(..11), Some("t13d0205h2_"));
    let flows = tap.flows();
    let (event, _) = flows.iter().find(|(event, _)| event.destination.port == 443).unwrap();
    assert_eq!(host_of(event), Some(("api.example.org", NameSource::Sni)));
}

#[test]
fn the_hello_after_a_retry_request_is_told_too_and_no_third_one() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    tap.see(&c.send(&hello("api.example.org", 10)));
    for _ in 0..2 {
        let mut again = vec![20, 3, 3, 0, 1, 1];
        again.extend(hello("api.example.org", 0));
        tap.see(&c.send(&again));
    }
    assert_eq!(tap.hellos().len(), 2);
}

#[test]
fn a_fingerprint_does_not_depend_on_the_order_of_ciphers_and_extensions() {
    let mut turned = hello("a.example", 0);
    let ciphers = turned.windows(2).position(|pair| pair == [0x13, 0x02]).unwrap();
    turned[ciphers..ciphers + 4].copy_from_slice(&[0x13, 0x01, 0x13, 0x02]);
    let ja4 = |bytes: &[u8]| match super::super::tls::client_hello(bytes) {
        super::super::tls::Hello::Complete(hello) => hello.ja4,
        other => panic!("{other:?}"),
    };
    assert_eq!(ja4(&turned), ja4(&hello("b.example", 0)));
    // SHA-256 of "1301,1302", cut to twelve digits.
    assert_eq!(ja4(&turned).split('_').nth(1), Some("62ed6f6ca7ad"));
}

#[test]
fn a_hello_split_over_segments_and_records_is_read_whole() {
    let bytes = hello("api.example.org", 3000);
    // The same handshake in two records.
    let (first, rest) = bytes[5..].split_at(700);
    let mut records = Vec::new();
    for part in [first, rest] {
        records.extend([22, 3, 1]);
        records.extend((part.len() as u16).to_be_bytes());
        records.extend_from_slice(part);
    }
    for stream in [bytes, records] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 443);
        for segment in stream.chunks(1300) {
            let packet = c.send(segment);
            tap.see(&packet);
            tap.see(&packet);
        }
        assert_eq!(tap.hellos().len(), 1);
        assert_eq!(tap.hellos()[0].sni.as_deref(), Some("api.example.org"));
        assert_eq!(tap.decoder.partials, 0, "buffers are given back");
    }
}

#[test]
fn a_hello_that_never_ends_is_given_up() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 443);
    tap.see(&c.send(&hello("api.example.org", 3000)[..1000]));
    assert_eq!(tap.decoder.partials, 1);
    tap.see(&c.down(ACK, b"\x15\x03\x01\x00\x02\x02\x28"));
    assert_eq!(tap.decoder.partials, 0);
    tap.see(&c.send(&hello("api.example.org", 3000)[..1000]));
    tap.finish();
    assert_eq!(tap.decoder.partials, 0);
}

#[test]
fn each_request_of_a_connection_is_told_and_names_the_flow() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 8080);
    let request =
        c.send(b"GET /a?key=secret HTTP/1.1\r\nHost: One.Example\r\nUser-Agent: u/1\r\n\r\n");
    tap.see(&request);
    tap.see(&request);
    tap.see(&c.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n"));
    tap.see(&c.send(b"PUT /b HTTP/1.1\r\nHost: one.example:8080\r\n\r\n"));
    tap.see(&c.down(ACK, b"HTTP/1.1 204 No Content\r\n\r\n"));
    let requests = tap.requests();
    assert_eq!(requests.len(), 2);
    let (event, first) = &requests[0];
    assert_eq!(host_of(event), Some(("one.example", NameSource::HttpHost)));
    assert_eq!((first.method.as_str(), first.path.as_deref()), ("GET", Some("/a")));
    assert_eq!((first.query_bytes, first.user_agent.as_deref()), (Some(10), Some("u/1")));
    assert_eq!(first.seen_by, SeenBy::Wire);
    assert_eq!((event.up.bytes, event.is_contact()), (None, false));
    assert!(!format!("{:?}", tap.events).contains("secret"));
    tap.finish();
    let flows = tap.flows();
    assert_eq!(host_of(&flows[0].0), Some(("one.example", NameSource::HttpHost)));
}

#[test]
fn a_request_head_split_over_segments_is_told_once_with_its_host() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    let head = format!("GET /q?{} HTTP/1.1\r\nHost: one.example\r\n\r\n", "x".repeat(3000));
    for segment in head.as_bytes().chunks(1400) {
        tap.see(&c.send(segment));
    }
    tap.finish();
    let requests = tap.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].1.query_bytes, Some(3000));
    assert_eq!(host_of(&requests[0].0), Some(("one.example", NameSource::HttpHost)));
}

#[test]
fn an_unfinished_request_is_told_when_its_flow_ends() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    tap.see(&c.send(b"GET /q?xxxx"));
    assert!(tap.requests().is_empty());
    tap.see(&c.up(RST, b""));
    assert_eq!(tap.requests()[0].1.query_bytes, Some(4));
}

#[test]
fn bytes_in_a_tunnel_go_to_its_target_and_not_to_the_proxy() {
    let mut tap = Tap::new();
    resolve(&mut tap, CLIENT, "proxy.internal");
    let mut c = tap.connect(40_000, 3128);
    tap.see(
        &c.send(b"CONNECT upload.example.org:443 HTTP/1.1\r\nHost: upload.example.org\r\n\r\n"),
    );
    tap.see(&c.down(ACK, b"HTTP/1.1 200 Connection established\r\n\r\n"));
    tap.see(&c.send(&hello("front.example.net", 0)));
    tap.see(&c.send(&[0; 1000]));
    tap.see(&c.up(RST, b""));
    let (event, request) = &tap.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_deref()), ("CONNECT", None));
    assert_eq!(host_of(event), Some(("upload.example.org", NameSource::Connect)));
    assert_eq!(tap.hellos()[0].sni.as_deref(), Some("front.example.net"));
    let hello = tap.events.iter().find(|event| matches!(event.fact, Fact::Tls(_))).unwrap();
    assert_eq!(host_of(hello), Some(("front.example.net", NameSource::Sni)));
    assert_eq!((hello.destination.address, hello.destination.port), (None, 443), "not the proxy's");
    let flows = tap.flows();
    let (event, _) = flows.iter().find(|(event, _)| event.client.1 == 40_000).unwrap();
    assert_eq!(host_of(event), Some(("upload.example.org", NameSource::Connect)));
    assert_eq!((event.destination.address, event.destination.port), (Some(SERVER.into()), 443));
    assert!(event.up.bytes.unwrap() > 1000);
}

#[test]
fn a_tunnel_to_an_address_goes_to_that_address() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 3128);
    tap.see(&c.send(b"CONNECT 198.51.100.7:8443 HTTP/1.1\r\n\r\n"));
    tap.see(&c.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n"));
    tap.see(&c.send(&hello("front.example.net", 0)));
    tap.finish();
    let hello = tap.events.iter().find(|event| matches!(event.fact, Fact::Tls(_))).unwrap();
    let there = "198.51.100.7".parse().ok();
    assert_eq!((hello.destination.address, hello.destination.port), (there, 8443));
    let flows = tap.flows();
    assert_eq!(flows[0].0.destination.domain, "198.51.100.7");
    assert_eq!(flows[0].0.destination.port, 8443);
}

#[test]
fn a_proxy_connection_that_changes_hosts_keeps_their_bytes_apart() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 3128);
    for (host, body) in [("one", 100), ("two", 1000)] {
        let mut request = format!("POST http://{host}.example/ HTTP/1.1\r\n\r\n").into_bytes();
        let head = request.len();
        request.resize(head + body, b'x');
        tap.see(&c.send(&request));
        tap.see(&c.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n"));
    }
    tap.finish();
    let bytes: Vec<_> =
        tap.flows().iter().map(|(e, _)| (e.destination.domain.clone(), e.up.bytes)).collect();
    assert_eq!(bytes, [("one.example".into(), Some(137)), ("two.example".into(), Some(1037))]);
}
