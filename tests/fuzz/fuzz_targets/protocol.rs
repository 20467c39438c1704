//! The first payloads of a flow, both sides in turn.
#![no_main]

use egret_collector::packets::protocol::{Carrier, First, Recognition, Side, socks_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, u16, Vec<Vec<u8>>)| {
    let (is_stream, server_port, payloads) = input;
    let carrier = if is_stream { Carrier::Stream } else { Carrier::Datagram };
    let mut recognition = Recognition::NEW;
    for (number, bytes) in payloads.iter().enumerate() {
        socks_request(bytes);
        let side = Side::of(number % 2 == 0);
        if recognition.is_open(side) {
            recognition.look(First { bytes, side, carrier, server_port });
        }
    }
});
