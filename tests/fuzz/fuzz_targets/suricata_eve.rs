//! Lines of Suricata's events.
#![no_main]

use egret_collector::Dialect;
use egret_collector::logs::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = Reader::new(Some(Dialect::SuricataEve));
    for line in input.split(|byte| *byte == b'\n') {
        let _ = reader.read(line);
        let _ = reader.take_beside();
    }
    while reader.take_left().is_some() {}
});
