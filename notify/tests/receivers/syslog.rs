//! What a syslog receiver understands, and what its comings and goings do.

use egret_analyzer::{ChangeKind, Incident, IncidentChange};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, UdpSocket};

use crate::certificates::Authority;
use crate::outbox::{HeldClock, Outbox, breathe, until};
use crate::rsyslog::Rsyslog;
use crate::sample::{change, hostile, incident};
use crate::syslog_ng::SyslogNg;

fn target(port: u16, extra: &str) -> String {
    format!(
        "[[targets]]\nkind = 'syslog'\nname = 'siem'\naddress = 'localhost:{port}'\n\
         hostname = 'egret-1'\n{extra}\n"
    )
}

fn tls_target(port: u16, authority: &std::path::Path) -> String {
    target(port, &format!("transport = 'tls'\nca = '{}/ca.pem'", authority.display()))
}

/// The lines of a target that shows a certificate of this authority; it is written to `dir`.
fn shows_certificate(authority: &Authority, dir: &std::path::Path) -> String {
    let own = authority.certify("egret.example");
    std::fs::write(dir.join("own.pem"), &own.chain).unwrap();
    std::fs::write(dir.join("own.key"), &own.key).unwrap();
    let folder = dir.display();
    format!("client_cert = '{folder}/own.pem'\nclient_key = '{folder}/own.key'\n")
}

fn alerts() -> [IncidentChange; 3] {
    let nasty = hostile();
    let mut made = incident("hostile");
    made.title.clone_from(&nasty);
    made.hosts = vec![nasty.as_str().into()];
    made.origin.executor = nasty.as_str().into();
    [
        change(ChangeKind::Opened, 0, incident("a")),
        change(ChangeKind::Opened, 0, made),
        change(ChangeKind::Grew, 1, incident("a")),
    ]
}

/// Whether rsyslog understood the messages about [`alerts`] as they were meant.
fn assert_understood(messages: &[Value]) {
    let alerts = alerts();
    assert_eq!(messages.len(), 3, "{messages:#?}");
    let params = |message: &Value| message["rfc5424-sd"]["egret@32473"].clone();
    // The two alerts about incident "a" keep their order; the hostile one comes as it may.
    let of = |id: &str| messages.iter().position(|m| params(m)["id"] == id).unwrap();
    let [opened, nasty, grew] = [0, 1, 2].map(|n| of(&alerts[n].alert_id().to_string()));
    assert!(opened < grew);

    let plain = &messages[opened];
    assert_eq!(plain["pri"], "131");
    assert_eq!(plain["hostname"], "egret-1");
    assert_eq!(plain["app"], "egret");
    assert_eq!(plain["msgid"], "ALERT");
    let text = plain["msg"].as_str().unwrap().trim_start_matches(' ');
    assert_eq!(text, "\u{feff}Incident opened: 10.20.0.17 sent 48 MiB to paste.example.net");
    for (name, value) in [
        ("rule", "EGR-D2"),
        ("sev", "high"),
        ("score", "0.92"),
        ("src", "10.20.0.17"),
        ("dst", "203.0.113.9"),
        ("host", "paste.example.net"),
        ("change", "opened"),
    ] {
        assert_eq!(params(plain)[name], value);
    }
    assert_eq!(params(&messages[grew])["change"], "grew");

    let host = params(&messages[nasty])["host"].as_str().unwrap().to_owned();
    assert!(
        host.starts_with(
            r#"a\nb\r\n<0>1 - forged\u{0} \u{1b}[2J "quoted" \back\ ] [x y="z"] <script>"#
        ),
        "{host}"
    );
    let raw = messages[nasty]["raw"].as_str().unwrap();
    assert!(raw.len() <= 8192 && !raw.contains('\u{202e}') && !raw.contains('\u{1b}'));
    assert!(raw.contains(r"\u{202e}gpj.exe"));
}

/// A message of syslog-ng's, under the names that rsyslog's have, and with the mark of UTF-8 that it takes off.
fn as_rsyslog_has_it(mut message: Value) -> Value {
    message["rfc5424-sd"] = message["_SDATA"].take();
    message["raw"] = message["msg"].clone();
    message["msg"] = format!("\u{feff}{}", message["msg"].as_str().unwrap()).into();
    message
}

#[tokio::test(start_paused = true)]
async fn rsyslog_understands_every_alert_over_tcp() {
    let _clock = HeldClock::hold();
    let rsyslog = Rsyslog::start(None).await;
    let outbox = Outbox::new(&target(rsyslog.port, ""));
    outbox.put(&alerts());
    let running = outbox.start();
    let messages = rsyslog.messages(3).await;
    running.stop().await;
    assert_understood(&messages);
    assert_eq!(outbox.counts("siem"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn rsyslog_understands_every_alert_over_tls() {
    let _clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    let rsyslog = Rsyslog::start(Some(&authority.certify("localhost"))).await;
    let outbox = Outbox::new(&tls_target(rsyslog.port, dir.path()));
    outbox.put(&alerts());
    let running = outbox.start();
    let messages = rsyslog.messages(3).await;
    running.stop().await;
    assert_understood(&messages);
    assert_eq!(outbox.counts("siem"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_a_certificate_is_shown_one() {
    let clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    let server = authority.certify("localhost");
    let rsyslog = Rsyslog::start_for(Some(&server), Some(&authority)).await;
    let without = tls_target(rsyslog.port, dir.path());
    let with = without.clone() + &shows_certificate(&authority, dir.path());
    // TLS 1.3: the client hears that it is refused only after its handshake, which may be after it has written.
    let refused = Outbox::new(&without);
    let running = refused.start();
    refused.put(&alerts());
    clock.advance(std::time::Duration::from_secs(1)).await;
    running.stop_hanging(&clock).await;
    assert!(rsyslog.is_empty(), "a client without a certificate was heard");

    let outbox = Outbox::new(&with);
    outbox.put(&alerts());
    let running = outbox.start();
    let messages = rsyslog.messages(3).await;
    running.stop().await;
    assert_understood(&messages);
}

#[tokio::test(start_paused = true)]
async fn syslog_ng_understands_every_alert_over_tcp_and_tls() {
    let _clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    let server = authority.certify("localhost");
    let shown = shows_certificate(&authority, dir.path());
    for tls in [None, Some((&server, &authority))] {
        let syslog_ng = SyslogNg::start(tls).await;
        let outbox = Outbox::new(&match tls {
            None => target(syslog_ng.port, ""),
            Some(_) => tls_target(syslog_ng.port, dir.path()) + &shown,
        });
        outbox.put(&alerts());
        let running = outbox.start();
        let messages = syslog_ng.messages(3).await;
        running.stop().await;
        let messages: Vec<_> = messages.into_iter().map(as_rsyslog_has_it).collect();
        assert_understood(&messages);
        assert_eq!(outbox.counts("siem"), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_after_a_restart_of_rsyslog_is_not_lost_in_the_dead_connection() {
    let _clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    for with_tls in [None, Some(authority.certify("localhost"))] {
        let mut rsyslog = Rsyslog::start(with_tls.as_ref()).await;
        let outbox = Outbox::new(&match with_tls {
            None => target(rsyslog.port, ""),
            Some(_) => tls_target(rsyslog.port, dir.path()),
        });
        let running = outbox.start();
        for number in 0..3 {
            outbox.put(&[change(ChangeKind::Grew, number, incident("a"))]);
            let messages = rsyslog.messages(number as usize + 1).await;
            assert_eq!(messages.len(), number as usize + 1);
            rsyslog.stop().await;
            rsyslog.start_again().await;
        }
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn alerts_wait_while_rsyslog_is_down_and_come_in_order() {
    let clock = HeldClock::hold();
    let mut rsyslog = Rsyslog::start(None).await;
    let outbox = Outbox::new(&target(rsyslog.port, ""));
    rsyslog.stop().await;
    let running = outbox.start();
    for number in 0..20 {
        outbox.put(&[change(ChangeKind::Grew, number, incident("a"))]);
    }
    for _ in 0..20 {
        breathe().await;
    }
    assert_eq!(outbox.counts("siem"), (20, 0));
    rsyslog.start_again().await;
    clock.pass_until("all are delivered", || outbox.counts("siem") == (0, 0)).await;
    let messages = rsyslog.messages(20).await;
    running.stop().await;
    let ids: Vec<_> = messages
        .iter()
        .map(|m| m["rfc5424-sd"]["egret@32473"]["id"].as_str().unwrap().to_owned())
        .collect();
    let sent: Vec<_> = (0..20)
        .map(|n| change(ChangeKind::Grew, n, incident("a")).alert_id().to_string())
        .collect();
    assert_eq!(ids, sent);
}

#[tokio::test(start_paused = true)]
async fn a_datagram_is_one_whole_message_of_at_most_2048_bytes() {
    let _clock = HeldClock::hold();
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = receiver.local_addr().unwrap().port();
    let lines = target(port, "transport = 'udp'").replace("localhost", "127.0.0.1");
    let outbox = Outbox::new(&lines);
    let title = "日".repeat(5000);
    outbox.put(&[change(ChangeKind::Opened, 0, Incident { title, ..incident("a") })]);
    let running = outbox.start();
    let mut datagram = vec![0; 65536];
    let length = receiver.recv(&mut datagram).await.unwrap();
    running.stop().await;
    let message = std::str::from_utf8(&datagram[..length]).unwrap();
    assert!(length > 2040 && length <= 2048, "{length}");
    assert!(message.starts_with("<131>1 2026-10-22T00:00:00.123Z egret-1 egret "));
    assert!(message.contains("] \u{feff}Incident opened: 日") && message.ends_with("日…"));
}

#[tokio::test(start_paused = true)]
async fn a_tls_connection_ends_with_close_notify() {
    let _clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tokio_rustls::TlsAcceptor::from(authority.certify("localhost").server());
    let receiver = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(tcp).await.unwrap();
        let mut bytes = Vec::new();
        // rustls reports an end without close_notify as an error.
        stream.read_to_end(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    });
    let outbox = Outbox::new(&tls_target(port, dir.path()));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    until("it is delivered", || outbox.counts("siem") == (0, 0)).await;
    running.stop().await;
    let received = receiver.await.unwrap();
    let (length, message) = received.split_once(' ').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), message.len());
    assert!(message.starts_with("<131>1 "));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_with_a_certificate_of_another_name_or_an_expired_one_gets_nothing() {
    let _clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    for wrong in [authority.certify("elsewhere.example"), authority.certify_expired("localhost")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tokio_rustls::TlsAcceptor::from(wrong.server());
        let outbox = Outbox::new(&tls_target(port, dir.path()));
        outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
        let running = outbox.start();
        let (tcp, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = acceptor.accept(tcp).await {
            let read = stream.read(&mut [0; 64]).await;
            assert!(read.is_err(), "the client sent something: {read:?}");
        }
        running.stop().await;
        assert_eq!(outbox.counts("siem"), (1, 0));
    }
}
