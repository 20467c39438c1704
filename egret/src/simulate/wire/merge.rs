//! Many flows into one line of packets, in the order of time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use egret_event::Timestamp;

use super::track::{Packet, Track};

/// A flow that has begun and not ended.
struct Playing {
    track: Track,
    /// Where the flow stood among those given: it breaks ties, so that the order is always the same.
    number: usize,
    next: usize,
    at: Timestamp,
}

impl PartialEq for Playing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Playing {}
impl PartialOrd for Playing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Playing {
    /// Reversed: the heap gives the greatest first, and the earliest is wanted.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Calls `each` with every packet of `tracks`, its flow and its number in it, in the order of time.
///
/// `tracks` must come in the order in which they begin. Only those that have begun and not ended
/// are held, so an endless iterator is welcome.
pub(crate) fn merge<E>(
    tracks: impl Iterator<Item = Track>,
    mut each: impl FnMut(&Track, &Packet, usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut playing = BinaryHeap::new();
    let mut waiting = tracks.enumerate().filter_map(|(number, track)| {
        track.begins().map(|at| Playing { track, number, next: 0, at })
    });
    let mut next = waiting.next();
    loop {
        while next.as_ref().is_some_and(|n| playing.peek().is_none_or(|p: &Playing| n.at <= p.at)) {
            playing.extend(next.take());
            next = waiting.next();
        }
        let Some(mut first) = playing.pop() else { return Ok(()) };
        let packet = &first.track.packets[first.next];
        each(&first.track, packet, first.next)?;
        first.next += 1;
        if let Some(following) = first.track.packets.get(first.next) {
            first.at = following.at;
            playing.push(first);
        }
    }
}
