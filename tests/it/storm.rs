//! A storm: very many incidents at once. Whoever is on call gets a few pages, of which each says how many there are; the
//! store and the SIEM get every one.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use egret_store::IncidentRow;
use egret_tests::faults::{following, upload};
use egret_tests::receiver::Receiver;
use egret_tests::rows;
use egret_tests::running::Running;
use egret_tests::stored::Stored;
use egret_tests::wait::until_within;
use serde_json::Value;

/// The moment of the first line.
const START_S: u64 = 1_767_600_000;

/// Pages in ten minutes, at most.
const PAGES: usize = 5;

/// The storm's time, and a good deal for the way to the SIEM.
const PATIENCE: Duration = Duration::from_secs(1_500);

/// How many incidents: 2,000, or as many as the variable says.
fn size() -> u64 {
    let asked = std::env::var("EGRET_STORM").ok();
    asked.map_or(2_000, |text| text.parse().expect("EGRET_STORM is a number of incidents"))
}

/// Each line is an upload by another executor to another place.
fn write(log: &Path, from: u64, until: u64) {
    let mut text = String::new();
    for n in from..until {
        // The whole storm is within a minute.
        let at = START_S + n % 60;
        let executor = format!("10.{}.{}.{}", 20 + n / 62_500, n / 250 % 250, 1 + n % 250);
        text += &upload(&format!("{at}.{:03}", n % 1000), &executor, &format!("place-{n}"));
    }
    let mut log = OpenOptions::new().append(true).create(true).open(log).expect("the log");
    log.write_all(text.as_bytes()).expect("the log can be written");
}

/// Pages: how many incidents each tells of.
fn pages(receiver: &Receiver) -> Vec<u64> {
    let events = receiver.bodies();
    let events = events.iter().map(|body| serde_json::from_str::<Value>(body).expect("JSON"));
    let count = |event: Value| {
        let summary = event["payload"]["summary"].as_str().expect("a summary").to_owned();
        let told = summary.split_once(" incidents, the gravest of them: ");
        told.map_or(1, |(count, _)| count.parse().expect("a number"))
    };
    events.map(count).collect()
}

/// The most memory that a process has had, in MiB.
fn peak_mib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// Lines of a file as soon as they are whole.
fn count_lines(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[test]
fn a_storm_is_a_few_pages_and_every_incident_is_in_the_store_and_the_siem() {
    let storm = size();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let key = folder.path().join("key");
    fs::write(&key, "R0UTINGKEY").expect("a key");
    let siem = folder.path().join("alerts.json");
    let log = folder.path().join("access.log");
    write(&log, 0, 0);
    let pager = Receiver::start("202 Accepted");
    let configuration = format!(
        "{}[[notify.targets]]\nkind = 'file'\nname = 'siem'\npath = '{}'\n\
         [[notify.targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = '{}'\n\
         url = '{}'\nallow_private = true\nat_most = {{ alerts = {PAGES}, per = '10m' }}\n",
        following(&log, folder.path()).replace("10.20.0.0/16", "10.0.0.0/8"),
        siem.display(),
        key.display(),
        pager.url
    );
    let egret = Running::start(folder.path(), &configuration);
    let before_mib = peak_mib(egret.process.id());
    let parts = 60;
    for part in 0..parts {
        write(&log, storm * part / parts, storm * (part + 1) / parts);
        if storm > 10_000 {
            // A minute in all.
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    until_within(PATIENCE, "every incident to be in the store and the SIEM", || {
        let waiting = egret.status()["targets"][0]["waiting"].as_u64()?;
        (count_lines(&siem) >= storm && waiting == 0).then_some(())
    });
    // The last page that is left is made a minute after the first alert that waited for it.
    let waiting = || egret.status()["targets"][1]["waiting"].as_u64();
    until_within(PATIENCE, "the pages", || {
        (pages(&pager).len() == PAGES || waiting()? == 0).then_some(())
    });
    let told: BTreeSet<String> = fs::read_to_string(&siem)
        .expect("the alerts")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|alert| alert["type"] == "incident.opened")
        .map(|alert| alert["data"]["incident"]["id"].as_str().expect("an id").to_owned())
        .collect();
    let incidents = Stored::open(folder.path()).incidents();
    let is_of_storm = |row: &&IncidentRow| row.incident.destination.starts_with("place-");
    assert_eq!(incidents.iter().filter(is_of_storm).count() as u64, storm, "the store has each");
    // Egret may have told of itself, too.
    let all = incidents.len() as u64;
    assert_eq!(told.len() as u64, all, "the SIEM has each");
    let pages = pages(&pager);
    assert!((1..=PAGES).contains(&pages.len()), "{pages:?}");
    let peak_mib = peak_mib(egret.process.id());
    let told: u64 = pages.iter().sum();
    let waiting = waiting().expect("a count");
    // What came after the last page waits for the next one.
    assert_eq!(told + waiting, all, "{pages:?}");
    let row = format!(
        "| {storm} | {storm} | {storm} | {pages:?} | {waiting} | {before_mib} | {peak_mib} |"
    );
    rows::tell("target/storm", "storm", &row);
}
