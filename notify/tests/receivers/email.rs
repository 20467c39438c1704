//! A real mail server (Debian's aiosmtpd), and what it got.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use egret_analyzer::{ChangeKind, Incident};
use egret_notify::try_out;
use serde_json::json;
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::outbox::{HeldClock, Outbox, now, until};
use crate::ports::free_port;
use crate::sample::{change, hostile, incident};
use crate::validators::validate;

struct MailServer {
    port: u16,
    dir: TempDir,
    process: Child,
}

impl MailServer {
    /// Starts one that takes mail after STARTTLS only.
    async fn start(authority: &Authority) -> Self {
        let dir = TempDir::new().unwrap();
        authority.write(dir.path());
        let own = authority.certify("localhost");
        std::fs::write(dir.path().join("cert.pem"), own.chain).unwrap();
        std::fs::write(dir.path().join("key.pem"), own.key).unwrap();
        let port = free_port();
        let file = |name: &str| dir.path().join(name);
        // Not one of an environment: the package is the system's.
        let process = Command::new("/usr/bin/python3")
            .args(["-m", "aiosmtpd", "-n", "-l", &format!("localhost:{port}")])
            .args([
                Path::new("--tlscert"),
                &file("cert.pem"),
                Path::new("--tlskey"),
                &file("key.pem"),
            ])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(file("mail"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("aiosmtpd is needed: apt-get install python3-aiosmtpd");
        let listens = || std::net::TcpStream::connect(("localhost", port)).is_ok();
        until("the mail server listens", listens).await;
        Self { port, dir, process }
    }

    fn target(&self, extra: &str) -> String {
        format!(
            "[[targets]]\nkind = 'email'\nname = 'mail'\nserver = 'localhost:{}'\nca = '{}/ca.pem'\n\
             from = 'Egret <egret@example.org>'\nto = ['ana@example.org', 'Bo <bo@example.org>']\n{extra}",
            self.port,
            self.dir.path().display()
        )
    }

    /// The mails that came.
    fn mails(&self) -> Vec<String> {
        let new = self.dir.path().join("mail/new");
        let Ok(files) = std::fs::read_dir(new) else { return Vec::new() };
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[tokio::test(start_paused = true)]
async fn alerts_come_by_mail_as_a_thread_whatever_they_are_called() {
    let _clock = HeldClock::hold();
    let server = MailServer::start(&Authority::new()).await;
    let own =
        "fields = { 'Segment' = 'incident.origin.segment' }\nconstants = { 'Site' = 'berlin' }\n";
    let outbox = Outbox::new(&server.target(own));
    let running = outbox.start();
    let nasty = Incident { title: hostile(), ..incident("nasty") };
    let life = [
        ChangeKind::Opened,
        ChangeKind::Grew,
        ChangeKind::Acknowledged,
        ChangeKind::Resumed,
        ChangeKind::Closed,
    ];
    let life = (0..).zip(life).map(|(number, kind)| change(kind, number, incident("a")));
    let told: Vec<_> = life.chain([change(ChangeKind::Opened, 0, nasty)]).collect();
    outbox.put(&told);
    until("all are taken", || outbox.counts("mail") == (0, 0)).await;
    running.stop().await;
    let mails = server.mails();
    assert_eq!(mails.len(), 6);
    let expected = told.iter().map(|change| {
        let thread = format!("<egret-incident-{}@example.org>", change.incident.id);
        let of_nasty = change.incident.id == incident("nasty").id;
        let mut expected = json!({
            "From": "Egret <egret@example.org>",
            "To": "ana@example.org, Bo <bo@example.org>",
            "Message-ID": format!("<egret-alert-{}@example.org>", change.alert_id()),
            "References": thread,
            "In-Reply-To": thread,
            "Date": "Thu, 22 Oct 2026 00:00:00 +0000",
            "Auto-Submitted": "auto-generated",
            "body": "It sent far more than is normal.",
        });
        if of_nasty {
            expected["body"] = json!(r"a\nb\r\n<0>1 - forged\u{0} \u{1b}[2J");
        } else {
            let title = "10.20.0.17 sent 48 MiB to paste.example.net";
            let subject = format!("[egret] high {}: {title}", change.kind.word());
            expected["Subject"] = json!(subject);
        }
        let id = format!("egret-alert-{}", change.alert_id());
        let mail = mails.iter().find(|mail| mail.contains(&id)).unwrap();
        ("mail", expected, json!(mail))
    });
    validate(&expected.collect::<Vec<_>>());
    assert!(
        mails.iter().all(|mail| mail.contains("Segment: pods\nSite: berlin\n")),
        "{}",
        mails[0]
    );
    let tried = try_out(outbox.targets[0].clone(), now).await;
    assert!(tried.len() == 2 && tried.iter().all(|one| one.outcome.is_ok()), "{tried:?}");
    assert_eq!(server.mails().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn no_mail_goes_to_a_server_that_cannot_show_who_it_is() {
    let _clock = HeldClock::hold();
    let server = MailServer::start(&Authority::new()).await;
    let other = TempDir::new().unwrap();
    Authority::new().write(other.path());
    let ca = |dir: &Path| format!("ca = '{}/ca.pem'", dir.display());
    let toml = server.target("").replace(&ca(server.dir.path()), &ca(other.path()));
    let target = Outbox::new(&toml).targets[0].clone();
    let [tried] = &try_out(target, now).await[..] else { panic!("there is no second attempt") };
    let error = tried.outcome.as_ref().unwrap_err();
    assert!(error.contains("cannot be reached") && error.contains("certificate"), "{error}");
    assert!(server.mails().is_empty());
}
