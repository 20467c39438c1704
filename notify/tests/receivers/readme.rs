//! The README's blocks of configuration work as they stand.

use std::collections::BTreeSet;

use egret_notify::{RawNotify, RawTarget};
use serde::Deserialize;

#[derive(Deserialize)]
struct Block {
    notify: RawNotify,
}

/// The kind of each block's target, checked with its secrets in a folder of the test's.
#[test]
fn every_kind_of_target_has_a_block_that_is_sound() {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("\n## Connect your SIEM\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = format!("{}/", dir.path().display());
    for (file, secret) in [
        ("splunk.token", "b0221cd8-c4b4-465a-9a3c-273e3a75aa29"),
        ("elastic.key", "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw=="),
        ("sentinel.secret", "s3cr~et"),
        ("pagerduty.key", "R0123456789ABCDEF0123456789ABCDEF"),
        ("slack.url", "https://hooks.slack.com/services/T0/B0/x"),
        ("mail.password", "s3cret"),
        ("webhook.secret", crate::http::SECRET),
    ] {
        std::fs::write(dir.path().join(file), secret).unwrap();
    }
    let mut kinds = BTreeSet::new();
    for block in section.split("```toml\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("/etc/egret/", &folder);
        let block: Block = toml::from_str(&block).unwrap();
        let [target] = &block.notify.targets[..] else { panic!("one target in each block") };
        block.notify.check().unwrap();
        kinds.insert(match target {
            RawTarget::Syslog(_) => "syslog",
            RawTarget::Webhook(_) => "webhook",
            RawTarget::Splunk(_) => "splunk",
            RawTarget::Elastic(_) => "elastic",
            RawTarget::Sentinel(_) => "sentinel",
            RawTarget::Slack(_) => "slack",
            RawTarget::Pagerduty(_) => "pagerduty",
            RawTarget::Alertmanager(_) => "alertmanager",
            RawTarget::Email(_) => "email",
            RawTarget::File(_) => "file",
        });
    }
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}
