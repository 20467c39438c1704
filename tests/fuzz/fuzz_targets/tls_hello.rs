//! The beginning of a TLS stream.
#![no_main]

use egret_collector::packets::tls;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    tls::client_hello(input);
    tls::may_start_hello(input);
});
