//! A real syslog-ng on loopback, which writes what it understood as JSON, one message per line.
//!
//! Debian's package excludes rsyslog's, so `deploy/setup.sh test` unpacks it below `target/`.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::{Authority, Certificate};
use crate::outbox::until;
use crate::ports::free_port;

/// A syslog-ng that ends with this.
pub(crate) struct SyslogNg {
    pub(crate) port: u16,
    dir: TempDir,
    process: Child,
}

impl SyslogNg {
    /// Starts one that takes octet-counted TCP; with a certificate, inside TLS, from clients that the authority
    /// certified.
    pub(crate) async fn start(tls: Option<(&Certificate, &Authority)>) -> Self {
        let dir = TempDir::new().unwrap();
        if let Some((certificate, clients)) = tls {
            std::fs::write(dir.path().join("cert.pem"), &certificate.chain).unwrap();
            std::fs::write(dir.path().join("key.pem"), &certificate.key).unwrap();
            clients.write(dir.path());
        }
        let port = free_port();
        let config = config(dir.path(), tls.is_some(), port);
        let mut process = spawn(dir.path(), &config);
        let log = dir.path().join("log");
        until("syslog-ng listens", || {
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(process.try_wait().unwrap().is_none(), "syslog-ng ended: {}", log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        Self { port, dir, process }
    }

    /// Waits for `count` messages and returns all.
    pub(crate) async fn messages(&self, count: usize) -> Vec<Value> {
        let file = self.dir.path().join("messages");
        let lines = || std::fs::read_to_string(&file).unwrap_or_default();
        until("the messages are written", || lines().lines().count() >= count).await;
        lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for SyslogNg {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Where `deploy/setup.sh` unpacks it.
fn unpacked() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/syslog-ng");
    assert!(unpacked.exists(), "syslog-ng is needed: run `deploy/setup.sh test`");
    unpacked
}

fn spawn(dir: &Path, config: &str) -> Child {
    let (root, path) = (unpacked(), dir.join("syslog-ng.conf"));
    std::fs::write(&path, config).unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    // The folder of libraries is named after the machine.
    let libraries = ["usr/lib", "lib"].iter().flat_map(|lib| {
        let folders = std::fs::read_dir(root.join(lib)).into_iter().flatten();
        folders.map(|folder| folder.unwrap().path())
    });
    let libraries = std::env::join_paths(libraries).unwrap();
    let modules = std::fs::read_dir(root.join("usr/lib/syslog-ng")).unwrap();
    let modules = modules.map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    Command::new(root.join("usr/sbin/syslog-ng"))
        .args(["--foreground", "--stderr", "--no-caps", "--no-module-discovery", "--module-path"])
        .arg(modules.unwrap())
        .args([Path::new("--cfgfile"), &path, Path::new("--persist-file"), &dir.join("persist")])
        .args([
            Path::new("--control"),
            &dir.join("control"),
            Path::new("--pidfile"),
            &dir.join("pid"),
        ])
        .env("LD_LIBRARY_PATH", libraries)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("syslog-ng can be started")
}

fn config(dir: &Path, with_tls: bool, port: u16) -> String {
    let dir = dir.display();
    let transport = if with_tls {
        format!(
            r#"transport("tls") tls(key-file("{dir}/key.pem") cert-file("{dir}/cert.pem")
                ca-file("{dir}/ca.pem") peer-verify(required-trusted))"#
        )
    } else {
        r#"transport("tcp")"#.to_owned()
    };
    // These stand at the beginning of a line.
    let modules = ["affile", "afsocket", "syslogformat", "json-plugin"];
    let modules = modules.map(|module| format!("@module {module}\n")).concat();
    format!(
        r#"@version: 3.38
{modules}
        options {{ keep-hostname(yes); use-dns(no); stats-freq(0); flush-lines(1); threaded(no);
            log-msg-size(262144); log-fifo-size(10000); }};
        source alerts {{ syslog(ip("127.0.0.1") port({port}) {transport} max-connections(20)
            log-iw-size(2000) flags(syslog-protocol)); }};
        template json {{ template("$(format-json --scope sdata pri=$PRI hostname=$HOST app=$PROGRAM
            msgid=$MSGID msg=$MSG)\n"); }};
        destination file {{ file("{dir}/messages" template(json)); }};
        log {{ source(alerts); destination(file); }};
        "#
    )
}
