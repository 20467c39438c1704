//! Who is called when: quiet hours, an escalation, acknowledgement back from PagerDuty, and the end, on simulated
//! time.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use egret_analyzer::{ChangeKind, Incident, IncidentChange, Severity};
use egret_event::Timestamp;
use egret_notify::{hear, targets_for};
use egret_store::{Action, Heard};
use serde_json::{Value, json};

use crate::http::{Receiver, status};
use crate::outbox::{HeldClock, Outbox, breathe, now};
use crate::sample::{AT, change, incident};

/// Simulated time begins at midnight (UTC).
fn at(hour: u64, minute: u64) -> Timestamp {
    AT + Duration::from_secs(60 * (60 * hour + minute))
}

/// Two pagers, of which the second is called when the first does not react, and a SIEM.
struct Duty {
    clock: HeldClock,
    outbox: Outbox,
    first: Receiver,
    second: Receiver,
    siem: Receiver,
}

impl Duty {
    async fn begin() -> Self {
        let clock = HeldClock::hold();
        let accept = || Receiver::start(|_| status("202 Accepted"));
        let (first, second, siem) = (accept().await, accept().await, accept().await);
        let pager = |name: &str, receiver: &Receiver, more: &str| {
            format!(
                "[[targets]]\nkind = 'pagerduty'\nname = '{name}'\nrouting_key_file = 'DIR/secret'\n\
                 url = 'http://{}/v2/enqueue'\nallow_private = true\nquiet = ['22:00-07:00']\n\
                 webhook_secret_file = 'DIR/secret'\n{more}\n",
                receiver.address
            )
        };
        let toml = siem.target("siem")
            + &pager("first", &first, "")
            + &pager("second", &second, "unacknowledged_for = '15m'\nraise_to = 'critical'");
        let outbox = Outbox::new(&toml);
        Self { clock, outbox, first, second, siem }
    }

    /// Lets time come to this hour and minute, by steps that every sleeping task notices.
    async fn until(&self, hour: u64, minute: u64) {
        while now() < at(hour, minute) {
            let step = at(hour, minute).since(now()).min(Duration::from_secs(60));
            self.clock.advance(step).await;
            breathe().await;
        }
        // What is due by now is asked for within a second, and sent.
        self.clock.advance(Duration::from_secs(1)).await;
        for _ in 0..20 {
            breathe().await;
        }
    }

    /// What each pager was told since this was last asked: (action, incident, severity).
    fn told(
        &mut self,
        names: &[(&'static str, &Incident)],
    ) -> [Vec<(String, &'static str, String)>; 2] {
        [&mut self.first, &mut self.second].map(|receiver| {
            let mut told = Vec::new();
            while let Ok(request) = receiver.requests.try_recv() {
                let event: Value = serde_json::from_str(&request.body).unwrap();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let key = text(&event["dedup_key"]);
                let name = names.iter().find(|(_, one)| one.id.to_string() == key).unwrap().0;
                let severity = text(&event["payload"]["severity"]);
                told.push((text(&event["event_action"]), name, severity));
            }
            told
        })
    }

    /// Carries out what a person does to an incident, as the API does.
    fn act(&self, incident: &Incident, kind: ChangeKind, by: &str) {
        let targets = targets_for(&self.outbox.targets, incident, kind, now());
        let action = Action { by: by.into(), kind, comment: None, verdict: None };
        self.outbox.store.act(incident.id, &action, now(), &targets).unwrap();
        self.outbox.wake();
    }

    /// Hears what somebody did in PagerDuty.
    async fn hear(&self, event_type: &str, incident: &Incident) -> Heard {
        let body = webhook(event_type, &json!(incident.id.to_string()));
        let heard = hear(&self.outbox.targets, &sign(&body), body.as_bytes(), now()).await;
        let heard = heard.unwrap().expect("it concerns an incident of ours");
        assert_eq!(heard.incidents, [incident.id]);
        self.act(incident, heard.kind, &heard.by);
        heard
    }
}

/// A webhook of version 3, as PagerDuty documents it.
fn webhook(event_type: &str, incident_key: &Value) -> String {
    json!({
        "event": {
            "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": "2026-10-22T07:12:22.169Z",
            "agent": {
                "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
                "id": "PLH1HKV",
                "self": "https://api.pagerduty.com/users/PLH1HKV",
                "summary": "Tenex Engineer",
                "type": "user_reference",
            },
            "client": null,
            "data": {
                "id": "PGR0VU2",
                "type": "incident",
                "number": 2,
                "status": "acknowledged",
                "incident_key": incident_key,
                "title": "A little bump in the road",
                "urgency": "high",
            },
        },
    })
    .to_string()
}

/// The signature by OpenSSL.
fn sign(body: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", crate::http::SECRET, "-hex"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let printed = String::from_utf8(openssl.wait_with_output().unwrap().stdout).unwrap();
    format!("v1={}", printed.trim().rsplit(' ').next().unwrap())
}

fn high(name: &str) -> Incident {
    incident(name)
}

fn critical(name: &str) -> Incident {
    Incident { severity: Severity::Critical, ..incident(name) }
}

fn opens(incident: &Incident) -> IncidentChange {
    change(ChangeKind::Opened, 0, incident.clone())
}

#[tokio::test(start_paused = true)]
async fn a_night_and_a_day_on_call() {
    let mut duty = Duty::begin().await;
    let running = duty.outbox.start();
    let (a, b, c) = (high("a"), high("b"), critical("c"));
    let names = [("a", &a), ("b", &b), ("c", &c)];
    let told = |action: &str, name, severity: &str| (action.to_owned(), name, severity.to_owned());

    duty.outbox.put(&[opens(&a)]);
    duty.until(6, 59).await;
    assert_eq!(duty.told(&names), [vec![], vec![]], "it is night");
    assert_eq!(duty.siem.next().await.told().0, "incident.opened");
    duty.until(7, 0).await;
    assert_eq!(duty.told(&names), [vec![told("trigger", "a", "error")], vec![]]);

    duty.outbox.put(&[opens(&b)]);
    duty.until(7, 10).await;
    assert_eq!(duty.told(&names), [vec![told("trigger", "b", "error")], vec![]]);
    let heard = duty.hear("incident.acknowledged", &b).await;
    assert_eq!(
        (heard.kind, &heard.by[..]),
        (ChangeKind::Acknowledged, "Tenex Engineer (PagerDuty)")
    );

    // Nobody took on the first: a quarter of an hour after the first line was called, the second is.
    duty.until(7, 14).await;
    let acknowledged = vec![told("acknowledge", "b", "error")];
    assert_eq!(duty.told(&names), [acknowledged, vec![]], "PagerDuty takes it a second time");
    duty.until(7, 15).await;
    assert_eq!(duty.told(&names), [vec![], vec![told("trigger", "a", "critical")]]);
    duty.until(7, 40).await;
    assert_eq!(duty.told(&names), [vec![], vec![]], "the other was taken on");

    // What was taken on and grows is told to whoever knows of it, at once.
    duty.act(&a, ChangeKind::Acknowledged, "jo");
    let grown = critical("a");
    duty.outbox.put(&[change(ChangeKind::Grew, 1, grown)]);
    duty.until(7, 41).await;
    let both =
        |severity| vec![told("acknowledge", "a", severity), told("trigger", "a", "critical")];
    assert_eq!(duty.told(&names), [both("error"), both("critical")]);

    // The end is told to whoever was told of the beginning.
    for one in [&a, &b] {
        duty.act(one, ChangeKind::Closed, "jo");
    }
    duty.until(7, 42).await;
    let mut ends = duty.told(&names);
    ends[0].sort();
    assert_eq!(
        ends.map(|told| told
            .into_iter()
            .map(|(action, name, _)| (action, name))
            .collect::<Vec<_>>()),
        [
            vec![("resolve".to_owned(), "a"), ("resolve".to_owned(), "b")],
            vec![("resolve".to_owned(), "a")],
        ]
    );

    // What is critical wakes people.
    duty.until(23, 0).await;
    duty.outbox.put(&[opens(&c)]);
    duty.until(23, 1).await;
    assert_eq!(duty.told(&names), [vec![told("trigger", "c", "critical")], vec![]]);
    duty.until(23, 15).await;
    assert_eq!(duty.told(&names), [vec![], vec![told("trigger", "c", "critical")]]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn where_pagerduty_makes_alerts_it_is_asked_which_they_are() {
    let _clock = HeldClock::hold();
    let (a, b) = (incident("a").id, incident("b").id);
    let page = move |request: &crate::http::Request| {
        let (keys, more) = match request.line.contains("offset=0") {
            true => (json!([{ "alert_key": a.to_string() }, { "alert_key": "another's" }]), true),
            false => (json!([{ "alert_key": null }, { "alert_key": b.to_string() }]), false),
        };
        let body = json!({ "alerts": keys, "limit": 25, "more": more }).to_string();
        Some(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    };
    let mut rest = Receiver::start(page).await;
    let pager = |more: &str| {
        format!(
            "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'DIR/secret'\n\
             allow_private = true\nwebhook_secret_file = 'DIR/secret'\n{more}\n"
        )
    };
    let asks = format!("api_token_file = 'DIR/secret'\napi_url = 'http://{}/'", rest.address);
    let targets = Outbox::new(&pager(&asks)).targets;
    let body = webhook("incident.resolved", &Value::Null);
    let heard = hear(&targets, &sign(&body), body.as_bytes(), now()).await.unwrap().unwrap();
    assert_eq!((heard.incidents, heard.kind), (vec![a, b], ChangeKind::Closed));
    let asked = rest.next().await;
    assert_eq!(asked.line, "GET /incidents/PGR0VU2/alerts?limit=25&offset=0 HTTP/1.1");
    assert_eq!(asked.header("authorization"), format!("Token token={}", crate::http::SECRET));
    // Without a key to ask with it cannot be said which incident it is.
    let targets = Outbox::new(&pager("")).targets;
    assert_eq!(hear(&targets, &sign(&body), body.as_bytes(), now()).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_pager_that_takes_nothing_is_not_called_more_often_for_that() {
    let clock = HeldClock::hold();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let mut pager = Receiver::start(move |_| {
        status(if well.load(Relaxed) { "202 Accepted" } else { "500 Internal Server Error" })
    })
    .await;
    let outbox = Outbox::new(&format!(
        "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'DIR/secret'\n\
         url = 'http://{}/'\nallow_private = true\nat_most = {{ alerts = 3, per = '10m' }}\n",
        pager.address
    ));
    let running = outbox.start();
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let pass = async |minutes: u64, told: &mut BTreeMap<String, u64>, pager: &mut Receiver| {
        for _ in 0..minutes {
            clock.advance(Duration::from_secs(60)).await;
            for _ in 0..4 {
                breathe().await;
            }
            while let Ok(request) = pager.requests.try_recv() {
                let event: Value = serde_json::from_str(&request.body).unwrap();
                let summary = event["payload"]["summary"].as_str().unwrap();
                let count = summary.split_once(" incidents, the gravest");
                let count = count.map_or(1, |(count, _)| count.parse().unwrap());
                told.insert(event["dedup_key"].as_str().unwrap().to_owned(), count);
            }
        }
    };
    for n in 0..40 {
        outbox.put(&[opens(&incident(&format!("incident {n}")))]);
        breathe().await;
    }
    pass(60, &mut told, &mut pager).await;
    let tried = told.len();
    assert!((1..=3).contains(&tried), "{told:?}");
    is_well.store(true, Relaxed);
    pass(24 * 60, &mut told, &mut pager).await;
    running.stop().await;
    assert_eq!(outbox.counts("pager"), (0, 0));
    assert_eq!(told.values().sum::<u64>(), 40, "{told:?}");
    assert!(told.len() <= tried + 2, "what waited was told as one: {told:?}");
}
