//! Claims about packets in and events out, on packets made here.

mod datagrams;
mod exchanges;
mod files;
mod flows;
mod handshakes;
mod inside;
mod layers;
mod questions;
mod robust;
mod spoken;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use egret_event::{
    DnsExchange, Event, Fact, FlowInterval, HttpRequest, Ledger, LedgerReading, Timestamp, TlsHello,
};
use etherparse::PacketBuilder;

use super::link::{ACK, FIN, RST, SYN};
use super::{Decoder, Link};
use crate::{AttributionTable, Segment};

pub(super) const CLIENT: [u8; 4] = [10, 20, 0, 17];
pub(super) const OTHER_CLIENT: [u8; 4] = [10, 20, 0, 18];
pub(super) const SERVER: [u8; 4] = [203, 0, 113, 9];
pub(super) const RESOLVER: [u8; 4] = [192, 0, 2, 53];
const PUSH: u8 = 8;

/// A decoder with its events, and a clock in milliseconds.
pub(super) struct Tap {
    pub(super) decoder: Decoder,
    pub(super) events: Vec<Event>,
    now_ms: i64,
}

impl Tap {
    pub(super) fn new() -> Self {
        Self::of(Link::Ip, 1000)
    }

    pub(super) fn of(link: Link, max_flows: usize) -> Self {
        let segment = Segment { name: "lab".into(), ranges: vec!["10.20.0.0/16".parse().unwrap()] };
        let table = Arc::new(AttributionTable::new(vec![segment], Vec::new()));
        Self {
            decoder: Decoder::with_max_flows("tap".into(), link, table, max_flows),
            events: Vec::new(),
            now_ms: 0,
        }
    }

    pub(super) fn see(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap();
        self.decoder.packet(at_ms(self.now_ms), length, bytes, &mut |event| {
            self.events.push(event);
        });
    }

    /// Lets `ms` pass.
    pub(super) fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.decoder.tick(at_ms(self.now_ms), &mut |event| self.events.push(event));
    }

    /// Sets the clock of the next packets, without letting the decoder know.
    pub(super) fn set_clock(&mut self, ms: i64) {
        self.now_ms = ms;
    }

    pub(super) fn finish(&mut self) {
        self.decoder.finish(&mut |event| self.events.push(event));
    }

    /// Packets in all events since the last call of [`Self::flows`].
    pub(super) fn told_packets(&self) -> u64 {
        let packets = |event: &Event| {
            [event.up, event.down].iter().filter_map(|way| way.packets).map(u64::from).sum::<u64>()
        };
        self.events.iter().map(packets).sum()
    }

    pub(super) fn account(&mut self) -> LedgerReading {
        let ledger = Ledger::default();
        self.decoder.settle(&ledger);
        ledger.read()
    }

    /// The flow intervals told since the last call of this kind, with their events.
    pub(super) fn flows(&mut self) -> Vec<(Event, FlowInterval)> {
        let events = std::mem::take(&mut self.events);
        let flow = |event: Event| match &event.fact {
            Fact::Flow(interval) => Some((event.clone(), interval.clone())),
            _ => None,
        };
        events.into_iter().filter_map(flow).collect()
    }

    pub(super) fn questions(&self) -> Vec<DnsExchange> {
        let dns = |event: &Event| match &event.fact {
            Fact::Dns(exchange) => Some((**exchange).clone()),
            _ => None,
        };
        self.events.iter().filter_map(dns).collect()
    }

    pub(super) fn hellos(&self) -> Vec<TlsHello> {
        let tls = |event: &Event| match &event.fact {
            Fact::Tls(hello) => Some((**hello).clone()),
            _ => None,
        };
        self.events.iter().filter_map(tls).collect()
    }

    pub(super) fn requests(&self) -> Vec<(Event, HttpRequest)> {
        let http = |event: &Event| match &event.fact {
            Fact::Http(request) => Some((event.clone(), (**request).clone())),
            _ => None,
        };
        self.events.iter().filter_map(http).collect()
    }

    /// A TCP connection that has been opened.
    pub(super) fn connect(&mut self, port: u16, server_port: u16) -> Connection {
        let mut connection = Connection::new(port, server_port);
        self.see(&connection.up(SYN, b""));
        self.see(&connection.down(SYN | ACK, b""));
        self.see(&connection.up(ACK, b""));
        connection
    }
}

pub(super) fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_secs(1_767_600_000) + Duration::from_millis(ms.cast_unsigned())
}

/// Both ends of a TCP connection, with their sequence numbers.
#[derive(Clone)]
pub(super) struct Connection {
    port: u16,
    server_port: u16,
    up_next: u32,
    down_next: u32,
}

impl Connection {
    pub(super) fn new(port: u16, server_port: u16) -> Self {
        // Close to the wrap, so that it is passed.
        Self { port, server_port, up_next: u32::MAX - 300, down_next: 7_000 }
    }

    pub(super) fn up(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ends = (CLIENT, self.port, SERVER, self.server_port);
        let packet = tcp(ends, (self.up_next, self.down_next), flags, payload);
        self.up_next = self.up_next.wrapping_add(consumed(flags, payload));
        packet
    }

    pub(super) fn down(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ends = (SERVER, self.server_port, CLIENT, self.port);
        let packet = tcp(ends, (self.down_next, self.up_next), flags, payload);
        self.down_next = self.down_next.wrapping_add(consumed(flags, payload));
        packet
    }

    pub(super) fn send(&mut self, payload: &[u8]) -> Vec<u8> {
        self.up(ACK | PUSH, payload)
    }
}

fn consumed(flags: u8, payload: &[u8]) -> u32 {
    payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0)
}

type Ends = ([u8; 4], u16, [u8; 4], u16);

pub(super) fn tcp(
    ends: Ends,
    (sequence, acknowledged): (u32, u32),
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut builder = PacketBuilder::ipv4(ends.0, ends.2, 64).tcp(ends.1, ends.3, sequence, 64_000);
    if flags & SYN != 0 {
        builder = builder.syn();
    }
    if flags & FIN != 0 {
        builder = builder.fin();
    }
    if flags & RST != 0 {
        builder = builder.rst();
    }
    if flags & ACK != 0 {
        builder = builder.ack(acknowledged);
    }
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

pub(super) fn udp(ends: Ends, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(ends.0, ends.2, 64).udp(ends.1, ends.3);
    builder.write(&mut packet, payload).unwrap();
    packet
}

/// An ICMP "destination unreachable" of `code` about `quoted`, cut to what routers quote.
pub(super) fn unreachable(code: u8, quoted: &[u8]) -> Vec<u8> {
    let mut message = vec![3, code, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&quoted[..28]);
    let mut packet = Vec::new();
    let router = [192, 0, 2, 1];
    let to = [quoted[12], quoted[13], quoted[14], quoted[15]];
    PacketBuilder::ipv4(router, to, 64)
        .icmpv4_raw(message[0], message[1], [0; 4])
        .write(&mut packet, &message[8..])
        .unwrap();
    packet
}

/// A DNS question for an address, or the answer that gives one.
pub(super) fn dns(id: u16, name: &str, answer: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    let count = u8::from(answer.is_some());
    bytes.extend([if answer.is_some() { 0x81 } else { 1 }, 0, 0, 1, 0, count, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    if let Some(address) = answer {
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend(address);
    }
    bytes
}

/// A ClientHello for `name`, with an extension of `padding` bytes.
pub(super) fn hello(name: &str, padding: usize) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, content: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend((content.len() as u16).to_be_bytes());
        extensions.extend_from_slice(content);
    };
    let mut server_name = ((name.len() + 3) as u16).to_be_bytes().to_vec();
    server_name.push(0);
    server_name.extend((name.len() as u16).to_be_bytes());
    server_name.extend_from_slice(name.as_bytes());
    extension(0x1a1a, &[]);
    extension(0, &server_name);
    extension(16, b"\x00\x0c\x02h2\x08http/1.1");
    extension(13, &[0, 4, 4, 3, 8, 4]);
    extension(43, &[4, 0x2a, 0x2a, 3, 4]);
    extension(21, &vec![0; padding]);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 6, 0x0a, 0x0a, 0x13, 0x02, 0x13, 0x01, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut record = vec![22, 3, 1];
    record.extend(((body.len() + 4) as u16).to_be_bytes());
    record.extend([1, 0]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}
