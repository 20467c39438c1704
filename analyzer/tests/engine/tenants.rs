//! What is left with strangers on services that everybody uses, and what is no stranger's.

use egret_analyzer::{AnalyzerConfig, Detector, Engine, Incident, IncidentChange};
use egret_event::{BlockReason, Event, Fact, Verdict};

use crate::traffic::*;

const KIB: u64 = 1 << 10;
const DAY_MS: i64 = 86_400_000;

/// A request as a proxy logs it that looks into TLS: method, host and path, and the bytes sent.
fn request(executor: &mut Executor, ms: i64, [method, host, path]: [&str; 3], bytes: u64) -> Event {
    let mut event = executor.logged(ms, host, Some(bytes), 400);
    let Fact::Http(request) = &mut event.fact else { unreachable!("a log tells of requests") };
    request.method = method.into();
    request.path = Some(path.into());
    request.duration_ms = Some(100);
    event
}

fn push(executor: &mut Executor, ms: i64, owner: &str, bytes: u64) -> Event {
    let path = format!("/{owner}/service.git/git-receive-pack");
    request(executor, ms, ["POST", "github.com", &path], bytes)
}

fn strangers(incidents: Vec<Incident>) -> Vec<Incident> {
    let is_found = |incident: &Incident| {
        incident.explanation.findings.iter().any(|f| f.detector == Detector::ForeignTenant)
    };
    incidents.into_iter().filter(is_found).collect()
}

/// An engine that has seen a session a day, each with what `act` does in it.
fn taught(
    days: std::ops::Range<i64>,
    act: impl Fn(&mut Executor, i64) -> Vec<Event>,
) -> (Engine, Vec<IncidentChange>) {
    let mut engine = Engine::new(AnalyzerConfig::default());
    let mut changes = Vec::new();
    for day in days {
        let mut executor = Executor::new(&format!("sandbox-{day}"));
        let mut events = vec![executor.flow(day * DAY_MS, web("pypi.org"), 2_000, 90_000)];
        events.extend(act(&mut executor, day));
        engine.observe(&events, &mut changes);
    }
    engine.tick(at(500 * DAY_MS), &mut changes);
    (engine, changes)
}

/// What an engine opens in a session of day 501.
fn then(engine: &mut Engine, act: impl Fn(&mut Executor, i64) -> Vec<Event>) -> Vec<Incident> {
    let mut changes = Vec::new();
    let ms = 501 * DAY_MS;
    engine.observe(&act(&mut Executor::new("sandbox-501"), ms), &mut changes);
    strangers(opened(&changes).into_iter().map(|change| change.incident.clone()).collect())
}

#[test]
fn a_gist_is_found_in_the_first_session_and_explained() {
    let mut executor = Executor::new("sandbox-1");
    let gist = request(&mut executor, 0, ["POST", "api.github.com", "/gists"], 3 * KIB);
    let found = strangers(incidents(&[gist]));
    assert_eq!(destinations(&found), ["github.com"]);
    let why = &found[0].explanation;
    assert_eq!(why.findings[0].detector, Detector::ForeignTenant);
    assert_eq!(why.techniques[0].id, "T1567.001");
    assert_eq!(
        found[0].title,
        "3.0 KiB left with a stranger at a code host's snippets: api.github.com"
    );
    let words = "wrote 3.0 KiB to a code host's snippets (api.github.com); nothing was learned yet";
    assert!(why.summary.contains(words), "{}", why.summary);
    assert!(why.next_steps.iter().any(|step| step.contains("take down")), "{:?}", why.next_steps);
}

#[test]
fn services_that_executors_seldom_write_to_are_found_at_once_blocked_or_not() {
    let cases = [
        (["POST", "hooks.slack.com", "/services/T04/B07/secret"], "T1567.004"),
        (["POST", "discord.com", "/api/webhooks/1187/secret"], "T1567.004"),
        (["GET", "api.telegram.org", "/bot99:secret/sendMessage"], "T1567.004"),
        (["GET", "webhook.site", "/6f1c"], "T1567.004"),
        (["POST", "pastebin.com", "/api/api_post.php"], "T1567.003"),
        (["POST", "quiet-moth.trycloudflare.com", "/in"], "T1572"),
        (["PUT", "transfer.sh", "/notes.txt"], "T1567.002"),
        (["PUT", "registry.npmjs.org", "/@quiet-moth%2futil"], "T1567"),
        (["POST", "upload.pypi.org", "/legacy/"], "T1567"),
    ];
    for (what, technique) in cases {
        let mut executor = Executor::new("sandbox-1");
        let allowed = request(&mut executor, 0, what, 300);
        let mut blocked = request(&mut executor, 0, what, 300);
        blocked.verdict = Verdict::Blocked(BlockReason::ProxyDenied);
        for event in [allowed, blocked] {
            let found = strangers(incidents(&[event]));
            assert_eq!(found.len(), 1, "{what:?}");
            assert_eq!(found[0].explanation.techniques[0].id, technique, "{what:?}");
            let Incident { title, explanation, observed, .. } = &found[0];
            assert!(!explanation.summary.contains("secret"), "{what:?}");
            assert_eq!(title.contains("tried to"), observed.contacts_blocked > 0, "{title}");
        }
    }
}

#[test]
fn where_only_the_host_is_seen_the_bytes_tell_a_write() {
    let one = |host: &str, up: u64, down: u64| {
        let mut executor = Executor::new("sandbox-1");
        let seen =
            [executor.flow(0, web(host), up, down), executor.logged(0, host, Some(up), down)];
        seen.map(|event| strangers(incidents(&[event])).len())
    };
    assert_eq!(one("paste.rs", 9 * KIB, 5 * KIB), [1, 1]);
    assert_eq!(one("registry.npmjs.org", 300 * KIB, 5 * KIB), [1, 1]);
    assert_eq!(one("hooks.slack.com", 900, 4 * KIB), [1, 1]);
    assert_eq!(one("gist.github.com", 40 * KIB, 5 * KIB), [1, 1]);
    assert_eq!(one("paste.rs", 2 * KIB, 5 * KIB), [0, 0], "somebody reads a paste");
    assert_eq!(one("pastebin.com", 30 * KIB, 900 * KIB), [0, 0], "a browser reads pastes");
    assert_eq!(one("registry.npmjs.org", 40 * KIB, 6 * KIB), [0, 0], "an audit");
    assert_eq!(one("registry.npmjs.org", 400 * KIB, 90_000 * KIB), [0, 0], "an install");
    assert_eq!(one("dc.services.visualstudio.com", 900 * KIB, 6 * KIB), [0, 0], "telemetry");
    assert_eq!(one("discord.com", 40 * KIB, 6 * KIB), [0, 0], "a web page or a hook");
}

#[test]
fn first_sessions_push_upload_and_fetch_without_an_alert() {
    let mut executor = Executor::new("sandbox-1");
    let mut requests = Vec::new();
    for (what, bytes) in [
        (["POST", "github.com", "/acme/service.git/git-receive-pack"], 60 * KIB),
        (["POST", "github.com", "/acme/service.git/git-upload-pack"], 9 * KIB),
        (["POST", "api.github.com", "/repos/acme/service/pulls"], 4 * KIB),
        (["POST", "api.github.com", "/graphql"], 9 * KIB),
        (["PUT", "acme-results.s3.eu-central-1.amazonaws.com", "/run/1.json"], 200 * KIB),
        (["PUT", "storage.googleapis.com", "/acme-results/1.json"], 200 * KIB),
        (["PUT", "ghcr.io", "/v2/acme/service/manifests/latest"], 4 * KIB),
        (["POST", "huggingface.co", "/api/models/acme/encoder/commit/main"], 2 * KIB),
        (["POST", "api.openai.com", "/v1/files"], 90 * KIB),
        (["POST", "registry.npmjs.org", "/-/npm/v1/security/advisories/bulk"], 40 * KIB),
        (["GET", "pastebin.com", "/raw/abc"], 300),
        (["GET", "upload.wikimedia.org", "/a.png"], 300),
    ] {
        requests.push(request(&mut executor, 1000 * requests.len() as i64, what, bytes));
    }
    assert_eq!(destinations(&strangers(incidents(&requests))), [] as [&str; 0]);
}

#[test]
fn a_whole_repository_with_its_history_is_found_at_a_strangers_at_once() {
    let mut executor = Executor::new("sandbox-1");
    assert_eq!(strangers(incidents(&[push(&mut executor, 0, "quiet-moth", 800 * KIB)])).len(), 1);
}

#[test]
fn one_small_push_to_a_stranger_is_found_once_the_template_is_known() {
    let own = |executor: &mut Executor, day: i64| {
        vec![push(executor, day * DAY_MS + 1000, "acme", 20 * KIB)]
    };
    let (mut engine, changes) = taught(0..40, own);
    assert!(changes.iter().all(|change| change.kind != egret_analyzer::ChangeKind::Opened));
    assert!(then(&mut engine, |e, ms| vec![push(e, ms, "acme", 60 * KIB)]).is_empty());
    let found = then(&mut engine, |e, ms| vec![push(e, ms, "quiet-moth", 900)]);
    assert_eq!(destinations(&found), ["github.com"]);
    let words = &found[0].explanation.findings[0].words;
    assert!(words.contains("none of 40 sessions of template \"python\" did so before"), "{words}");
    let (mut engine, _) = taught(0..40, own);
    let blocked = then(&mut engine, |e, ms| {
        let verdict = Verdict::Blocked(BlockReason::ProxyDenied);
        vec![Event { verdict, ..push(e, ms, "quiet-moth", 900) }]
    });
    assert_eq!(blocked.len(), 1, "a write that was refused counts as much");
}

#[test]
fn whom_sessions_write_to_or_read_from_now_and_then_is_no_stranger() {
    let (mut engine, _) = taught(0..60, |executor, day| {
        let ms = day * DAY_MS + 1000;
        let rarely = (day % 25 == 3).then(|| push(executor, ms + 9_000, "globex", 20 * KIB));
        let fetch = ["POST", "github.com", "/initech/tools.git/git-upload-pack"];
        let mut events =
            vec![push(executor, ms, "acme", 20 * KIB), request(executor, ms + 5_000, fetch, 600)];
        events.extend(rarely);
        events
    });
    for owner in ["globex", "initech"] {
        assert!(
            then(&mut engine, |e, ms| vec![push(e, ms, owner, 20 * KIB)]).is_empty(),
            "{owner}"
        );
    }
    assert_eq!(then(&mut engine, |e, ms| vec![push(e, ms, "quiet-moth", 900)]).len(), 1);
}

#[test]
fn a_template_that_writes_to_ever_new_tenants_raises_no_alerts() {
    let (mut engine, changes) = taught(0..400, |executor, day| {
        vec![push(executor, day * DAY_MS + 1000, &format!("customer-{day}"), 20 * KIB)]
    });
    assert!(opened(&changes).is_empty());
    assert!(then(&mut engine, |e, ms| vec![push(e, ms, "customer-501", 20 * KIB)]).is_empty());
}

#[test]
fn a_template_that_never_pushed_is_not_held_to_it_before_hundreds_of_sessions() {
    let never = |_: &mut Executor, _: i64| Vec::new();
    let first_push = |e: &mut Executor, ms| vec![push(e, ms, "acme", 20 * KIB)];
    let (mut few, _) = taught(0..100, never);
    assert!(then(&mut few, first_push).is_empty());
    let (mut many, _) = taught(0..400, never);
    assert_eq!(then(&mut many, first_push).len(), 1);
}

#[test]
fn sessions_that_use_one_host_may_use_another_one_of_the_service() {
    let results = |executor: &mut Executor, day: i64| {
        vec![executor.flow(day * DAY_MS + 1000, web("api.github.com"), 40 * KIB, 5 * KIB)]
    };
    let first_push = |e: &mut Executor, ms| vec![e.flow(ms, web("github.com"), 40 * KIB, 5 * KIB)];
    let (mut few, _) = taught(0..100, results);
    assert!(then(&mut few, first_push).is_empty());
    let (mut many, _) = taught(0..400, results);
    assert_eq!(then(&mut many, first_push).len(), 1);
}

#[test]
fn a_hook_that_sessions_use_is_learned_and_another_ones_is_not() {
    let hook = |team: &str| format!("/services/{team}/B07/secret");
    let (mut engine, changes) = taught(0..60, |executor, day| {
        let path = hook("T04");
        vec![request(executor, day * DAY_MS + 1000, ["POST", "hooks.slack.com", &path], 400)]
    });
    let alerts = opened(&changes).len();
    assert!((1..=11).contains(&alerts), "a week of sessions waits before it teaches: {alerts}");
    let post = |e: &mut Executor, ms, team: &str| {
        vec![request(e, ms, ["POST", "hooks.slack.com", &hook(team)], 400)]
    };
    assert!(then(&mut engine, |e, ms| post(e, ms, "T04")).is_empty());
    assert_eq!(then(&mut engine, |e, ms| post(e, ms, "T99")).len(), 1);
}
