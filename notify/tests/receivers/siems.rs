//! Splunk, Elastic and Sentinel, which each acknowledge in their own way.

use egret_analyzer::ChangeKind;
use serde_json::{Value, json};

use crate::http::{Receiver, status};
use crate::lives::{answer, deliver, lives, taken, with_secret};
use crate::outbox::HeldClock;
use crate::sample::{change, incident};

#[tokio::test(start_paused = true)]
async fn splunk_counts_as_told_once_the_indexer_has_acknowledged() {
    let clock = HeldClock::hold();
    let mut asked = 0;
    let mut receiver = Receiver::start(move |request| {
        if request.line.contains("/ack") {
            asked += 1;
            return answer(&json!({ "acks": { "7": asked > 2 } }));
        }
        answer(&json!({ "text": "Success", "code": 0, "ackId": 7 }))
    })
    .await;
    let toml = format!(
        "[[targets]]\nkind = 'splunk'\nname = 'siem'\nurl = 'http://{}'\ntoken_file = 'TOKEN'\n\
         index = 'security'\n",
        receiver.address
    );
    let outbox = with_secret(&toml, "b0221cd8-c4b4-465a-9a3c-273e3a75aa29");
    let running = outbox.start();
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    clock.pass_until("the indexer has it", || outbox.counts("siem") == (0, 0)).await;
    running.stop().await;
    let got = taken(&mut receiver);
    let (request, event) = &got[0];
    assert_eq!(request.line, "POST /services/collector/event HTTP/1.1");
    assert_eq!(request.header("authorization"), "Splunk b0221cd8-c4b4-465a-9a3c-273e3a75aa29");
    assert_eq!(event["time"], "1792627200.123");
    assert_eq!(event["index"], "security");
    assert_eq!(event["sourcetype"], "egret:alert");
    assert_eq!(event["event"]["type"], "incident.opened");
    let channel = request.header("x-splunk-request-channel");
    assert_eq!(channel.len(), 36);
    assert_eq!(got.len(), 4, "one event and three questions");
    assert_eq!(got[1].0.line, format!("POST /services/collector/ack?channel={channel} HTTP/1.1"));
    assert_eq!(got[1].1, json!({ "acks": [7] }));
}

#[tokio::test(start_paused = true)]
async fn elastic_creates_documents_and_takes_a_conflict_for_a_yes() {
    let _clock = HeldClock::hold();
    let mut seen = 0;
    let mut receiver = Receiver::start(move |_| {
        seen += 1;
        let status = if seen == 2 { 409 } else { 201 };
        answer(&json!({ "errors": status == 409, "items": [{ "create": { "status": status } }] }))
    })
    .await;
    let toml = format!(
        "[[targets]]\nkind = 'elastic'\nname = 'siem'\nurl = 'http://{}'\napi_key_file = 'TOKEN'\n",
        receiver.address
    );
    let outbox = with_secret(&toml, "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==");
    deliver(&outbox).await;
    let got = taken(&mut receiver);
    assert_eq!(got.len(), 10);
    let mut documents = Vec::new();
    let mut ids = Vec::new();
    for (request, _) in &got {
        assert_eq!(request.line, "POST /logs-egret.alert-default/_bulk HTTP/1.1");
        assert_eq!(request.header("content-type"), "application/x-ndjson");
        assert!(request.header("authorization").starts_with("ApiKey VnVh"));
        let lines: Vec<Value> =
            request.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        ids.push(lines[0]["create"]["_id"].as_str().unwrap().to_owned());
        documents.push(lines[1].clone());
        assert_eq!(lines.len(), 2);
    }
    assert_eq!(documents[0]["event"]["action"], "incident-opened");
    let mut expected: Vec<_> = lives().iter().map(|change| change.alert_id().to_string()).collect();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
}

#[tokio::test(start_paused = true)]
async fn sentinel_gets_records_with_a_token_that_is_fetched_once_and_again_when_refused() {
    let clock = HeldClock::hold();
    let (mut logins, mut records) = (0, 0);
    let mut receiver = Receiver::start(move |request| {
        if request.line.contains("/oauth2/") {
            logins += 1;
            return answer(&json!({ "access_token": format!("t{logins}"), "expires_in": 3599 }));
        }
        records += 1;
        if records == 2 { status("401 Unauthorized") } else { status("204 No Content") }
    })
    .await;
    let toml = format!(
        "[[targets]]\nkind = 'sentinel'\nname = 'siem'\nurl = 'http://{0}'\nrule_id = 'dcr-1'\n\
         directory_id = 'd1'\nclient_id = 'c1'\nclient_secret_file = 'TOKEN'\nlogin_url = 'http://{0}'\n",
        receiver.address
    );
    let outbox = with_secret(&toml, "s3cr~et");
    let running = outbox.start();
    for name in ["a", "b"] {
        outbox.put(&[change(ChangeKind::Opened, 0, incident(name))]);
        receiver.next().await;
        if name == "a" {
            receiver.next().await;
        }
    }
    let wait = outbox.next_wait("siem").await;
    clock.advance(wait).await;
    clock.pass_until("the second was taken", || outbox.counts("siem") == (0, 0)).await;
    running.stop().await;
    let got = taken(&mut receiver);
    let (login, record) = (&got[0].0, &got[1]);
    assert_eq!(login.line, "POST /d1/oauth2/v2.0/token HTTP/1.1");
    assert!(login.body.contains("client_secret=s3cr%7Eet"), "{}", login.body);
    let path = "POST /dataCollectionRules/dcr-1/streams/Custom-EgretAlerts_CL?api-version=2023-01-01 HTTP/1.1";
    assert_eq!(record.0.line, path);
    assert_eq!(record.0.header("authorization"), "Bearer t2");
    assert_eq!(record.1[0]["Change"], "opened");
    assert_eq!(record.1[0]["SentBytes"], 50_331_648);
}
