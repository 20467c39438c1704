//! A real broker of Kafka on loopback, and what a consumer reads from it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use egret_analyzer::ChangeKind;
use egret_notify::try_out;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::outbox::{HeldClock, Outbox, breathe, now, until};
use crate::ports::free_port;
use crate::sample::{change, hostile, incident};
use crate::validators::validate;

/// A broker that ends with this.
struct Broker {
    dir: TempDir,
    /// Without TLS; with TLS, clients' certificates or none; with TLS and a password.
    ports: [u16; 3],
    process: Child,
}

/// Where `deploy/setup.sh` puts the broker's jars.
fn jars() -> String {
    let jars = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kafka");
    assert!(jars.exists(), "Kafka is needed: run `deploy/setup.sh test`");
    format!("{}/*", jars.display())
}

fn java(heap: &str) -> Command {
    let mut java = Command::new("java");
    java.args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    java.arg("-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info");
    java.args(["-cp", &jars()]);
    java
}

impl Broker {
    async fn start(authority: &Authority) -> Self {
        let dir = TempDir::new().unwrap();
        let [plain, tls, sasl, controller] = std::array::from_fn(|_| free_port());
        let own = authority.certify("localhost");
        std::fs::write(dir.path().join("server.pem"), own.key + &own.chain).unwrap();
        authority.write(dir.path());
        let settings = dir.path().join("server.properties");
        let text = properties(dir.path(), [plain, tls, sasl, controller]);
        std::fs::write(&settings, text).unwrap();
        let formatted = java("-Xmx64m")
            .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(&settings)
            .output()
            .expect("java is needed: apt-get install openjdk-17-jre-headless");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let process = spawn(dir.path());
        let broker = Self { dir, ports: [plain, tls, sasl], process };
        broker.wait().await;
        broker
    }

    async fn wait(&self) {
        let log = self.log();
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        // It takes longer than most: a machine with two slow cores needs some 15 s.
        for _ in 0..4 {
            if text().contains("Kafka Server started") {
                return;
            }
            for _ in 0..2000 {
                if text().contains("Kafka Server started") {
                    return;
                }
                breathe().await;
            }
        }
        panic!("the broker did not start: {}", text());
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Ends it at once, and starts it again where it was.
    async fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.dir.path());
        self.wait().await;
    }

    async fn make_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let topic = NewTopic::new(name, 2, TopicReplication::Fixed(1));
        let made = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", format!("127.0.0.1:{}", self.ports[0]));
        config
    }

    /// The first `count` messages of a topic, by key: (id, body).
    async fn read(&self, topic: &str, count: usize) -> Vec<(String, String, Value)> {
        let mut config = self.client();
        config.set("group.id", "test").set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let mut read = Vec::new();
            for _ in 0..60 {
                if read.len() >= count {
                    break;
                }
                let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
                let message = message.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let id = message.headers().and_then(|headers| {
                    headers.iter().find(|header| header.key == "id")?.value.map(text)
                });
                let body = serde_json::from_slice(message.payload().unwrap()).unwrap();
                read.push((text(message.key().unwrap()), id.unwrap_or_default(), body));
            }
            read
        });
        reading.await.unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn spawn(dir: &Path) -> Child {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    java("-Xmx128m")
        .arg("kafka.Kafka")
        .arg(dir.join("server.properties"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn properties(dir: &Path, [plain, tls, sasl, controller]: [u16; 4]) -> String {
    let dir = dir.display();
    let listeners =
        format!("PLAINTEXT://127.0.0.1:{plain},SSL://localhost:{tls},SASL_SSL://localhost:{sasl}");
    format!(
        r#"process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
log.dirs={dir}/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.io.buffer.size=65536
num.network.threads=1
num.io.threads=2
background.threads=1
ssl.keystore.type=PEM
ssl.keystore.location={dir}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={dir}/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_egret="s3cret";
"#
    )
}

/// One incident's whole life.
fn life() -> Vec<egret_analyzer::IncidentChange> {
    let kinds = [
        ChangeKind::Opened,
        ChangeKind::Grew,
        ChangeKind::Acknowledged,
        ChangeKind::Resumed,
        ChangeKind::Closed,
    ];
    let nasty = hostile();
    let mut made = incident("hostile");
    made.title.clone_from(&nasty);
    made.origin.executor = nasty.as_str().into();
    let numbered = (0..).zip(kinds);
    let life = |of: egret_analyzer::Incident| {
        numbered.clone().map(move |(number, kind)| change(kind, number, of.clone()))
    };
    life(incident("a")).chain(life(made)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_topic_gets_each_alert_in_order_and_none_is_lost_when_the_broker_is_killed() {
    let clock = HeldClock::hold();
    let authority = Authority::new();
    let mut broker = Broker::start(&authority).await;
    let folder = broker.dir.path().display().to_string();
    let own = authority.certify("egret.example");
    std::fs::write(broker.dir.path().join("own.pem"), &own.chain).unwrap();
    std::fs::write(broker.dir.path().join("own.key"), &own.key).unwrap();
    std::fs::write(broker.dir.path().join("password"), "s3cret").unwrap();
    let target = |name: &str, port: u16, more: &str| {
        format!(
            "[[targets]]\nkind = 'kafka'\nname = '{name}'\nbrokers = ['localhost:{port}']\n\
             topic = '{name}'\n{more}\n"
        )
    };
    let [plain, tls, sasl] = broker.ports;
    let with_cert = format!(
        "format = 'ecs'\nca = '{folder}/ca.pem'\nclient_cert = '{folder}/own.pem'\n\
         client_key = '{folder}/own.key'"
    );
    let with_password = format!(
        "format = 'ocsf'\nca = '{folder}/ca.pem'\nuser = 'egret'\nmechanism = 'plain'\n\
         password_file = '{folder}/password'"
    );
    let toml = target("plain", plain, "tls = false").replace("localhost", "127.0.0.1")
        + &target("ecs", tls, &with_cert)
        + &target("ocsf", sasl, &with_password);
    let names = ["plain", "ecs", "ocsf"];
    for name in names {
        broker.make_topic(name).await;
    }
    let outbox = Outbox::new(&toml);
    let running = outbox.start();
    let life = life();
    let (before, after) = life.split_at(5);
    outbox.put(before);
    let is_done = || names.iter().all(|name| outbox.counts(name) == (0, 0));
    until("the brokers to have the first life", is_done).await;
    broker.restart().await;
    outbox.put(after);
    // Where the broker was still away, it is tried again in a while.
    clock.pass_until("the brokers to have the second life", is_done).await;
    running.stop_hanging(&clock).await;
    for name in names {
        let read = broker.read(name, 10).await;
        let of = |n: usize| {
            let key = life[5 * n].incident.id.to_string();
            read.iter().filter(|(found, ..)| *found == key).collect::<Vec<_>>()
        };
        for n in [0, 1] {
            let ids: Vec<_> = of(n).iter().map(|(_, id, _)| id.clone()).collect();
            let expected: Vec<_> =
                life[5 * n..][..5].iter().map(|change| change.alert_id().to_string()).collect();
            assert_eq!(ids, expected, "{name}");
        }
        let bodies: Vec<_> = read.iter().map(|(_, _, body)| body).collect();
        match name {
            "plain" => assert_eq!(bodies[0]["type"], "incident.opened"),
            "ecs" => crate::ecs::check(&bodies.into_iter().cloned().collect::<Vec<_>>()),
            _ => {
                let documents: Vec<_> =
                    bodies.into_iter().map(|body| ("ocsf", json!("1.5.0"), body.clone())).collect();
                validate(&documents);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_broker_from_taking_an_alert_is_named() {
    let clock = HeldClock::hold();
    let authority = Authority::new();
    let broker = Broker::start(&authority).await;
    let folder = broker.dir.path().display().to_string();
    std::fs::write(broker.dir.path().join("password"), "wr0ng").unwrap();
    let [plain, _, sasl] = broker.ports;
    let target = |name: &str, more: &str| {
        format!(
            "[[targets]]\nkind = 'kafka'\nname = '{name}'\ntopic = 'nowhere'\ntimeout = '2s'\n{more}\n"
        )
    };
    let toml = target("topic", &format!("brokers = ['127.0.0.1:{plain}']\ntls = false"))
        + &target("nobody", "brokers = ['127.0.0.1:9']\ntls = false")
        + &target(
            "password",
            &format!(
                "brokers = ['localhost:{sasl}']\nca = '{folder}/ca.pem'\nuser = 'egret'\n\
                 mechanism = 'plain'\npassword_file = '{folder}/password'"
            ),
        );
    let outbox = Outbox::new(&toml);
    let running = outbox.start();
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let error = |name: &str| outbox.standings.read().get(name).and_then(|one| one.error.clone());
    let names = ["topic", "nobody", "password"];
    until("each to have failed", || names.iter().all(|name| error(name).is_some())).await;
    assert!(
        error("topic").unwrap().contains("\"nowhere\" cannot be written"),
        "{:?}",
        error("topic")
    );
    assert!(error("nobody").unwrap().contains("no broker answers"), "{:?}", error("nobody"));
    assert!(error("password").is_some_and(|error| !error.contains("wr0ng")));
    assert_eq!(outbox.counts("topic"), (1, 0), "it waits");
    broker.make_topic("nowhere").await;
    let tried = try_out(outbox.targets[0].clone(), now).await;
    let conversation = tried.iter().flat_map(|tried| &tried.conversation).collect::<Vec<_>>();
    assert!(tried.len() == 2 && tried.iter().all(|one| one.outcome.is_ok()), "{conversation:?}");
    assert!(conversation[1].starts_with("< partition "), "{conversation:?}");
    assert!(now() >= crate::sample::AT);
    running.stop_hanging(&clock).await;
}
