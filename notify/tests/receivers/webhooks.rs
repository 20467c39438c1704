//! What a webhook receiver gets, and what its answers do.

use std::time::Duration;

use egret_analyzer::{ChangeKind, Incident};
use egret_notify::try_out;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::http::{self, Receiver, status};
use crate::outbox::{HeldClock, Outbox, now, until};
use crate::sample::{AT, change, hostile, incident};

#[tokio::test(start_paused = true)]
async fn an_alert_arrives_signed_and_whole() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("204 No Content")).await;
    let outbox = Outbox::new(&receiver.target("hook"));
    let told = change(ChangeKind::Opened, 0, Incident { title: hostile(), ..incident("a") });
    outbox.put(std::slice::from_ref(&told));
    let running = outbox.start();
    let request = receiver.next().await;
    running.stop().await;

    assert_eq!(request.line, "POST / HTTP/1.1");
    let id = format!("msg_{}", told.alert_id());
    assert_eq!(request.header("webhook-id"), id);
    let attempted_at = request.header("webhook-timestamp");
    assert_eq!(attempted_at, AT.as_secs().to_string());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret_bytes());
    let signed = format!("{id}.{attempted_at}.{}", request.body);
    let signature = request.header("webhook-signature").strip_prefix("v1,").unwrap();
    ring::hmac::verify(&key, signed.as_bytes(), &from_base64(signature)).unwrap();

    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["type"], "incident.opened");
    assert_eq!(body["timestamp"], "2026-10-22T00:00:00.123456789Z");
    let got: Incident = serde_json::from_value(body["data"]["incident"].clone()).unwrap();
    assert_eq!(got, told.incident);
    assert_eq!(outbox.counts("hook"), (0, 0));
}

fn from_base64(text: &str) -> Vec<u8> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    BASE64_STANDARD.decode(text).unwrap()
}

fn secret_bytes() -> Vec<u8> {
    from_base64(http::SECRET.strip_prefix("whsec_").unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_comes_while_nothing_waits_is_sent_at_once() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("200 OK")).await;
    let outbox = Outbox::new(&receiver.target("hook"));
    let running = outbox.start();
    for number in 0..3 {
        // Time stands still: only the wake-up can bring it.
        outbox.put(&[change(ChangeKind::Grew, number, incident("a"))]);
        receiver.next().await;
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn gone_turns_the_target_off_and_says_so() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("410 Gone")).await;
    let outbox = Outbox::new(&receiver.target("hook"));
    let running = outbox.start();
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    receiver.next().await;
    outbox.put(&[change(ChangeKind::Opened, 0, incident("b"))]);
    until("both are dead", || outbox.counts("hook") == (0, 2)).await;
    running.stop().await;
    assert!(receiver.requests.try_recv().is_err(), "something was sent after 410");
    for dead in outbox.store.dead_letters(Some("hook")).unwrap() {
        let error = dead.last_error.unwrap();
        assert_eq!(error, "answered 410 Gone; the target is off until the next start");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed() {
    let _clock = HeldClock::hold();
    let mut elsewhere = Receiver::start(|_| status("200 OK")).await;
    let location = format!("http://{}/", elsewhere.address);
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    );
    let mut receiver = Receiver::start(move |_| Some(redirect.clone())).await;
    let outbox = Outbox::new(&receiver.target("hook"));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    receiver.next().await;
    let wait = outbox.next_wait("hook").await;
    running.stop().await;
    let error = outbox.last_error("hook", wait);
    assert!(error.contains("307") && error.contains("set url to the final address"), "{error}");
    assert!(elsewhere.requests.try_recv().is_err(), "the redirect was followed");
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_says_is_quoted_short_and_harmless() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| {
        let body = format!("no \u{1b}[31m\n{}", "x".repeat(1 << 20));
        Some(format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    })
    .await;
    let outbox = Outbox::new(&receiver.target("hook"));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    receiver.next().await;
    let wait = outbox.next_wait("hook").await;
    running.stop().await;
    let error = outbox.last_error("hook", wait);
    assert!(error.starts_with(r"answered 400 Bad Request: no \u{1b}[31m\nxxx"), "{error}");
    assert!(error.len() < 250 && error.ends_with('…'), "{error}");
}

#[tokio::test(start_paused = true)]
async fn only_the_right_certificate_gets_alerts() {
    let clock = HeldClock::hold();
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    authority.write(dir.path());
    let other = Authority::new().certify("localhost");
    let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("https://localhost:{}/", address.port());
    let target = http::target("hook", &url) + &format!("ca = '{}/ca.pem'\n", dir.path().display());
    let outbox = Outbox::new(&target);
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);

    let wrong_name = authority.certify("elsewhere.example");
    for wrong in [wrong_name, authority.certify_expired("localhost"), other] {
        let shaken = refuse_handshake(listener, &wrong);
        let running = outbox.start();
        listener = shaken.await.unwrap();
        running.stop().await;
        assert_eq!(outbox.counts("hook"), (1, 0), "it was delivered in spite of its certificate");
        clock.advance(Duration::from_secs(1)).await;
    }

    let right = authority.certify("localhost").server();
    let mut receiver = Receiver::on(listener, Some(right), |_| status("200 OK"));
    let running = outbox.start();
    receiver.next().await;
    running.stop().await;
    assert_eq!(outbox.counts("hook"), (0, 0));
}

/// Takes one connection with a certificate that the other side must refuse.
fn refuse_handshake(
    listener: TcpListener,
    certificate: &crate::certificates::Certificate,
) -> tokio::task::JoinHandle<TcpListener> {
    let acceptor = tokio_rustls::TlsAcceptor::from(certificate.server());
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        // With TLS 1.3 the server is done before the client has judged: the alert comes after.
        if let Ok(mut stream) = acceptor.accept(tcp).await {
            let read = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await;
            assert!(read.is_err(), "the client sent something: {read:?}");
        }
        listener
    })
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leads_inside_is_not_followed_unless_that_is_meant() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("200 OK")).await;
    let url = format!("http://localhost:{}/", receiver.address.port());
    let target = http::target("hook", &url).replace("allow_private = true\n", "");
    let refused = Outbox::new(&target).targets[0].clone();
    let [tried] = &try_out(refused, now).await[..] else { panic!("there is no second attempt") };
    let error = tried.outcome.as_ref().unwrap_err();
    assert!(error.contains("leads to a private address: set allow_private = true"), "{error}");
    assert!(receiver.requests.try_recv().is_err(), "something was sent to a private address");
    let allowed = Outbox::new(&http::target("hook", &url)).targets[0].clone();
    let tried = try_out(allowed, now).await;
    assert!(tried.iter().all(|tried| tried.outcome.is_ok()), "{tried:?}");
    receiver.next().await;
}
