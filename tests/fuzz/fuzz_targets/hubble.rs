//! Lines of Hubble's flows.
#![no_main]

use egret_collector::logs::hubble;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = hubble::Hubble::default();
    for line in input.split(|byte| *byte == b'\n') {
        let _ = reader.read(line);
    }
});
