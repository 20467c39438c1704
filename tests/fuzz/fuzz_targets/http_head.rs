//! The beginning of an HTTP/1 stream.
#![no_main]

use egret_collector::packets::http::{self, Head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Head::Complete(request) | Head::Partial(Some(request)) = http::head(input) {
        assert!(request.head_bytes <= input.len());
    }
    http::is_request(input);
    http::may_start_request(input);
});
