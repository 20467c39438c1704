//! What Egret tells of itself, by the way that all alerts take.

use std::fs;
use std::io::Write;
use std::path::Path;

use egret_tests::faults::{Log, following, upload};
use egret_tests::receiver::Receiver;
use egret_tests::running::Running;
use egret_tests::wait::until;
use serde_json::{Value, json};

/// The alerts that were written to a file, as far as they are whole.
fn alerts(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_target_that_wants_no_alerts_is_an_alert_to_the_others() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let told = folder.path().join("alerts.json");
    let secret = folder.path().join("secret");
    fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    let gone = Receiver::start("410 Gone");
    let mut log = Log::at(folder.path().join("access.log"));
    log.write(1);
    let upload = upload("1767600100.000", "10.20.0.9", "evil");
    let mut file = fs::OpenOptions::new().append(true).open(log.path()).expect("the log");
    file.write_all(upload.as_bytes()).expect("a line");
    let egret = Running::start(
        folder.path(),
        &format!(
            "{}[[notify.targets]]\nkind = 'file'\nname = 'siem'\npath = '{}'\n\
             [[notify.targets]]\nkind = 'webhook'\nname = 'chat'\nurl = '{}'\nsecret_file = '{}'\n\
             allow_private = true\n",
            following(log.path(), folder.path()),
            told.display(),
            gone.url,
            secret.display()
        ),
    );
    let health = until("the others to be told", || {
        let is_health = |alert: &Value| {
            alert["data"]["incident"]["session"] == "target chat"
                && alert["type"] == "incident.opened"
        };
        alerts(&told).into_iter().find(is_health)
    });
    let incident = &health["data"]["incident"];
    assert_eq!(incident["explanation"]["findings"][0]["detector"], "health");
    assert_eq!(incident["severity"], "high");
    let title = incident["title"].as_str().expect("a title");
    assert!(
        title.starts_with("Egret itself: Target \"chat\" wants no more alerts: answered 410"),
        "{title}"
    );
    // The API says it too, and the target that is off has nothing about itself.
    let targets = egret.status()["targets"].clone();
    assert_eq!([&targets[0]["name"], &targets[1]["name"]], ["siem", "chat"]);
    assert_eq!(targets[0]["failing_since"], Value::Null);
    assert!(targets[1]["error"].as_str().is_some_and(|error| error.contains("410")), "{targets}");
    let shown = egret.get(&format!("v1/incidents/{}", incident["id"].as_str().expect("an id")));
    let shown = shown.expect("the incident can be asked for");
    assert_eq!([&shown["status"], &shown["roll_up"]["incidents"]], [&json!("open"), &json!(1)]);
    assert_eq!(targets[1]["waiting"], 0, "{targets}");
}
