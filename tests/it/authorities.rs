//! Who has which address, by the word of a real container engine and of a Kubernetes API.
//!
//! The engine is Podman, whose service speaks Docker's protocol. The Kubernetes API is a part of
//! our own (`tests/parts/kubernetes_api.py`): a real one is no package of this system.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use egret_collector::{
    AttributionTable, CollectError, Context, RawCollector, Segment, SourceConfig,
};
use egret_event::{EventBatch, NamedBy, Timestamp};
use egret_tests::capability::{Need, have};
use egret_tests::parts::{free_port, python, script};
use egret_tests::process::Process;
use egret_tests::wait::until;
use serde_json::{Value, json};

/// A watcher that runs on its own thread until dropped.
struct Watching {
    table: Arc<AttributionTable>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), CollectError>>>,
}

impl Watching {
    fn start(source: &str) -> Self {
        let raw: RawCollector = toml::from_str(source).expect("the source is written right");
        let source: SourceConfig = raw.check().expect("the source can be used").sources.remove(0);
        let segment = Segment {
            name: "sandboxes".into(),
            ranges: vec!["10.0.0.0/8".parse().expect("a range")],
        };
        let table = Arc::new(AttributionTable::new(vec![segment], Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let context = Context {
            stop: Arc::clone(&stop),
            ..Context::new(Arc::clone(&table), egret::clock::now)
        };
        let thread = std::thread::spawn(move || {
            egret_collector::run(&source, &[], &context, &mut |_: EventBatch| Ok(()))
        });
        Self { table, stop, thread: Some(thread) }
    }

    /// Who has the address now.
    fn named(&self, address: &str) -> Option<(String, NamedBy)> {
        self.named_at(address, egret::clock::now())
    }

    fn named_at(&self, address: &str, at: Timestamp) -> Option<(String, NamedBy)> {
        let address: IpAddr = address.parse().expect("an address");
        let who = self.table.attribute(address, at)?;
        Some((who.executor.to_string(), who.named_by))
    }

    fn wait_for(&self, address: &str, executor: &str, by: NamedBy) {
        until(&format!("{address} to be {executor}"), || {
            (self.named(address) == Some((executor.to_owned(), by))).then_some(())
        });
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            let ended = ended.expect("it was started").expect("it did not panic");
            ended.expect("it was not refused");
        }
    }
}

fn pod(address: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "metadata": { "name": "job-7", "namespace": "acme", "labels": { "app": "sandbox" } },
        "spec": { "containers": [{ "name": "run", "image": "python-sandbox:3" }] },
        "status": { "phase": "Running", "startTime": "2026-01-02T03:04:05Z", "podIP": address,
                    "podIPs": [{ "ip": address }] },
    });
    change(&mut pod);
    pod
}

/// The Kubernetes API, and a kubeconfig that leads to it.
struct Cluster {
    process: Process,
    port: u16,
}

impl Cluster {
    fn start(folder: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(python());
        command.arg(script("kubernetes_api.py")).arg(port.to_string());
        let mut process = Process::start(command, &folder.join("api.log"));
        process.wait_for_output("ready");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test",
                           "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "users": [{ "name": "test", "user": {} }],
        });
        std::fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).expect("can be written");
        Self { process, port }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut command = Command::new("curl");
        command.args(["-fsS", "--noproxy", "*", "-X", method, "--data", &body.to_string(), &url]);
        let output = command.output().expect("curl is installed");
        assert!(output.status.success(), "{method} {path}: {output:?}");
    }
}

fn kubernetes(folder: &Path) -> String {
    format!(
        "[[sources]]\nkind = \"kubernetes\"\nkubeconfig = \"{}/kubeconfig\"\n\
         selector = \"app=sandbox\"\nnode = \"node-1\"\n",
        folder.display()
    )
}

#[test]
fn pods_name_their_addresses_from_their_start_to_their_end() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let cluster = Cluster::start(folder.path());
    cluster.ask("PUT", "/pods/acme/job-7", &pod("10.20.0.17", |_| {}));
    let watching = Watching::start(&kubernetes(folder.path()));

    // What runs already is listed; what comes is watched.
    watching.wait_for("10.20.0.17", "acme/job-7", NamedBy::Kubernetes);
    let label = |pod: &mut Value| {
        pod["metadata"]["name"] = "job-8".into();
        pod["metadata"]["labels"]["egret.dev/executor"] = "agent-8".into();
    };
    cluster.ask("PUT", "/pods/acme/job-8", &pod("10.20.0.18", label));
    watching.wait_for("10.20.0.18", "agent-8", NamedBy::Kubernetes);
    let asked = cluster.process.output();
    let selected = r#""fieldSelector": "spec.nodeName=node-1", "labelSelector": "app=sandbox""#;
    assert!(asked.contains(selected), "{asked}");

    // A pod that is deleted has had its address until then, and no longer.
    let before = egret::clock::now();
    cluster.ask("DELETE", "/pods/acme/job-7", &Value::Null);
    watching.wait_for("10.20.0.17", "10.20.0.17", NamedBy::Address);
    let then = watching.named_at("10.20.0.17", before);
    assert_eq!(then, Some(("acme/job-7".to_owned(), NamedBy::Kubernetes)));
}

#[test]
fn what_happens_while_a_watch_is_broken_is_known_afterwards() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let cluster = Cluster::start(folder.path());
    cluster.ask("PUT", "/pods/acme/job-7", &pod("10.20.0.17", |_| {}));
    let watching = Watching::start(&kubernetes(folder.path()));
    watching.wait_for("10.20.0.17", "acme/job-7", NamedBy::Kubernetes);

    // The API drops the watch and forgets its history: the watcher is told 410 and lists again.
    cluster.ask("POST", "/forget", &Value::Null);
    cluster.ask("DELETE", "/pods/acme/job-7", &Value::Null);
    cluster.ask("POST", "/forget", &Value::Null);
    let second = |pod: &mut Value| pod["metadata"]["name"] = "job-9".into();
    cluster.ask("PUT", "/pods/acme/job-9", &pod("10.20.0.19", second));
    watching.wait_for("10.20.0.19", "acme/job-9", NamedBy::Kubernetes);
    watching.wait_for("10.20.0.17", "10.20.0.17", NamedBy::Address);
}

#[test]
fn a_cluster_that_cannot_be_reached_is_named_with_the_cause() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let raw: RawCollector = toml::from_str(&kubernetes(folder.path())).expect("written right");
    let source = raw.check().expect("the source can be used").sources.remove(0);
    let context = Context::new(Arc::new(AttributionTable::any_initiator()), egret::clock::now);
    let refused = egret_collector::run(&source, &[], &context, &mut |_: EventBatch| Ok(()));
    let error = refused.expect_err("there is no kubeconfig").to_string();
    assert!(error.contains("the Kubernetes API") && error.contains("kubeconfig"), "{error}");
}

/// Podman in a network namespace and folders of its own, with an image of one program.
struct Engine {
    space: String,
    folder: tempfile::TempDir,
    service: Option<Process>,
}

impl Engine {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let space = format!("egret-podman-{}", std::process::id());
        for args in [vec!["netns", "add", &space], vec!["-n", &space, "link", "set", "lo", "up"]] {
            let done = Command::new("ip").args(args).status().expect("ip is installed");
            assert!(done.success(), "the namespace {space} cannot be made");
        }
        let mut engine = Self { space, folder, service: None };
        engine.make_image();
        let mut serve = engine.podman();
        serve.args(["system", "service", "--time", "0"]);
        serve.arg(format!("unix://{}/podman.sock", engine.folder.path().display()));
        engine.service = Some(Process::start(serve, &engine.folder.path().join("service.log")));
        until("the engine's socket", || {
            engine.folder.path().join("podman.sock").exists().then_some(())
        });
        engine
    }

    fn podman(&self) -> Command {
        // Not `ip netns exec`: it hides /sys/fs/cgroup, which runc needs.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.space));
        command.args(["podman", "--runtime", "runc"]);
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
        command.args(["--events-backend", "file"]);
        let at = self.folder.path();
        command.arg("--root").arg(at.join("storage")).arg("--runroot").arg(at.join("run"));
        command.arg("--tmpdir").arg(at.join("tmp"));
        command.arg("--network-config-dir").arg(at.join("networks"));
        command
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.podman().args(args).output().expect("podman is installed");
        assert!(output.status.success(), "podman {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn make_image(&self) {
        let root = self.folder.path().join("root");
        std::fs::create_dir_all(root.join("bin")).expect("the folder can be made");
        std::fs::copy("/bin/busybox", root.join("bin/sleep")).expect("busybox is installed");
        let archive = self.folder.path().join("image.tar");
        let mut tar = Command::new("tar");
        let made = tar.arg("-cf").arg(&archive).arg("-C").arg(&root).arg(".").status();
        assert!(made.is_ok_and(|status| status.success()), "the image cannot be packed");
        self.run(&["import", "--quiet", &archive.to_string_lossy(), "python-sandbox:3"]);
    }

    /// Starts a container; returns its address.
    fn start_container(&self, name: &str, labels: &[&str]) -> String {
        let mut args = vec!["run", "--detach", "--name", name];
        for label in labels {
            args.extend(["--label", label]);
        }
        // The limits that podman sets by default are more than some machines allow.
        args.extend(["--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256"]);
        args.extend(["python-sandbox:3", "/bin/sleep", "120"]);
        self.run(&args);
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.run(&["inspect", name, "--format", format])
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.podman().args(["rm", "--all", "--force", "--time", "0"]).output();
        self.service = None;
        let _ = Command::new("ip").args(["netns", "del", &self.space]).status();
    }
}

#[test]
fn containers_name_their_addresses_while_they_run() {
    let needs = [Need::Namespaces, Need::Program("podman"), Need::Program("runc")];
    if !have("containers_name_their_addresses_while_they_run", &needs) {
        return;
    }
    let engine = Engine::start();
    let first = engine.start_container("job-7", &["egret.dev/tenant=acme"]);
    let watching = Watching::start(&format!(
        "[[sources]]\nkind = \"docker\"\nsocket = \"{}/podman.sock\"\n",
        engine.folder.path().display()
    ));
    watching.wait_for(&first, "job-7", NamedBy::Docker);
    let address: IpAddr = first.parse().expect("an address");
    let who = watching.table.attribute(address, egret::clock::now()).expect("it is known");
    assert_eq!(who.template.as_deref(), Some("python-sandbox"));
    assert_eq!(who.tenant.as_deref(), Some("acme"));

    let second = engine.start_container("other", &["egret.dev/executor=agent-8"]);
    watching.wait_for(&second, "agent-8", NamedBy::Docker);
    let before = egret::clock::now();
    engine.run(&["stop", "--time", "0", "job-7"]);
    watching.wait_for(&first, &first, NamedBy::Address);
    let then = watching.named_at(&first, before);
    assert_eq!(then, Some(("job-7".to_owned(), NamedBy::Docker)));
}
