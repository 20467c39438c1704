//! The heartbeat: as long as Egret is well it says so, and whoever misses it knows that it is not.
//!
//! It takes the way that alerts take, and no place in the outbox: one that came late would say that all was well
//! when it was not.

use std::sync::Arc;
use std::time::Duration;

use egret_event::Timestamp;
use metrics::counter;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::Target;
use crate::fields::Named;
use crate::link::Link;

/// Tells whether Egret can do its work; if not, why.
pub type Wellness = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What is told.
pub(crate) const WORDS: &str = "egret is well";

/// The name that SIEMs and pagers find it by.
pub(crate) const RULE: &str = "EGR-HEARTBEAT";

/// One heartbeat.
#[derive(Debug)]
pub(crate) struct Beat {
    pub(crate) at: Timestamp,
    /// The time until the next one.
    pub(crate) every: Duration,
    /// What is the same in all that the target is told.
    pub(crate) constants: Named,
}

/// Tells one target, as long as Egret is well, until `stop` turns true.
pub(crate) async fn run(
    target: Target,
    every: Duration,
    wellness: Wellness,
    mut stop: watch::Receiver<bool>,
    now: fn() -> Timestamp,
) {
    let mut beat = Beat { at: now(), every, constants: target.telling.fields.constants() };
    let mut link = Link::new(target.channel);
    let mut ticks = interval(every);
    // After a pause of the machine one is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_taken = true;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stopped| *stopped) => break,
        }
        let name = target.name.clone();
        let reasons = wellness();
        if !reasons.is_empty() {
            tracing::warn!(target_name = %name, ?reasons, "no heartbeat: egret is not well");
            counter!("egret_notify_heartbeats_total", "target" => name, "outcome" => "withheld")
                .increment(1);
            continue;
        }
        beat.at = now();
        let sent = tokio::select! {
            sent = link.beat(&beat) => sent,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let outcome = if sent.is_ok() { "taken" } else { "failed" };
        counter!("egret_notify_heartbeats_total", "target" => name.clone(), "outcome" => outcome)
            .increment(1);
        if let Err(failure) = &sent
            && is_taken
        {
            tracing::warn!(target_name = %name, error = failure.error(), "a heartbeat was not taken");
        }
        is_taken = sent.is_ok();
    }
    link.close().await;
}
