//! Export datagrams of one exporter, one after the other, each led by its length.
#![no_main]

use egret_collector::netflow::{Decoded, Decoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::new();
    let mut decoded = Decoded::default();
    let mut rest = input;
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (datagram, next) = after.split_at(length);
        decoder.datagram(None, datagram, &mut decoded);
        rest = next;
    }
    decoder.finish();
});
