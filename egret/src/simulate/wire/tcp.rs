//! A TCP conversation played out: handshake, segments of the path's size, acknowledgements after
//! the path's delay, an orderly end. There is no loss and no reordering.

use std::ops::Range;
use std::time::Duration;

use egret_event::Timestamp;

use super::track::{Ends, Kind, Segment, Track, Way};
use crate::simulate::dice::Dice;

/// Payload of a full segment: 1500 bytes less IP header and 32 bytes of TCP header.
const FULL_SEGMENT_V4: usize = 1448;
const FULL_SEGMENT_V6: usize = 1428;

/// Segments that may be under way at first (RFC 6928) and at most here.
const FIRST_WINDOW: usize = 10;
const LARGEST_WINDOW: usize = 64;

/// When an unanswered SYN is sent again, in seconds after the first (Linux, RFC 6298).
const SYN_RETRIES_S: [u64; 3] = [1, 3, 7];

/// The path between executor and server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// From a segment to its acknowledgement.
    pub(crate) round_trip: Duration,
    /// Between the starts of two full segments: 120 µs is 100 Mbit/s.
    pub(crate) per_segment: Duration,
}

/// What happens next in a conversation.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// The executor sends.
    Up(Vec<u8>),
    /// The server sends.
    Down(Vec<u8>),
    /// Nobody sends.
    Pause(Duration),
    /// Nobody sends until so long after the conversation began, if that is not past.
    Until(Duration),
}

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The executor closes first.
    ClientCloses,
    /// The server closes first.
    ServerCloses,
    /// The executor breaks off.
    ClientResets,
}

/// What answers a SYN that is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A reset.
    Reset,
    /// The router, by ICMP.
    Prohibited,
    /// Nothing, so it is sent again.
    Silence,
}

/// Plays `steps` from `start` and gives the flow and the time of its last packet.
pub(crate) fn play(
    (ends, link): (Ends, Link),
    start: Timestamp,
    (steps, ending): (&[Step], Ending),
    dice: &mut Dice,
) -> (Track, Timestamp) {
    let mut player = Player::new(ends, link, start, dice);
    player.handshake();
    for step in steps {
        match step {
            Step::Up(bytes) => player.send(Way::Up, bytes),
            Step::Down(bytes) => player.send(Way::Down, bytes),
            Step::Pause(length) => player.now = player.now + *length,
            Step::Until(length) => player.now = player.now.max(player.start + *length),
        }
    }
    match ending {
        Ending::ClientCloses => player.close(Way::Up),
        Ending::ServerCloses => player.close(Way::Down),
        Ending::ClientResets => player.reset(),
    }
    let end = player.now;
    (player.finish(), end)
}

/// Plays an attempt that is not let through.
pub(crate) fn refuse(
    (ends, link): (Ends, Link),
    start: Timestamp,
    refusal: Refusal,
    dice: &mut Dice,
) -> (Track, Timestamp) {
    let mut player = Player::new(ends, link, start, dice);
    let syn = Segment { syn: true, ..Segment::default() };
    let initial = player.next_up;
    player.put(start, Way::Up, syn, 0..0);
    player.now = start + link.round_trip;
    match refusal {
        Refusal::Reset => {
            player.next_down = 0;
            let reset = Segment { rst: true, ack: true, ..Segment::default() };
            player.put(player.now, Way::Down, reset, 0..0);
        }
        Refusal::Prohibited => {
            player.track.push(player.now, Way::Down, Kind::Prohibited, 0..0);
        }
        Refusal::Silence => {
            for after in SYN_RETRIES_S {
                player.now = start + Duration::from_secs(after);
                player.next_up = initial;
                player.put(player.now, Way::Up, syn, 0..0);
            }
        }
    }
    let end = player.now;
    (player.finish(), end)
}

struct Player<'a> {
    track: Track,
    link: Link,
    now: Timestamp,
    /// Next sequence number of each side.
    next_up: u32,
    next_down: u32,
    window_up: usize,
    window_down: usize,
    /// What the two sides' timestamp clocks showed at the start.
    clocks: (u32, u32),
    start: Timestamp,
    dice: &'a mut Dice,
}

impl<'a> Player<'a> {
    fn new(ends: Ends, link: Link, start: Timestamp, dice: &'a mut Dice) -> Self {
        Self {
            track: Track::new(ends, dice.u16()),
            link,
            now: start,
            next_up: dice.u32(),
            next_down: dice.u32(),
            window_up: FIRST_WINDOW,
            window_down: FIRST_WINDOW,
            clocks: (dice.u32(), dice.u32()),
            start,
            dice,
        }
    }

    /// Plans a segment with the sequence numbers as they stand.
    fn put(&mut self, at: Timestamp, way: Way, mut segment: Segment, payload: Range<usize>) {
        let (own, other) = match way {
            Way::Up => (self.next_up, self.next_down),
            Way::Down => (self.next_down, self.next_up),
        };
        segment.sequence = own;
        segment.acknowledged = if segment.ack { other } else { 0 };
        let payload_bytes = payload.len();
        self.track.push(at, way, Kind::Tcp(segment), payload);
        let taken = payload_bytes as u32 + u32::from(segment.syn) + u32::from(segment.fin);
        match way {
            Way::Up => self.next_up = self.next_up.wrapping_add(taken),
            Way::Down => self.next_down = self.next_down.wrapping_add(taken),
        }
    }

    fn handshake(&mut self) {
        let syn = Segment { syn: true, ..Segment::default() };
        self.put(self.now, Way::Up, syn, 0..0);
        self.now = self.now + self.link.round_trip;
        self.put(self.now, Way::Down, Segment { ack: true, ..syn }, 0..0);
        self.now = self.now + self.executor_delay();
        self.put(self.now, Way::Up, Segment { ack: true, ..Segment::default() }, 0..0);
        self.now = self.now + self.executor_delay();
    }

    /// How long the executor takes to answer a packet: its kernel, and a wake-up.
    fn executor_delay(&mut self) -> Duration {
        Duration::from_micros(self.dice.count(30..180) as u64)
    }

    /// Sends `bytes` in windows that double, each acknowledged before the next.
    fn send(&mut self, way: Way, bytes: &[u8]) {
        let place = self.track.store(way, bytes);
        let full = if self.track.ends.client.is_ipv6() { FULL_SEGMENT_V6 } else { FULL_SEGMENT_V4 };
        let mut from = place.start;
        while from < place.end {
            let window = match way {
                Way::Up => &mut self.window_up,
                Way::Down => &mut self.window_down,
            };
            let room = *window * full;
            *window = (*window * 2).min(LARGEST_WINDOW);
            let until = place.end.min(from + room);
            self.send_window(way, from..until, full);
            from = until;
            if way == Way::Down && from < place.end {
                self.now = self.now + self.link.round_trip;
            }
        }
    }

    fn send_window(&mut self, way: Way, window: Range<usize>, full: usize) {
        let mut at = self.now;
        let mut from = window.start;
        let mut since_ack = 0;
        while from < window.end {
            let until = window.end.min(from + full);
            let last = until == window.end;
            let header = Segment { ack: true, psh: last, ..Segment::default() };
            self.put(at, way, header, from..until);
            from = until;
            since_ack += 1;
            // Every second segment is acknowledged, and the last one (RFC 5681).
            if since_ack == 2 || last {
                since_ack = 0;
                self.now = at + self.until_acknowledged(way);
                let header = Segment { ack: true, ..Segment::default() };
                self.put(self.now, way.back(), header, 0..0);
            }
            at = at + self.link.per_segment;
        }
        self.now = self.now.max(at);
    }

    /// From a segment to its acknowledgement, as seen beside the executor.
    fn until_acknowledged(&mut self, way: Way) -> Duration {
        match way {
            Way::Up => self.link.round_trip,
            Way::Down => Duration::from_micros(45),
        }
    }

    fn close(&mut self, first: Way) {
        let fin = Segment { fin: true, ack: true, ..Segment::default() };
        let delay = self.executor_delay();
        let there = match first {
            Way::Up => self.link.round_trip,
            Way::Down => delay,
        };
        self.now = self.now + delay;
        self.put(self.now, first, fin, 0..0);
        self.now = self.now + there;
        self.put(self.now, first.back(), fin, 0..0);
        let back = match first {
            Way::Up => delay,
            Way::Down => self.link.round_trip,
        };
        self.now = self.now + back;
        self.put(self.now, first, Segment { ack: true, ..Segment::default() }, 0..0);
    }

    fn reset(&mut self) {
        self.now = self.now + self.executor_delay();
        self.put(self.now, Way::Up, Segment { rst: true, ack: true, ..Segment::default() }, 0..0);
    }

    /// Puts the packets in the order of time and stamps them with both sides' clocks.
    fn finish(mut self) -> Track {
        self.track.packets.sort_by_key(|packet| packet.at);
        let mut shown = (0, 0);
        for packet in &mut self.track.packets {
            let elapsed = packet.at.since(self.start).as_millis() as u32;
            let Kind::Tcp(segment) = &mut packet.kind else { continue };
            match packet.way {
                Way::Up => {
                    shown.0 = self.clocks.0.wrapping_add(elapsed);
                    segment.clock = (shown.0, shown.1);
                }
                Way::Down => {
                    shown.1 = self.clocks.1.wrapping_add(elapsed);
                    segment.clock = (shown.1, shown.0);
                }
            }
        }
        self.track
    }
}
