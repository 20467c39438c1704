//! Putting fragmented packets together again.
//!
//! Owns the bounded memory of parts. A packet leaves it when it is whole, or as far as it came
//! when time, room or the input is up: every part that came in is in one packet that goes out, so
//! that packets and bytes stay exact. Where parts overlap, what came first holds, as in Linux
//! before it dropped such packets altogether (RFC 5722).

use std::collections::VecDeque;
use std::time::Duration;

use egret_event::{Loss, Timestamp};

use super::link::{ACK, Assembled, Fragment, Packet};

/// Most packets that are waited for at once.
const MAX_PENDING: usize = 256;

/// Most bytes held in all: some 60 packets of the largest size.
const MAX_HELD_BYTES: usize = 4 << 20;

/// How long the rest of a packet may take: what Linux gives it (`ipfrag_time`).
const REASSEMBLY_TIME: Duration = Duration::from_secs(30);

/// Largest IP packet.
const MAX_BYTES: usize = 65_535;

/// Most stretches of a packet that are kept apart; a packet that comes in more is given up.
const MAX_STRETCHES: usize = 64;

/// Packets that are not whole yet, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    pending: VecDeque<Pending>,
    held_bytes: usize,
    overlaps: u64,
}

/// The parts of one packet.
#[derive(Debug)]
pub(super) struct Pending {
    source: u128,
    destination: u128,
    protocol: u8,
    id: u32,
    since: Timestamp,
    /// Room from the packet's start to the furthest part.
    bytes: Vec<u8>,
    /// What there is of it: from and to, in order and apart.
    stretches: Vec<(usize, usize)>,
    /// How long it is, once the last part has come.
    length: Option<usize>,
    /// Where the capture first cut something off.
    cut_at: usize,
    wire_bytes: u32,
    packets: u32,
}

impl Fragments {
    /// Adds a part. What must go out now comes back: the packet, if it is whole.
    ///
    /// # Errors
    /// A part that lies beyond the largest packet.
    pub(super) fn add(
        &mut self,
        part: &Packet<'_>,
        now: Timestamp,
    ) -> Result<Option<Pending>, Loss> {
        let Fragment::Part { id, offset, is_last } = part.fragment else { return Ok(None) };
        let start = usize::from(offset);
        if start + part.payload_bytes as usize > MAX_BYTES {
            return Err(Loss::Malformed);
        }
        let known = self.pending.iter().position(|pending| pending.is_of(part, id));
        let at = known.unwrap_or_else(|| {
            self.pending.push_back(Pending::new(part, id, now));
            self.pending.len() - 1
        });
        let pending = &mut self.pending[at];
        let held = pending.bytes.len();
        let is_overlap = pending.put(start, is_last, part);
        self.overlaps += u64::from(is_overlap);
        self.held_bytes += pending.bytes.len() - held;
        let is_done = pending.is_whole() || pending.stretches.len() > MAX_STRETCHES;
        Ok(if is_done { self.remove(at) } else { None })
    }

    /// The oldest packet, if it has waited long enough or there is no room for more.
    pub(super) fn next_due(&mut self, now: Timestamp) -> Option<Pending> {
        let oldest = self.pending.front()?;
        let is_due = now.since(oldest.since) > REASSEMBLY_TIME
            || self.pending.len() > MAX_PENDING
            || self.held_bytes > MAX_HELD_BYTES;
        if is_due { self.remove(0) } else { None }
    }

    /// Any packet that is left.
    pub(super) fn take_any(&mut self) -> Option<Pending> {
        self.remove(0)
    }

    /// How many parts lay over earlier ones since the last call.
    pub(super) fn take_overlaps(&mut self) -> u64 {
        std::mem::take(&mut self.overlaps)
    }

    fn remove(&mut self, at: usize) -> Option<Pending> {
        let pending = self.pending.remove(at)?;
        self.held_bytes -= pending.bytes.len();
        Some(pending)
    }
}

impl Pending {
    fn new(part: &Packet<'_>, id: u32, now: Timestamp) -> Self {
        Self {
            source: part.source,
            destination: part.destination,
            protocol: part.protocol,
            id,
            since: now,
            bytes: Vec::new(),
            stretches: Vec::new(),
            length: None,
            cut_at: usize::MAX,
            wire_bytes: 0,
            packets: 0,
        }
    }

    fn is_of(&self, part: &Packet<'_>, id: u32) -> bool {
        self.id == id
            && self.source == part.source
            && self.destination == part.destination
            && self.protocol == part.protocol
    }

    /// Takes a part in. Returns whether it lay over an earlier one.
    fn put(&mut self, start: usize, is_last: bool, part: &Packet<'_>) -> bool {
        self.wire_bytes = self.wire_bytes.saturating_add(part.wire_bytes);
        self.packets = self.packets.saturating_add(part.packets);
        let end = start + part.payload_bytes as usize;
        if is_last {
            self.length.get_or_insert(end);
        }
        if part.payload.len() < part.payload_bytes as usize {
            self.cut_at = self.cut_at.min(start + part.payload.len());
        }
        let captured = start + part.payload.len();
        if self.bytes.len() < captured {
            self.bytes.resize(captured, 0);
        }
        let mut from = start;
        let mut is_overlap = false;
        for &(have_from, have_to) in &self.stretches {
            if have_from >= end {
                break;
            }
            if have_to > start {
                is_overlap = true;
                copy(&mut self.bytes, part.payload, start, (from, have_from));
                from = from.max(have_to);
            }
        }
        copy(&mut self.bytes, part.payload, start, (from, end));
        self.mark(start, end);
        is_overlap
    }

    /// Notes that there is something from `start` to `end`.
    fn mark(&mut self, mut start: usize, mut end: usize) {
        let first = self.stretches.partition_point(|&(_, to)| to < start);
        let after = self.stretches.partition_point(|&(from, _)| from <= end);
        if let Some(&(from, _)) = self.stretches[..after].get(first) {
            start = start.min(from);
            end = end.max(self.stretches[after - 1].1);
        }
        self.stretches.splice(first..after.max(first), [(start, end)]);
    }

    fn is_whole(&self) -> bool {
        matches!((self.length, self.stretches.first()), (Some(length), Some(&(0, to))) if to >= length)
    }

    /// How many packets it came in.
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// The packet, as far as it came. `None`: without its start, which says what it is.
    pub(super) fn assembled(&self) -> Option<Assembled<'_>> {
        let to = self.stretches.first().filter(|(from, _)| *from == 0)?.1;
        let (to, seen) = match self.length {
            Some(length) if to >= length => (length, length),
            _ => (to, self.seen_bytes()),
        };
        let readable = to.min(self.cut_at).min(self.bytes.len());
        Some(Assembled {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            wire_bytes: self.wire_bytes,
            packets: self.packets,
            wire_len: seen,
            bytes: &self.bytes[..readable],
        })
    }

    /// What can be said of it without its start.
    pub(super) fn headless(&self) -> Packet<'_> {
        Packet {
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            source_port: 0,
            destination_port: 0,
            flags: ACK,
            code: 0,
            sequence: 0,
            acknowledged: 0,
            payload: &[],
            payload_bytes: self.seen_bytes() as u32,
            wire_bytes: self.wire_bytes,
            packets: self.packets,
            layers: 0,
            fragment: Fragment::Part { id: self.id, offset: 0, is_last: false },
        }
    }

    fn seen_bytes(&self) -> usize {
        self.stretches.iter().map(|(from, to)| to - from).sum()
    }
}

/// Copies the bytes of a part that begins at `start` which lie from `from` to `to`.
fn copy(bytes: &mut [u8], part: &[u8], start: usize, (from, to): (usize, usize)) {
    let to = to.min(start + part.len());
    if from < to {
        bytes[from..to].copy_from_slice(&part[from - start..to - start]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(offset: u16, is_last: bool, payload: &[u8]) -> Packet<'_> {
        Packet {
            source: 1,
            destination: 2,
            protocol: 17,
            source_port: 0,
            destination_port: 0,
            flags: ACK,
            code: 0,
            sequence: 0,
            acknowledged: 0,
            payload,
            payload_bytes: payload.len() as u32,
            wire_bytes: payload.len() as u32 + 20,
            packets: 1,
            layers: 0,
            fragment: Fragment::Part { id: 7, offset, is_last },
        }
    }

    fn assembled(parts: &[Packet<'_>]) -> Option<Vec<u8>> {
        let mut fragments = Fragments::default();
        let mut whole = None;
        for part in parts {
            whole = whole.or(fragments.add(part, Timestamp::MIN).unwrap());
        }
        whole.map(|pending| pending.assembled().unwrap().bytes.to_vec())
    }

    #[test]
    fn where_parts_overlap_what_came_first_holds() {
        let whole = assembled(&[
            part(8, false, &[2; 8]),
            part(0, false, &[1; 16]),
            part(8, true, &[3; 16]),
        ]);
        assert_eq!(whole.unwrap(), [[1; 8], [2; 8], [3; 8]].concat());
    }

    #[test]
    fn a_part_beyond_the_largest_packet_is_refused() {
        let mut fragments = Fragments::default();
        let wrong = fragments.add(&part(65_528, true, &[0; 8]), Timestamp::MIN).unwrap_err();
        assert_eq!(wrong, Loss::Malformed);
    }

    #[test]
    fn what_is_held_is_bounded_and_everything_comes_out() {
        let mut fragments = Fragments::default();
        let payload = [0; 8];
        let mut out = 0;
        for id in 0..10_000 {
            let fragment = Fragment::Part { id, offset: 60_000, is_last: false };
            let part = Packet { fragment, ..part(0, false, &payload) };
            assert!(fragments.add(&part, Timestamp::MIN).unwrap().is_none());
            while let Some(pending) = fragments.next_due(Timestamp::MIN) {
                out += pending.packets();
            }
            assert!(fragments.pending.len() <= MAX_PENDING);
            assert!(fragments.held_bytes <= MAX_HELD_BYTES);
        }
        while let Some(pending) = fragments.take_any() {
            out += pending.packets();
        }
        assert_eq!((out, fragments.held_bytes), (10_000, 0));
    }

    proptest! {
        #[test]
        fn parts_in_any_order_make_the_packet(
            cuts in prop::collection::btree_set(1..60_usize, 0..8),
            order in prop::collection::vec(any::<u32>(), 9),
        ) {
            let whole: Vec<u8> = (0..480_u16).map(|byte| byte as u8).collect();
            let ends: Vec<usize> = cuts.iter().map(|cut| cut * 8).chain([480]).collect();
            let mut start = 0;
            let mut parts = Vec::new();
            for (end, place) in ends.into_iter().zip(order) {
                parts.push((place, part(start as u16, end == 480, &whole[start..end])));
                start = end;
            }
            parts.sort_by_key(|(place, _)| *place);
            let parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
            prop_assert_eq!(assembled(&parts), Some(whole));
        }

        #[test]
        fn parts_of_any_kind_are_taken_without_trouble(
            parts in prop::collection::vec((0..70_u16, any::<bool>(), 0..200_usize, 0..40_u32), 0..80),
        ) {
            let mut fragments = Fragments::default();
            let payload = [0; 200];
            let (mut came, mut went) = (0, 0);
            for (place, is_last, length, cut_off) in parts {
                let mut part = part(place * 8, is_last, &payload[..length]);
                part.payload_bytes += cut_off;
                came += 1;
                if let Some(pending) = fragments.add(&part, Timestamp::MIN).unwrap() {
                    went += pending.packets();
                    let _ = pending.assembled().map(Assembled::dissect);
                }
            }
            while let Some(pending) = fragments.take_any() {
                went += pending.packets();
                let _ = pending.assembled().map(Assembled::dissect);
            }
            prop_assert_eq!(came, went);
        }
    }
}
