//! A certificate, and the message that brings it.
#![no_main]

use egret_collector::packets::{certificate, tls};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    certificate::read(input, Some(&"www.example.org".into()), 1);
    tls::server_answer(input);
    if let Some(chain) = tls::Chain::of(input) {
        certificate::read(chain.leaf, None, chain.length);
    }
});
