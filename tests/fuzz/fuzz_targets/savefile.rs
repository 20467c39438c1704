//! Classic capture files.
#![no_main]

use egret_collector::packets::savefile::{Layout, RECORD_HEADER_BYTES, SaveFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((header, rest)) = input.split_first_chunk() else { return };
    let Some(layout) = Layout::of(header) else { return };
    let mut file = SaveFile::new(layout, rest);
    let mut read = 0;
    while let Ok(Some((header, bytes))) = file.next_packet() {
        assert_eq!(header.captured_bytes, bytes.len());
        read += RECORD_HEADER_BYTES + bytes.len();
    }
    assert!(read <= rest.len());
});
