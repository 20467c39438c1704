//! Fields of a team's own in every kind of target, held against what others publish about it.

use egret_analyzer::{ChangeKind, Incident};
use serde_json::{Value, json};

use crate::http::{Receiver, Request, status};
use crate::lives::{answer, taken, with_secret};
use crate::outbox::{HeldClock, Outbox, until};
use crate::rsyslog::Rsyslog;
use crate::sample::{change, hostile, incident};
use crate::validators::validate;
use crate::{ecs, outputs};

/// An incident whose tenant has a name that breaks receivers which are not careful.
fn owned() -> Incident {
    let mut owned = incident("a");
    owned.origin.tenant = Some(hostile().into());
    owned
}

/// Delivers its begin.
async fn deliver(outbox: &Outbox) {
    let running = outbox.start();
    outbox.put(&[change(ChangeKind::Opened, 0, owned())]);
    let is_done = || outbox.targets.iter().all(|target| outbox.counts(&target.name) == (0, 0));
    until("all is delivered", is_done).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn documents_have_them_where_their_names_lead_and_stay_what_the_schemas_allow() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|request| {
        let is_for = |part| request.line.contains(part);
        match () {
            () if is_for("/oauth2/") => answer(&json!({ "access_token": "t", "expires_in": 3599 })),
            () if is_for("/_bulk") => {
                answer(&json!({ "errors": false, "items": [{ "create": { "status": 201 } }] }))
            }
            () => answer(&json!({ "text": "Success", "code": 0 })),
        }
    })
    .await;
    let url = format!("http://{}", receiver.address);
    let ecs = "fields = { 'organization.name' = 'incident.origin.tenant' }\n\
               constants = { 'labels.site' = 'berlin' }\n";
    let toml = format!(
        "[[targets]]\nkind = 'file'\nname = 'ecs'\npath = 'DIR/ecs'\nformat = 'ecs'\n{ecs}\
         [[targets]]\nkind = 'elastic'\nname = 'elastic'\nurl = '{url}'\napi_key_file = 'TOKEN'\n{ecs}\
         [[targets]]\nkind = 'file'\nname = 'ocsf'\npath = 'DIR/ocsf'\nformat = 'ocsf'\n\
         fields = {{ 'unmapped.team' = 'incident.origin.tenant', 'metadata.tenant_uid' = 'incident.origin.segment' }}\n\
         [[targets]]\nkind = 'file'\nname = 'own'\npath = 'DIR/own'\n\
         fields = {{ 'team.name' = 'incident.origin.tenant', 'first_port' = 'incident.ports.0' }}\n\
         constants = {{ 'team.tier' = 2 }}\n\
         [[targets]]\nkind = 'webhook'\nname = 'hook'\nurl = '{url}/hook'\nallow_private = true\n\
         secret_file = 'DIR/secret'\nfields = {{ 'title' = 'message' }}\n\
         [[targets]]\nkind = 'splunk'\nname = 'splunk'\nurl = '{url}'\ntoken_file = 'TOKEN'\n\
         fields = {{ 'team' = 'incident.origin.tenant' }}\n\
         [[targets]]\nkind = 'sentinel'\nname = 'sentinel'\nurl = '{url}'\nrule_id = 'r'\n\
         directory_id = 'd'\nclient_id = 'c'\nclient_secret_file = 'TOKEN'\nlogin_url = '{url}'\n\
         fields = {{ 'Team' = 'incident.origin.tenant' }}\n"
    );
    let outbox = with_secret(&toml, "dG9rZW4=");
    deliver(&outbox).await;
    let line = |name: &str| -> Value {
        let text = std::fs::read_to_string(outbox.path().with_file_name(name)).unwrap();
        serde_json::from_str(text.trim_end()).unwrap()
    };
    let written = line("ecs");
    assert_eq!(written["organization"]["name"], hostile());
    assert_eq!(written["labels"], json!({ "site": "berlin" }));
    ecs::check(&[written]);
    let event = line("ocsf");
    assert_eq!(event["unmapped"]["team"], hostile());
    assert_eq!(event["unmapped"]["change"], "opened", "what is there beside it stays");
    assert_eq!(event["metadata"]["tenant_uid"], "pods");
    validate(&[("ocsf", json!("1.5.0"), event)]);
    let own = line("own");
    assert_eq!(own["team"], json!({ "name": hostile(), "tier": 2 }));
    assert_eq!([&own["first_port"], &own["type"]], [&json!(443), &json!("incident.opened")]);
    let found: Vec<_> = taken(&mut receiver).iter().filter_map(own_field).collect();
    let title = "Incident opened: 10.20.0.17 sent 48 MiB to paste.example.net";
    assert_eq!(found.iter().filter(|value| **value == title).count(), 1, "{found:?}");
    assert_eq!(found.iter().filter(|value| **value == hostile()).count(), 3, "{found:?}");
}

/// The field that the webhook, Elastic, Splunk or Sentinel was sent. `None`: it was a login.
fn own_field((request, body): &(Request, Value)) -> Option<Value> {
    let is_for = |part| request.line.contains(part);
    match () {
        () if is_for("/hook") => Some(body["title"].clone()),
        () if is_for("/_bulk") => {
            let document: Value = serde_json::from_str(request.body.lines().nth(1)?).unwrap();
            Some(document["organization"]["name"].clone())
        }
        () if is_for("/collector/") => Some(body["event"]["team"].clone()),
        () if is_for("/streams/") => Some(body[0]["Team"].clone()),
        () => None,
    }
}

#[tokio::test(start_paused = true)]
async fn lines_have_them_as_pairs_behind_rsyslog() {
    let _clock = HeldClock::hold();
    let mut rsyslog = Rsyslog::start(None).await;
    let mut toml = String::new();
    for (format, fields, constant) in [
        ("rfc5424", "'team' = 'incident.origin.tenant', 'dpt' = 'incident.hosts'", "site"),
        (
            "cef",
            "'suser' = 'incident.origin.tenant', 'dhost' = 'incident.destination'",
            "deviceFacility",
        ),
        ("leef", "'usrName' = 'incident.origin.tenant', 'sev' = 'incident.severity'", "site"),
    ] {
        toml += &format!(
            "[[targets]]\nkind = 'syslog'\nname = '{format}'\naddress = 'localhost:{}'\n\
             format = '{format}'\nfields = {{ {fields} }}\nconstants = {{ {constant} = 'b=er\"lin]|^' }}\n",
            rsyslog.port
        );
    }
    let outbox = Outbox::new(&toml);
    deliver(&outbox).await;
    let messages = rsyslog.messages(3).await;
    rsyslog.stop().await;
    let begin = r"a\nb\r\n<0>1 - forged\u{0} \u{1b}[2J";
    for message in &messages {
        let text = message["msg"].as_str().unwrap().trim_start();
        if text.starts_with("CEF:") {
            let expected = json!({ "dhost": "example.net", "deviceFacility": "b=er\"lin]|^" });
            validate(&[("cef", expected, json!(text))]);
            assert_eq!(text.matches(" dhost=").count(), 1, "in place of Egret's own: {text}");
            assert!(text.contains(" suser=a\\\\nb\\\\r\\\\n<0>1 - forged"), "{text}");
        } else if text.starts_with("LEEF:") {
            outputs::check_leef(text);
            assert!(text.contains(r#"^site=b=er"lin]|\u{5e}^"#), "{text}");
            assert!(text.contains("^sev=high^") && !text.contains("^sev=8"), "{text}");
            assert!(text.contains(&format!("^usrName={begin}")), "{text}");
        } else {
            let data = &message["rfc5424-sd"]["egret@32473"];
            assert!(data["team"].as_str().unwrap().starts_with(begin), "{data}");
            assert_eq!([&data["site"], &data["dpt"]], ["b=er\"lin]|^", "paste.example.net"]);
        }
    }
    assert_eq!(messages.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn people_read_them_beside_the_rest() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("202 Accepted")).await;
    let url = format!("http://{}", receiver.address);
    let many: Vec<_> = (0..12).map(|n| format!("'Field {n}' = {n}")).collect();
    let toml = format!(
        "[[targets]]\nkind = 'slack'\nname = 'chat'\nurl_file = 'TOKEN'\nallow_private = true\n\
         fields = {{ 'Team' = 'incident.origin.tenant' }}\nconstants = {{ {} }}\n\
         [[targets]]\nkind = 'pagerduty'\nname = 'pager'\nrouting_key_file = 'TOKEN'\n\
         url = '{url}/pager'\nallow_private = true\n\
         fields = {{ 'custom_details.team' = 'incident.origin.tenant', 'group' = 'incident.ports' }}\n\
         constants = {{ 'custom_details.tier' = 2 }}\n",
        many.join(", ")
    );
    let outbox = with_secret(&toml, &format!("{url}/services/T0/B0/x"));
    deliver(&outbox).await;
    let begin = r"a\nb\r\n<0>1 - forged\u{0} \u{1b}[2J";
    let got = taken(&mut receiver);
    assert_eq!(got.len(), 2);
    for (request, body) in got {
        if request.line.contains("/pager") {
            let payload = &body["payload"];
            assert!(payload["custom_details"]["team"].as_str().unwrap().starts_with(begin));
            assert_eq!(
                [&payload["custom_details"]["tier"], &payload["group"]],
                [&json!(2), &json!("443")]
            );
            assert_eq!(
                payload["custom_details"]["rule"], "EGR-D2",
                "what is there beside it stays"
            );
            assert_eq!(body["dedup_key"], incident("a").id.to_string());
        } else {
            let fields = |n: usize| body["blocks"][n]["fields"].as_array().unwrap();
            assert_eq!(
                [fields(2).len(), fields(3).len()],
                [10, 3],
                "as many as Slack takes at once"
            );
            let first = fields(2)[0]["text"].as_str().unwrap();
            assert!(first.starts_with(&format!("Team\n{begin}")), "{first}");
            validate(&[("slack", json!(null), body)]);
        }
    }
}

#[test]
fn a_name_that_a_receiver_has_no_place_for_is_refused_at_the_start() {
    let syslog =
        |format: &str| format!("kind = 'syslog'\naddress = 'l.example:514'\nformat = '{format}'");
    let pager = "kind = 'pagerduty'\nrouting_key_file = 'TOKEN'".to_owned();
    let alertmanager = "kind = 'alertmanager'\nurl = 'http://a.example'".to_owned();
    let sentinel = "kind = 'sentinel'\nurl = 'https://s.example'\nrule_id = 'r'\ndirectory_id = 'd'\n\
                    client_id = 'c'\nclient_secret_file = 'TOKEN'";
    let slack = "kind = 'slack'\nurl_file = 'TOKEN'";
    let file = |format: &str| format!("kind = 'file'\npath = 'x'\nformat = '{format}'");
    for (target, fields, says) in [
        (syslog("rfc5424"), "'a b' = 'host'", "fields: \"a b\" has no place here: a parameter is"),
        (syslog("cef"), "'a.b' = 'host'", "fields: \"a.b\" has no place here: a key is"),
        (syslog("leef"), "'a-b' = 'host'", "fields: \"a-b\" has no place here: a key is"),
        (
            pager.clone(),
            "'dedup_key' = 'host'",
            "\"dedup_key\" has no place here: a name is component",
        ),
        (pager, "'custom_details.a.b' = 'host'", "has no place here"),
        (alertmanager.clone(), "'team' = 'host'", "a name is \"labels.x\" or \"annotations.x\""),
        (
            alertmanager.clone(),
            "'labels.severity' = 'host'",
            "alertname, incident and severity stay",
        ),
        (alertmanager.clone(), "'labels.score' = 'incident.score'", "make it an annotation"),
        (alertmanager, "'annotations.of' = 'roll_up.incidents'", "is not known any more"),
        (sentinel.to_owned(), "'a.b' = 'host'", "a column is a letter, then letters"),
        (slack.to_owned(), "'{LONG}' = 'host'", "a name has at most 64 bytes"),
        (file("ecs"), "'message.text' = 'host'", "has no place: a part of it is no object"),
        (file("ocsf"), "'severity_id.x' = 'host'", "has no place: a part of it is no object"),
        (file("egret"), "'a' = 'incident.titel'", "there is no \"titel\", only addresses,"),
    ] {
        let fields = fields.replace("{LONG}", &"n".repeat(65));
        let toml = format!("[[targets]]\nname = 't'\n{target}\nfields = {{ {fields} }}\n");
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "https://hooks.slack.example/services/x").unwrap();
        let toml = toml.replace("TOKEN", token.to_str().unwrap());
        let raw: egret_notify::RawNotify = toml::from_str(&toml).unwrap();
        let error = raw.check().unwrap_err().to_string();
        assert!(error.starts_with("notify.targets[0].fields: ") && error.contains(says), "{error}");
    }
}
