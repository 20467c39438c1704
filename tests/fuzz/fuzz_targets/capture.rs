//! A capture file as libpcap reads it: the first bytes choose the link type, and the records follow
//! as in a pcap file, so that corpora of captures can seed it.
#![no_main]

use std::sync::Arc;

use egret_collector::AttributionTable;
use egret_collector::packets::{Decoder, Link};
use egret_event::Timestamp;
use libfuzzer_sys::fuzz_target;

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn decode(input: &[u8]) -> Option<()> {
    let link = Link::from_number(number(input, 20)? as i32)?;
    let attribution = Arc::new(AttributionTable::any_initiator());
    let mut decoder = Decoder::with_max_flows("fuzz".into(), link, attribution, 64);
    let mut out = |event| drop(event);
    let mut at = 24;
    while let (Some(seconds), Some(captured), Some(length)) =
        (number(input, at), number(input, at + 8), number(input, at + 12))
    {
        let start = at + 16;
        let end = start.saturating_add(captured as usize).min(input.len());
        let time = Timestamp::from_secs(i64::from(seconds));
        decoder.packet(time, length, input.get(start..end)?, &mut out);
        at = end;
    }
    decoder.finish(&mut out);
    Some(())
}

fuzz_target!(|input: &[u8]| {
    decode(input);
});
