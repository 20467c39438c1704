//! The beginning of an HTTP/1 stream.
#![no_main]

use egret_collector::packets::http;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    http::head(input);
    http::may_start_request(input);
});
