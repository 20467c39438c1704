//! Faults of receivers, and when the alerts they did not take come again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use egret_analyzer::ChangeKind;
use tokio::net::TcpListener;

use crate::http::{self, Receiver, status};
use crate::outbox::{HeldClock, Outbox, breathe, now, until};
use crate::sample::{change, incident};

const HOUR: u64 = 3600;

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_never_taken_climbs_the_ladder_and_dies() {
    let clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| status("500 Internal Server Error")).await;
    let outbox = Outbox::new(&receiver.target("hook"));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    let first = receiver.next().await;
    let ladder = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
    for step in ladder {
        let wait = outbox.next_wait("hook").await;
        let step = Duration::from_secs(step);
        assert!(wait >= step * 8 / 10 && wait <= step * 12 / 10, "{wait:?} for {step:?}");
        let due = now() + wait;
        clock.advance(wait).await;
        let again = receiver.next_in_time(&clock).await;
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        let attempted_at: i64 = again.header("webhook-timestamp").parse().unwrap();
        assert!((due.as_secs()..=now().as_secs()).contains(&attempted_at));
    }
    until("it is dead", || outbox.counts("hook") == (0, 1)).await;
    running.stop().await;
    assert_eq!(outbox.dead_error(), "answered 500 Internal Server Error");
    assert_eq!(outbox.store.dead_letters(None).unwrap()[0].attempts, 10);
}

#[tokio::test(start_paused = true)]
async fn alerts_of_one_incident_keep_their_order_and_others_go_on() {
    let clock = HeldClock::hold();
    let mut refused = false;
    let mut receiver = Receiver::start(move |_| {
        let is_first = !std::mem::replace(&mut refused, true);
        status(if is_first { "500 Internal Server Error" } else { "200 OK" })
    })
    .await;
    let outbox = Outbox::new(&receiver.target("hook"));
    let (a, b) = (incident("a"), incident("b"));
    let (a_id, b_id) = (a.id.to_string(), b.id.to_string());
    outbox.put(&[
        change(ChangeKind::Opened, 0, a.clone()),
        change(ChangeKind::Grew, 1, a),
        change(ChangeKind::Opened, 0, b),
    ]);
    let running = outbox.start();
    let opened = |id: &String| ("incident.opened".to_owned(), id.clone());
    assert_eq!(receiver.next().await.told(), opened(&a_id));
    assert_eq!(receiver.next().await.told(), opened(&b_id));
    let wait = outbox.next_wait("hook").await;
    clock.advance(wait).await;
    assert_eq!(receiver.next_in_time(&clock).await.told(), opened(&a_id));
    assert_eq!(receiver.next().await.told(), ("incident.grew".to_owned(), a_id));
    running.stop().await;
    assert_eq!(outbox.counts("hook"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_delays_only_itself() {
    let clock = HeldClock::hold();
    let mut hanging = Receiver::start(|_| None).await;
    let mut healthy = Receiver::start(|_| status("200 OK")).await;
    let outbox = Outbox::new(&(hanging.target("hangs") + &healthy.target("healthy")));
    let running = outbox.start();
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    hanging.next().await;
    for name in ["b", "c"] {
        outbox.put(&[change(ChangeKind::Opened, 0, incident(name))]);
    }
    for _ in 0..3 {
        healthy.next().await;
    }
    // The alert that hung is put off, and the next one is tried.
    hanging.next_in_time(&clock).await;
    running.stop_hanging(&clock).await;
    assert_eq!(outbox.counts("healthy"), (0, 0));
    assert_eq!(outbox.counts("hangs"), (3, 0));
    let due = outbox.store.outbox_due("hangs", now() + Duration::from_secs(10), 9).unwrap();
    let hung = due.iter().find_map(|delivery| delivery.last_error.clone());
    assert_eq!(hung.as_deref(), Some("no answer within 10s"));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_a_pause_gets_it_for_all_alerts() {
    let clock = HeldClock::hold();
    let mut asked = false;
    let mut receiver = Receiver::start(move |_| {
        let is_first = !std::mem::replace(&mut asked, true);
        let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n";
        if is_first { Some(busy.to_owned()) } else { status("200 OK") }
    })
    .await;
    let outbox = Outbox::new(&receiver.target("hook"));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    receiver.next().await;
    assert_eq!(outbox.next_wait("hook").await, Duration::from_secs(90));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("b"))]);
    clock.advance(Duration::from_secs(89)).await;
    settle().await;
    assert!(receiver.requests.try_recv().is_err(), "it was disturbed in its pause");
    receiver.next_in_time(&clock).await;
    receiver.next_in_time(&clock).await;
    running.stop().await;
    assert_eq!(outbox.counts("hook"), (0, 0));
}

/// Gives the delivery every chance to do what it must not do.
async fn settle() {
    for _ in 0..20 {
        breathe().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_down_gets_its_alerts_within_two_minutes_of_its_return() {
    let clock = HeldClock::hold();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outbox = Outbox::new(&http::target("hook", &format!("http://{address}/")));
    for name in ["a", "b", "c"] {
        outbox.put(&[change(ChangeKind::Opened, 0, incident(name))]);
    }
    let running = outbox.start();
    for _ in 0..30 {
        clock.advance(Duration::from_secs(20)).await;
        breathe().await;
    }
    assert_eq!(outbox.counts("hook"), (3, 0));
    let listener = TcpListener::bind(address).await.unwrap();
    let mut receiver = Receiver::on(listener, None, |_| status("200 OK"));
    let returned_at = now();
    for _ in 0..3 {
        receiver.next_in_time(&clock).await;
    }
    let took = now().since(returned_at);
    // Probes are a minute apart at most; the rest is for a machine that is busy.
    assert!(took < Duration::from_secs(120), "{took:?}");
    running.stop().await;
    assert_eq!(outbox.counts("hook"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn alerts_for_a_receiver_that_stays_away_die_after_three_days() {
    let clock = HeldClock::hold();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outbox = Outbox::new(&http::target("hook", &format!("http://{address}/")));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    settle().await;
    clock.advance(Duration::from_secs(75 * HOUR)).await;
    settle().await;
    assert_eq!(outbox.counts("hook"), (1, 0), "it was given up too early");
    clock.advance(Duration::from_secs(2 * HOUR)).await;
    clock.pass_until("it is dead", || outbox.counts("hook") == (0, 1)).await;
    running.stop().await;
    let error = outbox.dead_error();
    assert!(
        error.starts_with("the target could not be reached since 2026-10-22T00:00:0"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn stopping_in_the_middle_leaves_the_alert_in_the_outbox() {
    let clock = HeldClock::hold();
    let mut hanging = Receiver::start(|_| None).await;
    let outbox = Outbox::new(&hanging.target("hook"));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    let first = hanging.next().await;
    running.stop_hanging(&clock).await;
    assert_eq!(outbox.counts("hook"), (1, 0));

    let mut receiver = Receiver::start(|_| status("200 OK")).await;
    let outbox = outbox.with_targets(&receiver.target("hook"));
    let running = outbox.start();
    let again = receiver.next().await;
    running.stop().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(outbox.counts("hook"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_after_a_delivery_does_not_make_it_a_second_one() {
    let clock = HeldClock::hold();
    let path = Arc::new(OnceLock::<PathBuf>::new());
    let store = Arc::clone(&path);
    let mut receiver = Receiver::start(move |_| {
        break_store(store.get().unwrap());
        status("200 OK")
    })
    .await;
    let outbox = Outbox::new(&receiver.target("hook"));
    path.set(outbox.path()).unwrap();
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    receiver.next().await;
    for _ in 0..10 {
        clock.advance(Duration::from_secs(20)).await;
        breathe().await;
    }
    mend_store(&outbox.path());
    assert_eq!(outbox.counts("hook"), (1, 0));
    clock.pass_until("the delivery is written down", || outbox.counts("hook") == (0, 0)).await;
    running.stop().await;
    assert!(receiver.requests.try_recv().is_err(), "it was sent again");
}

/// Takes the outbox's table away, so that every question about it is an error.
fn break_store(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute("ALTER TABLE outbox RENAME TO elsewhere", []).unwrap();
}

fn mend_store(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute("ALTER TABLE elsewhere RENAME TO outbox", []).unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_receiver_can_ask_for_more_than_a_day() {
    let _clock = HeldClock::hold();
    let mut receiver = Receiver::start(|_| {
        let years = "HTTP/1.1 503 Busy\r\nretry-after: 999999999\r\ncontent-length: 0\r\n\r\n";
        Some(years.to_owned())
    })
    .await;
    let outbox = Outbox::new(&receiver.target("hook"));
    outbox.put(&[change(ChangeKind::Opened, 0, incident("a"))]);
    let running = outbox.start();
    receiver.next().await;
    assert_eq!(outbox.next_wait("hook").await, Duration::from_secs(24 * HOUR));
    running.stop().await;
}
