//! What flows speak.

use egret_event::Protocol;

use super::*;

/// What is told of the flow to `port`.
fn spoken(tap: &mut Tap, port: u16) -> Option<Protocol> {
    tap.finish();
    let flows = tap.flows();
    let told = flows.iter().rfind(|(event, _)| event.destination.port == port);
    told.expect("a flow to this port").1.protocol
}

#[test]
fn a_flow_is_told_with_what_it_speaks_whatever_its_port() {
    for (first, protocol) in [
        (&b"SSH-2.0-x\r\n"[..], Some(Protocol::Ssh)),
        (&hello("a.example", 0), Some(Protocol::Tls)),
        (&hello("dns.google", 0), Some(Protocol::DnsOverHttps)),
        (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", Some(Protocol::Http)),
        (b"POST /dns-query HTTP/1.1\r\nHost: a.example\r\n\r\n", Some(Protocol::DnsOverHttps)),
        (b"what is this", None),
    ] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 4444);
        tap.see(&c.send(first));
        tap.see(&c.down(ACK, b"hm"));
        assert_eq!(spoken(&mut tap, 4444), protocol, "{}", first.escape_ascii());
    }
}

#[test]
fn a_server_that_speaks_first_is_enough() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 4444);
    tap.see(&c.down(ACK, b"220 mx.a.example ESMTP\r\n"));
    assert_eq!(spoken(&mut tap, 4444), Some(Protocol::Smtp));
}

#[test]
fn tls_that_mail_turns_into_is_still_mail() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 587);
    tap.see(&c.down(ACK, b"220 mx.a.example ESMTP\r\n"));
    tap.see(&c.send(b"STARTTLS\r\n"));
    tap.see(&c.send(&hello("mx.a.example", 0)));
    assert_eq!(spoken(&mut tap, 587), Some(Protocol::Smtp));
}

#[test]
fn tls_on_the_port_for_it_is_dns() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 853);
    tap.see(&c.send(&hello("a.example", 0)));
    assert_eq!(spoken(&mut tap, 853), Some(Protocol::DnsOverTls));
}

#[test]
fn what_is_no_dns_on_its_port_is_called_what_it_is() {
    let mut tap = Tap::new();
    let mut handshake = vec![1, 0, 0, 0];
    handshake.resize(148, 0xa7);
    tap.see(&udp((CLIENT, 33_000, SERVER, 53), &handshake));
    assert_eq!(spoken(&mut tap, 53), Some(Protocol::WireGuard));
}

#[test]
fn a_name_that_tor_made_up_is_tor_unless_dns_was_asked_for_it() {
    let made_up = "www.q4cyamnc6mtokjurvd.com";
    let mut bytes = hello(made_up, 0);
    // Without the extension that offers protocols: another number takes its place.
    let alpn = bytes.windows(4).position(|at| at == [0, 16, 0, 14]).unwrap();
    bytes[alpn..alpn + 2].copy_from_slice(&[0x12, 0x34]);
    for asks in [false, true] {
        let mut tap = Tap::new();
        if asks {
            tap.see(&udp((CLIENT, 33_000, RESOLVER, 53), &dns(7, made_up, None)));
            tap.see(&udp((RESOLVER, 53, CLIENT, 33_000), &dns(7, made_up, Some(SERVER))));
        }
        let mut c = tap.connect(40_000, 9001);
        tap.see(&c.send(&bytes));
        let protocol = if asks { Protocol::Tls } else { Protocol::Tor };
        assert_eq!(spoken(&mut tap, 9001), Some(protocol));
    }
}

#[test]
fn what_goes_through_a_socks_server_goes_to_its_target() {
    let mut tap = Tap::new();
    let mut c = tap.connect(40_000, 1080);
    tap.see(&c.send(b"\x05\x01\0"));
    tap.see(&c.down(ACK, b"\x05\0"));
    tap.see(&c.send(b"\x05\x01\0\x03\x10drop.example.org\x01\xbb"));
    tap.see(&c.down(ACK, b"\x05\0\0\x01\0\0\0\0\0\0"));
    tap.see(&c.send(&hello("front.example.net", 0)));
    tap.finish();
    assert_eq!(tap.hellos()[0].sni.as_deref(), Some("front.example.net"));
    let flows = tap.flows();
    let (event, flow) = flows.last().unwrap();
    assert_eq!(event.destination.host.as_deref(), Some("drop.example.org"));
    assert_eq!((event.destination.port, flow.protocol), (443, Some(Protocol::Socks)));
}

#[test]
fn inside_a_tunnel_that_a_proxy_made_it_is_what_is_inside() {
    for (inside, protocol) in [
        (&hello("a.example", 0)[..], Protocol::Tls),
        (b"SSH-2.0-x\r\n", Protocol::Ssh),
        (b"what is this", Protocol::Http),
    ] {
        let mut tap = Tap::new();
        let mut c = tap.connect(40_000, 3128);
        tap.see(&c.send(b"CONNECT a.example:4444 HTTP/1.1\r\n\r\n"));
        tap.see(&c.down(ACK, b"HTTP/1.1 200 Connection established\r\n\r\n"));
        tap.see(&c.send(inside));
        assert_eq!(spoken(&mut tap, 4444), Some(protocol));
    }
}
