//! A real rsyslogd on loopback, which writes what it understood as JSON, one message per line.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::certificates::{Authority, Certificate};
use crate::outbox::until;

/// An rsyslogd that ends with this.
pub(crate) struct Rsyslog {
    pub(crate) port: u16,
    dir: TempDir,
    process: Child,
}

impl Rsyslog {
    /// Starts one that takes octet-counted TCP, inside TLS if a certificate is given.
    pub(crate) async fn start(certificate: Option<&Certificate>) -> Self {
        Self::start_for(certificate, None).await
    }

    /// The same; with an authority, only clients that it certified may send.
    pub(crate) async fn start_for(
        certificate: Option<&Certificate>,
        clients: Option<&Authority>,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        if let Some(certificate) = certificate {
            std::fs::write(dir.path().join("cert.pem"), &certificate.chain).unwrap();
            std::fs::write(dir.path().join("key.pem"), &certificate.key).unwrap();
        }
        if let Some(authority) = clients {
            authority.write(dir.path());
        }
        let config = config(dir.path(), certificate.is_some(), 0);
        let process = spawn(dir.path(), &config);
        let mut started = Self { port: 0, dir, process };
        started.read_port().await;
        started
    }

    /// Starts it again on the same port, after [`Self::stop`].
    pub(crate) async fn start_again(&mut self) {
        let with_tls = self.dir.path().join("cert.pem").exists();
        let config = config(self.dir.path(), with_tls, self.port);
        self.process = spawn(self.dir.path(), &config);
        let address = ("127.0.0.1", self.port);
        until("rsyslogd listens", || TcpStream::connect(address).is_ok()).await;
    }

    /// Ends it in its own orderly way, so that what it took is in its file.
    pub(crate) async fn stop(&mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        until("rsyslogd has ended", || self.process.try_wait().unwrap().is_some()).await;
    }

    /// Waits until it listens on the free port that it chose.
    async fn read_port(&mut self) {
        let [file, log] = ["port", "log"].map(|name| self.dir.path().join(name));
        until("rsyslogd listens (for TLS it needs the package rsyslog-gnutls)", || {
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(self.process.try_wait().unwrap().is_none(), "rsyslogd ended: {}", log());
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            self.port = text.trim().parse().unwrap_or(0);
            self.port > 0
        })
        .await;
    }

    /// Waits for `count` messages and returns all.
    pub(crate) async fn messages(&self, count: usize) -> Vec<Value> {
        let file = self.messages_file();
        let lines = || std::fs::read_to_string(&file).unwrap_or_default();
        until("the messages are written", || lines().lines().count() >= count).await;
        lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Whether it got nothing.
    pub(crate) fn is_empty(&self) -> bool {
        std::fs::read_to_string(self.messages_file()).unwrap_or_default().is_empty()
    }

    fn messages_file(&self) -> PathBuf {
        self.dir.path().join("messages")
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn spawn(dir: &Path, config: &str) -> Child {
    let path = dir.join("rsyslog.conf");
    std::fs::write(&path, config).unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    Command::new("/usr/sbin/rsyslogd")
        .arg("-n")
        .args([Path::new("-f"), &path, Path::new("-i"), &dir.join("pid")])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("rsyslogd is needed: apt-get install rsyslog rsyslog-gnutls")
}

fn config(dir: &Path, with_tls: bool, port: u16) -> String {
    let asks = dir.join("ca.pem").exists();
    let dir = dir.display();
    let (authority, mode) = if asks { ("ca.pem", "x509/certvalid") } else { ("cert.pem", "anon") };
    let (global, module) = if with_tls {
        (
            format!(
                r#"global(DefaultNetstreamDriver="gtls"
                    DefaultNetstreamDriverCAFile="{dir}/{authority}"
                    DefaultNetstreamDriverCertFile="{dir}/cert.pem"
                    DefaultNetstreamDriverKeyFile="{dir}/key.pem")"#
            ),
            format!(
                r#"StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="{mode}""#
            ),
        )
    } else {
        (String::new(), String::new())
    };
    format!(
        r#"{global}
        global(workDirectory="{dir}" maxMessageSize="64k")
        module(load="imtcp" {module})
        module(load="mmpstrucdata")
        input(type="imtcp" address="127.0.0.1" port="{port}" listenPortFileName="{dir}/port"
              ruleset="keep")
        template(name="json" type="string" string="%$!all-json%\n")
        ruleset(name="keep") {{
            action(type="mmpstrucdata")
            set $!pri = $pri;
            set $!hostname = $hostname;
            set $!app = $app-name;
            set $!procid = $procid;
            set $!msgid = $msgid;
            set $!msg = $msg;
            set $!raw = $rawmsg;
            action(type="omfile" file="{dir}/messages" template="json")
        }}
        "#
    )
}
