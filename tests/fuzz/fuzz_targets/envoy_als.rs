//! A stream of Envoy's access log service: gRPC framing, then the messages.
#![no_main]

use egret_collector::als::Messages;
use egret_collector::logs::envoy::grpc;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = grpc::read(input, |_, _| {});
    let mut messages = Messages::default();
    messages.push(input);
    while let Ok(Some(message)) = messages.next_message() {
        let _ = grpc::read(message, |_, _| {});
    }
});
