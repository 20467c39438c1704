//! A real Alertmanager: what it knows, and what it knows again after it lost all.

use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use egret_analyzer::{ChangeKind, Incident, Severity};
use egret_event::Timestamp;
use serde_json::Value;

use crate::outbox::{HeldClock, Outbox, now, until};
use crate::ports::free_port;
use crate::sample::{AT, change, hostile, incident};

/// A real Alertmanager on loopback.
struct Alertmanager {
    url: String,
    process: Child,
    _dir: tempfile::TempDir,
}

impl Alertmanager {
    async fn start(port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        std::fs::write(&config, "route: { receiver: none }\nreceivers: [{ name: none }]\n")
            .unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let process = Command::new("/usr/bin/prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("Alertmanager is needed: apt-get install prometheus-alertmanager");
        let started = Self { url: format!("http://127.0.0.1:{port}"), process, _dir: dir };
        until("Alertmanager listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
            .await;
        started
    }

    /// The severities of the alerts that are active.
    fn severities(&self) -> Vec<String> {
        let severity = |alert: &Value| alert["labels"]["severity"].as_str().unwrap().to_owned();
        self.active().iter().map(severity).collect()
    }

    /// The alerts that are active.
    fn active(&self) -> Vec<Value> {
        let output = Command::new("curl")
            .args(["-sS", "--noproxy", "*", &format!("{}/api/v2/alerts?active=true", self.url)])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Alertmanager has a clock of its own. Ours begins ten minutes behind it, and goes on as the test lets it, which
/// is less than that.
fn wall() -> Timestamp {
    static START: OnceLock<Timestamp> = OnceLock::new();
    let start = START.get_or_init(|| {
        let output = Command::new("date").arg("+%s").output().unwrap();
        let seconds = String::from_utf8(output.stdout).unwrap();
        Timestamp::from_secs(seconds.trim().parse().unwrap()) - Duration::from_secs(600)
    });
    *start + now().since(AT)
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_an_alert_until_it_is_closed_and_after_alertmanager_lost_all() {
    let clock = HeldClock::hold();
    let port = free_port();
    let alertmanager = Alertmanager::start(port).await;
    let toml = format!(
        "[[targets]]\nkind = 'alertmanager'\nname = 'am'\nurl = '{}'\n\
         fields = {{ 'labels.part' = 'incident.origin.segment', 'annotations.ports' = 'incident.ports' }}\n\
         constants = {{ 'labels.site' = 'berlin' }}\n",
        alertmanager.url
    );
    let outbox = Outbox::new(&toml);
    let running = outbox.start_by(wall);
    let (incident, other) = (incident("a"), incident("b"));
    let graver = Incident { severity: Severity::Critical, ..incident.clone() };
    outbox.put(&[change(ChangeKind::Opened, 0, incident.clone())]);
    until("the alert is active", || alertmanager.severities() == ["high"]).await;
    outbox.put(&[change(ChangeKind::Grew, 1, graver.clone())]);
    until("it is graver, and one", || alertmanager.severities() == ["critical"]).await;
    let active = alertmanager.active();
    assert_eq!(active[0]["labels"]["alertname"], "EgretIncident");
    assert_eq!(active[0]["labels"]["incident"], incident.id.to_string());
    assert_eq!(active[0]["annotations"]["rule"], "EGR-D2");
    let has_own_fields = |alert: &Value| {
        let (labels, annotations) = (&alert["labels"], &alert["annotations"]);
        [&labels["part"], &labels["site"], &annotations["ports"]] == ["pods", "berlin", "443"]
    };
    assert!(has_own_fields(&active[0]), "{}", active[0]);

    drop(alertmanager);
    let alertmanager = Alertmanager::start(port).await;
    assert!(alertmanager.active().is_empty());
    clock.advance(Duration::from_secs(300)).await;
    until("it is told again", || alertmanager.severities() == ["critical"]).await;
    assert!(has_own_fields(&alertmanager.active()[0]));
    outbox.put(&[change(ChangeKind::Closed, 2, graver)]);
    until("it is resolved", || alertmanager.active().is_empty()).await;
    outbox.put(&[change(ChangeKind::Opened, 0, Incident { id: other.id, ..incident })]);
    clock.advance(Duration::from_secs(300)).await;
    until("another one is told", || alertmanager.severities() == ["high"]).await;
    assert_eq!(alertmanager.active()[0]["labels"]["incident"], other.id.to_string());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hostile_names_are_labels_that_alertmanager_takes() {
    let _clock = HeldClock::hold();
    let alertmanager = Alertmanager::start(free_port()).await;
    let toml =
        format!("[[targets]]\nkind = 'alertmanager'\nname = 'am'\nurl = '{}'\n", alertmanager.url);
    let outbox = Outbox::new(&toml);
    let running = outbox.start_by(wall);
    let text = hostile();
    let mut nasty = Incident { title: text.clone(), ..incident("nasty") };
    nasty.origin.executor = text.as_str().into();
    nasty.destination = text.as_str().into();
    outbox.put(&[change(ChangeKind::Opened, 0, nasty)]);
    until("the alert is active", || alertmanager.severities() == ["high"]).await;
    let label = alertmanager.active()[0]["labels"]["executor"].as_str().unwrap().to_owned();
    assert!(label.starts_with(r"a\nb\r\n<0>1 - forged\u{0} \u{1b}[2J"), "{label}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn as_long_as_egret_is_well_an_alert_is_there_for_a_dead_man_s_switch() {
    let clock = HeldClock::hold();
    let alertmanager = Alertmanager::start(free_port()).await;
    let toml = format!(
        "[[targets]]\nkind = 'alertmanager'\nname = 'am'\nurl = '{}'\nheartbeat = '9m'\n\
         constants = {{ 'labels.site' = 'berlin' }}\n",
        alertmanager.url
    );
    let outbox = Outbox::new(&toml);
    let running = outbox.start_by(wall);
    // It is there for three beats: by Alertmanager's clock 17 minutes of 27, less what the tests took so far.
    until("the heartbeat is active", || alertmanager.severities() == ["none"]).await;
    let active = alertmanager.active();
    let labels = &active[0]["labels"];
    assert_eq!([&labels["alertname"], &labels["site"]], ["EgretHeartbeat", "berlin"]);
    let until_when = active[0]["endsAt"].clone();
    clock.advance(Duration::from_secs(540)).await;
    until("the next beat", || {
        alertmanager.active().first().is_some_and(|alert| alert["endsAt"] != until_when)
    })
    .await;
    assert_eq!(alertmanager.active().len(), 1, "it is the same alert, for longer");
    running.stop().await;
}
