//! A client's datagram of QUIC, and what is inside its packets.
#![no_main]

use egret_collector::packets::quic;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    quic::may_start_initial(input);
    for initial in quic::initials(input) {
        let _ = initial.open(&initial.origin);
    }
    // Behind the encryption, where chance does not come.
    quic::handshake_pieces(input, |_, _| {});
    quic::google_hello(input);
    quic::google_values(input);
});
