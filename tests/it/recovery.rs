//! `kill -9` in the middle of following a log under load, then a restart: every line is in the
//! store exactly once, and no alert is lost or sent twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use egret_tests::binary::start;
use egret_tests::faults::Row;
use egret_tests::parts::{WEBHOOK_SECRET, WebhookReceiver, free_port};
use egret_tests::say;
use egret_tests::stored::Stored;
use egret_tests::wait::until;

/// Lines in all.
const LINES: u64 = 240_000;

/// Egret is killed when so many lines are stored, while more are being written.
const KILLS: [u64; 3] = [20_000, 80_000, 140_000];

/// The last lines are written after the last kill, so that every kill has work before it.
const LINES_BEFORE_LAST_KILL: u64 = 200_000;

/// Every so many lines, an executor uploads 8 MiB to a domain of its own.
const LINES_PER_UPLOAD: u64 = 24_000;

/// The moment of the first line; one line every 10 ms.
const START: i64 = 1_767_600_000;

fn line(number: u64) -> String {
    let millis = number * 10;
    let at = format!("{}.{:03}", START + (millis / 1000).cast_signed(), millis % 1000);
    let (executor, host, up) = if number % LINES_PER_UPLOAD == LINES_PER_UPLOAD / 2 {
        let upload = number / LINES_PER_UPLOAD;
        (200 + upload, format!("drop.leak-{upload}.example"), 8 << 20)
    } else {
        (number % 40 + 1, format!("site-{}.example", number % 6), 60 + number % 40)
    };
    format!(
        "{at} 35 10.20.0.{executor}:{port} TCP_TUNNEL/200 up={up} down=5120 CONNECT {host}:443 203.0.113.9:443\n",
        port = 20_000 + number % 40_000
    )
}

/// Writes lines in pieces of 64 KiB, about 20,000 lines a second, which egret can follow.
fn write_log(path: &Path, killed_last: &AtomicBool) {
    let mut log = File::create(path).expect("the folder can be written");
    let mut piece = String::new();
    for number in 0..LINES {
        if number == LINES_BEFORE_LAST_KILL {
            until("the last kill", || killed_last.load(Relaxed).then_some(()));
        }
        piece.push_str(&line(number));
        if piece.len() > 1 << 16 || number + 1 == LINES || number + 1 == LINES_BEFORE_LAST_KILL {
            log.write_all(piece.as_bytes()).expect("the log can be written");
            piece.clear();
            thread::sleep(Duration::from_millis(25));
        }
    }
}

fn configuration(folder: &Path, webhook_port: u16) -> String {
    format!(
        r#"
[[collector.segments]]
name = "executors"
ranges = ["10.20.0.0/16"]

[[collector.sources]]
name = "squid"
kind = "log"
dialect = "squid-egret"
path = "{folder}/access.log"

[store]
path = "{folder}/egret.db"

[api]
listen = "127.0.0.1:{api_port}"

[[notify.targets]]
name = "soar"
kind = "webhook"
url = "http://127.0.0.1:{webhook_port}/hook"
allow_private = true
secret_file = "{folder}/secret"
"#,
        folder = folder.display(),
        api_port = free_port(),
    )
}

#[test]
fn after_kill_nine_every_line_is_stored_once_and_no_alert_is_lost_or_doubled() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path();
    let webhook_port = free_port();
    let webhooks = WebhookReceiver::start(path, webhook_port, |program| Command::new(program));
    std::fs::write(path.join("secret"), WEBHOOK_SECRET).expect("the folder can be written");
    let config = path.join("egret.toml");
    std::fs::write(&config, configuration(path, webhook_port)).expect("the folder can be written");
    let killed_last = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| write_log(&path.join("access.log"), &killed_last));
        for least in KILLS {
            let (mut egret, _) = start(&config, path);
            let store = Stored::open(path);
            until("some lines to be stored", || (store.contacts() >= least).then_some(()));
            egret.kill();
            say(&format!("killed with {} of {LINES} lines stored", store.contacts()));
            assert!(store.contacts() < LINES, "there was nothing left to do");
        }
        killed_last.store(true, Relaxed);
        let (mut egret, _) = start(&config, path);
        assert!(egret.output().contains("going on from the last snapshot"));
        let store = Stored::open(path);
        until("all lines to be stored", || (store.contacts() >= LINES).then_some(()));
        let expected = usize::try_from(LINES / LINES_PER_UPLOAD).expect("it is small");
        until("all alerts", || (opened(&webhooks).len() >= expected).then_some(()));
        assert_eq!(egret.terminate().code(), Some(0), "egret ended well");
    });

    let store = Stored::open(path);
    assert_eq!(store.contacts(), LINES, "the sums count every line once");
    let events = store.times();
    assert_eq!(events.len() as u64, LINES, "every line has its event");
    assert!(events.values().all(|times| *times == 1), "no event is there twice");

    let opened = opened(&webhooks);
    for upload in 0..LINES / LINES_PER_UPLOAD {
        let ids = &opened[&format!("leak-{upload}.example")];
        assert_eq!(ids.len(), 1, "upload {upload} was alerted under several ids: {ids:?}");
    }
    assert_eq!(opened.len() as u64, LINES / LINES_PER_UPLOAD, "only the uploads: {opened:?}");
    assert!(webhooks.received().iter().all(|hook| hook["verified"] == true));
    Row {
        fault: "killed while it reads a log",
        done: "kill -9 three times under 20,000 lines/s, started again each time",
        written: LINES,
        stored: events.len() as u64,
        unreadable: 0,
        told: "log: going on from the last snapshot; each of 10 alerts under one id",
    }
    .tell();
}

/// The ids under which the receiver was told that an incident opened, by destination. That the source was
/// silent is left out: the log's times are long past, so a pause of its writer looks like months.
fn opened(webhooks: &WebhookReceiver) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for hook in webhooks.received() {
        let told = hook["body"].pointer("/data/incident/explanation/findings/0/detector");
        let is_about_source = told.is_some_and(|detector| detector == "blind");
        if hook["body"]["type"] != "incident.opened" || is_about_source {
            continue;
        }
        let destination = hook.pointer("/body/data/incident/destination").and_then(|v| v.as_str());
        if let (Some(destination), Some(id)) = (destination, hook["id"].as_str()) {
            found.entry(destination.to_owned()).or_default().insert(id.to_owned());
        }
    }
    found
}
