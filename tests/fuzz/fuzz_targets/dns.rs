//! A DNS message.
#![no_main]

use egret_collector::packets::dns;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(message) = dns::message(input) {
        assert!(format!("{message:?}").len() < 1 << 20, "an answer grew without bound");
    }
    dns::is_message(input);
});
