//! Faults of one receiver, as a table of tried and seen: what becomes of its alerts, and of the others'.
//!
//! Time is simulated, so that ten minutes pass at once. Each fault is one of a webhook receiver; another receiver
//! is well all the time. What only a real process or a real cable can do (to be killed at each step of a delivery, to
//! be pulled) is tried in `tests/it/faults/delivery.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use egret_analyzer::{ChangeKind, IncidentChange};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::http::{Receiver, Request, status, target};
use crate::outbox::{HeldClock, Outbox, breathe, now};
use crate::sample::{change, incident};

/// The life of three incidents, in the order in which it happens.
fn lives() -> Vec<IncidentChange> {
    let names = ["a", "b", "c"];
    let step = |kind, number| names.map(|name| change(kind, number, incident(name)));
    [step(ChangeKind::Opened, 0), step(ChangeKind::Grew, 1), step(ChangeKind::Closed, 2)].concat()
}

/// What a receiver was told: by incident, the kinds of alerts in the order in which they came; and how many came more
/// than once.
#[derive(Debug, Default)]
struct Told {
    incidents: BTreeMap<String, Vec<String>>,
    ids: BTreeMap<String, usize>,
}

impl Told {
    fn hear(&mut self, request: &Request) {
        let id = request.header("webhook-id").to_owned();
        let times = self.ids.entry(id).or_default();
        *times += 1;
        if *times == 1 {
            let (kind, incident) = request.told();
            self.incidents.entry(incident).or_default().push(kind);
        }
    }

    fn hear_all(&mut self, receiver: &mut Receiver) {
        while let Ok(request) = receiver.requests.try_recv() {
            self.hear(&request);
        }
    }

    /// All nine alerts came, those of an incident in their order. A receiver that knows their ids takes each once.
    fn assert_whole(&self, fault: &str) {
        assert_eq!(self.incidents.len(), 3, "{fault}: {:?}", self.incidents);
        for kinds in self.incidents.values() {
            assert_eq!(*kinds, ["incident.opened", "incident.grew", "incident.closed"], "{fault}");
        }
    }

    fn repeats(&self) -> usize {
        self.ids.values().map(|times| times - 1).sum()
    }
}

/// A receiver that has a fault for ten minutes, and one that is well.
struct Trial {
    clock: HeldClock,
    outbox: Outbox,
    healthy: Receiver,
    fault: &'static str,
}

impl Trial {
    async fn new(fault: &'static str, url: &str, more: &str) -> Self {
        let clock = HeldClock::hold();
        let healthy = Receiver::start(|_| status("200 OK")).await;
        let toml = target("faulty", url) + more + "\n" + &healthy.target("healthy");
        Self { clock, outbox: Outbox::new(&toml), healthy, fault }
    }

    /// Lets ten minutes pass with the fault, while the lives happen; then what follows `repair` until all is told.
    /// `hear` takes in what the faulty receiver has been told.
    async fn run(mut self, repair: impl AsyncFnOnce(&mut Outbox), mut hear: impl FnMut(&mut Told)) {
        let (mut told, mut others) = (Told::default(), Told::default());
        let running = self.outbox.start();
        let begun = now();
        let mut longest = Duration::ZERO;
        for life in lives() {
            let queued = now();
            self.outbox.put(&[life]);
            // The other receiver has it before time moves on.
            let before = others.ids.len();
            for _ in 0..400 {
                others.hear_all(&mut self.healthy);
                if others.ids.len() > before {
                    break;
                }
                breathe().await;
            }
            longest = longest.max(now().since(queued));
            self.pass(Duration::from_secs(67), &mut told, &mut hear).await;
        }
        assert!(now().since(begun) >= Duration::from_secs(600));
        others.assert_whole(self.fault);
        assert_eq!(others.repeats(), 0, "{}", self.fault);
        running.stop_hanging(&self.clock).await;
        repair(&mut self.outbox).await;
        let running = self.outbox.start();
        let mut waited = 0;
        while told.ids.len() < 9 {
            self.pass(Duration::from_secs(60), &mut told, &mut hear).await;
            waited += 1;
            assert!(waited < 60 * 48, "{}: {:?}", self.fault, told.incidents);
        }
        running.stop_hanging(&self.clock).await;
        hear(&mut told);
        told.assert_whole(self.fault);
        assert_eq!(longest, Duration::ZERO, "{}: the other receiver was told late", self.fault);
        let (fault, alerts, repeats) = (self.fault, told.ids.len(), told.repeats());
        tell(
            fault,
            &format!(
                "| {fault} | for 10 min | {alerts} | {alerts} | {repeats} | all of them within {waited} min after it; the other receiver at once |"
            ),
        );
    }

    /// Lets time pass by steps that nobody sleeps through.
    async fn pass(&self, time: Duration, told: &mut Told, hear: &mut impl FnMut(&mut Told)) {
        let until = now() + time;
        while now() < until {
            self.clock.advance(until.since(now()).min(Duration::from_secs(1))).await;
            breathe().await;
            hear(told);
        }
    }
}

/// Writes a row of the table down: `tests/faults.sh` makes `tests/FAULTS.md` of them.
fn tell(fault: &str, row: &str) {
    println!("{row}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/delivery-faults");
    let name: String =
        fault.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/{name}"), format!("{row}\n")).unwrap();
}

/// One whose answers depend on whether it still has its fault.
async fn answering(fault: &'static str, answer: impl Fn() -> Option<String> + Send + 'static) {
    let has_fault = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&has_fault);
    let mut receiver =
        Receiver::start(move |_| if asked.load(Relaxed) { answer() } else { status("200 OK") })
            .await;
    let url = format!("http://{}/", receiver.address);
    let trial = Trial::new(fault, &url, "").await;
    trial
        .run(
            async |outbox| {
                has_fault.store(false, Relaxed);
                // What was given up is sent when a person says so.
                outbox.store.replay_dead_letters(None, None, now()).unwrap();
            },
            |told| told.hear_all(&mut receiver),
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_down() {
    let free = std::net::SocketAddr::from(([127, 0, 0, 1], crate::ports::free_port()));
    let trial = Trial::new("down for 10 min", &format!("http://{free}/"), "").await;
    let mut receiver = None;
    let (tell, up) = std::sync::mpsc::channel();
    trial
        .run(
            async |_| {
                let listener = TcpListener::bind(free).await.unwrap();
                tell.send(Receiver::on(listener, None, |_| status("200 OK"))).unwrap();
            },
            |told| {
                receiver = receiver.take().or_else(|| up.try_recv().ok());
                receiver.iter_mut().for_each(|receiver| told.hear_all(receiver));
            },
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn receivers_that_answer_and_do_not_take_it() {
    answering("500", || status("500 Internal Server Error")).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_to_be_left_alone() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";
    answering("429, Retry-After: 120", || Some(busy.to_owned())).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_wants_no_more() {
    answering("410 (replayed by a person)", || status("410 Gone")).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_the_request_and_says_nothing() {
    answering("half-open: no answer, no end", || None).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_reads_and_answers_a_byte_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let is_slow = Arc::new(AtomicBool::new(true));
    let (seen, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let slow = Arc::clone(&is_slow);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (slow, seen) = (Arc::clone(&slow), seen.clone());
            tokio::spawn(async move {
                let second = || tokio::time::sleep(Duration::from_secs(1));
                let mut text = Vec::new();
                let mut byte = [0; 1];
                while !is_whole(&text) {
                    if slow.load(Relaxed) {
                        second().await;
                    }
                    match stream.read(&mut byte).await {
                        Ok(1) => text.push(byte[0]),
                        _ => return,
                    }
                }
                _ = seen.send(Request::parse(&text));
                for byte in b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" {
                    if slow.load(Relaxed) {
                        second().await;
                    }
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let trial = Trial::new("slow: 1 byte a second", &format!("http://{address}/"), "").await;
    trial
        .run(
            async |_| is_slow.store(false, Relaxed),
            |told| {
                while let Ok(request) = taken.try_recv() {
                    told.hear(&request);
                }
            },
        )
        .await;
}

/// Whether a request is all there.
fn is_whole(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_receiver_whose_certificate_has_ended() {
    certificate("TLS: expired", |authority| authority.certify_expired("localhost").server()).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_with_the_name_of_another() {
    certificate("TLS: wrong host name", |authority| authority.certify("other.example").server())
        .await;
}

/// One that shows a bad certificate for ten minutes, then a good one.
async fn certificate(fault: &'static str, bad: impl Fn(&Authority) -> Arc<ServerConfig>) {
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let first = Receiver::on(listener, Some(bad(&authority)), |_| status("200 OK"));
    let url = format!("https://localhost:{}/", address.port());
    let ca = format!("ca = '{}/ca.pem'", dir.path().display());
    let trial = Trial::new(fault, &url, &ca).await;
    let mut receivers = vec![first];
    let (tell, repaired) = std::sync::mpsc::channel();
    trial
        .run(
            async |outbox| {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let port = listener.local_addr().unwrap().port();
                let good = authority.certify("localhost").server();
                tell.send(Receiver::on(listener, Some(good), |_| status("200 OK"))).unwrap();
                let toml = target("faulty", &format!("https://localhost:{port}/")) + &ca;
                outbox.configure(&toml);
            },
            |told| {
                receivers.extend(repaired.try_recv());
                receivers.iter_mut().for_each(|receiver| told.hear_all(receiver));
            },
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_whose_name_leads_nowhere() {
    // RFC 6761: there is never such a name.
    let trial = Trial::new("DNS: no such name", "http://egret.invalid/", "").await;
    let mut receiver = Receiver::start(|_| status("200 OK")).await;
    let toml = receiver.target("faulty");
    trial.run(async |outbox| outbox.configure(&toml), |told| told.hear_all(&mut receiver)).await;
}
