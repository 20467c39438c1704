//! The beginning of an HTTP/1 response, and a chunked body.
#![no_main]

use egret_collector::packets::http;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(response) = http::response(input) {
        assert!(response.length != Some(0), "a response without a status line");
    }
    if let Some((content, length)) = http::chunked(input) {
        assert!(content <= length as u64 && length <= input.len());
    }
});
