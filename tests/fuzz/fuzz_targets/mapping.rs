//! A line of any proxy's log, read by every shipped mapping; and a format that a user wrote.
#![no_main]

use egret_collector::RawCollector;
use egret_collector::logs::mapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for shipped in mapping::all_shipped() {
        let _ = shipped.parse(input, None);
    }
    let Ok(format) = std::str::from_utf8(input) else { return };
    let mut raw = mapping::RawMapping { name: "fuzz".into(), ..Default::default() };
    match format.bytes().next() {
        Some(b'$') => raw.nginx = Some(format.to_owned()),
        Some(b'%') => raw.haproxy = Some(format.to_owned()),
        Some(b'"') => raw.apache = Some(format.to_owned()),
        _ => raw.squid = Some(format.to_owned()),
    }
    // Such mappings are kept for good when they can be used: only those that cannot are tried.
    raw.only = [(mapping::Field::Kind, vec![])].into();
    let _ = RawCollector { mappings: vec![raw], ..Default::default() }.check();
});
