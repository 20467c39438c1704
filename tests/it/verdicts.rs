//! A verdict reaches the engine that runs, the one after a restart, and a replay.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use egret_tests::binary::{start, succeed};
use egret_tests::parts::{free_port, get_json, post_json};
use egret_tests::process::Process;
use egret_tests::wait::until;
use serde_json::{Value, json};

/// The moment of the first line.
const START: u32 = 1_767_600_000;

/// An egret that follows a log.
struct Followed {
    folder: tempfile::TempDir,
    lines: u32,
}

impl Followed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let followed = Self { folder, lines: 0 };
        let path = followed.folder.path().display();
        let port = free_port();
        let text = format!(
            "[[collector.segments]]\nname = \"executors\"\nranges = [\"10.20.0.0/16\"]\n\
             [[collector.sources]]\nname = \"squid\"\nkind = \"log\"\ndialect = \"squid-egret\"\n\
             path = \"{path}/access.log\"\n\
             [store]\npath = \"{path}/egret.db\"\nkeep_events = \"9999d\"\n\
             [api]\nlisten = \"127.0.0.1:{port}\"\n",
        );
        std::fs::write(followed.file("egret.toml"), text).expect("the folder can be written");
        std::fs::write(followed.file("access.log"), "").expect("the folder can be written");
        followed
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self) -> (Process, String) {
        start(&self.file("egret.toml"), self.path())
    }

    /// The next executor uploads 8 MiB to a place.
    fn upload(&mut self, place: &str) {
        self.lines += 1;
        let (at, executor) = (START + 10 * self.lines, self.lines);
        let line = format!(
            "{at}.000 35 10.20.0.{executor}:20001 TCP_TUNNEL/200 up={} down=512 CONNECT \
             drop.{place}:443 203.0.113.9:443\n",
            8 << 20
        );
        let log = OpenOptions::new().append(true).open(self.file("access.log"));
        let mut log = log.expect("the log is there");
        log.write_all(line.as_bytes()).expect("the log can be written");
    }
}

/// All incidents, hidden ones too, when there is one at `place`.
fn once_at(address: &str, place: &str) -> Vec<Value> {
    let url = format!("{address}v1/incidents?with_suppressed=true&sort=opened_at&order=ascending");
    let mut all = Vec::new();
    until("an incident", || {
        all = get_json(&url)?["items"].as_array()?.clone();
        all.iter().any(|incident| incident["destination"] == place).then_some(())
    });
    all
}

fn places(incidents: &[Value]) -> Vec<&str> {
    incidents.iter().filter_map(|incident| incident["destination"].as_str()).collect()
}

#[test]
fn what_is_judged_benign_is_not_opened_again_by_who_runs_restarts_or_replays() {
    let mut followed = Followed::new();
    let (mut egret, address) = followed.start();
    followed.upload("ours.example");
    let first = once_at(&address, "ours.example");
    let id = first[0]["id"].as_str().expect("an incident has an id").to_owned();

    let verdict = json!({"verdict": "false_positive", "comment": "the backup"});
    let judged = post_json(&format!("{address}v1/incidents/{id}/close"), &verdict);
    let judged = judged.expect("the API answers");
    assert_eq!(judged["incident"]["verdict"]["verdict"], "false_positive", "{judged}");

    // Lines are judged in their order: when the second is told of, the first of them was not.
    followed.upload("ours.example");
    followed.upload("evil.example");
    assert_eq!(places(&once_at(&address, "evil.example")), ["ours.example", "evil.example"]);
    egret.terminate();

    let (mut egret, address) = followed.start();
    followed.upload("ours.example");
    followed.upload("worse.example");
    let all = once_at(&address, "worse.example");
    assert_eq!(places(&all), ["ours.example", "evil.example", "worse.example"]);
    egret.terminate();

    let config = followed.file("egret.toml");
    let config = config.to_str().expect("the path is UTF-8");
    let since = "2026-01-01T00:00:00Z";
    let printed = succeed(&["replay", "--since", since, "--config", config, "--format", "json"]);
    let replayed: Value = serde_json::from_str(&printed).expect("egret prints JSON");
    let incidents = replayed["incidents"].as_array().expect("a list");
    assert_eq!(places(incidents), ["evil.example", "worse.example"], "{printed}");
}
