//! A line of Envoy's JSON log.
#![no_main]

use egret_collector::logs::envoy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = envoy::parse(input);
});
