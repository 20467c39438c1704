//! One incident's whole life through every output, held against what others publish about it.

use egret_analyzer::{ChangeKind, Detector, Incident, IncidentChange, Severity};
use egret_event::Attribution;
use egret_notify::try_out;
use serde_json::{Value, json};

use crate::ecs;
use crate::http::{Receiver, status};
use crate::lives::{answer, deliver, lives, plain_first, taken, with_secret};
use crate::outbox::{HeldClock, Outbox, now, until};
use crate::rsyslog::Rsyslog;
use crate::sample::{change, hostile, incident};
use crate::syslog_ng::SyslogNg;
use crate::validators::validate;

#[tokio::test(start_paused = true)]
async fn files_hold_what_the_schemas_of_ecs_and_ocsf_allow() {
    let _clock = HeldClock::hold();
    let versions: Vec<String> = (1..=8).map(|minor| format!("1.{minor}.0")).collect();
    let mut toml = String::new();
    for version in &versions {
        toml += &format!(
            "[[targets]]\nkind = 'file'\nname = 'ocsf-{version}'\npath = 'DIR/{version}'\n\
             format = 'ocsf'\nocsf_version = '{version}'\n"
        );
    }
    toml += "[[targets]]\nkind = 'file'\nname = 'ecs'\npath = 'DIR/ecs'\nformat = 'ecs'\n";
    let outbox = Outbox::new(&toml);
    deliver(&outbox).await;
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(outbox.path().with_file_name(name)).unwrap();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
        plain_first(all, |one| match &one["finding_info"] {
            Value::Null => one["egret"]["incident"]["id"].clone(),
            finding => finding["uid"].clone(),
        })
    };
    let mut documents = Vec::new();
    for version in &versions {
        let written = lines(version);
        assert_eq!(written.len(), 10);
        let standing = |event: &Value| (event["activity_id"].clone(), event["status_id"].clone());
        let expected = [(1, 1), (2, 1), (2, 2), (2, 1), (3, 4)].map(|(a, s)| (json!(a), json!(s)));
        assert_eq!(written[..5].iter().map(standing).collect::<Vec<_>>(), expected);
        documents.extend(written.into_iter().map(|event| ("ocsf", json!(version), event)));
    }
    validate(&documents);
    let written = lines("ecs");
    assert_eq!(written.len(), 10);
    assert_eq!(written[5]["source"]["address"], hostile(), "whole, escaped by JSON alone");
    ecs::check(&written);
}

/// Thirty incidents, of which the eighteenth is the gravest and each text is hostile.
fn many() -> Vec<IncidentChange> {
    let text = hostile();
    let one = |n: u32| {
        let mut one = incident(&format!("many {n}"));
        one.title.clone_from(&text);
        one.destination = format!("{text}{n}").into();
        one.severity = if n == 17 { Severity::Critical } else { Severity::High };
        change(ChangeKind::Opened, 0, one)
    };
    (0..30).map(one).collect()
}

#[tokio::test(start_paused = true)]
async fn an_alert_about_many_says_how_many_in_each_output_and_links_to_the_gravest() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("202 Accepted")).await;
    let address = receiver.address;
    let limit = "at_most = { alerts = 1, per = '1h' }";
    let mut toml = format!(
        "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'TOKEN'\n\
         url = 'http://{address}/pager'\nallow_private = true\n{limit}\n\
         [[targets]]\nkind = 'slack'\nname = 'chat'\nurl_file = 'TOKEN'\n\
         allow_private = true\n{limit}\n"
    );
    for (name, format) in [("1.1.0", "ocsf"), ("1.8.0", "ocsf"), ("ecs", "ecs"), ("own", "egret")] {
        let version =
            if format == "ocsf" { format!("ocsf_version = '{name}'") } else { String::new() };
        toml += &format!(
            "[[targets]]\nkind = 'file'\nname = '{name}'\npath = 'DIR/{name}'\n\
             format = '{format}'\n{version}\n{limit}\n"
        );
    }
    let outbox = with_secret(&toml, &format!("http://{address}/services/T0/B0/x"));
    outbox.put(&many());
    let running = outbox.start();
    let is_done = || outbox.targets.iter().all(|target| outbox.counts(&target.name) == (0, 0));
    until("all is delivered", is_done).await;
    running.stop().await;
    let gravest = incident("many 17").id.to_string();
    let page = format!("{}/incidents/{gravest}", crate::outbox::DASHBOARD);
    let mut documents = Vec::new();
    for name in ["1.1.0", "1.8.0", "ecs", "own"] {
        let text = std::fs::read_to_string(outbox.path().with_file_name(name)).unwrap();
        let [line] = &text.lines().collect::<Vec<_>>()[..] else { panic!("one line: {text}") };
        let document: Value = serde_json::from_str(line).unwrap();
        let (told, link) = match name {
            "ecs" => (&document["egret"]["gathered"], &document["event"]["url"]),
            "own" => (&document["data"]["gathered"], &document["data"]["page"]),
            _ => (&document["unmapped"]["gathered"], &document["finding_info"]["src_url"]),
        };
        assert_eq!(told["incidents"], 30, "{name}");
        assert_eq!(told["severities"], json!([["critical", 1], ["high", 29]]), "{name}");
        assert_eq!(*link, json!(page), "{name}");
        match name {
            "ecs" => ecs::check(&[document]),
            "own" => {}
            version => documents.push(("ocsf", json!(version), document)),
        }
    }
    let got = taken(&mut receiver);
    assert_eq!(got.len(), 2, "one page, one message");
    for (request, body) in got {
        if request.line.contains("/pager") {
            let summary = body["payload"]["summary"].as_str().unwrap();
            assert!(summary.starts_with("30 incidents, the gravest of them: incident opened: a"));
            assert_eq!([&body["dedup_key"], &body["client_url"]], [&json!(gravest), &json!(page)]);
            assert_eq!(body["links"][0]["href"], page);
            let told = body["payload"]["custom_details"]["told_with_it"].as_str().unwrap();
            assert!(told.contains(": 1 critical, 29 high; most at "), "{told}");
        } else {
            let header = body["blocks"][0]["text"]["text"].as_str().unwrap();
            assert!(header.starts_with("🔴 29 more, and a"), "{header}");
            documents.push(("slack", json!(null), body));
        }
    }
    validate(&documents);
}

/// Incidents that no executor did: about a part of Egret, and about a template's sessions together.
fn of_nobody() -> [Incident; 2] {
    let nobody = |name: &str, session: &str, detector, template: Option<&str>| {
        let mut one = incident(name);
        one.origin = Attribution { template: template.map(Into::into), ..Attribution::nobody() };
        (one.session, one.destination) = (session.into(), "*".into());
        (one.hosts, one.addresses, one.ports) = (Vec::new(), Vec::new(), Vec::new());
        one.explanation.findings[0].detector = detector;
        one
    };
    [
        nobody("own", "target backup", Detector::Health, None),
        nobody("together", "*", Detector::TemplateDrift, Some("python-3.12")),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_no_executor_did_is_told_in_each_output_as_what_it_is_about() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("202 Accepted")).await;
    let url = format!("http://{}/x", receiver.address);
    let mut toml = format!(
        "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'TOKEN'\n\
         url = '{url}'\nallow_private = true\nfields = {{ source = 'incident.origin.segment' }}\n\
         [[targets]]\nkind = 'slack'\nname = 'chat'\nurl_file = 'TOKEN'\nallow_private = true\n"
    );
    for format in ["ocsf", "ecs"] {
        toml += &format!(
            "[[targets]]\nkind = 'file'\nname = '{format}'\npath = 'DIR/{format}'\n\
             format = '{format}'\n"
        );
    }
    let outbox = with_secret(&toml, &url);
    outbox.put(&of_nobody().map(|one| change(ChangeKind::Opened, 0, one)));
    let running = outbox.start();
    let is_done = || outbox.targets.iter().all(|target| outbox.counts(&target.name) == (0, 0));
    until("all is delivered", is_done).await;
    running.stop().await;
    let of_file = |name| std::fs::read_to_string(outbox.path().with_file_name(name)).unwrap();
    let read = |name| {
        let text = of_file(name);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let (ecs, ocsf) = (read("ecs"), read("ocsf"));
    assert_eq!([ecs.len(), ocsf.len()], [2, 2]);
    let is_own = |one: &&Value| one.to_string().contains("EGR-H");
    let own = ecs.iter().find(is_own).unwrap();
    assert_eq!([&own["event"]["category"], &own["source"]], [&json!(["host"]), &Value::Null]);
    let own = ocsf.iter().find(is_own).unwrap();
    assert_eq!(own["finding_info"]["types"], json!(["monitoring"]));
    assert_eq!(own["evidences"], Value::Null);
    ecs::check(&ecs);
    let mut documents: Vec<_> =
        ocsf.into_iter().map(|one| ("ocsf", one["metadata"]["version"].clone(), one)).collect();
    let (mut sources, mut fields) = (Vec::new(), Vec::new());
    for (_, body) in taken(&mut receiver) {
        if let Some(source) = body["payload"]["source"].as_str() {
            sources.push(source.to_owned());
            continue;
        }
        let shown = body["blocks"][1]["fields"].as_array().unwrap().iter();
        fields.push(shown.map(|field| field["text"].as_str().unwrap().to_owned()).collect());
        documents.push(("slack", json!(null), body));
    }
    sources.sort();
    assert_eq!(sources, ["python-3.12", "target backup"], "a blank source is refused");
    fields.sort_by_key(Vec::len);
    let own =
        ["What happened\nopened", "Severity\nhigh", "Why\negret itself", "About\ntarget backup"];
    assert_eq!(fields[0], own);
    let together = ["Executor\nmany", "Destination\nmany", "Session\nmany"];
    assert_eq!(fields[1][3..6], together);
    validate(&documents);
}

#[tokio::test(start_paused = true)]
async fn cef_and_leef_are_understood_behind_rsyslog() {
    let _clock = HeldClock::hold();
    for format in ["cef", "leef"] {
        let mut rsyslog = Rsyslog::start(None).await;
        let outbox = Outbox::new(&format!(
            "[[targets]]\nkind = 'syslog'\nname = 'siem'\naddress = 'localhost:{}'\n\
             format = '{format}'\n",
            rsyslog.port
        ));
        outbox.put(&of_nobody().map(|one| change(ChangeKind::Opened, 0, one)));
        deliver(&outbox).await;
        let messages = rsyslog.messages(12).await;
        rsyslog.stop().await;
        let texts: Vec<_> = messages
            .iter()
            .map(|message| message["msg"].as_str().unwrap().trim_start().to_owned())
            .collect();
        if format == "cef" {
            let expected = json!({
                "flexString1": "opened", "act": "allowed", "src": "10.20.0.17", "dst": "203.0.113.9", "dpt": "443",
                "dhost": "paste.example.net", "out": "50331648", "cs6": "T1567",
                "msg": "Incident opened: 10.20.0.17 sent 48 MiB to paste.example.net",
            });
            let first =
                texts.iter().find(|text| text.contains("|8|") && text.contains("dhost=paste"));
            let first = first.unwrap();
            let own = texts.iter().find(|text| text.contains("|EGR-H|egret itself|")).unwrap();
            assert!(!own.contains("shost="), "none is not an empty one: {own}");
            let about = json!({ "cat": "monitoring", "cs2": "target backup" });
            let mut documents = vec![("cef", expected, json!(first)), ("cef", about, json!(own))];
            documents.extend(texts.iter().map(|text| ("cef", json!({}), json!(text))));
            validate(&documents);
            assert!(first.starts_with("CEF:0|Egret|egret|"), "{first}");
            assert!(first.contains("|EGR-D2|upload size|8|externalId="), "{first}");
        } else {
            texts.iter().for_each(|text| check_leef(text));
            let first = texts.iter().find(|text| text.contains("dstHost=paste")).unwrap();
            let [_, attributes] = parts_of_leef(first);
            let got = |name: &str| {
                let found = attributes.split('^').find_map(|pair| pair.strip_prefix(name));
                found.and_then(|rest| rest.strip_prefix('=')).map(str::to_owned)
            };
            assert_eq!(got("dst").as_deref(), Some("203.0.113.9"));
            assert_eq!(got("sev").as_deref(), Some("8"));
            assert_eq!(got("srcBytes").as_deref(), Some("50331648"));
        }
    }
}

fn parts_of_leef(text: &str) -> [&str; 2] {
    let at = text.match_indices('|').nth(5).unwrap().0;
    [&text[..at], &text[at + 1..]]
}

/// By IBM's description: six fields, then attributes with the separator that the header names.
pub(crate) fn check_leef(text: &str) {
    let [header, attributes] = parts_of_leef(text);
    let header: Vec<&str> = header.split('|').collect();
    assert_eq!(header[..3], ["LEEF:2.0", "Egret", "egret"]);
    assert_eq!(header[5], "^");
    for pair in attributes.split('^') {
        let (key, value) = pair.split_once('=').unwrap();
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
        assert!(!value.is_empty(), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn slack_gets_blocks_that_its_own_library_accepts() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("200 OK")).await;
    let url = format!("http://{}/services/T0/B0/x", receiver.address);
    let toml =
        "[[targets]]\nkind = 'slack'\nname = 'chat'\nurl_file = 'TOKEN'\nallow_private = true\n";
    let outbox = with_secret(toml, &url);
    deliver(&outbox).await;
    let plain = format!("incident {}", incident("a").id);
    let got = taken(&mut receiver);
    let got = plain_first(got, |(request, _)| {
        json!(if request.body.contains(&plain) {
            incident("a").id.to_string()
        } else {
            String::new()
        })
    });
    assert_eq!(got.len(), 10);
    assert_eq!(got[0].0.line, "POST /services/T0/B0/x HTTP/1.1");
    let documents: Vec<_> =
        got.iter().map(|(_, body)| ("slack", json!(null), body.clone())).collect();
    validate(&documents);
    let header = &got[0].1["blocks"][0]["text"];
    assert_eq!(header["text"], "🟠 10.20.0.17 sent 48 MiB to paste.example.net");
    let hostile = got[5].1["text"].as_str().unwrap();
    assert!(hostile.contains("&lt;script&gt;") && !hostile.contains('<'), "{hostile}");
}

#[tokio::test(start_paused = true)]
async fn pagerduty_is_triggered_acknowledged_and_resolved_by_one_key() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("202 Accepted")).await;
    let toml = format!(
        "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'TOKEN'\n\
         url = 'http://{}/v2/enqueue'\nallow_private = true\n",
        receiver.address
    );
    let outbox = with_secret(&toml, "R0123456789ABCDEF0123456789ABCDEF\n");
    deliver(&outbox).await;
    let got = plain_first(taken(&mut receiver), |(_, event)| event["dedup_key"].clone());
    let told: Vec<_> = got[..5]
        .iter()
        .map(|(_, event)| (event["event_action"].as_str().unwrap(), &event["dedup_key"]))
        .collect();
    let key = &json!(incident("a").id.to_string());
    let expected = ["trigger", "trigger", "acknowledge", "trigger", "resolve"].map(|a| (a, key));
    assert_eq!(told, expected);
    for (request, event) in &got {
        assert_eq!(request.line, "POST /v2/enqueue HTTP/1.1");
        assert_eq!(event["routing_key"], "R0123456789ABCDEF0123456789ABCDEF");
        assert!(event["dedup_key"].as_str().unwrap().len() <= 255);
        assert!(event["payload"]["summary"].as_str().unwrap().len() <= 1024);
        assert!(!event["payload"]["source"].as_str().unwrap().is_empty());
        let severity = event["payload"]["severity"].as_str().unwrap();
        assert!(["critical", "error", "warning", "info"].contains(&severity));
        // Events API v2 refuses what is larger.
        assert!(request.body.len() <= 512 * 1024);
    }
}

#[tokio::test(start_paused = true)]
async fn trying_a_target_out_opens_and_closes_and_shows_no_secret() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("202 Accepted")).await;
    let toml = format!(
        "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'TOKEN'\n\
         url = 'http://{}/hidden/path'\nallow_private = true\nmin_severity = 'high'\n",
        receiver.address
    );
    let target = with_secret(&toml, "R0123456789ABCDEF").targets[0].clone();
    let tried = try_out(target, now).await;
    let got = taken(&mut receiver);
    let actions: Vec<_> = got.iter().map(|(_, event)| event["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(got[0].1["dedup_key"], got[1].1["dedup_key"]);
    assert_eq!(got[0].1["payload"]["severity"], "error", "as grave as the target wants");
    assert!(
        got[0].1["payload"]["summary"].as_str().unwrap().contains("TEST by `egret notify test")
    );
    assert_eq!(tried.iter().map(|tried| tried.change).collect::<Vec<_>>(), ["opened", "closed"]);
    for tried in tried {
        tried.outcome.unwrap();
        let [said, answered] = &tried.conversation[..] else { panic!("{:?}", tried.conversation) };
        assert!(said.starts_with(&format!("> POST http://{}, ", receiver.address)), "{said}");
        assert!(said.contains("(hidden)"), "{said}");
        assert!(!said.contains("R0123456789ABCDEF") && !said.contains("hidden/path"), "{said}");
        assert_eq!(answered, "< answered 202 Accepted");
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_target_can_be_tried_out_and_takes_whole_lives() {
    let _clock = HeldClock::hold();
    let receiver = Receiver::start(|request| {
        let is_for = |part| request.line.contains(part);
        match () {
            () if is_for("/oauth2/") => answer(&json!({ "access_token": "t", "expires_in": 3599 })),
            () if is_for("/_bulk") => {
                answer(&json!({ "errors": false, "items": [{ "create": { "status": 201 } }] }))
            }
            () if is_for("/collector/") => answer(&json!({ "text": "Success", "code": 0 })),
            () => status("202 Accepted"),
        }
    })
    .await;
    let (rsyslog, syslog_ng) = (Rsyslog::start(None).await, SyslogNg::start(None).await);
    let url = format!("http://{}", receiver.address);
    let mut toml = format!(
        "[[targets]]\nkind = 'syslog'\nname = 'syslog-ng'\naddress = 'localhost:{}'\n",
        syslog_ng.port
    );
    for (kind, lines) in [
        ("syslog", format!("address = 'localhost:{}'", rsyslog.port)),
        ("webhook", format!("url = '{url}'\nallow_private = true\nsecret_file = 'DIR/secret'")),
        ("splunk", format!("url = '{url}'\ntoken_file = 'TOKEN'")),
        ("elastic", format!("url = '{url}'\napi_key_file = 'TOKEN'")),
        (
            "sentinel",
            format!(
                "url = '{url}'\nrule_id = 'r'\ndirectory_id = 'd'\nclient_id = 'c'\n\
                 client_secret_file = 'TOKEN'\nlogin_url = '{url}'"
            ),
        ),
        ("slack", "url_file = 'TOKEN'\nallow_private = true".to_owned()),
        ("pagerduty", format!("url = '{url}'\nrouting_key_file = 'TOKEN'\nallow_private = true")),
        ("alertmanager", format!("url = '{url}'")),
        ("file", "path = 'DIR/alerts.json'".to_owned()),
    ] {
        toml += &format!("[[targets]]\nkind = '{kind}'\nname = '{kind}'\n{lines}\n");
    }
    let outbox = with_secret(&toml, &format!("{url}/services/T0/B0/x"));
    for target in &outbox.targets {
        let tried = try_out(target.clone(), now).await;
        let told: Vec<_> = tried.iter().map(|tried| (tried.change, &tried.outcome)).collect();
        assert_eq!(told, [("opened", &Ok(())), ("closed", &Ok(()))], "{}", target.name);
        for tried in &tried {
            let said = tried.conversation.first().map(String::as_str).unwrap_or_default();
            assert!(said.starts_with("> "), "{}: {:?}", target.name, tried.conversation);
        }
    }
    // Mail and Kafka are tried out where their servers are.
    assert_eq!(outbox.targets.len(), 10);
    deliver(&outbox).await;
    for target in &outbox.targets {
        assert_eq!(
            outbox.counts(&target.name),
            (0, 0),
            "{}: taken, and none given up",
            target.name
        );
    }
    let changes = |messages: Vec<Value>, data: &str| {
        let changes = messages.iter().map(|one| one[data]["egret@32473"]["change"].clone());
        let mut changes: Vec<_> = changes.map(|one| one.as_str().unwrap().to_owned()).collect();
        changes.sort();
        changes
    };
    let mut expected: Vec<_> = lives().iter().map(|change| change.kind.word().to_owned()).collect();
    expected.extend(["opened", "closed"].map(str::to_owned));
    expected.sort();
    assert_eq!(changes(rsyslog.messages(12).await, "rfc5424-sd"), expected);
    assert_eq!(changes(syslog_ng.messages(12).await, "_SDATA"), expected);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_pagerduty_finds_wrong_is_not_sent_again() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("400 Bad Request")).await;
    let toml = format!(
        "[[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'TOKEN'\n\
         url = 'http://{}/'\nallow_private = true\n",
        receiver.address
    );
    let outbox = with_secret(&toml, "key");
    let running = outbox.start();
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    receiver.next().await;
    until("it is dead", || outbox.counts("pager") == (0, 1)).await;
    running.stop().await;
    assert_eq!(outbox.dead_error(), "answered 400 Bad Request");
}
