//! The delivery: one task per target, which takes what is due from the outbox, in its order.

use std::sync::Arc;
use std::time::Duration;

use egret_analyzer::Signal;
use egret_event::{EventId, Timestamp};
use egret_store::{Delivery, DeliveryState, Store, StoreError};
use metrics::{counter, gauge, histogram};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::alert::{Alert, Telling, past_the_outbox};
use crate::at_most::Room;
use crate::heartbeat::{self, Wellness};
use crate::link::{Failure, Link, Tended};
use crate::schedule::{LONGEST_RETRY_AFTER, PATIENCE, SHORTEST_OUTAGE, probe_pause, wait_after};
use crate::standing::Standings;
use crate::target::Calls;
use crate::{NotifyError, Target};

/// Most alerts taken from the outbox at once: a few, since each may take seconds to deliver.
const MAX_DUE: usize = 32;

/// Shortest pause when nothing is due, whatever the outbox says of its next attempt.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause, so that a step of the wall clock delays an alert by a minute at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long the attempt under way may still take once delivery is told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What is delivered, and what that needs.
pub struct Deliveries {
    /// Where the outbox is.
    pub store: Store,
    /// Who is told.
    pub targets: Vec<Target>,
    /// Notified when the outbox got something new.
    pub wake: Arc<Notify>,
    /// Whether Egret is well: targets with a heartbeat are told so as long as it is.
    pub wellness: Wellness,
    /// Where it is noted how the targets are doing.
    pub standings: Standings,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

/// Delivers what is in the outbox, each target on its own task, until `stop` turns true.
///
/// On `stop` the attempt under way is finished, for three seconds at most; what was not delivered
/// by then stays in the outbox and is delivered after the next start.
///
/// # Errors
/// [`NotifyError::BrokeOff`] where a task panicked. Receivers and stores that fail are waited for.
pub async fn run(
    deliveries: Deliveries,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NotifyError> {
    let Deliveries { store, targets, wake, wellness, standings, now } = deliveries;
    describe_metrics();
    let (woken, wakes) = watch::channel(());
    let mut couriers = JoinSet::new();
    for target in targets {
        if let Some(every) = target.heartbeat {
            let wellness = Arc::clone(&wellness);
            couriers.spawn(heartbeat::run(target.clone(), every, wellness, stop.clone(), now));
        }
        let courier = Courier::new(store.clone(), target, standings.clone(), now);
        couriers.spawn(courier.run(wakes.clone(), stop.clone()));
    }
    tokio::select! {
        () = pass_on(&wake, &woken) => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
        Some(Err(broken)) = couriers.join_next() => return Err(broken.into()),
    }
    while let Some(ended) = couriers.join_next().await {
        ended?;
    }
    Ok(())
}

/// Wakes every courier when `wake` is notified, by whichever of its methods.
async fn pass_on(wake: &Notify, woken: &watch::Sender<()>) {
    let mut notified = std::pin::pin!(wake.notified());
    loop {
        notified.as_mut().enable();
        notified.as_mut().await;
        notified.set(wake.notified());
        woken.send_replace(());
    }
}

fn describe_metrics() {
    metrics::describe_counter!("egret_notify_delivered_total", "Alerts taken by the target");
    metrics::describe_counter!("egret_notify_failed_total", "Attempts that failed");
    metrics::describe_counter!("egret_notify_dead_total", "Alerts given up");
    metrics::describe_counter!(
        "egret_notify_gathered_total",
        "Alerts told by another one, because the target is called only so often"
    );
    metrics::describe_counter!(
        "egret_notify_heartbeats_total",
        "Heartbeats taken, failed, and withheld because egret was not well"
    );
    metrics::describe_gauge!("egret_notify_waiting", "Alerts in the outbox");
    metrics::describe_gauge!("egret_notify_up", "1 unless the target cannot be reached");
    metrics::describe_histogram!(
        "egret_notify_delivery_seconds",
        metrics::Unit::Seconds,
        "From the outbox to the target's yes"
    );
}

/// Brings the alerts of one target.
struct Courier {
    store: Store,
    name: String,
    calls: Calls,
    telling: Telling,
    link: Link,
    standings: Standings,
    now: fn() -> Timestamp,
    /// Since when, and for how many probes, the target could not be reached.
    outage: Option<(Timestamp, u32)>,
    /// Until when the target is left alone: an outage, or its own `Retry-After`.
    held_until: Option<Timestamp>,
    /// Why the target wants no alerts any more, until the next start.
    gone: Option<String>,
    /// What became of an alert and could not be written down yet.
    unrecorded: Option<(EventId, DeliveryState)>,
    /// When the target is to be told again of what is not closed; at the start, at once.
    again_at: Option<Timestamp>,
    /// How many times in a row the store failed.
    store_failures: u32,
}

/// Whether there is more to do at once.
enum Next {
    Continue,
    Pause(Duration),
}

impl Courier {
    fn new(store: Store, target: Target, standings: Standings, now: fn() -> Timestamp) -> Self {
        Self {
            store,
            name: target.name,
            calls: target.calls,
            telling: target.telling,
            link: Link::new(target.channel),
            standings,
            now,
            outage: None,
            held_until: None,
            gone: None,
            unrecorded: None,
            again_at: None,
            store_failures: 0,
        }
    }

    async fn run(mut self, mut wakes: watch::Receiver<()>, mut stop: watch::Receiver<bool>) {
        self.show_up();
        while !is_stopped(&stop) {
            wakes.mark_unchanged();
            let pause = match self.round(&stop).await {
                Ok(Next::Continue) => continue,
                Ok(Next::Pause(pause)) => pause,
                Err(error) => self.store_failed(&error),
            };
            // New alerts are no reason to disturb a target, or a store, that is being left alone.
            let may_wake = self.held_until.is_none() && self.store_failures == 0;
            tokio::select! {
                () = sleep(pause) => {}
                Ok(()) = wakes.changed(), if may_wake => {}
                _ = stop.wait_for(|stopped| *stopped) => break,
            }
        }
        self.link.close().await;
    }

    /// Delivers what is due, and says when to look again.
    async fn round(&mut self, stop: &watch::Receiver<bool>) -> Result<Next, StoreError> {
        self.write_down().await?;
        self.show_waiting().await?;
        if let Some(pause) = self.held() {
            return Ok(Next::Pause(pause));
        }
        self.tend().await;
        self.tell_again().await?;
        if let Some(pause) = self.held() {
            return Ok(Next::Pause(pause));
        }
        let (due, room_at) = self.due().await?;
        let next = match (due.is_empty(), room_at) {
            (false, _) => {
                self.deliver_all(due, stop).await?;
                Next::Continue
            }
            (true, Some(at)) => Next::Pause(self.bounded(at)),
            (true, None) => Next::Pause(self.until_next().await?),
        };
        self.store_recovered();
        Ok(next)
    }

    /// What is to be delivered now; where the target may not be called at the moment, until when. What is more than
    /// it may be told of one by one is gathered.
    async fn due(&self) -> Result<(Vec<Delivery>, Option<Timestamp>), StoreError> {
        let (name, now) = (self.name.clone(), (self.now)());
        let Some(at_most) = self.calls.at_most else {
            let due = self.ask(move |store| store.outbox_due(&name, now, MAX_DUE)).await?;
            return Ok((due, None));
        };
        self.ask(move |store| {
            let Some(waiting_since) = store.outbox_waiting_since(&name, now)? else {
                return Ok((store.outbox_due_no_calls(&name, now, MAX_DUE)?, None));
            };
            let since = now - at_most.per;
            let told = store.outbox_told(&name, (since, now), at_most.alerts)?;
            // What was tried, and not taken, may have called somebody.
            let tried = store.outbox_tried(&name, since)?;
            let tried = usize::try_from(tried).unwrap_or(usize::MAX);
            match at_most.room((&told, tried), waiting_since, now) {
                Room::For(room) => {
                    let others = store.outbox_gather(&name, now, room)?;
                    counter!("egret_notify_gathered_total", "target" => name.clone())
                        .increment(others);
                    let mut due = store.outbox_due(&name, now, MAX_DUE)?;
                    keep_calls(&mut due, room);
                    Ok((due, None))
                }
                Room::NotBefore(at) => {
                    Ok((store.outbox_due_no_calls(&name, now, MAX_DUE)?, Some(at)))
                }
            }
        })
        .await
    }

    /// Looks after what the target may not have got of what it was told.
    async fn tend(&mut self) {
        match self.link.tend().await {
            Ok(Tended::Nothing) => {}
            Ok(Tended::Reached) => {
                self.reached();
                self.standings.took(&self.name);
            }
            Err(failure) => {
                let at = (self.now)();
                self.standings.failed(&self.name, at, failure.error(), false);
                self.not_reached(at, failure.error());
            }
        }
    }

    /// Tells the target again of what is not closed, where it wants that and it is time.
    async fn tell_again(&mut self) -> Result<(), StoreError> {
        let now = (self.now)();
        let Some(period) = self.link.wants_again() else { return Ok(()) };
        // The wall clock may have been set back.
        let is_due = |at: Timestamp| now >= at || at.since(now) > period;
        if !self.again_at.is_none_or(is_due) {
            return Ok(());
        }
        self.again_at = Some(now + period);
        let name = self.name.clone();
        let standing = self.ask(move |store| store.outbox_standing(&name)).await?;
        let told = |change| self.telling.alert(past_the_outbox(change, &self.name));
        let standing: Vec<Alert> = standing.into_iter().map(told).collect();
        match self.link.send_again(&standing, now).await {
            Ok(()) => {}
            Err(Failure::Unreachable(error)) => {
                self.again_at = None;
                self.not_reached(now, &error);
            }
            Err(failure) => {
                counter!("egret_notify_failed_total", "target" => self.name.clone()).increment(1);
                tracing::warn!(target_name = %self.name, error = failure.error(), "what stands was not taken again");
            }
        }
        Ok(())
    }

    /// How long the target is still to be left alone.
    fn held(&mut self) -> Option<Duration> {
        let left = self.held_until?.since((self.now)());
        // Nothing is held for longer: the wall clock was set back meanwhile.
        let is_absurd = left > LONGEST_RETRY_AFTER;
        if left.is_zero() || is_absurd {
            self.held_until = None;
            return None;
        }
        Some(left.min(LONGEST_PAUSE))
    }

    async fn until_next(&self) -> Result<Duration, StoreError> {
        let name = self.name.clone();
        let next = self.ask(move |store| store.outbox_next(&name)).await?;
        Ok(next.map_or_else(|| self.bounded(Timestamp::MAX), |next| self.bounded(next)))
    }

    /// The pause until a time, or until the target is to be told again.
    fn bounded(&self, until: Timestamp) -> Duration {
        let until = self.again_at.map_or(until, |again| again.min(until));
        until.since((self.now)()).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    async fn deliver_all(
        &mut self,
        due: Vec<Delivery>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        for delivery in due {
            if is_stopped(stop) {
                break;
            }
            if let Some(until) = self.left_alone(&delivery) {
                let (alert, name) = (delivery.alert, self.name.clone());
                self.ask(move |store| store.outbox_hold(alert, &name, until)).await?;
                continue;
            }
            let state = if self.held_until.is_some() {
                self.judge_unsent(&delivery)
            } else if let Some(reason) = &self.gone {
                Some(DeliveryState::Dead { at: (self.now)(), error: reason.clone() })
            } else {
                self.attempt(&delivery, stop).await
            };
            if let Some(state) = state {
                self.count(&delivery, &state);
                self.unrecorded = Some((delivery.alert, state));
                self.write_down().await?;
            }
        }
        Ok(())
    }

    /// Until when the target is left alone about an alert: quiet hours may have begun since it was queued. What was
    /// tried is tried on.
    fn left_alone(&self, delivery: &Delivery) -> Option<Timestamp> {
        let calls = delivery.change.kind.signal() == Some(Signal::Raise) && delivery.attempts == 0;
        let incident = &delivery.change.incident;
        calls.then(|| self.calls.quiet.until(incident, (self.now)()))?
    }

    /// Makes one attempt. `None`: nothing is to be written down, the alert is due as before.
    async fn attempt(
        &mut self,
        delivery: &Delivery,
        stop: &watch::Receiver<bool>,
    ) -> Option<DeliveryState> {
        let alert = self.telling.alert(delivery.clone());
        let sent = tokio::select! {
            sent = self.link.send(&alert, (self.now)()) => sent,
            () = stopped_for(STOP_PATIENCE, stop.clone()) => return None,
        };
        let at = (self.now)();
        let failure = match sent {
            Ok(()) => {
                self.reached();
                self.standings.took(&self.name);
                return Some(DeliveryState::Delivered { at });
            }
            Err(failure) => failure,
        };
        match &failure {
            // The target is well: it is this alert that it does not want.
            Failure::Rejected(_) => {}
            Failure::Unreachable(_) | Failure::Refused { .. } | Failure::Gone(_) => {
                let is_off = matches!(failure, Failure::Gone(_));
                self.standings.failed(&self.name, at, failure.error(), is_off);
            }
        }
        counter!("egret_notify_failed_total", "target" => self.name.clone()).increment(1);
        match failure {
            Failure::Unreachable(error) => {
                self.not_reached(at, &error);
                self.judge_unsent(delivery)
            }
            Failure::Refused { error, retry_after } => {
                self.reached();
                Some(self.refused(delivery, at, error, retry_after))
            }
            Failure::Rejected(error) => {
                self.reached();
                Some(DeliveryState::Dead { at, error })
            }
            Failure::Gone(error) => {
                self.reached();
                let error = format!("{error}; the target is off until the next start");
                tracing::error!(target_name = %self.name, %error, "a target wants no more alerts");
                self.gone = Some(error.clone());
                Some(DeliveryState::Dead { at, error })
            }
        }
    }

    fn refused(
        &mut self,
        delivery: &Delivery,
        at: Timestamp,
        error: String,
        retry_after: Option<Duration>,
    ) -> DeliveryState {
        let asked = retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER));
        // A receiver that is overloaded is so for all alerts.
        self.held_until = asked.filter(|wait| !wait.is_zero()).map(|wait| at + wait);
        match wait_after(delivery.alert, delivery.attempts.saturating_add(1)) {
            Some(wait) => {
                let wait = wait.max(asked.unwrap_or_default());
                tracing::debug!(target_name = %self.name, %error, "an alert was not taken");
                DeliveryState::Retry { tried_at: at, at: at + wait, error }
            }
            None => DeliveryState::Dead { at, error },
        }
    }

    /// What becomes of an alert that could not be brought to an unreachable target: it waits
    /// without an attempt being counted, until it is too old.
    fn judge_unsent(&self, delivery: &Delivery) -> Option<DeliveryState> {
        let (since, _) = self.outage?;
        let at = (self.now)();
        let is_hopeless =
            at.since(delivery.queued_at) > PATIENCE && at.since(since) > SHORTEST_OUTAGE;
        is_hopeless.then(|| DeliveryState::Dead {
            at,
            error: format!("the target could not be reached since {since}"),
        })
    }

    fn not_reached(&mut self, at: Timestamp, error: &str) {
        let (since, probes) = self.outage.unwrap_or((at, 0));
        if probes == 0 {
            tracing::warn!(target_name = %self.name, %error, "a target cannot be reached");
        }
        self.held_until = Some(at + probe_pause(probes));
        self.outage = Some((since, probes.saturating_add(1)));
        self.show_up();
    }

    fn reached(&mut self) {
        if let Some((since, _)) = self.outage.take() {
            tracing::info!(target_name = %self.name, %since, "a target can be reached again");
            self.show_up();
        }
    }

    /// Writes down what became of the last alert. Until that worked no other alert is sent, so
    /// that a failing store does not make a receiver get the same alert again and again.
    async fn write_down(&mut self) -> Result<(), StoreError> {
        if let Some((alert, state)) = self.unrecorded.clone() {
            let name = self.name.clone();
            match self.ask(move |store| store.outbox_record(alert, &name, &state)).await {
                // It was deleted meanwhile: there is nothing left to write it to.
                Ok(()) | Err(StoreError::NotFound { .. }) => self.unrecorded = None,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks the store on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || question(&store)).await {
            Ok(answer) => answer,
            Err(broken) => match broken.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being shut down, and this task with it.
                Err(_cancelled) => std::future::pending().await,
            },
        }
    }

    /// Counts a failure of the store and says how long to leave it alone.
    fn store_failed(&mut self, error: &StoreError) -> Duration {
        if self.store_failures == 0 {
            tracing::error!(target_name = %self.name, %error, "the outbox cannot be used");
        }
        let pause = probe_pause(self.store_failures);
        self.store_failures = self.store_failures.saturating_add(1);
        pause
    }

    fn store_recovered(&mut self) {
        if std::mem::take(&mut self.store_failures) > 0 {
            tracing::info!(target_name = %self.name, "the outbox can be used again");
        }
    }

    fn count(&self, delivery: &Delivery, state: &DeliveryState) {
        let name = self.name.clone();
        match state {
            DeliveryState::Delivered { at } => {
                counter!("egret_notify_delivered_total", "target" => name.clone()).increment(1);
                histogram!("egret_notify_delivery_seconds", "target" => name)
                    .record(at.since(delivery.queued_at));
            }
            DeliveryState::Dead { error, .. } => {
                counter!("egret_notify_dead_total", "target" => name).increment(1);
                let (target_name, alert) = (&self.name, delivery.alert);
                tracing::warn!(%target_name, %alert, %error, "an alert was given up");
            }
            DeliveryState::Retry { .. } => {}
        }
    }

    fn show_up(&self) {
        let up = if self.outage.is_none() { 1.0 } else { 0.0 };
        gauge!("egret_notify_up", "target" => self.name.clone()).set(up);
    }

    async fn show_waiting(&self) -> Result<(), StoreError> {
        let name = self.name.clone();
        let waiting = self.ask(move |store| store.outbox_waiting(&name)).await?;
        gauge!("egret_notify_waiting", "target" => self.name.clone()).set(waiting as f64);
        Ok(())
    }
}

/// Keeps at most `room` alerts that call for somebody anew.
fn keep_calls(due: &mut Vec<Delivery>, mut room: usize) {
    due.retain(|delivery| {
        let raises = delivery.change.kind.signal() == Some(Signal::Raise);
        let calls = raises && delivery.attempts == 0;
        let fits = !calls || room > 0;
        room -= usize::from(calls && fits);
        fits
    });
}

/// Whether to stop. A sender that is gone can no longer say so: that counts as saying it.
fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Returns once [`is_stopped`] has been true for `patience`.
async fn stopped_for(patience: Duration, mut stop: watch::Receiver<bool>) {
    _ = stop.wait_for(|stopped| *stopped).await;
    sleep(patience).await;
}
