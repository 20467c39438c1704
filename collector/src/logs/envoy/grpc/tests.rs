//! Messages made here, as Envoy makes them; `tests/it` has those of the real one.

use egret_event::{BlockReason, NameSource, Verdict};
use proptest::prelude::*;

use super::*;
use crate::logs::LogRecord;
use crate::logs::envoy::tests::request;

fn number(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3];
    if field > 15 {
        out = vec![(field << 3) | 0x80, field >> 4];
    }
    let mut rest = value;
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = number(field, content.len() as u64);
    out[0] |= 2;
    out.extend(content);
    out
}

fn address(field: u8, host: &str, port: u64) -> Vec<u8> {
    let socket = [bytes(2, host.as_bytes()), number(3, port)].concat();
    bytes(field, &bytes(1, &socket))
}

fn common(more: &[Vec<u8>]) -> Vec<u8> {
    let time = [number(1, 1_795_451_434), number(2, 428_000_000)].concat();
    let took = [number(1, 2), number(2, 500_000_000)].concat();
    let client = address(20, "10.20.0.17", 40_000);
    bytes(1, &[bytes(5, &time), bytes(23, &took), client, more.concat()].concat())
}

fn http_message(common: Vec<u8>, request: &[Vec<u8>], response: &[Vec<u8>]) -> Vec<u8> {
    let entry = [common, bytes(3, &request.concat()), bytes(4, &response.concat())].concat();
    bytes(2, &bytes(1, &entry))
}

fn only(message: &[u8]) -> Result<LogRecord<'_>, LineProblem> {
    let mut found = Vec::new();
    read(message, |_, record| found.push(record.map(request))).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn a_request_is_read_as_from_a_line() {
    let message = http_message(
        common(&[address(13, "203.0.113.9", 443)]),
        &[
            number(1, 3),
            bytes(3, b"up.example.com"),
            bytes(5, b"/put?key=secret"),
            bytes(6, b"curl/8"),
            number(12, 5_000_000),
        ],
        &[bytes(1, &number(1, 200)), number(3, 17)],
    );
    let record = only(&message).unwrap();
    assert_eq!(record.client, ([10, 20, 0, 17].into(), 40_000));
    assert_eq!((&*record.host, record.port), (&b"up.example.com"[..], 443));
    assert_eq!((&*record.method, record.path_and_query().0), (&b"POST"[..], Some(&b"/put"[..])));
    assert_eq!((record.up_bytes, record.down_bytes), (Some(5_000_000), Some(17)));
    assert_eq!((record.status, record.path_and_query().1.map(<[u8]>::len)), (Some(200), Some(10)));
    assert_eq!(record.at, Timestamp::from_parts(1_795_451_436, 928_000_000));
    assert_eq!(record.verdict, Verdict::Allowed);
}

#[test]
fn what_a_rule_refused_is_blocked() {
    let denied = bytes(13, &number(1, 1));
    for flags in [number(9, 1), number(12, 1), denied] {
        let request = [number(1, 6), bytes(3, b"bad.example:443")];
        let message = http_message(common(&[bytes(16, &flags)]), &request, &[]);
        let record = only(&message).unwrap();
        assert_eq!(record.verdict, Verdict::Blocked(BlockReason::ProxyDenied));
        assert_eq!(record.named_by, NameSource::Connect);
    }
}

#[test]
fn connections_passed_through_are_tunnels_and_those_that_go_on_wait() {
    let entry = |more: &[Vec<u8>]| {
        let volume = [number(1, 900), number(2, 100)].concat();
        bytes(3, &bytes(1, &[common(more), bytes(2, &volume)].concat()))
    };
    let upstream = address(13, "2001:db8::9", 443);
    let tag = [bytes(1, b"requested_server_name"), bytes(2, b"a.example")].concat();
    let message = entry(&[upstream.clone(), bytes(22, &tag)]);
    let record = only(&message).unwrap();
    assert_eq!((&*record.host, record.named_by), (&b"a.example"[..], NameSource::Sni));
    assert_eq!((record.up_bytes, record.down_bytes), (Some(900), Some(100)));
    let unnamed = entry(&[upstream]);
    assert_eq!(&*only(&unnamed).unwrap().host, b"2001:db8::9");
    assert_eq!(only(&entry(&[number(26, 1)])), Err(LineProblem::Note));
}

proptest! {
    #[test]
    fn no_message_panics(message in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&message, |_, _| {});
        let _ = read(&bytes(2, &bytes(1, &message)), |_, _| {});
        let _ = read(&bytes(3, &bytes(1, &common(&[message]))), |_, _| {});
    }
}
