//! A client's datagram of DTLS.
#![no_main]

use egret_collector::packets::dtls;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    dtls::may_start_hello(input);
    for fragment in dtls::hello_fragments(input) {
        dtls::client_hello(fragment.bytes);
    }
    dtls::client_hello(input);
});
