//! Tunnels, tags and labels.

use std::time::Duration;

use egret_event::Loss;
use etherparse::PacketBuilder;

use super::super::{dissect, dissect_outer};
use super::*;

const NODES: ([u8; 4], [u8; 4]) = ([192, 168, 7, 1], [192, 168, 7, 2]);

fn inner() -> Vec<u8> {
    udp((CLIENT, 40_000, SERVER, 9999), b"payload")
}

/// An IP packet of `protocol` between two nodes that carries `parts`.
fn ip(protocol: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    packet[2..4].copy_from_slice(&(20 + body.len() as u16).to_be_bytes());
    packet.extend([NODES.0, NODES.1].concat());
    packet.extend(body);
    packet
}

/// A datagram between two nodes, to the port of a tunnel.
fn over_udp(port: u16, parts: &[&[u8]]) -> Vec<u8> {
    udp((NODES.0, 50_000, NODES.1, port), &parts.concat())
}

fn ethernet(kind: u16, body: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &kind.to_be_bytes(), body].concat()
}

/// Every way to carry [`inner`] in a tunnel.
fn tunnels() -> Vec<(&'static str, Vec<u8>)> {
    let inner = inner();
    let bridged = ethernet(0x0800, &inner);
    let tagged = ethernet(0x8100, &[&[0, 5, 8, 0][..], &inner].concat());
    let label = [0, 1, 0x01, 64];
    let extended_gtp = [0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0];
    vec![
        ("IP in IP", ip(4, &[&inner])),
        ("GRE", ip(47, &[&[0, 0, 8, 0], &inner])),
        ("GRE with all fields", ip(47, &[&[0xb0, 0, 8, 0], &[0; 12], &inner])),
        ("GRE, bridged", ip(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 0, 9], &bridged])),
        ("GRE, labelled", ip(47, &[&[0, 0, 0x88, 0x47], &label, &inner])),
        ("PPTP", ip(47, &[&[0x30, 0x81, 0x88, 0x0b], &[0; 12], &[0xff, 3, 0, 0x21], &inner])),
        ("PPTP, compressed", ip(47, &[&[0x30, 1, 0x88, 0x0b], &[0; 8], &[0x21], &inner])),
        ("ERSPAN II", ip(47, &[&[0x10, 0, 0x88, 0xbe], &[0; 12], &bridged])),
        ("VXLAN", over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0], &bridged])),
        ("VXLAN, tagged", over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0], &tagged])),
        ("VXLAN, Linux", over_udp(8472, &[&[8, 0, 0, 0, 0, 0, 9, 0], &bridged])),
        ("Geneve", over_udp(6081, &[&[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 4], &bridged])),
        ("Geneve, IP", over_udp(6081, &[&[0, 0, 8, 0, 0, 0, 9, 0], &inner])),
        ("GTP-U", over_udp(2152, &[&[0x30, 255, 0, 0, 0, 0, 0, 1], &inner])),
        ("GTP-U, extended", over_udp(2152, &[&extended_gtp, &inner])),
        ("GRE in UDP", over_udp(4754, &[&[0, 0, 8, 0], &inner])),
        ("VXLAN-GPE", over_udp(4790, &[&[0x0c, 0, 0, 1, 0, 0, 9, 0], &inner])),
        ("VXLAN-GPE, Ethernet", over_udp(4790, &[&[0x0c, 0, 0, 3, 0, 0, 9, 0], &bridged])),
    ]
}

#[test]
fn every_tunnel_gives_the_packet_inside() {
    let inner = inner();
    let plain = dissect(Link::Ip, 0, &inner).unwrap();
    for (name, frame) in tunnels() {
        let packet = dissect(Link::Ip, 0, &frame);
        assert_eq!(packet, Ok(super::super::Packet { layers: 1, ..plain }), "{name}");
        let outer = dissect_outer(Link::Ip, 0, &frame).unwrap();
        assert_eq!((outer.layers, outer.wire_bytes as usize), (0, frame.len()), "{name}");
    }
}

#[test]
fn links_and_labels_are_no_tunnels() {
    let inner = inner();
    let plain = dissect(Link::Ip, 0, &inner).unwrap();
    let with = |head: &[u8]| [head, &inner].concat();
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let wifi = [&[0x88, 1][..], &[0; 22], &[0, 0], &snap].concat();
    let radiotap = [&[0, 0, 8, 0, 0, 0, 0, 0][..], &wifi].concat();
    let logged = {
        let length = (inner.len() as u16 + 4).to_le_bytes();
        let mark = [8, 0, 3, 0, 1, 2, 3, 4];
        [&[2, 0, 0, 5][..], &mark, &length, &[9, 0], &inner].concat()
    };
    let session = [&[0x11, 0, 0, 7, 0, 99, 0, 0x21][..]].concat();
    for (link, frame) in [
        (9, with(&[0xff, 3, 0, 0x21])),
        (9, with(&[0x21])),
        (50, with(&[0xff, 3, 0, 0x21])),
        (104, with(&[0x0f, 0, 8, 0])),
        (51, with(&session)),
        (1, ethernet(0x8864, &with(&session))),
        (1, ethernet(0x8847, &with(&[0, 1, 0, 64, 0, 2, 1, 64]))),
        (1, ethernet(60, &with(&snap))),
        (1, ethernet(0x8926, &with(&[0, 1, 0, 2, 0x81, 0, 0, 5, 8, 0]))),
        (105, with(&wifi)),
        (127, with(&radiotap)),
        (107, with(&[0x18, 0x41, 3, 0xcc])),
        (219, with(&[0, 1, 1, 64])),
        (239, logged),
    ] {
        let link = Link::from_number(link).unwrap();
        assert_eq!(dissect(link, 0, &frame), Ok(plain), "{link:?}");
    }
}

#[test]
fn ethernet_in_ethernet_and_service_headers_are_entered() {
    let inner = inner();
    let plain = dissect(Link::Ip, 0, &inner).unwrap();
    let bridged = ethernet(0x0800, &inner);
    for frame in [
        ethernet(0x88e7, &[&[0, 0, 0, 9][..], &bridged].concat()),
        ethernet(0x8903, &[&[0x10, 0x20][..], &bridged].concat()),
        ethernet(0x894f, &[&[0, 2, 2, 3, 0, 0, 9, 255][..], &bridged].concat()),
    ] {
        let packet = dissect(Link::Ethernet, 0, &frame);
        assert_eq!(packet, Ok(super::super::Packet { layers: 1, ..plain }));
    }
    let service = [0, 2, 2, 1, 0, 0, 9, 255];
    let frame = over_udp(4790, &[&[0x0c, 0, 0, 4, 0, 0, 9, 0], &service, &inner]);
    let packet = dissect(Link::Ip, 0, &frame);
    assert_eq!(packet, Ok(super::super::Packet { layers: 2, ..plain }));
}

#[test]
fn ipv6_in_teredo_is_read_behind_what_its_servers_add() {
    let client = [0x20, 1, 0, 0, 1, 2, 3, 4, 0x80, 0, 0xf1, 0x2a, 0xb9, 0xc8, 0x28, 0x15];
    let mut inside = Vec::new();
    PacketBuilder::ipv6(client, [0x20; 16], 64)
        .udp(40_000, 9999)
        .write(&mut inside, b"payload")
        .unwrap();
    let plain = dissect(Link::Ip, 0, &inside).unwrap();
    let origin = [0, 0, 1, 2, 3, 4, 5, 6];
    let authentication = [&[0, 1, 2, 1][..], &[7; 12]].concat();
    for ports in [(50_000, 3544), (3544, 50_000), (50_000, 50_001)] {
        for head in [&[][..], &origin, &authentication, &[&authentication[..], &origin].concat()] {
            let ends = (NODES.0, ports.0, NODES.1, ports.1);
            let frame = udp(ends, &[head, &inside].concat());
            let expected = super::super::Packet { layers: 1, ..plain };
            assert_eq!(dissect(Link::Ip, 0, &frame), Ok(expected), "{head:?}");
        }
    }
}

#[test]
fn ethernet_in_ethernet_is_entered_to_a_depth() {
    let mut frame = ethernet(0x0800, &inner());
    for depth in 1..20 {
        frame = ethernet(0x88e7, &[&[0; 4][..], &frame].concat());
        let expected = if depth <= 8 { Ok(depth) } else { Err(Loss::Malformed) };
        assert_eq!(dissect(Link::Ethernet, 0, &frame).map(|packet| packet.layers), expected);
    }
}

#[test]
fn encrypted_wireless_frames_are_not_understood_and_management_is_no_ip() {
    let link = Link::from_number(105).unwrap();
    let protected = [&[8, 0x41][..], &[0; 60]].concat();
    assert_eq!(dissect(link, 0, &protected), Err(Loss::Malformed));
    let beacon = [&[0x80, 0][..], &[0; 60]].concat();
    assert_eq!(dissect(link, 0, &beacon), Err(Loss::NotIp));
}

#[test]
fn what_only_looks_like_a_tunnel_is_told_as_it_is() {
    for frame in [
        over_udp(4789, &[b"not VXLAN at all"]),
        over_udp(2152, &[&[0x30, 255, 0, 0, 0, 0, 0, 1], b"no IP"]),
        over_udp(3544, &[&[0x60; 60]]),
        ip(47, &[&[0, 0, 0x88, 0xcc, 1, 2, 3]]),
        ip(4, &[b""]),
    ] {
        let packet = dissect(Link::Ip, 0, &frame).unwrap();
        assert_eq!((packet.layers, packet.wire_bytes as usize), (0, frame.len()));
    }
}

#[test]
fn tunnels_in_tunnels_are_entered_to_a_depth() {
    let mut frame = inner();
    for depth in 1..40_u8 {
        frame = ip(4, &[&frame]);
        let packet = dissect(Link::Ip, 0, &frame).unwrap();
        assert_eq!(packet.layers, depth.min(8));
        assert_eq!(packet.protocol, if depth <= 8 { 17 } else { 4 });
    }
}

#[test]
fn what_an_executor_sends_through_its_node_is_its_own() {
    for (name, frame) in tunnels() {
        let mut tap = Tap::new();
        tap.see(&frame);
        tap.finish();
        let flows = tap.flows();
        assert_eq!(flows.len(), 1, "{name}");
        assert_eq!(flows[0].0.client, (CLIENT.into(), 40_000), "{name}");
        assert_eq!(flows[0].0.up.bytes, Some(7), "{name}");
    }
}

#[test]
fn a_tunnel_that_an_executor_builds_is_its_egress_whatever_it_writes_inside() {
    let forged = udp((OTHER_CLIENT, 40_000, [8, 8, 8, 8], 9999), b"payload");
    let unknown = udp(([172, 16, 0, 1], 40_000, [172, 16, 0, 2], 9999), b"payload");
    for inside in [forged, unknown] {
        let mut frame = ip(4, &[&inside]);
        frame[12..16].copy_from_slice(&CLIENT);
        frame[16..20].copy_from_slice(&SERVER);
        let mut tap = Tap::new();
        tap.see(&frame);
        tap.finish();
        let flows = tap.flows();
        assert_eq!(flows.len(), 1);
        assert_eq!(flows[0].0.client, (CLIENT.into(), 0));
        assert_eq!(flows[0].0.destination.address, Some(SERVER.into()));
        assert_eq!(flows[0].0.up.bytes, Some(inside.len() as u64));
    }
}

#[test]
fn a_tunnel_in_fragments_is_entered_once_it_is_whole() {
    let frame = ip(4, &[&inner()]);
    let (mut first, mut last) = (frame[..36].to_vec(), frame[..20].to_vec());
    last.extend(&frame[36..]);
    for (part, place) in [(&mut first, 0x2000_u16), (&mut last, 2)] {
        let length = part.len() as u16;
        part[2..4].copy_from_slice(&length.to_be_bytes());
        part[6..8].copy_from_slice(&place.to_be_bytes());
    }
    let mut tap = Tap::new();
    tap.see(&first);
    tap.pass(Duration::from_secs(1).as_millis() as i64);
    tap.see(&last);
    tap.finish();
    let flows = tap.flows();
    assert_eq!(flows[0].0.client, (CLIENT.into(), 40_000));
    assert_eq!((flows[0].0.up.bytes, flows[0].0.up.packets), (Some(7), Some(2)));
    assert_eq!(tap.account().unaccounted(), 0);
}
