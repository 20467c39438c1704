//! What is asked of DNS servers, and where that is seen.

use egret_event::Protocol;

use super::*;

fn resolver(port: u16, message: &[u8]) -> Vec<u8> {
    udp((CLIENT, 33_000, RESOLVER, port), message)
}

fn reply(port: u16, message: &[u8]) -> Vec<u8> {
    udp((RESOLVER, port, CLIENT, 33_000), message)
}

#[test]
fn both_address_types_may_be_asked_for_under_one_number() {
    let mut tap = Tap::new();
    let mut other = dns(7, "a.example", None);
    let kind = other.len() - 4;
    other[kind + 1] = 28;
    tap.see(&resolver(53, &dns(7, "a.example", None)));
    tap.see(&resolver(53, &other));
    tap.see(&reply(53, &dns(7, "a.example", Some(SERVER))));
    tap.finish();
    let types: Vec<_> =
        tap.questions().iter().map(|q| (q.query_type, q.resolution.is_some())).collect();
    assert_eq!(types, [(1, true), (28, false)]);
}

#[test]
fn what_a_second_question_carries_is_told() {
    let mut tap = Tap::new();
    let mut question = dns(7, "a.example", None);
    question[5] = 2;
    question.extend(b"\x06secret\xc0\x0e\0\x10\0\x01");
    tap.see(&resolver(53, &question));
    let mut answer = question.clone();
    answer[2] = 0x81;
    tap.see(&reply(53, &answer));
    let mut names: Vec<_> =
        tap.questions().iter().map(|q| (q.name.to_string(), q.resolution.is_some())).collect();
    names.sort();
    assert_eq!(names, [("a.example".into(), true), ("secret.example".into(), true)]);
}

#[test]
fn a_name_that_does_not_exist_is_told_as_such() {
    let mut tap = Tap::new();
    let question = dns(7, "no.example", None);
    let mut answer = question.clone();
    answer[2..4].copy_from_slice(&[0x81, 0x83]);
    tap.see(&resolver(53, &question));
    tap.see(&reply(53, &answer));
    let resolution = tap.questions()[0].resolution.clone().unwrap();
    assert_eq!((resolution.code, resolution.addresses.len()), (3, 0));
    assert_eq!(usize::from(resolution.answer_bytes), answer.len());
}

#[test]
fn dns_on_another_port_is_read_and_says_so() {
    let mut tap = Tap::new();
    tap.see(&resolver(5353, &dns(7, "a.example", None)));
    tap.see(&reply(5353, &dns(7, "a.example", Some(SERVER))));
    let mut c = tap.connect(40_000, 8053);
    let question = dns(8, "b.example", None);
    let framed = [&(question.len() as u16).to_be_bytes()[..], &question].concat();
    tap.see(&c.send(&framed));
    tap.finish();
    let asked: Vec<_> = tap.questions().iter().map(|q| (q.name.to_string(), q.over_tcp)).collect();
    assert_eq!(asked, [("a.example".into(), false), ("b.example".into(), true)]);
    let ports: Vec<_> = tap.events.iter().map(|event| event.destination.port).collect();
    assert!(ports.contains(&5353) && ports.contains(&8053) && !ports.contains(&53));
    assert!(tap.flows().iter().all(|(_, flow)| flow.protocol == Some(Protocol::Dns)));
}

#[test]
fn an_address_that_an_https_record_hints_at_is_named() {
    let mut tap = Tap::new();
    let mut question = dns(7, "a.example", None);
    let kind = question.len() - 4;
    question[kind + 1] = 65;
    let mut answer = question.clone();
    answer[2] = 0x81;
    answer[7] = 1;
    answer.extend(b"\xc0\x0c\0\x41\0\x01\0\0\0\x3c\0\x0b\0\x01\0\0\x04\0\x04");
    answer.extend(SERVER);
    tap.see(&resolver(53, &question));
    tap.see(&reply(53, &answer));
    assert_eq!(tap.questions()[0].resolution.as_ref().unwrap().services.len(), 1);
    tap.see(&udp((CLIENT, 41_000, SERVER, 443), b"x"));
    tap.finish();
    let flows = tap.flows();
    let (event, _) = flows.iter().find(|(event, _)| event.destination.port == 443).unwrap();
    assert_eq!(event.destination.host.as_deref(), Some("a.example"));
}

#[test]
fn answers_over_tcp_come_in_any_order() {
    let mut tap = Tap::new();
    let mut c = tap.connect(33_000, 53);
    let framed = |message: Vec<u8>| [&(message.len() as u16).to_be_bytes()[..], &message].concat();
    let both = [framed(dns(1, "a.example", None)), framed(dns(2, "b.example", None))].concat();
    tap.see(&c.send(&both));
    for (id, name) in [(2, "b.example"), (1, "a.example")] {
        tap.see(&c.down(ACK, &framed(dns(id, name, Some(SERVER)))));
    }
    let names: Vec<_> = tap.questions().iter().map(|q| q.name.to_string()).collect();
    assert_eq!(names, ["b.example", "a.example"]);
    assert!(tap.questions().iter().all(|q| q.resolution.is_some()));
}

#[test]
fn an_attempt_that_is_told_of_hours_later_has_the_name_that_it_had() {
    let mut tap = Tap::new();
    tap.see(&resolver(53, &dns(7, "a.example", None)));
    tap.see(&reply(53, &dns(7, "a.example", Some(SERVER))));
    tap.see(&Connection::new(40_000, 443).up(SYN, b""));
    tap.pass(3 * 3_600_000);
    let flows = tap.flows();
    let attempt = flows.iter().find(|(event, _)| event.verdict.is_blocked()).unwrap();
    assert_eq!(attempt.0.destination.domain, "a.example");
}
