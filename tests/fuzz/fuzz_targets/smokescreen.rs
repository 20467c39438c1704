//! A line of Smokescreen's log.
#![no_main]

use egret_collector::logs::smokescreen;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = smokescreen::parse(input);
});
