//! Requests and what is answered to them.

use egret_event::{BlockReason, Verdict};

use super::*;

const DENIED: Verdict = Verdict::Blocked(BlockReason::ProxyDenied);

fn statuses(tap: &Tap) -> Vec<(String, Option<u16>)> {
    let told = tap.requests();
    told.iter()
        .map(|(_, seen)| (seen.path.clone().unwrap_or_default().into(), seen.status))
        .collect()
}

/// The verdicts of the intervals told of a flow, and the hosts they went to.
fn verdicts(tap: &mut Tap) -> Vec<(String, Verdict)> {
    let flows = tap.flows();
    flows.iter().map(|(event, _)| (event.destination.domain.to_string(), event.verdict)).collect()
}

#[test]
fn a_request_is_told_with_its_status_and_what_it_carries() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    tap.see(&c.send(
        b"POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/csv; header=absent\r\n\
          Content-Length: 5\r\n\r\na,b,c",
    ));
    assert!(tap.requests().is_empty(), "it waits for the answer");
    tap.see(&c.down(ACK, b"HTTP/1.1 100 Continue\r\n\r\n"));
    tap.see(&c.down(ACK, b"HTTP/1.1 413 Content Too Large\r\n\r\n"));
    let (event, seen) = &tap.requests()[0];
    assert_eq!((seen.status, seen.body_bytes), (Some(413), Some(5)));
    assert_eq!(seen.content_type.as_deref(), Some("text/csv"));
    assert_eq!(event.verdict, Verdict::Allowed);
    assert_eq!(tap.decoder.asked, 0);
}

#[test]
fn pipelined_requests_are_all_seen_and_each_has_its_own_status() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    let mut sent = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET".to_vec();
    sent.extend(b"POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    sent.extend(b"HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHo");
    tap.see(&c.send(&sent));
    tap.see(&c.send(b"st: a\r\n\r\n"));
    let mut answers = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok".to_vec();
    answers.extend(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    answers.extend(b"HTTP/1.1 203 X\r\nContent-Length: 9999\r\n\r\n");
    answers.extend(b"HTTP/1.1 204 No Content\r\n\r\n");
    tap.see(&c.down(ACK, &answers));
    let expected = [("/1", 201), ("/2", 202), ("/3", 203), ("/4", 204)];
    assert_eq!(statuses(&tap), expected.map(|(path, status)| (path.to_string(), Some(status))));
    let bodies: Vec<_> = tap.requests().iter().map(|(_, seen)| seen.body_bytes).collect();
    assert_eq!(bodies, [Some(3), Some(3), Some(0), Some(0)]);
}

#[test]
fn what_a_body_holds_is_not_taken_for_a_request() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    let inner = b"GET /inner HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    let head = format!("PUT /outer HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 2 * inner.len());
    tap.see(&c.send(head.as_bytes()));
    tap.see(&c.send(inner));
    let mut rest = inner.to_vec();
    rest.extend(b"GET /next HTTP/1.1\r\n\r\n");
    tap.see(&c.send(&rest));
    tap.finish();
    assert_eq!(statuses(&tap), [("/outer".to_string(), None), ("/next".to_string(), None)]);
}

#[test]
fn an_answer_that_is_slow_is_not_waited_for() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    tap.see(&c.send(b"GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    tap.pass(4_000);
    assert!(tap.requests().is_empty());
    tap.pass(6_000);
    assert_eq!(statuses(&tap), [("/slow".to_string(), None)]);
    assert_eq!(tap.decoder.asked, 0);
}

#[test]
fn a_tunnel_that_a_proxy_refuses_by_rule_is_blocked() {
    for (head, verdict) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", DENIED),
        ("HTTP/1.1 407 Request rejected by proxy\r\n\r\n", DENIED),
        ("HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\n\r\n", Verdict::Allowed),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Verdict::Allowed),
        ("HTTP/1.1 200 Connection established\r\n\r\n", Verdict::Allowed),
    ] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 3128);
        tap.see(&c.send(b"CONNECT drop.example.org:443 HTTP/1.1\r\n\r\n"));
        tap.see(&c.down(ACK, head.as_bytes()));
        let (event, seen) = tap.requests()[0].clone();
        assert_eq!(event.verdict, verdict, "{head}");
        assert_eq!(seen.status, head[9..12].parse().ok());
        tap.finish();
        assert_eq!(verdicts(&mut tap), [("example.org".to_string(), verdict)], "{head}");
    }
}

#[test]
fn who_was_refused_and_tries_elsewhere_is_two_stories() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 3128);
    tap.see(&c.send(b"CONNECT drop.example.org:443 HTTP/1.1\r\n\r\n"));
    tap.see(&c.down(ACK, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    tap.see(&c.send(b"CONNECT other.example.net:443 HTTP/1.1\r\n\r\n"));
    tap.see(&c.down(ACK, b"HTTP/1.1 200 OK\r\n\r\n"));
    tap.see(&c.send(&hello("other.example.net", 0)));
    tap.finish();
    let expected = [("example.org", DENIED), ("example.net", Verdict::Allowed)];
    assert_eq!(verdicts(&mut tap), expected.map(|(host, verdict)| (host.to_string(), verdict)));
}

#[test]
fn an_origin_that_forbids_is_no_proxy() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 80);
    tap.see(&c.send(b"GET /secret HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    tap.see(&c.down(ACK, b"HTTP/1.1 403 Forbidden\r\n\r\n"));
    assert_eq!(tap.requests()[0].0.verdict, Verdict::Allowed);
    tap.finish();
    assert!(verdicts(&mut tap).iter().all(|(_, verdict)| *verdict == Verdict::Allowed));
}
