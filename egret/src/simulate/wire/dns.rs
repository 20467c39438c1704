//! DNS messages (RFC 1035) and their exchange over UDP.

use std::net::IpAddr;
use std::time::Duration;

use egret_event::Timestamp;

use super::track::{Ends, Track, Way};
use crate::simulate::dice::Dice;

/// How long answers may be kept.
pub(crate) const TTL: Duration = Duration::from_secs(60);

/// Longest label (RFC 1035, section 2.3.4).
pub(crate) const LONGEST_LABEL: usize = 63;

/// A type of record, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordType(pub(crate) u16);

impl RecordType {
    pub(crate) const A: Self = Self(1);
    pub(crate) const CNAME: Self = Self(5);
    pub(crate) const NULL: Self = Self(10);
    pub(crate) const TXT: Self = Self(16);
    pub(crate) const AAAA: Self = Self(28);
    pub(crate) const HTTPS: Self = Self(65);
}

/// What an answer holds.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    /// An address.
    Address(IpAddr),
    /// Another name; the records after it belong to that one.
    Alias(String),
    /// Text, in strings of at most 255 bytes.
    Text(Vec<u8>),
    /// Anything.
    Null(Vec<u8>),
    /// How to reach an HTTPS service: over QUIC, with this key for encrypted hellos (RFC 9460).
    Service(Vec<u8>),
}

/// A question and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) asked: RecordType,
    /// 0: found, 3: no such name.
    pub(crate) code: u8,
    pub(crate) records: Vec<Record>,
}

/// Plays exchanges of one socket, asked together and answered in order, and gives the flow and
/// the time of its last packet.
pub(crate) fn play(
    ends: Ends,
    start: Timestamp,
    (exchanges, latency): (&[Exchange], Duration),
    dice: &mut Dice,
) -> (Track, Timestamp) {
    let mut track = Track::new(ends, dice.u16());
    let ids: Vec<u16> = exchanges.iter().map(|_| dice.u16()).collect();
    let mut now = start;
    for (exchange, id) in exchanges.iter().zip(&ids) {
        track.push_datagram(now, Way::Up, &question(*id, exchange));
        now = now + Duration::from_micros(25);
    }
    now = now + latency;
    for (exchange, id) in exchanges.iter().zip(&ids) {
        track.push_datagram(now, Way::Down, &answer(*id, exchange));
        now = now + Duration::from_micros(90);
    }
    (track, now)
}

/// The question as a message.
fn question(id: u16, exchange: &Exchange) -> Vec<u8> {
    let mut message = Vec::with_capacity(64);
    // Recursion desired.
    header(&mut message, [id, 0x0100, 1, 0, 0, 0]);
    put_question(&mut message, exchange);
    message
}

/// The answer as a message.
fn answer(id: u16, exchange: &Exchange) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    // Response, recursion desired and available.
    let flags = 0x8180 | u16::from(exchange.code);
    header(&mut message, [id, flags, 1, exchange.records.len() as u16, 0, 0]);
    put_question(&mut message, exchange);
    // A pointer to the name in the question, until an alias takes its place.
    let mut owner = vec![0xc0, 12];
    for record in &exchange.records {
        message.extend_from_slice(&owner);
        let (kind, content) = record_content(record);
        message.extend_from_slice(&kind.0.to_be_bytes());
        message.extend_from_slice(&1u16.to_be_bytes());
        message.extend_from_slice(&(TTL.as_secs() as u32).to_be_bytes());
        message.extend_from_slice(&(content.len() as u16).to_be_bytes());
        message.extend_from_slice(&content);
        if let Record::Alias(name) = record {
            owner = encode_name(name);
        }
    }
    message
}

fn header(message: &mut Vec<u8>, fields: [u16; 6]) {
    for field in fields {
        message.extend_from_slice(&field.to_be_bytes());
    }
}

fn put_question(message: &mut Vec<u8>, exchange: &Exchange) {
    message.extend_from_slice(&encode_name(&exchange.name));
    message.extend_from_slice(&exchange.asked.0.to_be_bytes());
    message.extend_from_slice(&1u16.to_be_bytes());
}

fn record_content(record: &Record) -> (RecordType, Vec<u8>) {
    match record {
        Record::Address(IpAddr::V4(address)) => (RecordType::A, address.octets().to_vec()),
        Record::Address(IpAddr::V6(address)) => (RecordType::AAAA, address.octets().to_vec()),
        Record::Alias(name) => (RecordType::CNAME, encode_name(name)),
        Record::Null(bytes) => (RecordType::NULL, bytes.clone()),
        Record::Service(key) => (RecordType::HTTPS, service_content(key)),
        Record::Text(bytes) => {
            let strings = bytes.chunks(255);
            let content = strings.flat_map(|s| std::iter::once(s.len() as u8).chain(s.to_vec()));
            (RecordType::TXT, content.collect())
        }
    }
}

/// Priority 1, the name asked for itself, then the parameters `alpn` and `ech`.
fn service_content(key: &[u8]) -> Vec<u8> {
    let mut content = vec![0, 1, 0];
    content.extend([0, 1, 0, 3, 2]);
    content.extend(b"h3");
    content.extend([0, 5]);
    content.extend((key.len() as u16).to_be_bytes());
    content.extend(key);
    content
}

/// A name as length-prefixed labels. Labels over 63 bytes are cut: no scenario makes any.
fn encode_name(name: &str) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(LONGEST_LABEL)];
        encoded.push(label.len() as u8);
        encoded.extend_from_slice(label);
    }
    encoded.push(0);
    encoded
}
