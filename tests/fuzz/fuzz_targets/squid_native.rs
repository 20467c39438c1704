//! A line of Squid's native log.
#![no_main]

use egret_collector::logs::squid;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = squid::parse_native(input);
});
