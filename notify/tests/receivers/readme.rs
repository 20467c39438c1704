//! The README's blocks of configuration work as they stand.

use std::collections::BTreeSet;

use egret_analyzer::{ChangeKind, Incident, Severity};
use egret_notify::{RawNotify, RawTarget, targets_for};
use serde::Deserialize;

use crate::sample::incident;

#[derive(Deserialize)]
struct Block {
    notify: RawNotify,
}

/// A section of the README, its blocks of configuration with the secrets that they name in a folder of the test's.
fn blocks(section: &str) -> (tempfile::TempDir, Vec<RawNotify>) {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once(&format!("\n## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = format!("{}/", dir.path().display());
    for (file, secret) in [
        ("splunk.token", "b0221cd8-c4b4-465a-9a3c-273e3a75aa29"),
        ("elastic.key", "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw=="),
        ("sentinel.secret", "s3cr~et"),
        ("pagerduty.key", "R0123456789ABCDEF0123456789ABCDEF"),
        ("pagerduty-second.key", "R0123456789ABCDEF0123456789ABCDEF"),
        (
            "pagerduty-webhook.secret",
            "lDQHScfUeXUKaQRNF+8XwiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK",
        ),
        ("pagerduty-api.token", "y_NbAkKc66ryYTWUXYEu"),
        ("slack.url", "https://hooks.slack.com/services/T0/B0/x"),
        ("mail.password", "s3cret"),
        ("kafka.password", "s3cret"),
        ("webhook.secret", crate::http::SECRET),
    ] {
        std::fs::write(dir.path().join(file), secret).unwrap();
    }
    let blocks = section.split("```toml\n").skip(1).map(|block| {
        let block = block.split("```").next().unwrap().replace("/etc/egret/", &folder);
        toml::from_str::<Block>(&block).unwrap().notify
    });
    let blocks = blocks.collect();
    (dir, blocks)
}

#[test]
fn every_kind_of_target_has_a_block_that_is_sound() {
    let (_dir, blocks) = blocks("Connect your SIEM");
    let mut kinds = BTreeSet::new();
    for notify in blocks {
        let [target] = &notify.targets[..] else { panic!("one target in each block") };
        match target {
            RawTarget::Kafka(_) if !cfg!(feature = "kafka") => {
                let error = notify.check().unwrap_err().to_string();
                assert!(error.contains("--features kafka"), "{error}");
            }
            _ => _ = notify.check().unwrap(),
        }
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
            RawTarget::Kafka(_) => "kafka",
            RawTarget::File(_) => "file",
        });
    }
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

#[test]
fn the_block_about_who_is_called_is_sound() {
    let (_dir, blocks) = blocks("Who is called, and when");
    let [notify] = &blocks[..] else { panic!("one block") };
    let targets = notify.check().unwrap();
    assert_eq!(targets.len(), 3);
    // A Tuesday at nine in the evening, in Berlin; maintenance ends at eleven, when quiet hours have begun.
    let now = "2026-12-01T20:30:00Z".parse().unwrap();
    let incident = incident("a");
    let told = targets_for(&targets, &incident, ChangeKind::Opened, now);
    let not_before: Vec<_> =
        told.iter().map(|to| to.not_before.map(|at| at.to_string()).unwrap_or_default()).collect();
    let maintenance_ends = "2026-12-01T22:00:00Z";
    assert_eq!(not_before, [maintenance_ends, maintenance_ends, maintenance_ends]);
    let escalates = told[2].if_untaken_at.map(|at| at.to_string());
    assert_eq!(escalates.as_deref(), Some("2026-12-01T22:15:00Z"));
    let medium = Incident { severity: Severity::Medium, ..incident };
    let told = targets_for(&targets, &medium, ChangeKind::Opened, now);
    let [team] = &told[..] else { panic!("{told:?}") };
    assert_eq!(team.not_before.map(|at| at.to_string()).as_deref(), Some("2026-12-02T06:00:00Z"));
}
