//! `egret replay` over a store that `egret run` filled with simulated traffic.

use std::path::{Path, PathBuf};

use egret_tests::binary::{run, start, succeed};
use egret_tests::parts::{free_port, get_json};
use egret_tests::wait::until;
use serde_json::Value;

use super::command_line::attacked;

const SCENARIO: &str = "bulk-upload";

/// A store with simulated uploads, the configuration that it was filled with, and a changed one.
struct Kept {
    folder: tempfile::TempDir,
    /// Where the three uploads went.
    places: Vec<String>,
}

impl Kept {
    fn fill() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path();
        let out = path.join(SCENARIO);
        let out = out.to_str().expect("the path is UTF-8");
        succeed(&["simulate", SCENARIO, "--seed", "2", "--sessions", "8", "--out", out]);
        let places: Vec<String> = attacked(path, SCENARIO).into_iter().collect();
        assert_eq!(places.len(), 3);
        let kept = Self { folder, places };
        let text = kept.configuration(out, "");
        std::fs::write(kept.file("old.toml"), text).expect("the folder can be written");
        let allow = format!("allow = [{:?}, {:?}]\n", kept.places[0], kept.places[1]);
        let text = kept.configuration(out, &allow);
        std::fs::write(kept.file("new.toml"), text).expect("the folder can be written");
        kept.run();
        kept
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is simulated is months old, which is no reason to delete it.
    fn configuration(&self, out: &str, policy: &str) -> String {
        let port = free_port();
        let store = self.file("egret.db");
        format!(
            "[analyzer]\nallow_private = [\"10.10.0.0/16\", \"fd00:10::/64\"]\n{policy}\
             [[collector.segments]]\nname = \"a\"\nranges = [\"10.20.0.0/16\"]\n\
             [[collector.sources]]\nname = \"wire\"\nkind = \"capture\"\n\
             path = \"{out}/traffic.pcap\"\n\
             [store]\npath = \"{}\"\nkeep_events = \"9999d\"\n\
             [api]\nlisten = \"127.0.0.1:{port}\"\n",
            store.display()
        )
    }

    /// Runs egret until all is in the store.
    fn run(&self) {
        let (mut process, address) = start(&self.file("old.toml"), self.folder.path());
        let url = format!("{address}v1/status");
        until("everything to be read and stored", || {
            let status = get_json(&url)?;
            let has_all = status["stages"][2]["ledger"]["received"].as_u64() > Some(0)
                && status["queued_batches"] == 0
                && status["queued_writes"] == 0;
            (status["sources"][0]["state"] != "running" && has_all).then_some(())
        });
        process.terminate();
    }

    /// What changes from one configuration to the other.
    fn difference(&self, from: &str, to: &str, more: &[&str]) -> Value {
        let printed = self.replay(from, to, &[&["--format", "json"], more].concat());
        serde_json::from_str(&printed).expect("egret prints JSON")
    }

    fn replay(&self, from: &str, to: &str, more: &[&str]) -> String {
        let text = |path: &Path| path.to_str().expect("the path is UTF-8").to_owned();
        let (from, to) = (text(&self.file(from)), text(&self.file(to)));
        let begin = ["replay", "--since", "2026-01-01T00:00:00Z", "--diff"];
        succeed(&[&begin[..], &["--against", &from, "--config", &to], more].concat())
    }
}

/// Those of a list that went to `place`.
fn at<'a>(list: &'a Value, place: &str) -> Vec<&'a Value> {
    let list = list.as_array().expect("a list");
    let there = list.iter().filter(|one| {
        let told = one.get("after").unwrap_or(one);
        told["destination"] == place
    });
    there.collect()
}

#[test]
fn an_allowlist_and_a_suppression_show_what_they_would_change_before_they_are_in_force() {
    let kept = Kept::fill();
    let [first, allowed, refused] = [0, 1, 2].map(|at| kept.places[at].as_str());
    let suppress = format!("destination={first}");
    let found = kept.difference("old.toml", "new.toml", &["--suppress", &suppress]);

    let appear = found["appear"].as_array().expect("a list");
    assert!(!appear.is_empty(), "ordinary destinations are not on the list: {found}");
    assert!(appear.iter().all(|one| one["detectors"][0] == "policy"), "{found}");

    let gone = at(&found["vanish"], first);
    assert_eq!((found["vanish"].as_array().map(Vec::len), gone.len()), (Some(1), 1), "{found}");
    assert_eq!(gone[0]["suppressed_in_the_other"], true);

    let [changed] = at(&found["change"], refused)[..] else { panic!("no change: {found}") };
    let detectors = |told: &Value| told["detectors"].as_array().expect("a list").clone();
    assert!(!detectors(&changed["before"]).contains(&"policy".into()), "{changed}");
    assert!(detectors(&changed["after"]).contains(&"policy".into()), "{changed}");
    assert!(at(&found["change"], allowed).is_empty(), "it is on the list: {found}");
    assert_eq!(found["unchanged"], 1, "{found}");

    let back = kept.difference("new.toml", "old.toml", &[]);
    let vanish = back["vanish"].as_array().expect("a list");
    assert_eq!(vanish.len(), appear.len(), "what one adds the other takes away");
    assert!(vanish.iter().all(|one| one["suppressed_in_the_other"] == false), "{back}");
}

#[test]
fn an_unchanged_configuration_changes_nothing_and_says_so_in_words() {
    let kept = Kept::fill();
    let words = kept.replay("old.toml", "old.toml", &[]);
    for part in ["no incident would appear", "no incident would vanish", "3 incidents would stay"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let old = kept.file("old.toml");
    let old = old.to_str().expect("the path is UTF-8");
    let alone = succeed(&["replay", "--since", "2026-01-01T00:00:00Z", "--config", old]);
    assert!(alone.contains("3 incidents; 0 more are suppressed"), "{alone}");
    let none = run(&["replay", "--since", "1h", "--config", old]);
    let error = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(!none.status.success() && error.contains("keeps no events"), "{error}");
}
