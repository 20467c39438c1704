//! One flow's packets, planned but not yet encoded.

use std::net::SocketAddr;
use std::ops::Range;

use egret_event::Timestamp;

/// Which way a packet goes, as seen from the executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the executor.
    Up,
    /// To the executor.
    Down,
}

impl Way {
    /// The other way.
    pub(crate) const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// What a packet is, beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A TCP segment.
    Tcp(Segment),
    /// A UDP datagram.
    Udp,
    /// An ICMP echo request, or on the way back the reply.
    Echo,
    /// A router's answer that sending there is prohibited, quoting the flow's first packet.
    Prohibited,
}

/// The header of a TCP segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) psh: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) sequence: u32,
    /// 0 where `ack` is not set.
    pub(crate) acknowledged: u32,
    /// Timestamp option (RFC 7323): own clock in ms, and the last one seen from the other side.
    pub(crate) clock: (u32, u32),
}

/// A planned packet.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) at: Timestamp,
    pub(crate) way: Way,
    pub(crate) kind: Kind,
    /// Where its payload stands in the track's bytes of its way.
    pub(crate) payload: Range<usize>,
}

/// Both ends of a flow, of one address family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// One flow: its ends, its packets in the order of time, and what they carry.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) ends: Ends,
    pub(crate) packets: Vec<Packet>,
    pub(crate) up: Vec<u8>,
    pub(crate) down: Vec<u8>,
    /// The first IPv4 identification, or the IPv6 flow label.
    pub(crate) label: u16,
}

impl Track {
    /// A flow without packets.
    pub(crate) fn new(ends: Ends, label: u16) -> Self {
        Self { ends, packets: Vec::new(), up: Vec::new(), down: Vec::new(), label }
    }

    /// Adds a packet; payload that is new is appended with [`Track::store`] before.
    pub(crate) fn push(&mut self, at: Timestamp, way: Way, kind: Kind, payload: Range<usize>) {
        self.packets.push(Packet { at, way, kind, payload });
    }

    /// Adds a UDP datagram.
    pub(crate) fn push_datagram(&mut self, at: Timestamp, way: Way, payload: &[u8]) {
        let place = self.store(way, payload);
        self.push(at, way, Kind::Udp, place);
    }

    /// Appends payload of one way and says where it stands.
    pub(crate) fn store(&mut self, way: Way, payload: &[u8]) -> Range<usize> {
        let bytes = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        start..bytes.len()
    }

    /// The payload of a packet of this track.
    pub(crate) fn payload(&self, packet: &Packet) -> &[u8] {
        match packet.way {
            Way::Up => &self.up[packet.payload.clone()],
            Way::Down => &self.down[packet.payload.clone()],
        }
    }

    /// When the first packet is seen. `None`: there is none.
    pub(crate) fn begins(&self) -> Option<Timestamp> {
        self.packets.first().map(|packet| packet.at)
    }
}
