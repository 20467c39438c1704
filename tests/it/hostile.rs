//! Names from the wire are data, everywhere.

use std::path::Path;

use egret_tests::binary::{run, start};
use egret_tests::parts::get_json;
use egret_tests::wait::until;
use serde_json::json;

/// What an attacker would put into a host name, path or user agent.
const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>.example",
    "a';DROP TABLE events;--.example",
    "x\u{1b}[31m\u{1b}]0;pwned\u{7}.example",
    "line\nbreak\r\n<132>1 forged.example",
    "gpj.\u{202e}exe.example",
    "%s%n{{7*7}}${jndi:ldap://x}.example",
];

/// An Envoy log in which every name is hostile and every executor uploads 8 MiB.
fn log(folder: &Path) -> std::path::PathBuf {
    let mut text = String::new();
    for (number, name) in HOSTILE.iter().enumerate() {
        let line = json!({
            "start_time": format!("2026-01-05T09:00:{number:02}.000Z"),
            "method": "POST",
            "path": format!("/{name}?q={name}"),
            "authority": name,
            "protocol": "HTTP/1.1",
            "response_code": 200,
            "response_flags": "-",
            "bytes_received": 8 << 20,
            "bytes_sent": 100,
            "duration": 50,
            "user_agent": name,
            "upstream_host": "203.0.113.5:443",
            "downstream_remote_address": format!("10.20.0.{}:41000", number + 1),
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let file = folder.join("envoy.jsonl");
    std::fs::write(&file, text).expect("the folder can be written");
    file
}

#[test]
fn the_terminal_is_never_told_to_do_anything() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let output = run(&["analyze", log(folder.path()).to_str().expect("the path is UTF-8")]);
    assert!(output.status.success());
    for printed in [output.stdout, output.stderr] {
        let text = String::from_utf8(printed).expect("egret prints UTF-8");
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.chars().any(acts), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("<132>1")), "a forged line: {text}");
    }
}

#[test]
fn the_api_returns_hostile_names_as_plain_values_and_the_store_survives_them() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("egret.toml");
    let text = format!(
        "[[collector.segments]]\nname = \"a\"\nranges = [\"10.20.0.0/16\"]\n\
         [[collector.sources]]\nname = \"envoy\"\nkind = \"log\"\npath = {:?}\nfollow = false\n\
         [store]\npath = \"{}/egret.db\"\n[api]\nlisten = \"127.0.0.1:0\"\n",
        log(folder.path()),
        folder.path().display()
    );
    std::fs::write(&file, text).expect("the folder can be written");
    let (process, address) = start(&file, folder.path());

    let incidents = until("all incidents", || {
        let answer = get_json(&format!("{address}v1/incidents?limit=100"))?;
        let items = answer["items"].as_array()?.clone();
        (items.len() == HOSTILE.len()).then_some(items)
    });
    for incident in &incidents {
        let host = incident["hosts"][0].as_str().unwrap_or_default();
        let domain = incident["destination"].as_str().unwrap_or_default();
        for name in [host, domain] {
            assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()), "{name:?}");
        }
    }
    let events = get_json(&format!("{address}v1/events?limit=100")).expect("events are returned");
    assert_eq!(events["items"].as_array().map(Vec::len), Some(HOSTILE.len()));
    let paths = events["items"].to_string();
    assert!(paths.contains("DROP TABLE"), "the path is kept as it was: {paths}");
    assert!(!process.output().contains('\u{1b}'), "nothing hostile is logged raw");
}
