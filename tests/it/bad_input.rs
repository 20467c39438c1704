//! Bad input gets a message that names the thing and the cure, and nothing else is lost.

use std::path::Path;
use std::process::Output;

use egret_tests::binary::{run, start, succeed};
use egret_tests::parts::{get, get_json};
use egret_tests::wait::until;
use serde_json::Value;

fn analyze(files: &[&Path]) -> Output {
    let mut args = vec!["analyze", "--format", "json"];
    args.extend(files.iter().map(|file| file.to_str().expect("the path is UTF-8")));
    run(&args)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn capture(folder: &Path) -> Vec<u8> {
    let out = folder.join("simulated");
    succeed(&["simulate", "bulk-upload", "--sessions", "4", "--out", out.to_str().expect("UTF-8")]);
    std::fs::read(out.join("traffic.pcap")).expect("the capture was written")
}

#[test]
fn a_truncated_capture_is_used_up_to_where_it_ends() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let whole = capture(folder.path());
    let file = folder.path().join("cut.pcap");
    std::fs::write(&file, &whole[..whole.len() - 7]).expect("the folder can be written");
    let output = analyze(&[&file]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report is printed");
    assert!(report["events"].as_u64() > Some(100), "what was there was used");
    assert!(said(&output).contains("cut.pcap"), "{}", said(&output));
    let lost = report["inputs"][0]["ledger"]["lost"].to_string();
    assert!(lost.contains("truncated"), "the loss is accounted for: {lost}");
}

#[test]
fn an_unknown_link_type_is_named() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut bytes = capture(folder.path());
    bytes[20..24].copy_from_slice(&147_u32.to_le_bytes());
    let file = folder.path().join("user0.pcap");
    std::fs::write(&file, bytes).expect("the folder can be written");
    let output = analyze(&[&file]);
    assert!(!output.status.success());
    assert!(said(&output).contains("link type"), "{}", said(&output));
}

#[test]
fn what_is_neither_capture_nor_log_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("letter.txt");
    std::fs::write(&file, "Dear Sir or Madam,\n").expect("the folder can be written");
    for (path, word) in [(file.as_path(), "letter.txt"), (Path::new("/no/such/file"), "no such")] {
        let output = analyze(&[path]);
        assert!(!output.status.success());
        assert!(said(&output).to_lowercase().contains(word), "{}", said(&output));
    }
}

#[test]
fn an_overlong_line_and_invalid_text_cost_themselves_only() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let good = |second: u32| {
        format!(
            "{}.000 20 10.20.0.5:4000 TCP_TUNNEL/200 up=900 down=4000 CONNECT \
             site.example:443 203.0.113.9:443\n",
            1_767_600_000 + second
        )
    };
    let mut text = good(0).into_bytes();
    text.extend(std::iter::repeat_n(b'A', 1 << 20));
    text.push(b'\n');
    text.extend(good(1).bytes());
    text.extend(b"\xff\xfe\xff not a line\n");
    text.extend(good(2).bytes());
    let file = folder.path().join("access.log");
    std::fs::write(&file, text).expect("the folder can be written");
    let output = analyze(&[&file]);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report is printed");
    let ledger = &report["inputs"][0]["ledger"];
    assert_eq!(ledger["received"], 5, "{ledger}");
    assert_eq!(ledger["passed"], 3, "{ledger}");
    assert_eq!(ledger["lost"], serde_json::json!([["malformed", 1], ["too_long", 1]]));
}

#[test]
fn one_line_from_the_future_does_not_blind_the_engine() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let line = |second: u64, host: &str, up: u64| {
        format!(
            "{second}.000 20 10.20.0.5:4000 TCP_TUNNEL/200 up={up} down=4000 CONNECT \
             {host}:443 203.0.113.9:443\n"
        )
    };
    // The year 2100, then the present of this test.
    let text = line(4_102_444_800, "odd.example", 900) + &line(1_767_600_000, "a.example", 8 << 20);
    std::fs::write(folder.path().join("access.log"), text).expect("the folder can be written");
    let config = format!(
        "{}follow = false\n[[collector.segments]]\nname = \"a\"\nranges = [\"10.20.0.0/16\"]\n\
         [store]\npath = \"{}/egret.db\"\n[api]\nlisten = \"127.0.0.1:0\"\n",
        std::fs::read_to_string(folder_with_source(folder.path())).expect("it was just written"),
        folder.path().display()
    );
    let file = folder.path().join("egret.toml");
    std::fs::write(&file, config).expect("the folder can be written");
    let (_process, address) = start(&file, folder.path());
    let incident = until("the incident", || {
        get_json(&format!("{address}v1/incidents"))?["items"].get(0).cloned()
    });
    assert_eq!(incident["destination"], "a.example");
    let metrics = get(&format!("{address}metrics")).expect("metrics are served");
    let counted = metrics
        .lines()
        .any(|line| line.starts_with("egret_engine_future_events_total{") && line.ends_with(" 1"));
    assert!(counted, "{metrics}");
    for account in ["egret_source_received_total", "egret_source_passed_total"] {
        let line = format!("{account}{{source=\"{}/access.log\"}} 2", folder.path().display());
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
}

#[test]
fn a_missing_interface_is_named_with_those_that_exist() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("egret.toml");
    let text = format!(
        "[[collector.segments]]\nname = \"a\"\nranges = [\"10.0.0.0/8\"]\n\
         [[collector.sources]]\nkind = \"live\"\ninterface = \"nosuch0\"\n\
         [store]\npath = \"{}/egret.db\"\n[api]\nlisten = \"127.0.0.1:0\"\n",
        folder.path().display()
    );
    std::fs::write(&file, text).expect("the folder can be written");
    let output = run(&["run", "--config", file.to_str().expect("the path is UTF-8")]);
    assert!(!output.status.success());
    assert!(said(&output).contains("nosuch0"), "{}", said(&output));
    assert!(said(&output).contains("lo"), "the interfaces there are: {}", said(&output));
}

#[test]
fn an_address_beyond_loopback_without_tokens_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let store = format!("store.path={}/egret.db", folder.path().display());
    let output = run(&[
        "run",
        "--set",
        "api.listen=0.0.0.0:0",
        "--set",
        &store,
        "--config",
        folder_with_source(folder.path()).to_str().expect("the path is UTF-8"),
    ]);
    assert!(!output.status.success());
    assert!(said(&output).contains("egret token create"), "{}", said(&output));
}

fn folder_with_source(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("egret.toml");
    let text = format!(
        "[[collector.sources]]\nkind = \"log\"\npath = \"{}/access.log\"\n",
        folder.display()
    );
    std::fs::write(&file, text).expect("the folder can be written");
    file
}
