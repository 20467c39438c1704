//! That Egret is well, told as long as it is.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ecs;
use crate::http::{Receiver, status};
use crate::outbox::{HeldClock, Outbox, breathe, until};
use crate::rsyslog::Rsyslog;
use crate::sample::AT;
use crate::validators::validate;

#[tokio::test(start_paused = true)]
async fn it_comes_as_often_as_is_configured_and_not_while_something_is_wrong() {
    let clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("204 No Content")).await;
    let outbox = Outbox::new(&format!("{}heartbeat = '1m'\n", receiver.target("hook")));
    let running = outbox.start();
    let first = receiver.next().await;
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["type"], "egret.heartbeat");
    assert_eq!(body["timestamp"], AT.to_string());
    assert_eq!(body["data"]["every_seconds"], 60);
    assert!(first.header("webhook-signature").starts_with("v1,"));
    clock.advance(Duration::from_secs(60)).await;
    receiver.next().await;
    outbox.reasons.lock().unwrap().push("the store cannot be written".to_owned());
    for _ in 0..3 {
        clock.advance(Duration::from_secs(60)).await;
        breathe().await;
    }
    assert!(receiver.requests.try_recv().is_err(), "it was told that all is well");
    outbox.reasons.lock().unwrap().clear();
    clock.advance(Duration::from_secs(60)).await;
    receiver.next().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_schemas_take_it_and_syslog_does() {
    let _clock = HeldClock::hold();
    let rsyslog = Rsyslog::start(None).await;
    let mut toml = String::new();
    for (format, name) in [("ecs", "labels.site"), ("ocsf", "unmapped.site")] {
        toml += &format!(
            "[[targets]]\nkind = 'file'\nname = '{format}'\npath = 'DIR/{format}'\nformat = '{format}'\n\
             heartbeat = '1m'\nconstants = {{ '{name}' = 'berlin' }}\n\
             fields = {{ '{name}2' = 'incident.title' }}\n"
        );
    }
    for (format, name) in [("rfc5424", "site"), ("cef", "deviceFacility"), ("leef", "site")] {
        toml += &format!(
            "[[targets]]\nkind = 'syslog'\nname = '{format}'\naddress = 'localhost:{}'\n\
             format = '{format}'\nheartbeat = '1m'\nconstants = {{ {name} = 'ber^=\"lin' }}\n",
            rsyslog.port
        );
    }
    let outbox = Outbox::new(&toml);
    let running = outbox.start();
    let messages = rsyslog.messages(3).await;
    let read = |name: &str| {
        let text = std::fs::read_to_string(outbox.path().with_file_name(name)).unwrap_or_default();
        serde_json::from_str::<Value>(text.trim()).ok()
    };
    until("the files are written", || read("ecs").is_some() && read("ocsf").is_some()).await;
    running.stop().await;
    ecs::check(&[read("ecs").unwrap()]);
    assert_eq!(read("ecs").unwrap()["labels"], json!({ "site": "berlin" }), "what never changes");
    assert_eq!(read("ocsf").unwrap()["unmapped"]["site"], "berlin");
    let text = |begin: &str| {
        let texts = messages.iter().map(|message| message["msg"].as_str().unwrap().trim());
        texts.filter(|text| text.starts_with(begin)).map(str::to_owned).next().unwrap()
    };
    assert!(messages.iter().all(|message| message["msgid"] == "HEARTBEAT"), "{messages:?}");
    assert_eq!(text("\u{feff}"), "\u{feff}egret is well");
    let leef = text("LEEF:2.0|Egret|egret|");
    assert!(leef.contains("|EGR-HEARTBEAT|^|devTime="), "{leef}");
    assert!(leef.ends_with("^site=ber\\u{5e}=\"lin^msg=egret is well"), "{leef}");
    let data = |message: &Value| message["rfc5424-sd"]["egret@32473"]["site"].clone();
    assert!(messages.iter().any(|message| data(message) == "ber^=\"lin"), "{messages:?}");
    validate(&[
        ("ocsf_base", json!("1.5.0"), read("ocsf").unwrap()),
        (
            "cef",
            json!({ "msg": "egret is well", "deviceFacility": "ber^=\"lin" }),
            json!(text("CEF:0|")),
        ),
    ]);
}

#[test]
fn nobody_is_woken_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let url = dir.path().join("url");
    std::fs::write(&url, "https://hooks.slack.com/services/T0/B0/x").unwrap();
    let toml = format!(
        "[[targets]]\nkind = 'slack'\nname = 'chat'\nurl_file = '{}'\nheartbeat = '1m'\n",
        url.display()
    );
    let raw: egret_notify::RawNotify = toml::from_str(&toml).unwrap();
    let error = raw.check().unwrap_err().to_string();
    assert!(error.contains("targets[0].heartbeat: would be a message to people"), "{error}");
}
