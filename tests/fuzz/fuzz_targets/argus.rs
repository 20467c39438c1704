//! Lines of Argus flows, headers among them.
#![no_main]

use egret_collector::Dialect;
use egret_collector::logs::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = Reader::new(Some(Dialect::Argus));
    for line in input.split(|byte| *byte == b'\n') {
        let _ = reader.read(line);
    }
});
