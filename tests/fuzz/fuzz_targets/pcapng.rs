//! Capture files in sections.
#![no_main]

use egret_collector::packets::pcapng::PcapNg;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (start, rest) = input.split_at(input.len().min(24));
    let Ok(mut file) = PcapNg::open(start.to_vec(), rest) else { return };
    let mut read = 0;
    while let Ok(Some(packet)) = file.next_packet() {
        read += packet.bytes.len();
    }
    assert!(read <= input.len());
    let _ = file.dropped();
});
