//! Lines of a stream of Zeek's logs in JSON.
#![no_main]

use egret_collector::Dialect;
use egret_collector::logs::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = Reader::new(Some(Dialect::ZeekJson));
    for line in input.split(|byte| *byte == b'\n') {
        let _ = reader.read(line);
        let _ = reader.take_beside();
    }
});
