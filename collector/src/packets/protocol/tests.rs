use proptest::prelude::*;

use super::*;

const CLIENT: Side = Side::Client;
const SERVER: Side = Side::Server;

/// What a flow is recognized as by these payloads.
fn seen(carrier: Carrier, server_port: u16, payloads: &[(Side, &[u8])]) -> Option<Protocol> {
    let mut recognition = Recognition::NEW;
    for (side, bytes) in payloads {
        if recognition.is_open(*side) {
            recognition.look(First { bytes, side: *side, carrier, server_port });
        }
    }
    recognition.protocol()
}

fn stream(payloads: &[(Side, &[u8])]) -> Option<Protocol> {
    seen(Carrier::Stream, 4433, payloads)
}

fn datagram(bytes: &[u8]) -> Option<Protocol> {
    seen(Carrier::Datagram, 4433, &[(CLIENT, bytes)])
}

/// `head`, filled up with bytes that mean nothing.
fn filled(head: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = head.to_vec();
    bytes.resize(length, 0xa7);
    bytes
}

/// A message with its length in front.
fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x10\0\x01";

#[test]
fn streams_are_known_by_what_their_client_says_first() {
    let known: [(Protocol, &[u8]); 31] = [
        (Protocol::Tls, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
        (Protocol::Tls, b"\x17\x03\x03\0\x20xxxx"),
        (Protocol::Http, b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        (Protocol::Http, b"PUT /a?xxxxxxxxxxxxxxx"),
        (Protocol::Http2, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04"),
        (Protocol::Ssh, b"SSH-2.0-OpenSSH_9.6\r\n"),
        (Protocol::Smtp, b"EHLO a.example\r\n"),
        (Protocol::Irc, b"NICK bot\r\nUSER bot 0 * :bot\r\n"),
        (Protocol::Irc, b"CAP LS 302\r\n"),
        (Protocol::Irc, b"PASS x\r\nNICK bot\r\n"),
        (Protocol::Imap, b"a001 LOGIN me secret\r\n"),
        (Protocol::Sip, b"REGISTER sip:a.example SIP/2.0\r\n"),
        (Protocol::Rtsp, b"OPTIONS rtsp://a.example/ RTSP/1.0\r\n"),
        (Protocol::Xmpp, b"<?xml version='1.0'?><stream:stream to='a.example'>"),
        (Protocol::BitTorrent, b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05"),
        (Protocol::Smb, b"\0\0\0\x54\xfeSMB\x40\0"),
        (Protocol::Rdp, b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"),
        (Protocol::Telnet, b"\xff\xfd\x03\xff\xfb\x18"),
        (Protocol::Postgresql, b"\0\0\0\x08\x04\xd2\x16\x2f"),
        (Protocol::Postgresql, b"\0\0\0\x11\0\x03\0\0user\0me\0\0"),
        (Protocol::Mssql, b"\x12\x01\0\x0f\0\0\0\0\0\0\x06\0\x06\x01\xff"),
        (Protocol::Mongodb, b"\x18\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\0\0\0"),
        (Protocol::Redis, b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n"),
        (Protocol::Mqtt, b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04bot1"),
        (Protocol::Amqp, b"AMQP\0\0\x09\x01"),
        (Protocol::Ldap, b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
        (Protocol::Git, b"0032git-upload-pack /a.git\0host=a.example\0"),
        (Protocol::Rsync, b"@RSYNCD: 31.0\n"),
        (Protocol::Stun, b"\0\x01\0\0\x21\x12\xa4\x42xxxxxxxxxxxx"),
        (Protocol::Dns, &framed(QUESTION)),
        (Protocol::OpenVpn, &framed(b"\x38xxxxxxxx\0\0\0\0\0")),
    ];
    for (protocol, bytes) in known {
        assert_eq!(stream(&[(CLIENT, bytes)]), Some(protocol), "{}", bytes.escape_ascii());
    }
}

#[test]
fn streams_are_known_by_how_their_server_greets() {
    let known: [(Protocol, &[u8]); 11] = [
        (Protocol::Tls, b"\x16\x03\x03\0\x5a\x02\0\0\x56\x03\x03"),
        (Protocol::Http, b"HTTP/1.1 200 OK\r\n"),
        (Protocol::Ssh, b"SSH-1.99-x\n"),
        (Protocol::Smtp, b"220 mx.a.example ESMTP ready\r\n"),
        (Protocol::Ftp, b"220 ProFTPD Server\r\n"),
        (Protocol::Pop3, b"+OK POP3 ready\r\n"),
        (Protocol::Imap, b"* OK IMAP4rev1 ready\r\n"),
        (Protocol::Vnc, b"RFB 003.008\n"),
        (Protocol::Nats, b"INFO {\"server_id\":\"N\"}\r\n"),
        (Protocol::Irc, b":irc.a.example NOTICE * :*** Looking up your host\r\n"),
        (Protocol::Mysql, b"\x14\0\0\0\x0a8.0.36\0xxxxxxxxxxxx"),
    ];
    for (protocol, bytes) in known {
        assert_eq!(stream(&[(SERVER, bytes)]), Some(protocol), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_greeting_that_two_protocols_have_is_decided_by_the_client() {
    let greeting: &[u8] = b"220 ready\r\n";
    assert_eq!(stream(&[(SERVER, greeting)]), None);
    let smtp = stream(&[(SERVER, greeting), (CLIENT, b"ehlo a.example\r\n")]);
    assert_eq!(smtp, Some(Protocol::Smtp));
    let ftp = stream(&[(SERVER, greeting), (CLIENT, b"USER anonymous\r\n")]);
    assert_eq!(ftp, Some(Protocol::Ftp));
    let pop3 = stream(&[(SERVER, b"+OK ready\r\n"), (CLIENT, b"USER me\r\n")]);
    assert_eq!(pop3, Some(Protocol::Pop3));
    assert_eq!(stream(&[(CLIENT, b"USER me\r\n")]), None);
}

#[test]
fn socks_needs_both_sides() {
    let request: &[u8] = b"\x04\x01\0\x50\xc0\0\x02\x09me\0";
    assert_eq!(stream(&[(CLIENT, request)]), None);
    let granted: &[u8] = b"\0\x5a\0\0\0\0\0\0";
    assert_eq!(stream(&[(CLIENT, request), (SERVER, granted)]), Some(Protocol::Socks));
    let methods: &[u8] = b"\x05\x02\0\x02";
    assert_eq!(stream(&[(CLIENT, methods), (SERVER, b"\x05\x02")]), Some(Protocol::Socks));
    assert_eq!(stream(&[(CLIENT, methods), (SERVER, b"hello")]), None);
}

#[test]
fn datagrams_are_known_by_their_form() {
    let known: [(Protocol, Vec<u8>); 19] = [
        (Protocol::Quic, filled(b"\xc3\0\0\0\x01\x08", 1200)),
        (Protocol::Quic, filled(b"\xd3\x6b\x33\x43\xcf\x08", 1200)),
        (Protocol::Quic, filled(b"\x0dxxxxxxxxQ043\x01", 1350)),
        (Protocol::Dtls, filled(b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x20\x01", 45)),
        (Protocol::Stun, b"\0\x01\0\x08\x21\x12\xa4\x42xxxxxxxxxxxx\x80\x22\0\x04test".to_vec()),
        (Protocol::Stun, b"\0\x01\0\x08xxxxxxxxxxxxxxxx\0\x03\0\x04\0\0\0\x06".to_vec()),
        (Protocol::WireGuard, filled(&[1, 0, 0, 0], 148)),
        (Protocol::WireGuard, filled(&[2, 0, 0, 0], 92)),
        (Protocol::WireGuard, filled(&[3, 0, 0, 0], 64)),
        (Protocol::OpenVpn, b"\x38xxxxxxxx\0\0\0\0\0".to_vec()),
        (Protocol::OpenVpn, filled(b"\x38xxxxxxxx\0\0\0\x01", 54)),
        (Protocol::Ike, filled(b"xxxxxxxx\0\0\0\0\0\0\0\0\x21\x20\x22\x08\0\0\0\0\0\0\0\x50", 80)),
        (Protocol::Snmp, b"\x30\x0f\x02\x01\x01\x04\x06public\xa0\x02\x02\0".to_vec()),
        (Protocol::Tftp, b"\0\x01passwd\0octet\0".to_vec()),
        (
            Protocol::BitTorrent,
            b"d1:ad2:id20:xxxxxxxxxxxxxxxxxxxxe1:q4:ping1:t2:aa1:y1:qe".to_vec(),
        ),
        (
            Protocol::BitTorrent,
            b"\x41\0\x12\x34\x01\x02\x03\x04\0\0\0\0\0\x10\0\0\x12\x34\0\0".to_vec(),
        ),
        (Protocol::BitTorrent, b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0abcd".to_vec()),
        (Protocol::Dns, QUESTION.to_vec()),
        (Protocol::Sip, b"INVITE sip:b@b.example SIP/2.0\r\n".to_vec()),
    ];
    for (protocol, bytes) in known {
        assert_eq!(datagram(&bytes), Some(protocol), "{}", bytes.escape_ascii());
    }
}

#[test]
fn time_is_asked_for_on_its_port_only() {
    let question = [&[0x23][..], &[0; 47]].concat();
    assert_eq!(datagram(&question), None);
    assert_eq!(seen(Carrier::Datagram, 123, &[(CLIENT, &question)]), Some(Protocol::Ntp));
}

#[test]
fn what_follows_once_stun_has_found_the_way_is_the_better_word() {
    let stun: &[u8] = b"\0\x01\0\0\x21\x12\xa4\x42xxxxxxxxxxxx";
    let dtls: &[u8] = &filled(b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x20\x01", 45);
    let voice: &[u8] = &filled(b"\x80\x60", 100);
    let said =
        |next| seen(Carrier::Datagram, 3478, &[(CLIENT, stun), (SERVER, stun), (CLIENT, next)]);
    assert_eq!(said(dtls), Some(Protocol::Dtls));
    assert_eq!(said(voice), Some(Protocol::Stun));
}

#[test]
fn wireguard_data_alone_is_believed_once_both_sides_send_it() {
    let data: &[u8] = &filled(&[4, 0, 0, 0], 96);
    let both = [(CLIENT, data), (CLIENT, data), (SERVER, data)];
    assert_eq!(seen(Carrier::Datagram, 51_820, &both[..2]), None);
    assert_eq!(seen(Carrier::Datagram, 51_820, &both), Some(Protocol::WireGuard));
}

#[test]
fn what_only_resembles_a_protocol_is_none() {
    for bytes in [
        &b"hello world"[..],
        b"SSH-3",
        b"USER me",
        b"GET it",
        b"\x16\x03\x09\0\x20",
        b"\x17\x03\x03\0\0",
        b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a",
        b"\x05\x09\0",
        b"*x\r\n$4\r\nPING",
        &framed(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a"),
        b"x",
    ] {
        assert_eq!(stream(&[(CLIENT, bytes)]), None, "{}", bytes.escape_ascii());
    }
    for bytes in [
        filled(&[1, 0, 0, 0], 147),
        filled(&[1, 0, 0, 1], 148),
        filled(&[0xc3, 0, 0, 0, 9, 8], 1200),
        b"\0\x01\0\x08xxxxxxxxxxxxxxxx\x7f\x03\0\x04\0\0\0\x06".to_vec(),
        [QUESTION, b"x"].concat(),
    ] {
        assert_eq!(datagram(&bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_known_flow_is_not_looked_at_again() {
    let mut recognition = Recognition::NEW;
    let ssh =
        First { bytes: b"SSH-2.0-x\r\n", side: CLIENT, carrier: Carrier::Stream, server_port: 22 };
    recognition.look(ssh);
    assert!(!recognition.is_open(CLIENT) && !recognition.is_open(SERVER));
    recognition.start_over();
    assert_eq!(recognition.protocol(), Some(Protocol::Ssh));
    assert!(recognition.is_open(CLIENT));
}

#[test]
fn an_unknown_flow_is_given_up_after_three_payloads_of_each_side() {
    let mut recognition = Recognition::NEW;
    for side in [CLIENT, SERVER] {
        for _ in 0..LOOKS {
            assert!(recognition.is_open(side));
            let first = First { bytes: b"?", side, carrier: Carrier::Stream, server_port: 1 };
            recognition.look(first);
        }
        assert!(!recognition.is_open(side));
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 6),
        port in any::<u16>(),
    ) {
        for carrier in [Carrier::Stream, Carrier::Datagram] {
            let sides = [CLIENT, SERVER, CLIENT, SERVER, CLIENT, SERVER];
            let sent: Vec<_> = sides.into_iter().zip(payloads.iter().map(Vec::as_slice)).collect();
            let _ = seen(carrier, port, &sent);
        }
    }

    #[test]
    fn no_cut_signature_brings_it_down(length in 0_usize..60, fill in any::<u8>(), cut in 0_usize..20) {
        let heads: [&[u8]; 9] = [
            b"\x30\x84\0\0\0", b"\x16\x03\x01", b"\x80\x2e\x01\x03\x01", b"\0\x01\0\x18",
            b"\x10\xff\xff\xff", b"\x03\0\0\x13\x0e\xe0", b"*9\r\n$", b"\x41\x02", b"\x38abcdefgh",
        ];
        for head in heads {
            let mut bytes = head.to_vec();
            bytes.resize(head.len() + length, fill);
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = stream(&[(CLIENT, &bytes), (SERVER, &bytes)]);
            let _ = datagram(&bytes);
        }
    }
}
