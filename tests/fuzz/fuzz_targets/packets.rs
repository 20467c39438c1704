//! Frames of any link type, through the whole decoder. The input is a link type and frames, each
//! after its length (two bytes), the time it came (one byte, in seconds) and how much longer it
//! was on the wire (one byte).
#![no_main]

use std::sync::Arc;

use egret_collector::AttributionTable;
use egret_collector::packets::{Decoder, Link};
use egret_event::Timestamp;
use libfuzzer_sys::fuzz_target;

/// Ethernet, raw IP, Linux cooked v1 and v2, BSD loopback, PPP, HDLC, PPPoE, 802.11 without and
/// with radiotap, frame relay, MPLS, netfilter's log.
const LINKS: [i32; 13] = [1, 101, 113, 276, 0, 9, 104, 51, 105, 127, 107, 219, 239];

/// A small table, so that eviction is reached.
const FLOWS: usize = 8;

fuzz_target!(|input: &[u8]| {
    let Some((first, mut rest)) = input.split_first() else { return };
    let Some(link) = Link::from_number(LINKS[usize::from(*first) % LINKS.len()]) else { return };
    let attribution = Arc::new(AttributionTable::any_initiator());
    let mut decoder = Decoder::with_max_flows("fuzz".into(), link, attribution, FLOWS);
    let mut last = Timestamp::MIN;
    let mut out = |event: egret_event::Event| {
        assert!(event.at >= last, "time went back");
        last = event.at;
    };
    let mut now = Timestamp::from_secs(1_767_600_000);
    while let [a, b, gap, longer, frames @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*a, *b])).min(frames.len());
        now = now + std::time::Duration::from_secs(u64::from(*gap));
        let wire_len = length as u32 + u32::from(*longer);
        decoder.packet(now, wire_len, &frames[..length], &mut out);
        rest = &frames[length..];
    }
    decoder.finish(&mut out);
    assert_eq!(decoder.flows(), 0);
});
