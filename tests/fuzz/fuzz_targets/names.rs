//! A name from the wire, made clean.
#![no_main]

use egret_event::{clean_name, registrable_domain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let clean = clean_name(input);
    assert!(clean.len() <= 253 && clean.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(clean.ends_with(registrable_domain(&clean).as_str()));
});
