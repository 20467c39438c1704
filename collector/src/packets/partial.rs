//! Bytes of a message that did not end with its segment.
//!
//! Owns the bounded buffers. A flow has one only while such a message is incomplete.

use super::link::Packet;
use super::{http, tls};

/// Longest DNS message kept in part; it is far more than a resolver sends in two segments.
const MAX_DNS_BYTES: usize = 16 * 1024;

/// A message of which only the start was seen.
#[derive(Debug)]
pub(super) enum Partial {
    /// A TLS ClientHello.
    Hello(Stream),
    /// The head of an HTTP request.
    Head(Stream),
    /// DNS over TCP, both ways.
    Dns {
        /// What the client sent.
        up: Stream,
        /// What the server sent.
        down: Stream,
    },
}

/// Bytes that follow one another in one direction of a TCP flow.
#[derive(Debug, Default)]
pub(super) struct Stream {
    bytes: Vec<u8>,
    /// Sequence number of the next byte.
    next: u32,
}

/// What became of a segment that may continue a [`Stream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continued {
    /// It was added.
    Yes,
    /// It is a repetition, or one before it is missing: another may still come.
    NotYet,
    /// It cannot be added: too long, or cut by the capture.
    Never,
}

impl Stream {
    /// The stream that starts with the last `kept` bytes of a packet's payload.
    pub(super) fn starting_with(packet: &Packet<'_>, kept: usize) -> Self {
        let start = packet.payload.len().saturating_sub(kept);
        Self { bytes: packet.payload[start..].to_vec(), next: end_of(packet) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds the payload of a packet if it comes next, up to `most` bytes in all.
    pub(super) fn extend(&mut self, packet: &Packet<'_>, most: usize) -> Continued {
        if packet.sequence != self.next {
            return Continued::NotYet;
        }
        if is_cut(packet) || self.bytes.len() + packet.payload.len() > most {
            return Continued::Never;
        }
        self.bytes.extend_from_slice(packet.payload);
        self.next = end_of(packet);
        Continued::Yes
    }

    /// Forgets the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
    }
}

/// Most bytes that a stream of each kind may hold.
pub(super) const MAX_HELLO: usize = tls::MAX_HELLO_BYTES;
pub(super) const MAX_HEAD: usize = http::MAX_HEAD_BYTES;
pub(super) const MAX_DNS: usize = MAX_DNS_BYTES;

/// Whether the capture holds less of the payload than was sent.
pub(super) fn is_cut(packet: &Packet<'_>) -> bool {
    packet.payload.len() < packet.payload_bytes as usize
}

fn end_of(packet: &Packet<'_>) -> u32 {
    packet.sequence.wrapping_add(packet.payload_bytes)
}
