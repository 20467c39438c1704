//! A stream of syslog messages, in two pieces.
#![no_main]

use egret_collector::syslog::{Frame, Frames, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut frames = Frames::default();
    let (first, second) = input.split_at(input.len() / 2);
    for piece in [first, second] {
        frames.push(piece);
        while let Some(frame) = frames.next_frame() {
            if let Frame::Whole(message) = frame {
                let _ = Message::of(message);
            }
        }
    }
    let _ = frames.rest().map(Message::of);
});
