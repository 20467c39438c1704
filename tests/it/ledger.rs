//! The account of every stage balances to the unit, from the sources to the store.

use std::path::Path;

use egret_tests::binary::{start, succeed};
use egret_tests::parts::{free_port, get_json};
use egret_tests::stored::Stored;
use egret_tests::wait::until;
use serde_json::Value;

/// A capture and a log of the same simulated hour, read to their ends.
fn configuration(folder: &Path) -> String {
    let port = free_port();
    let folder = folder.display();
    format!(
        "[[collector.segments]]\nname = \"a\"\nranges = [\"10.20.0.0/16\"]\n\
         [[collector.sources]]\nname = \"wire\"\nkind = \"capture\"\n\
         path = \"{folder}/simulated/traffic.pcap\"\n\
         [[collector.sources]]\nname = \"squid\"\nkind = \"log\"\nfollow = false\n\
         path = \"{folder}/simulated/squid.log\"\n[store]\npath = \"{folder}/egret.db\"\n\
         [api]\nlisten = \"127.0.0.1:{port}\"\n"
    )
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {value}"))
}

fn lost(ledger: &Value) -> u64 {
    let lost = ledger["lost"].as_array().expect("a list of losses");
    lost.iter().map(|entry| entry[1].as_u64().expect("a count")).sum()
}

#[test]
fn every_stage_accounts_for_each_event_that_it_received() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path();
    let out = path.join("simulated");
    let out = out.to_str().expect("the path is UTF-8");
    succeed(&["simulate", "bulk-upload", "--sessions", "8", "--out", out]);
    let config = path.join("egret.toml");
    std::fs::write(&config, configuration(path)).expect("the folder can be written");
    let (_process, address) = start(&config, path);
    let url = format!("{address}v1/status");
    let is_running = |source: &Value| source["state"] == "running";
    let status = until("everything to be read and stored", || {
        let status = get_json(&url)?;
        let sources = status["sources"].as_array()?.clone();
        let stages = status["stages"].as_array()?;
        let has_all = stages[2]["ledger"]["received"].as_u64() > Some(0)
            && number(&status, "/queued_batches") + number(&status, "/queued_writes") == 0;
        (!sources.iter().any(is_running) && has_all).then_some(status)
    });
    let sources = status["sources"].as_array().expect("a list of sources");
    let stages = status["stages"].as_array().expect("a list of stages");
    for part in sources.iter().chain(stages) {
        let ledger = &part["ledger"];
        let (received, passed) = (number(ledger, "/received"), number(ledger, "/passed"));
        assert!(received > 0, "{part}");
        assert_eq!(received, passed + lost(ledger), "{part}");
    }
    let [queue, engine, store] = [0, 1, 2].map(|at| &stages[at]["ledger"]);
    assert_eq!(number(queue, "/passed"), number(engine, "/received"));
    assert_eq!(lost(queue) + lost(engine) + lost(store), 0);
    assert!(number(store, "/received") >= number(engine, "/received"));
    assert_eq!(
        number(store, "/passed"),
        Stored::open(path).events().len() as u64,
        "what is in the store"
    );
}
