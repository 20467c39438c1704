//! Packets of known flows cost no heap allocation.
//!
//! A test binary of its own: its allocator counts, and other tests would be counted as well.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use egret_collector::packets::{Decoder, Link};
use egret_collector::{AttributionTable, Segment};
use egret_event::Timestamp;
use etherparse::PacketBuilder;

/// The system's allocator, with a count of what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// An allocator can only be written with `unsafe`; all that is promised is kept by `System`.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENT: [u8; 4] = [10, 20, 0, 17];
const SERVER: [u8; 4] = [203, 0, 113, 9];

/// Known flows of each kind, and other packets in between.
const FLOWS: u16 = 50;

/// Packets of each flow after the first few.
const ROUNDS: u32 = 100;

/// An Ethernet frame with a TCP segment, upward or downward.
fn segment(port: u16, up: bool, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let (from, to) = if up { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
    let ports = if up { (port, 443) } else { (443, port) };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(from, to, 64)
        .tcp(ports.0, ports.1, sequence, 64_000)
        .ack(1)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv6([0xfd; 16], [0x20; 16], 64)
        .udp(port, 4433)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

/// One packet of each flow, the `round`th: new data both ways, and every fifth time a repetition
/// and data out of order.
fn round(round: u32) -> Vec<Vec<u8>> {
    let payload = [0x17; 100];
    let mut frames = Vec::new();
    for flow in 0..FLOWS {
        let port = 40_000 + flow;
        let at = 1_000 + round * 100;
        if round % 5 == 4 {
            frames.push(segment(port, true, at - 100, &payload));
            frames.push(segment(port, true, at + 50, &payload[..50]));
            frames.push(segment(port, true, at, &payload[..50]));
        } else {
            frames.push(segment(port, true, at, &payload));
        }
        frames.push(segment(port, false, at, &payload));
        frames.push(datagram(port, &payload));
    }
    frames
}

#[test]
fn ten_thousand_packets_of_known_flows_allocate_nothing() {
    let ranges = vec!["10.20.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let segment = Segment { name: "lab".into(), ranges };
    let attribution = Arc::new(AttributionTable::new(vec![segment], Vec::new()));
    let mut decoder = Decoder::new("tap".into(), Link::Ethernet, attribution);
    let frames: Vec<_> = (0..ROUNDS).flat_map(round).collect();
    // In all less than the time and the volume after which flows are told of.
    let start = Timestamp::from_secs(1_767_600_000);
    let (first, rest) = frames.split_at(5 * frames.len() / ROUNDS as usize);
    let mut events = 0;
    let mut see = |frames: &[Vec<u8>], mut at: Timestamp| {
        for frame in frames {
            at = at + Duration::from_micros(100);
            decoder.packet(at, frame.len() as u32, frame, &mut |_| events += 1);
        }
        at
    };
    let now = see(first, start);
    let before = ALLOCATIONS.get();
    see(rest, now);
    let allocations = ALLOCATIONS.get() - before;
    assert!(rest.len() > 10_000);
    assert_eq!(allocations, 0, "in {} packets", rest.len());
    assert_eq!(events, 0, "only packets were to be counted");
}
