//! `egret doctor`, `token` and `dlq`: what the platform engineer uses.

use std::path::{Path, PathBuf};
use std::process::Command;

use egret_tests::binary::{egret, run, start, succeed};
use egret_tests::parts::free_port;

/// A configuration with a followed log, its own store and its own port.
fn configuration(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("access.log"), "").expect("the folder can be written");
    let port = free_port();
    let text = format!(
        "[[collector.segments]]\nname = \"a\"\nranges = [\"10.20.0.0/16\"]\n\
         [[collector.sources]]\nname = \"squid\"\nkind = \"log\"\n\
         path = \"{folder}/access.log\"\n[store]\npath = \"{folder}/egret.db\"\n\
         [api]\nlisten = \"127.0.0.1:{port}\"\n",
        folder = folder.display()
    );
    let file = folder.join("egret.toml");
    std::fs::write(&file, text).expect("the folder can be written");
    file
}

#[test]
fn the_doctor_says_whether_egret_runs_and_reads() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let config = configuration(folder.path());
    let args = ["doctor", "--config", config.to_str().expect("the path is UTF-8")];
    let before = run(&args);
    let said = String::from_utf8_lossy(&before.stdout).into_owned();
    assert!(!before.status.success() && said.contains("no running egret"), "{said}");

    let (mut process, _) = start(&config, folder.path());
    let said = succeed(&args);
    assert!(said.contains("source \"squid\""), "{said}");
    assert!(!said.contains("NOT"), "{said}");
    assert_eq!(process.terminate().code(), Some(0));
}

#[test]
fn a_token_is_shown_once_and_works_until_it_is_removed() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let config = configuration(folder.path());
    let config_text = config.to_str().expect("the path is UTF-8");
    let create = ["token", "--config", config_text, "create", "alice", "--role", "viewer"];
    let token = succeed(&create).trim().to_owned();
    assert!(token.starts_with("egret_"), "{token}");
    assert!(!run(&create).status.success(), "a name is taken once");
    let list = succeed(&["token", "--config", config_text, "list"]);
    assert!(list.contains("alice") && list.contains("viewer") && !list.contains(&token), "{list}");
    let stored = std::fs::read(folder.path().join("egret.db")).expect("the store can be read");
    let holds = stored.windows(token.len()).any(|bytes| bytes == token.as_bytes());
    assert!(!holds, "the store holds the token itself");

    let _running = start(&config, folder.path());
    let doctor = |token: Option<&str>| {
        let mut command = Command::new(egret());
        command.args(["doctor", "--config"]).arg(&config).env_remove("EGRET_TOKEN");
        command.envs(token.map(|token| ("EGRET_TOKEN", token)));
        command.status().expect("egret can be started").success()
    };
    assert!(!doctor(None), "a token is needed now");
    assert!(doctor(Some(&token)));
    assert!(!doctor(Some("egret_wrong")));

    succeed(&["token", "--config", config_text, "remove", "alice"]);
    assert!(!run(&["token", "--config", config_text, "remove", "alice"]).status.success());
}

#[test]
fn dead_letters_can_be_listed_and_replayed_when_there_are_none() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let config = configuration(folder.path());
    let config = config.to_str().expect("the path is UTF-8");
    assert_eq!(succeed(&["dlq", "--config", config, "list"]), "no dead letters\n");
    assert!(succeed(&["dlq", "--config", config, "replay"]).starts_with("0 alerts"));
}
