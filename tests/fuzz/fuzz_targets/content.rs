//! What can be seen of a request and of a name, looked at for secrets.
#![no_main]

use std::sync::LazyLock;

use egret_collector::{RawCollector, Scanner, Visible};
use libfuzzer_sys::fuzz_target;

/// One scanner that knows a value, and one that knows none: they take different ways.
static KNOWING: LazyLock<std::sync::Arc<Scanner>> = LazyLock::new(|| {
    let secrets = "[[secrets]]\nname = \"one\"\nvalue = \"correct horse battery staple\"\n";
    let raw: RawCollector = toml::from_str(secrets).expect("it is TOML");
    raw.check().expect("it is sound").scanner
});

fuzz_target!(|input: &[u8]| {
    // Each part is a fifth of the input.
    let mut parts = input.chunks((input.len() / 5).max(1)).chain(std::iter::repeat(&[][..]));
    let mut part = || parts.next().unwrap_or_default();
    let visible =
        Visible { host: part(), path: part(), query: part(), headers: part(), body: part() };
    for scanner in [&Scanner::default(), &**KNOWING] {
        for found in scanner.request(&visible).iter().chain(&scanner.name(input, "example.net")) {
            assert!(found.layers.len() <= 4 && found.count > 0);
            assert!(found.sections.is_none_or(|sections| sections.share() <= 1.0));
        }
    }
});
