use std::net::IpAddr;

use egret_event::ServiceBinding;
use proptest::prelude::*;

use super::*;

/// A question for `labels`.
fn question(labels: &[&[u8]], query_type: u16) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in labels {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label);
    }
    bytes.push(0);
    bytes.extend(query_type.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

#[test]
fn a_question_is_read_in_clean_form() {
    let seen = message(&question(&[b"WWW", b"Example", b"org"], 28)).unwrap();
    assert_eq!((seen.id, seen.question.query_type, seen.answer), (0x1234, 28, None));
    assert_eq!(seen.question.name, "www.example.org");
}

#[test]
fn raw_bytes_in_labels_survive_as_escapes() {
    let seen = message(&question(&[b"\xff\x00.a", b"t", b"example"], 16)).unwrap();
    assert_eq!(seen.question.name, "\\xff\\x00\\x2ea.t.example");
}

#[test]
fn an_answer_gives_addresses_and_the_end_of_its_chain() {
    let mut bytes = question(&[b"www", b"example", b"org"], 1);
    bytes[2] = 0x81;
    bytes[7] = 3;
    // www -> edge.(example.org at offset 16), whose address is given twice.
    bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 7]);
    bytes.extend([4, b'e', b'd', b'g', b'e', 0xc0, 16]);
    for (ttl, last) in [(60, 1), (30, 2)] {
        bytes.extend([0xc0, 45, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, last]);
    }
    let answer = message(&bytes).unwrap().answer.unwrap();
    assert_eq!(answer.aliases, ["edge.example.org"]);
    assert_eq!(answer.addresses, [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]);
    assert_eq!((answer.code, answer.ttl_s), (0, 60));
}

#[test]
fn pointer_loops_and_cut_messages_are_no_messages() {
    let mut looping = question(&[], 1);
    looping.splice(12..13, [0xc0, 12]);
    assert_eq!(message(&looping), None);
    let whole = question(&[b"a", b"example"], 1);
    for length in 0..whole.len() - 2 {
        assert_eq!(message(&whole[..length]), None, "{length} bytes");
    }
}

#[test]
fn what_was_read_of_a_damaged_answer_is_kept() {
    let mut bytes = question(&[b"a"], 1);
    bytes[2] = 0x81;
    bytes[7] = 2;
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0]);
    let answer = message(&bytes).unwrap().answer.unwrap();
    assert_eq!(answer.addresses, [IpAddr::from([192, 0, 2, 1])]);
}

#[test]
fn the_answer_size_that_a_client_takes_is_read_past_other_options() {
    let mut bytes = question(&[b"a", b"example"], 1);
    bytes[11] = 1;
    // OPT, 1232 bytes, with a cookie.
    bytes.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    let seen = message(&bytes).unwrap();
    assert_eq!((seen.edns_bytes, seen.answer), (Some(1232), None));
    assert!(is_message(&bytes));
}

#[test]
fn edns_widens_the_response_code() {
    let mut bytes = question(&[b"a", b"example"], 1);
    bytes[2..4].copy_from_slice(&[0x81, 0x07]);
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 4, 0xd0, 1, 0, 0, 0, 0, 0]);
    // BADCOOKIE (RFC 7873, section 8).
    assert_eq!(message(&bytes).unwrap().answer.unwrap().code, 23);
}

#[test]
fn every_question_of_a_message_is_read() {
    let mut bytes = question(&[b"a", b"example"], 1);
    bytes[5] = 2;
    bytes.extend([6, b's', b'e', b'c', b'r', b'e', b't', 0xc0, 14, 0, 16, 0, 1]);
    let seen = message(&bytes).unwrap();
    assert_eq!(seen.question.name, "a.example");
    assert_eq!(seen.further, [Asked { name: "secret.example".into(), query_type: 16 }]);
    bytes[5] = 200;
    assert_eq!(message(&bytes).unwrap().further.len(), 1, "what is there is read");
}

#[test]
fn an_https_record_says_where_and_how_a_service_is_reached() {
    let mut bytes = question(&[b"a", b"example"], 65);
    bytes[2] = 0x81;
    bytes[7] = 1;
    let mut content = vec![0, 1, 4, b'e', b'd', b'g', b'e', 0xc0, 14];
    content.extend(b"\x00\x01\x00\x06\x02h2\x02h3");
    content.extend([0, 3, 0, 2, 0x20, 0xfb]);
    content.extend([0, 4, 0, 8, 192, 0, 2, 7, 192, 0, 2, 8]);
    content.extend([0, 5, 0, 3, 1, 2, 3]);
    bytes.extend([0xc0, 12, 0, 65, 0, 1, 0, 0, 1, 0, 0, content.len() as u8]);
    bytes.extend(content);
    let answer = message(&bytes).unwrap().answer.unwrap();
    let service = ServiceBinding {
        target: Some("edge.example".into()),
        alpn: vec!["h2".into(), "h3".into()],
        port: Some(8443),
        ech: true,
    };
    assert_eq!(answer.services, [service]);
    assert_eq!(answer.hints, [IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 8])]);
    assert_eq!(answer.ttl_s, 256);
}

#[test]
fn only_a_whole_message_is_known_without_its_port() {
    let bytes = question(&[b"a", b"example"], 1);
    assert!(is_message(&bytes));
    assert!(!is_message(&[&bytes[..], b"x"].concat()));
    assert!(!is_message(&bytes[..bytes.len() - 1]));
    assert!(!is_message(&question(&[b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], 32)));
    assert!(!is_message(&[0; 64]));
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = message(&bytes);
        let _ = is_message(&bytes);
    }

    #[test]
    fn no_damage_brings_it_down(at in 0_usize..80, value in any::<u8>(), cut in 0_usize..80) {
        let mut bytes = question(&[b"a", b"example"], 65);
        bytes[2] = 0x81;
        bytes[7] = 2;
        bytes.extend([0xc0, 12, 0, 65, 0, 1, 0, 0, 1, 0, 0, 14, 0, 1, 0]);
        bytes.extend([0, 1, 0, 3, 2, b'h', b'3', 0, 3, 0, 0]);
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 0, 0, 2, 0xc0, 14]);
        let length = bytes.len();
        bytes[at % length] = value;
        let _ = message(&bytes[..length - cut % length]);
    }
}
