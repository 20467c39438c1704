//! Real traffic in, a real alert out: an executor, a gateway with squid and egret, and a TLS
//! server outside, each in a network namespace of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use egret_tests::capability::{Need, have};
use egret_tests::certificates::Authority;
use egret_tests::namespaces::{GATEWAY, GATEWAY_INTERFACE, Namespaces};
use egret_tests::parts::{
    self, Rsyslog, WEBHOOK_SECRET, WebhookReceiver, configure_squid, open_to_all, script,
};
use egret_tests::process::Process;
use egret_tests::running::{Place, Running};
use egret_tests::say;
use egret_tests::wait::until;
use serde_json::Value;

const UPLOAD_BYTES: usize = 5 << 20;
const DIRECT: &str = "drop.direct-leak.example";
const PROXIED: &str = "drop.proxied-leak.example";
const BROWSED: [&str; 6] = [
    "www.news.example",
    "docs.reader.example",
    "static.cdn.example",
    "www.shop.example",
    "wiki.project.example",
    "blog.person.example",
];

/// The gateway with everything on it, and the server outside.
struct Site {
    spaces: Namespaces,
    folder: tempfile::TempDir,
    root: PathBuf,
    syslog: Rsyslog,
    webhooks: WebhookReceiver,
    _parts: Vec<Process>,
}

impl Site {
    fn build() -> Self {
        let spaces = Namespaces::new("line");
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path();
        open_to_all(path);
        let authority = Authority::new(path);
        let parts = vec![
            start_names(&spaces, path),
            start_web_server(&spaces, path, &authority),
            start_squid(&spaces, path),
        ];
        block_some_destinations(&spaces, path);
        let own = authority.issue("siem", &["DNS:siem.example".into(), "IP:127.0.0.1".into()]);
        let on_gateway = |program: &str| spaces.command(&spaces.gateway, program);
        let syslog = Rsyslog::start(path, 6514, &authority.root(), &own, on_gateway);
        let webhooks = WebhookReceiver::start(path, 9099, on_gateway);
        Self { root: authority.root(), syslog, webhooks, _parts: parts, folder, spaces }
    }

    /// `egret run` on the gateway, capturing.
    fn start_egret(&self) -> Running {
        let path = self.folder.path();
        std::fs::write(path.join("secret"), WEBHOOK_SECRET).expect("the folder can be written");
        let gateway = Place::Namespace(self.spaces.gateway.clone());
        let egret = Running::start_in(gateway, path, &self.configuration());
        egret.wait_until_capturing("wire", || self.spaces.ping_gateway());
        egret
    }

    fn configuration(&self) -> String {
        format!(
            r#"
[[collector.segments]]
name = "executors"
ranges = ["10.77.0.0/24"]

[[collector.executors]]
id = "sandbox-7"
address = "10.77.0.2"
template = "python"
tenant = "acme"

[[collector.sources]]
name = "wire"
kind = "live"
interface = "{GATEWAY_INTERFACE}"

[[collector.sources]]
name = "squid"
kind = "log"
path = "{folder}/access.log"

[store]
path = "{folder}/egret.db"

[[notify.targets]]
name = "siem"
kind = "syslog"
transport = "tls"
address = "127.0.0.1:6514"
ca = "{root}"

[[notify.targets]]
name = "soar"
kind = "webhook"
url = "http://127.0.0.1:9099/hook"
allow_private = true
secret_file = "{folder}/secret"
"#,
            folder = self.folder.path().display(),
            root = self.root.display(),
        )
    }

    /// A curl of the executor's, without proxy or through the gateway's squid.
    fn curl(&self, through_squid: Route, args: &[&str]) -> std::process::Output {
        let mut command = self.spaces.command(&self.spaces.executor, "curl");
        command.args(["-sS", "--max-time", "20", "-o", "/dev/null", "--cacert"]).arg(&self.root);
        if matches!(through_squid, Route::Squid) {
            command.args(["--proxy", &format!("http://{GATEWAY}:3128")]);
        }
        command.args(args).output().expect("curl is installed")
    }

    fn browse(&self) {
        for host in BROWSED {
            for (route, page) in [(Route::Direct, "a"), (Route::Direct, "b"), (Route::Squid, "c")] {
                let output = self.curl(route, &[&format!("https://{host}/{page}")]);
                assert!(
                    output.status.success(),
                    "browsing {host}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
    }

    fn upload(&self, route: Route, host: &str) {
        let body = self.folder.path().join("body");
        std::fs::write(&body, vec![b'x'; UPLOAD_BYTES]).expect("the folder can be written");
        let body = body.to_str().expect("the path is UTF-8");
        let output = self.curl(route, &["--upload-file", body, &format!("https://{host}/up")]);
        assert!(
            output.status.success(),
            "uploading to {host}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Thirty hosts, each blocked: by squid, by a reset, by an ICMP answer.
    fn probe(&self) {
        for number in 0..10 {
            let refused =
                self.curl(Route::Squid, &[&format!("https://h{number}.denied{number}.example/")]);
            assert!(!refused.status.success(), "squid let a denied host through");
            for kind in ["reset", "unreachable"] {
                let host = format!("h{number}.{kind}{number}.example");
                let refused = self.curl(Route::Direct, &[&format!("https://{host}/")]);
                assert!(!refused.status.success(), "{host} was let through");
            }
        }
    }

    /// (destination, detectors) of the incidents that the webhook was told of as opened.
    fn opened(&self) -> Vec<String> {
        let opened = self
            .webhooks
            .received()
            .into_iter()
            .filter(|hook| hook["body"]["type"] == "incident.opened")
            .filter_map(|hook| Some(destination(&hook)?.to_owned()));
        let mut destinations: Vec<String> = opened.collect();
        destinations.sort();
        destinations
    }
}

#[derive(Clone, Copy)]
enum Route {
    Direct,
    Squid,
}

fn destination(hook: &Value) -> Option<&str> {
    hook.pointer("/body/data/incident/destination")?.as_str()
}

/// dnsmasq on the gateway: every name under `.example` has an address outside.
fn start_names(spaces: &Namespaces, folder: &Path) -> Process {
    let mut text = format!(
        "no-resolv\nno-hosts\nno-daemon\nport=53\nlisten-address={GATEWAY}\nbind-interfaces\n\
         user=root\naddress=/example/203.0.113.10\naddress=/{DIRECT}/203.0.113.66\n\
         address=/{PROXIED}/203.0.113.67\n"
    );
    for number in 0..10 {
        writeln!(text, "address=/reset{number}.example/198.51.100.{}", 1 + number)
            .and_then(|()| {
                writeln!(text, "address=/unreachable{number}.example/198.51.100.{}", 129 + number)
            })
            .expect("a string can be written");
    }
    let file = folder.join("dnsmasq.conf");
    std::fs::write(&file, text).expect("the folder can be written");
    let mut command = spaces.command(&spaces.gateway, "dnsmasq");
    command.arg(format!("--conf-file={}", file.display())).arg("--log-facility=-");
    let mut process = Process::start(command, &folder.join("dnsmasq.log"));
    process.wait_for_output("started");
    process
}

fn start_web_server(spaces: &Namespaces, folder: &Path, authority: &Authority) -> Process {
    let hosts = BROWSED.iter().chain([&DIRECT, &PROXIED]);
    let names: Vec<String> = hosts.map(|host| format!("DNS:{host}")).collect();
    let own = authority.issue("web", &names);
    let mut command = spaces.command(&spaces.outside, "python3");
    command.arg(script("web_server.py")).args(["0.0.0.0", "443"]);
    command.arg(own.certificate).arg(own.key);
    let mut process = Process::start(command, &folder.join("web.log"));
    process.wait_for_output("listening");
    process
}

fn start_squid(spaces: &Namespaces, folder: &Path) -> Process {
    configure_squid(
        folder,
        &format!(
            "http_port {GATEWAY}:3128\nacl denied dstdom_regex ^h[0-9]\\.denied[0-9]\\.example$\n\
             http_access deny denied\nhttp_access allow all\ndns_nameservers {GATEWAY}\n\
             visible_hostname gateway\n"
        ),
    );
    parts::start_squid(folder, spaces.command(&spaces.gateway, "squid"))
}

fn block_some_destinations(spaces: &Namespaces, folder: &Path) {
    let rules = "table inet egret_test {\n chain forward {\n\
         type filter hook forward priority 0;\n\
         ip daddr 198.51.100.0/25 meta l4proto tcp reject with tcp reset\n\
         ip daddr 198.51.100.128/25 reject with icmp type admin-prohibited\n }\n}\n";
    let file = folder.join("rules.nft");
    std::fs::write(&file, rules).expect("the folder can be written");
    spaces.run(&spaces.gateway, "nft", &["-f", file.to_str().expect("the path is UTF-8")]);
}

fn seconds_since_epoch() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "the test measures real time")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64()
}

#[test]
fn uploads_and_probes_arrive_at_siem_and_webhook_and_browsing_does_not() {
    let needs = [
        Need::Namespaces,
        Need::Program("squid"),
        Need::Program("rsyslogd"),
        Need::Program("dnsmasq"),
        Need::Program("nft"),
        Need::Program("curl"),
        Need::Program("openssl"),
    ];
    if !have("uploads_and_probes_arrive_at_siem_and_webhook_and_browsing_does_not", &needs) {
        return;
    }
    let site = Site::build();
    let mut egret = site.start_egret();

    site.browse();
    let direct_from = seconds_since_epoch();
    site.upload(Route::Direct, DIRECT);
    let proxied_from = seconds_since_epoch();
    site.upload(Route::Squid, PROXIED);
    let probed_from = seconds_since_epoch();
    site.probe();
    site.browse();

    let expected = ["*", "direct-leak.example", "proxied-leak.example"];
    until("the three alerts", || (site.opened() == expected).then_some(()));
    // What might still come too much would be there once the engine has seen all of this.
    until("the engine to have caught up", || {
        let status = egret.status();
        (status["queued_batches"] == 0 && status["queued_writes"] == 0).then_some(())
    });
    assert_eq!(egret.process.terminate().code(), Some(0), "egret ended well");
    assert_eq!(site.opened(), expected, "the right incidents, and only those");

    let opened = site.syslog.received();
    let opened = opened.iter().filter(|line| line.contains("change=\"opened\"")).count();
    assert_eq!(opened, expected.len(), "as many in the SIEM: {:#?}", site.syslog.received());
    for hook in site.webhooks.received() {
        assert_eq!(hook["verified"], true, "a webhook whose signature does not verify: {hook}");
    }
    for (host, from) in [
        ("direct-leak.example", direct_from),
        ("proxied-leak.example", proxied_from),
        ("*", probed_from),
    ] {
        let received = site.webhooks.received();
        let first = received
            .iter()
            .find(|hook| destination(hook) == Some(host))
            .and_then(|hook| hook["received_at"].as_f64())
            .expect("the alert was received");
        say(&format!("{host}: {:.2} s from the first byte to the alert", first - from));
        let lines = site.syslog.received();
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("host=\"{host}\"")) || line.contains(host))
            .unwrap_or_else(|| panic!("{host} is not in the SIEM: {lines:#?}"));
        assert!(line.starts_with('<') && line.contains(">1 "), "not RFC 5424: {line}");
        assert!(line.contains("sandbox-7"), "the executor is not named: {line}");
    }
}
