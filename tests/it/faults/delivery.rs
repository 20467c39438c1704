//! What happens to alerts when Egret is killed at each step of their delivery, and when a cable is pulled under one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use egret_tests::capability::{Need, have};
use egret_tests::faults::{following, upload};
use egret_tests::namespaces::Namespaces;
use egret_tests::process::Process;
use egret_tests::receiver::whole;
use egret_tests::rows;
use egret_tests::running::{Place, Running};
use egret_tests::wait::until;
use serde_json::Value;

/// The moment of the first line.
const START_S: u64 = 1_767_600_000;

/// A log in which each line is an upload of another executor to another place: an incident of its own.
struct Uploads {
    path: PathBuf,
    written: u64,
}

impl Uploads {
    fn at(path: PathBuf) -> Self {
        File::create(&path).expect("the folder can be written");
        Self { path, written: 0 }
    }

    fn write(&mut self, uploads: u64) {
        let mut log = OpenOptions::new().append(true).open(&self.path).expect("the log is there");
        for _ in 0..uploads {
            self.written += 1;
            let (n, at) = (self.written, START_S + self.written);
            let line = upload(&format!("{at}.000"), &format!("10.20.1.{n}"), &format!("place-{n}"));
            log.write_all(line.as_bytes()).expect("the log can be written");
        }
    }
}

/// Where in a delivery Egret is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connected,
    HalfRequest,
    WholeRequest,
    HalfAnswer,
    WholeAnswer,
}

const STEPS: [Step; 5] =
    [Step::Connected, Step::HalfRequest, Step::WholeRequest, Step::HalfAnswer, Step::WholeAnswer];

/// What a receiver of webhooks got, and what it is to do next.
#[derive(Debug, Default)]
struct Desk {
    /// Kill this process at this step of the next delivery.
    kill: Option<(u32, Step)>,
    /// Each whole request: (id, kind, incident).
    got: Vec<(String, String, String)>,
}

/// A receiver that kills its sender when told to.
struct Receiver {
    url: String,
    desk: Arc<Mutex<Desk>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
        let desk = Arc::new(Mutex::new(Desk::default()));
        let shared = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that breaks is the point of the matter.
                let _ = serve(stream, &shared);
            }
        });
        Self { url, desk }
    }

    fn kill_at(&self, process: u32, step: Step) {
        self.desk.lock().expect("no panic").kill = Some((process, step));
    }

    fn has_killed(&self) -> bool {
        self.desk.lock().expect("no panic").kill.is_none()
    }

    fn got(&self) -> Vec<(String, String, String)> {
        self.desk.lock().expect("no panic").got.clone()
    }

    /// Distinct alerts.
    fn alerts(&self) -> usize {
        self.got().into_iter().map(|(id, ..)| id).collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// Serves one request of a connection, which ends with it.
fn serve(mut stream: TcpStream, desk: &Mutex<Desk>) -> std::io::Result<()> {
    let kill_at = |step: Step| {
        let mut desk = desk.lock().expect("no panic");
        if desk.kill.is_some_and(|(_, wanted)| wanted == step)
            && let Some((process, _)) = desk.kill.take()
        {
            let killed = Command::new("kill").args(["-KILL", &process.to_string()]).status();
            assert!(killed.is_ok_and(|status| status.success()), "it cannot be killed");
        }
    };
    kill_at(Step::Connected);
    let mut text = Vec::new();
    let mut bytes = [0; 512];
    let (head, body) = loop {
        let read = stream.read(&mut bytes)?;
        text.extend_from_slice(&bytes[..read]);
        kill_at(Step::HalfRequest);
        match whole(&text) {
            Some(request) => break request,
            None if read == 0 => return Ok(()),
            None => {}
        }
    };
    note(&head, &body, desk);
    kill_at(Step::WholeRequest);
    let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let (first, rest) = answer.split_at(20);
    stream.write_all(first)?;
    kill_at(Step::HalfAnswer);
    stream.write_all(rest)?;
    kill_at(Step::WholeAnswer);
    Ok(())
}

fn note(head: &str, body: &str, desk: &Mutex<Desk>) {
    let id = head.lines().find_map(|line| line.strip_prefix("webhook-id: ")).expect("an id");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let told = (id.to_owned(), text(&body["type"]), text(&body["data"]["incident"]["id"]));
    desk.lock().expect("no panic").got.push(told);
}

fn tell(fault: &str, done: &str, alerts: usize, told_twice: usize, told: &str) {
    let row = format!("| {fault} | {done} | {alerts} | {alerts} | {told_twice} | {told} |");
    rows::tell("target/delivery-faults", fault, &row);
}

#[test]
fn killed_at_each_step_of_a_delivery_every_alert_arrives_in_order() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    let receiver = Receiver::start();
    let mut uploads = Uploads::at(folder.path().join("access.log"));
    let configuration = format!(
        "{}[[notify.targets]]\nkind = 'webhook'\nname = 'hook'\nurl = '{}'\nsecret_file = '{}'\n\
         allow_private = true\n",
        following(&uploads.path, folder.path()),
        receiver.url,
        secret.display()
    );
    let mut egret = Running::start(folder.path(), &configuration);
    let mut expected = 0;
    for step in STEPS.into_iter().cycle().take(2 * STEPS.len()) {
        receiver.kill_at(egret.process.id(), step);
        uploads.write(3);
        expected += 3;
        until("egret to be killed", || receiver.has_killed().then_some(()));
        egret.process.kill();
        egret = Running::start(folder.path(), &configuration);
        until("what it was killed over to arrive", || {
            (receiver.alerts() >= expected).then_some(())
        });
    }
    // The ends of incidents come after their beginnings, also over a kill.
    let ids: Vec<String> = receiver.got().into_iter().map(|(_, _, incident)| incident).collect();
    receiver.kill_at(egret.process.id(), Step::WholeRequest);
    for id in ids.iter().collect::<std::collections::BTreeSet<_>>() {
        let url = format!("{}v1/incidents/{id}/close", egret.address);
        // It may have been killed by then.
        let _ = egret_tests::parts::post_json(&url, &serde_json::json!({}));
    }
    until("egret to be killed", || receiver.has_killed().then_some(()));
    egret.process.kill();
    let egret = Running::start(folder.path(), &configuration);
    for id in ids.iter().collect::<std::collections::BTreeSet<_>>() {
        let url = format!("{}v1/incidents/{id}/close", egret.address);
        let _ = egret_tests::parts::post_json(&url, &serde_json::json!({}));
    }
    until("the ends to arrive", || (receiver.alerts() >= 2 * expected).then_some(()));
    let mut lives: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let got = receiver.got();
    for (id, kind, incident) in &got {
        lives.entry(incident.clone()).or_default().push((id.clone(), kind.clone()));
    }
    assert_eq!(lives.len(), expected, "an incident is missing, or one too many");
    for told in lives.values_mut() {
        // What comes again comes under the same id, at once.
        told.dedup();
        let kinds: Vec<&str> = told.iter().map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(kinds, ["incident.opened", "incident.closed"]);
    }
    tell(
        "killed at each step of a delivery",
        "kill -9 by the receiver when connected, after a part of the request, all of it, a part of the answer, all of it: eleven times",
        2 * expected,
        got.len() - 2 * expected,
        "under the same id; each incident in order",
    );
}

/// A real rsyslogd that takes octet-counted TCP in a namespace, and writes each message as it came.
fn rsyslog(spaces: &Namespaces, folder: &Path) -> Process {
    let file = folder.join("rsyslog.conf");
    let configuration = format!(
        "global(workDirectory=\"{folder}\" maxMessageSize=\"64k\")\nmodule(load=\"imtcp\")\n\
         input(type=\"imtcp\" address=\"192.0.2.2\" port=\"10514\")\n\
         template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\n\
         action(type=\"omfile\" file=\"{folder}/received\" template=\"raw\")\n",
        folder = folder.display()
    );
    std::fs::write(&file, configuration).expect("the folder can be written");
    let mut command = spaces.command(&spaces.outside, "rsyslogd");
    command.args(["-n", "-f"]).arg(&file).arg("-i").arg(folder.join("rsyslog.pid"));
    let process = Process::start(command, &folder.join("rsyslog.log"));
    until("rsyslog to listen", || {
        let state = spaces.run(&spaces.outside, "ss", &["-Hltn"]);
        String::from_utf8_lossy(&state.stdout).contains("192.0.2.2:10514").then_some(())
    });
    process
}

/// How often each place was told of.
fn places(folder: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(folder.join("received")).unwrap_or_default();
    let mut places = BTreeMap::new();
    for line in text.lines() {
        let place = line.split("host=\"").nth(1).and_then(|rest| rest.split('"').next());
        *places.entry(place.unwrap_or(line).to_owned()).or_insert(0) += 1;
    }
    places
}

#[test]
fn alerts_written_to_a_connection_whose_cable_was_pulled_are_written_again() {
    const NAME: &str = "alerts_written_to_a_connection_whose_cable_was_pulled_are_written_again";
    if !have(NAME, &[Need::Namespaces, Need::Program("rsyslogd")]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the test");
    let spaces = Namespaces::new("cable");
    let mut receiver = rsyslog(&spaces, folder.path());
    let mut uploads = Uploads::at(folder.path().join("access.log"));
    let configuration = format!(
        "{}[[notify.targets]]\nkind = 'syslog'\nname = 'siem'\naddress = '192.0.2.2:10514'\n",
        following(&uploads.path, folder.path())
    );
    let gateway = Place::Namespace(spaces.gateway.clone());
    let egret = Running::start_in(gateway, folder.path(), &configuration);
    uploads.write(1);
    until("the first alert to arrive", || (places(folder.path()).len() == 1).then_some(()));
    // The receiver's end of the cable is dead: nothing comes back, not even a refusal.
    spaces.run(&spaces.outside, "ip", &["link", "set", "down0", "down"]);
    uploads.write(2);
    until("egret to have written them", || {
        let status = egret.status();
        let incidents = egret.get("v1/incidents")?["items"].as_array()?.len();
        (incidents == 3 && status["targets"][0]["waiting"] == 0).then_some(())
    });
    // Meanwhile the receiver loses power.
    receiver.kill();
    spaces.run(&spaces.outside, "ip", &["link", "set", "down0", "up"]);
    spaces.run(&spaces.outside, "ip", &["route", "replace", "default", "via", "192.0.2.1"]);
    let _receiver = rsyslog(&spaces, folder.path());
    uploads.write(1);
    until("all alerts to arrive", || (places(folder.path()).len() == 4).then_some(()));
    let places = places(folder.path());
    let twice = places.values().map(|times| times - 1).sum();
    tell(
        "half-open connection (syslog over TCP)",
        "cable pulled, two alerts written into the connection, the receiver killed and started, cable put back",
        4,
        twice,
        "written again to the next connection",
    );
}
