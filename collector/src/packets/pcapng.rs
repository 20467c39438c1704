//! Capture files in sections (pcapng, draft-ietf-opsawg-pcapng): several interfaces, each with its own
//! link type, snapshot length and clock.
//!
//! libpcap reads only files in which all interfaces are alike, which those that Wireshark writes of
//! two interfaces are often not. It does not tell either what the capture itself has lost.

use std::io::{Cursor, Read};
use std::mem;

use egret_event::Timestamp;

use super::savefile::{MAX_PACKET_BYTES, claims_too_much};
use super::window::Window;

/// First bytes of a file, in either byte order.
pub const MAGIC: [u8; 4] = SECTION.to_be_bytes();

/// Types of blocks.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

/// Type and length before the content of a block, and the length once more after it.
const BLOCK_HEAD_BYTES: usize = 8;
const BLOCK_TAIL_BYTES: usize = 4;

/// What stands before the data in a packet's block, with the block's own head.
const PACKET_HEAD_BYTES: usize = 28;
const SIMPLE_HEAD_BYTES: usize = 12;

/// Most bytes of a description that are looked at; those that matter come first.
const MAX_DESCRIPTION_BYTES: usize = 64 * 1024;

/// Most interfaces of one section; a machine has some dozens.
const MAX_INTERFACES: usize = 65_536;

/// Options of an interface: what a tick of its clock is, and where it starts.
const END_OF_OPTIONS: u16 = 0;
const RESOLUTION: u16 = 9;
const CLOCK_OFFSET: u16 = 14;

/// Options of statistics: packets dropped by the interface, and by the system.
const DROPPED_BY_INTERFACE: u16 = 5;
const DROPPED_BY_SYSTEM: u16 = 7;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A file that is being read.
pub struct PcapNg<R> {
    window: Window<R>,
    is_big_endian: bool,
    interfaces: Vec<Interface>,
    /// Bytes to go on by before the next block is looked at.
    pending: usize,
    /// When the packet before was captured: simple packets have no time.
    last: Timestamp,
    /// When the first one was.
    begun: Option<Timestamp>,
    /// What interfaces of sections that are over have dropped.
    dropped: u64,
    /// When a section last told how many were dropped.
    told: Timestamp,
}

/// Packets that a capture says it has dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// When the capture began.
    pub from: Timestamp,
    /// When it said so.
    pub until: Timestamp,
}

/// What is known of one interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    /// libpcap's number for its link type.
    link: u16,
    snapshot_bytes: usize,
    clock: Clock,
    /// Packets that it or the system has dropped so far.
    dropped: [u64; 2],
}

/// How the clock of an interface counts.
#[derive(Debug, Clone, Copy)]
struct Clock {
    tick: Tick,
    /// Where it starts, in seconds of the Unix epoch.
    offset_s: i64,
}

#[derive(Debug, Clone, Copy)]
enum Tick {
    /// So many nanoseconds.
    Nanos(u64),
    /// This part of a second.
    PartOfSecond(u128),
}

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// libpcap's number for the link type of its interface.
    pub link: u16,
    /// Bytes that it had on the wire.
    pub wire_bytes: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

/// Where the data of a packet is in its block, and what is known of it.
struct Found {
    interface: Interface,
    at: Timestamp,
    wire_bytes: u32,
    head_bytes: usize,
    captured_bytes: usize,
}

impl<R: Read> PcapNg<Joined<R>> {
    /// A file that starts with `start`, of which `input` brings the rest.
    ///
    /// # Errors
    /// What is wrong with it before its first packet.
    pub fn open(start: Vec<u8>, input: R) -> Result<Self, String> {
        let mut file = Self {
            window: Window::new(Cursor::new(start).chain(input)),
            is_big_endian: false,
            interfaces: Vec::new(),
            pending: 0,
            last: Timestamp::from_nanos(0),
            begun: None,
            dropped: 0,
            told: Timestamp::from_nanos(0),
        };
        file.next_packet_block()?;
        Ok(file)
    }
}

/// The start of a file that was read already, and the rest.
pub type Joined<R> = std::io::Chain<Cursor<Vec<u8>>, R>;

impl<R: Read> PcapNg<R> {
    /// libpcap's numbers for the link types of the interfaces described before the first packet.
    pub fn links(&self) -> impl Iterator<Item = u16> + '_ {
        self.interfaces.iter().map(|interface| interface.link)
    }

    /// What the capture itself says it has dropped, as far as it was read. `None`: nothing.
    pub fn dropped(&self) -> Option<Dropped> {
        let count = self.dropped_so_far();
        let from = self.begun.unwrap_or(self.told);
        (count > 0).then_some(Dropped { count, from, until: self.told.max(from) })
    }

    fn dropped_so_far(&self) -> u64 {
        let now = self.interfaces.iter().flat_map(|interface| interface.dropped);
        now.fold(self.dropped, u64::saturating_add)
    }

    /// The next packet. `None`: that was all.
    ///
    /// # Errors
    /// What is wrong with the rest of the file.
    pub fn next_packet(&mut self) -> Result<Option<Captured<'_>>, String> {
        let Some((kind, length)) = self.next_packet_block()? else { return Ok(None) };
        let found = match kind {
            SIMPLE_PACKET => self.simple_packet(length)?,
            _ => self.packet(kind, length)?,
        };
        let Found { interface, at, wire_bytes, head_bytes, captured_bytes } = found;
        if captured_bytes > MAX_PACKET_BYTES {
            return Err(claims_too_much(captured_bytes));
        }
        if head_bytes + captured_bytes + BLOCK_TAIL_BYTES > length {
            return Err(format!("a packet claims {captured_bytes} bytes in a block of {length}"));
        }
        self.window.need(head_bytes + captured_bytes, "a packet")?;
        self.pending = length;
        self.last = at;
        self.begun.get_or_insert(at);
        let bytes = &self.window.bytes()[head_bytes..head_bytes + captured_bytes];
        Ok(Some(Captured { at, link: interface.link, wire_bytes, bytes }))
    }

    /// Goes on to the next block that is a packet. Returns its type and its length.
    fn next_packet_block(&mut self) -> Result<Option<(u32, usize)>, String> {
        loop {
            let pending = mem::take(&mut self.pending);
            self.window.skip(pending, "a block")?;
            let Some(head) = self.window.head::<BLOCK_HEAD_BYTES>("a block's header")? else {
                return Ok(None);
            };
            if head.starts_with(&MAGIC) {
                self.note_byte_order()?;
            }
            let kind = self.u32_of(&head, 0);
            let length = self.u32_of(&head, 4) as usize;
            if length < BLOCK_HEAD_BYTES + BLOCK_TAIL_BYTES || !length.is_multiple_of(4) {
                return Err(format!("a block claims {length} bytes, which none can have"));
            }
            match kind {
                PACKET | OLD_PACKET | SIMPLE_PACKET => return Ok(Some((kind, length))),
                SECTION => {
                    self.dropped = self.dropped_so_far();
                    self.interfaces.clear();
                }
                INTERFACE => self.interface(length)?,
                STATISTICS => self.statistics(length)?,
                _ => {}
            }
            self.pending = length;
        }
    }

    /// Learns the byte order from the header of a section.
    fn note_byte_order(&mut self) -> Result<(), String> {
        self.window.need(12, "a section's header")?;
        self.is_big_endian = match self.window.bytes()[8..12] {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err("a section is in no known byte order".to_owned()),
        };
        Ok(())
    }

    fn interface(&mut self, length: usize) -> Result<(), String> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(format!("a section describes more than {MAX_INTERFACES} interfaces"));
        }
        let fixed = self.content(length, 8, "the description of an interface")?;
        let (link, snapshot_bytes) = (self.u16_of(&fixed, 0), self.u32_of(&fixed, 4));
        let mut interface = Interface {
            link,
            snapshot_bytes: match snapshot_bytes {
                0 => MAX_PACKET_BYTES,
                bytes => bytes as usize,
            },
            clock: Clock { tick: Tick::Nanos(1000), offset_s: 0 },
            dropped: [0; 2],
        };
        for (kind, value) in self.options(&fixed[8..]) {
            match (kind, value) {
                (RESOLUTION, [resolution, ..]) => interface.clock.tick = tick(*resolution),
                (CLOCK_OFFSET, [_, _, _, _, _, _, _, _, ..]) => {
                    interface.clock.offset_s = self.u64_of(value) as i64;
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    fn statistics(&mut self, length: usize) -> Result<(), String> {
        let fixed = self.content(length, 12, "the statistics of an interface")?;
        let number = self.u32_of(&fixed, 0) as usize;
        let mut dropped = [None; 2];
        for (kind, value) in self.options(&fixed[12..]) {
            let place = match kind {
                DROPPED_BY_INTERFACE => 0,
                DROPPED_BY_SYSTEM => 1,
                _ => continue,
            };
            dropped[place] = (value.len() >= 8).then(|| self.u64_of(value));
        }
        let ticks = self.ticks_of(&fixed, 4);
        if let Some(interface) = self.interfaces.get_mut(number) {
            self.told = interface.clock.at(ticks);
            for (known, told) in interface.dropped.iter_mut().zip(dropped) {
                *known = told.unwrap_or(*known);
            }
        }
        Ok(())
    }

    /// The content of a block of `length` bytes that must have at least `fixed_bytes` of it.
    fn content(
        &mut self,
        length: usize,
        fixed_bytes: usize,
        what: &str,
    ) -> Result<Vec<u8>, String> {
        let end = (length - BLOCK_TAIL_BYTES).min(MAX_DESCRIPTION_BYTES);
        if end < BLOCK_HEAD_BYTES + fixed_bytes {
            return Err(format!("a block claims {length} bytes, too few for {what}"));
        }
        self.window.need(end, what)?;
        Ok(self.window.bytes()[BLOCK_HEAD_BYTES..end].to_vec())
    }

    /// The options in a description: their numbers and values.
    fn options<'b>(&self, mut rest: &'b [u8]) -> Vec<(u16, &'b [u8])> {
        let mut options = Vec::new();
        while rest.len() >= 4 {
            let (kind, length) = (self.u16_of(rest, 0), usize::from(self.u16_of(rest, 2)));
            let Some(value) = rest.get(4..4 + length) else { break };
            if kind == END_OF_OPTIONS {
                break;
            }
            options.push((kind, value));
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        options
    }

    fn packet(&mut self, kind: u32, length: usize) -> Result<Found, String> {
        self.fits(length, PACKET_HEAD_BYTES)?;
        let head = &self.window.bytes()[BLOCK_HEAD_BYTES..PACKET_HEAD_BYTES];
        let number = match kind {
            OLD_PACKET => usize::from(self.u16_of(head, 0)),
            _ => self.u32_of(head, 0) as usize,
        };
        let ticks = self.ticks_of(head, 4);
        let interface = self.described(number)?;
        Ok(Found {
            interface,
            at: interface.clock.at(ticks),
            wire_bytes: self.u32_of(head, 16),
            head_bytes: PACKET_HEAD_BYTES,
            captured_bytes: self.u32_of(head, 12) as usize,
        })
    }

    /// A packet of the first interface, with nothing but its length.
    fn simple_packet(&mut self, length: usize) -> Result<Found, String> {
        self.fits(length, SIMPLE_HEAD_BYTES)?;
        let wire_bytes = self.u32_of(self.window.bytes(), BLOCK_HEAD_BYTES);
        let interface = self.described(0)?;
        let room = length - SIMPLE_HEAD_BYTES - BLOCK_TAIL_BYTES;
        let captured_bytes = (wire_bytes as usize).min(interface.snapshot_bytes).min(room);
        let head_bytes = SIMPLE_HEAD_BYTES;
        Ok(Found { interface, at: self.last, wire_bytes, head_bytes, captured_bytes })
    }

    fn fits(&mut self, length: usize, head_bytes: usize) -> Result<(), String> {
        if length < head_bytes + BLOCK_TAIL_BYTES {
            return Err(format!("a block claims {length} bytes, too few for a packet"));
        }
        self.window.need(head_bytes, "a packet")
    }

    fn described(&self, number: usize) -> Result<Interface, String> {
        let interface = self.interfaces.get(number).copied();
        interface
            .ok_or_else(|| format!("a packet is of interface {number}, which is not described"))
    }

    fn u16_of(&self, bytes: &[u8], at: usize) -> u16 {
        let pair = [bytes[at], bytes[at + 1]];
        if self.is_big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }

    fn u32_of(&self, bytes: &[u8], at: usize) -> u32 {
        let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self.is_big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }

    /// A time: the upper word first, whatever the byte order.
    fn ticks_of(&self, bytes: &[u8], at: usize) -> u64 {
        u64::from(self.u32_of(bytes, at)) << 32 | u64::from(self.u32_of(bytes, at + 4))
    }

    /// A number of eight bytes, in one piece.
    fn u64_of(&self, bytes: &[u8]) -> u64 {
        let [first, second] = [self.u32_of(bytes, 0), self.u32_of(bytes, 4)].map(u64::from);
        if self.is_big_endian { first << 32 | second } else { second << 32 | first }
    }
}

impl Clock {
    fn at(self, ticks: u64) -> Timestamp {
        let (seconds, nanos) = match self.tick {
            Tick::Nanos(nanos) => {
                let nanos = ticks.saturating_mul(nanos);
                (nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND)
            }
            Tick::PartOfSecond(part) => {
                let seconds = u128::from(ticks) / part;
                let rest = u128::from(ticks) % part;
                (seconds as u64, (rest.saturating_mul(NANOS_PER_SECOND.into()) / part) as u64)
            }
        };
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Timestamp::from_parts(seconds.saturating_add(self.offset_s), nanos as i64)
    }
}

/// What one tick is: a power of ten, or of two, below a second.
fn tick(resolution: u8) -> Tick {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 != 0 {
        return Tick::PartOfSecond(1_u128 << power.min(127));
    }
    match 9_u32.checked_sub(power) {
        Some(zeros) => Tick::Nanos(10_u64.pow(zeros)),
        None => Tick::PartOfSecond(10_u128.checked_pow(power).unwrap_or(u128::MAX)),
    }
}

#[cfg(test)]
mod tests;
