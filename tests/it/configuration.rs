//! The configuration: mistakes are named with their place, and every key has an effect.

use std::path::Path;

use egret::cli::ConfigArgs;
use egret::config::load;
use egret_tests::binary::run;
use egret_tests::certificates::Authority;
use egret_tests::parts::WEBHOOK_SECRET;
use egret_tests::repository;

/// The example that is shipped.
fn example() -> String {
    std::fs::read_to_string(repository().join("deploy/egret.toml"))
        .expect("the example is in the repository")
}

/// The example with the files that it names in `folder`.
fn with_files(text: &str, folder: &Path) -> String {
    let secret = folder.join("webhook.secret");
    std::fs::write(&secret, WEBHOOK_SECRET).expect("the folder can be written");
    let key = folder.join("deploy-key");
    std::fs::write(&key, "kE9-vPz7Qm_41xTfRb8W\n").expect("the folder can be written");
    let root = Authority::new(folder).root();
    text.replace("/etc/egret/webhook.secret", &secret.display().to_string())
        .replace("/etc/egret/deploy-key", &key.display().to_string())
        .replace("/etc/egret/siem-ca.pem", &root.display().to_string())
}

/// What `egret check` says of this text.
fn check(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("egret.toml");
    std::fs::write(&file, text).expect("the folder can be written");
    let output = run(&["check", "--config", file.to_str().expect("the path is UTF-8")]);
    let said = String::from_utf8_lossy(&output.stderr).replace(&file.display().to_string(), "FILE");
    (output.status.success(), said)
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let (sound, said) = check("[api]\n\nlisen = \"127.0.0.1:1\"\n");
    assert!(!sound);
    assert!(said.contains("FILE:3"), "{said}");
    assert!(said.contains("lisen") && said.contains("listen"), "{said}");
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line_and_what_is_expected() {
    let (sound, said) = check("[analyzer]\nepoch = \"an hour\"\n");
    assert!(!sound);
    assert!(said.contains("FILE:2") && said.contains("\"1h30m\""), "{said}");
}

#[test]
fn a_contradiction_is_named_with_its_line() {
    let source = "[[collector.sources]]\nkind = \"log\"\nname = \"a\"\npath = \"/x\"\n";
    let (sound, said) = check(&format!("{source}{source}"));
    assert!(!sound);
    assert!(said.contains("FILE:5") || said.contains("FILE:7"), "{said}");
    assert!(said.contains("\"a\""), "{said}");
}

#[test]
fn the_example_is_sound_and_says_everything_that_can_be_said() {
    let text = example();
    // Commented keys show the defaults; a reader may take the comment sign away from any of them.
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("#").filter(|rest| is_setting(rest)).unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    let folder = tempfile::tempdir().expect("a folder for the test");
    let uncommented = with_files(&uncommented, folder.path());
    let (sound, said) = check(&uncommented);
    assert!(sound, "{said}");
}

/// Whether the line is a key with a value or a section, and not prose.
fn is_setting(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default().trim();
    let is_key = line.contains('=')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_key || (line.starts_with('[') && line.ends_with(']'))
}

#[test]
fn commands_that_send_nothing_do_not_need_the_secrets_of_targets() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("egret.toml");
    let text = "[[notify.targets]]\nkind = \"webhook\"\nname = \"a\"\n\
                url = \"https://hooks.example.org/\"\nsecret_file = \"/no/such/secret\"\n\
                [[collector.secrets]]\nname = \"b\"\nfile = \"/no/such/secret\"\n";
    std::fs::write(&file, text).expect("the folder can be written");
    let file = file.to_str().expect("the path is UTF-8");
    let store = format!("store.path={}/egret.db", folder.path().display());
    assert!(!run(&["check", "--config", file]).status.success());
    assert!(run(&["dlq", "--config", file, "--set", &store, "list"]).status.success());
}

#[test]
fn a_secret_to_look_for_is_never_printed() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("egret.toml");
    let text = "[[collector.secrets]]\nname = \"deploy key\"\nvalue = \"kE9-vPz7Qm_41xTfRb8W\"\n";
    std::fs::write(&file, text).expect("the folder can be written");
    let output = run(&["config", "--config", file.to_str().expect("the path is UTF-8")]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("deploy key") && said.contains("(hidden)"), "{said}");
    assert!(!said.contains("vPz7Qm"), "{said}");
    let (sound, said) = check(&text.replace("vPz7Qm_41xTfRb8W", "x"));
    assert!(!sound && said.contains("FILE:3") && said.contains("16 bytes"), "{said}");
}

#[test]
fn every_scalar_key_has_an_effect() {
    let other_values = [
        ("analyzer.epoch", "2h"),
        ("analyzer.lateness", "45s"),
        ("analyzer.session_idle", "5m"),
        ("analyzer.shards", "3"),
        ("analyzer.allow", "[\"example.org\"]"),
        ("analyzer.allow_private", "[\"10.9.0.0/16\"]"),
        ("analyzer.baseline", "/tmp/learned"),
        ("store.path", "/tmp/elsewhere.db"),
        ("store.keep_events", "2d"),
        ("store.keep_history", "30d"),
        ("store.max_size", "1GiB"),
        ("api.listen", "127.0.0.1:9999"),
        ("api.request_timeout", "20s"),
        ("api.public_url", "https://egret.example.org"),
    ];
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("egret.toml");
    std::fs::write(&file, with_files(&example(), folder.path())).expect("it can be written");
    let of = |set: Vec<String>| {
        let args = ConfigArgs { config: Some(file.clone()), set };
        load(&args).unwrap_or_else(|error| panic!("{error:#}"))
    };
    let plain = of(Vec::new());
    for (key, value) in other_values {
        let changed = of(vec![format!("{key}={value}")]);
        assert_ne!(
            format!("{:?}", plain.config),
            format!("{:?}", changed.config),
            "{key} changes nothing"
        );
        let shown = changed.effective();
        let line = shown.iter().find(|line| line.key == key).expect("the key is shown");
        assert_eq!(line.origin.to_string(), "--set", "{key}");
    }
    let scalar = |key: &str| {
        !key.contains('[') && !key.starts_with("collector.") && !key.starts_with("notify.")
    };
    for value in plain.effective().iter().filter(|value| scalar(&value.key)) {
        let known = other_values.iter().any(|(key, _)| *key == value.key);
        assert!(known, "{} has no test that it has an effect", value.key);
    }
}
