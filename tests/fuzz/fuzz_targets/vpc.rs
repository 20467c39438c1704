//! Lines of VPC flow logs, headers among them.
#![no_main]

use egret_collector::logs::vpc;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = vpc::Vpc::default();
    for line in input.split(|byte| *byte == b'\n') {
        let _ = reader.read(line);
    }
});
