//! Which flow the later fragments of a packet belong to.
//!
//! Owns a small memory of first fragments. Nothing is put together again: only the first fragment
//! has ports, and the others are counted to its flow.

use std::hash::BuildHasher;
use std::time::Duration;

use egret_event::Timestamp;
use foldhash::quality::FixedState;

use super::link::{ACK, Fragment, Packet};
use super::table::SEED;

/// Packets whose first fragment is remembered; a newer one takes the place of an older.
const PLACES: usize = 256;

/// How long the rest of a packet may take (RFC 1122, section 3.3.2).
const REASSEMBLY_TIME: Duration = Duration::from_secs(60);

/// The ports of recently fragmented packets.
#[derive(Debug)]
pub(super) struct Fragments {
    places: Vec<Option<First>>,
}

#[derive(Debug)]
struct First {
    packet: Identity,
    ports: (u16, u16),
    seen: Timestamp,
}

/// What all fragments of a packet share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    source: u128,
    destination: u128,
    protocol: u8,
    id: u32,
}

impl Fragments {
    pub(super) fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// Gives a later fragment the ports of its first, where that was seen; else they stay 0.
    pub(super) fn follow(&mut self, packet: &mut Packet<'_>, now: Timestamp) {
        match packet.fragment {
            Fragment::Whole => {}
            Fragment::First(id) => {
                if self.places.is_empty() {
                    self.places.resize_with(PLACES, || None);
                }
                let packet_id = Identity::of(packet, id);
                let ports = (packet.source_port, packet.destination_port);
                self.places[packet_id.place()] =
                    Some(First { packet: packet_id, ports, seen: now });
            }
            Fragment::Later(id) => {
                let packet_id = Identity::of(packet, id);
                if let Some(Some(first)) = self.places.get(packet_id.place())
                    && first.packet == packet_id
                    && now.since(first.seen) <= REASSEMBLY_TIME
                {
                    (packet.source_port, packet.destination_port) = first.ports;
                }
                // To the flow it is more of the same, and its payload has no beginning.
                packet.flags = ACK;
                packet.payload = &[];
            }
        }
    }
}

impl Identity {
    fn of(packet: &Packet<'_>, id: u32) -> Self {
        Self {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            id,
        }
    }

    fn place(&self) -> usize {
        FixedState::with_seed(SEED).hash_one(self) as usize % PLACES
    }
}
