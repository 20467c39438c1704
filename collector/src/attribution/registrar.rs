//! What a cluster or a container engine says of its executors, taken into the table.
//!
//! Owns what both watchers share: checking, counting, ending what is gone, and keeping the
//! source's time going. It knows neither of their protocols.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::{EventBatch, ExecutorRegistration, Loss, NamedBy, SmolStr, Timestamp};

use crate::{Context, Emit};

/// An address and the start of an executor's time on it: together they are one interval.
type Key = (IpAddr, SmolStr, Timestamp);

/// Takes what one authority says of executors into the table.
pub(super) struct Registrar<'a, 'b> {
    name: &'a SmolStr,
    by: NamedBy,
    context: &'a Context,
    emit: &'a mut Emit<'b>,
    /// What is listed, while a list is being read.
    listed: Option<BTreeSet<Key>>,
}

impl<'a, 'b> Registrar<'a, 'b> {
    pub(super) fn new(
        name: &'a SmolStr,
        by: NamedBy,
        context: &'a Context,
        emit: &'a mut Emit<'b>,
    ) -> Self {
        Self { name, by, context, emit, listed: None }
    }

    /// A whole list of what runs follows.
    pub(super) fn begin_list(&mut self) {
        self.listed = Some(BTreeSet::new());
    }

    /// The list is complete: what was running and is not in it has ended meanwhile.
    pub(super) fn end_list(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        let now = (self.context.now)();
        for running in self.context.attribution.running(self.by) {
            if !listed.contains(&key(&running)) {
                self.register(&ended(running, now));
            }
        }
    }

    /// Takes in an executor's interval.
    pub(super) fn take(&mut self, registration: &ExecutorRegistration) {
        self.context.ledger.receive(1);
        if let Err(error) = registration.check() {
            tracing::warn!(source = %self.name, %error, id = %registration.id, "left out");
            self.context.ledger.lose(Loss::Malformed, 1);
            return;
        }
        self.context.ledger.pass(1);
        if let Some(listed) = &mut self.listed {
            listed.insert(key(registration));
        }
        self.register(registration);
    }

    /// The executor ended just now, if it had not before.
    #[cfg(feature = "kubernetes")]
    pub(super) fn take_ended(&mut self, registration: ExecutorRegistration) {
        let now = (self.context.now)();
        let ended = match registration.until {
            Some(_) => registration,
            None => ended(registration, now),
        };
        self.take(&ended);
    }

    /// The executor ended just now, on all its addresses.
    #[cfg(feature = "docker")]
    pub(super) fn end(&mut self, id: &str) {
        let now = (self.context.now)();
        for running in self.context.attribution.running(self.by) {
            if running.id == id {
                self.register(&ended(running, now));
            }
        }
    }

    fn register(&self, registration: &ExecutorRegistration) {
        self.context.attribution.register_by(self.by, registration);
    }

    /// Tells that the source is alive, and how far its time has come. `false`: it should end.
    pub(super) fn is_wanted(&mut self) -> bool {
        let batch = EventBatch {
            source: self.name.clone(),
            events: Vec::new(),
            position: None,
            seen_until: (self.context.now)(),
        };
        !matches!((self.emit)(batch), Err(crate::Refused::Closed))
            && !self.context.stop.load(Relaxed)
    }
}

fn key(registration: &ExecutorRegistration) -> Key {
    (registration.address.to_canonical(), registration.id.clone(), registration.from)
}

/// The registration with an end. One that ends as it starts covers a nanosecond.
fn ended(registration: ExecutorRegistration, now: Timestamp) -> ExecutorRegistration {
    let earliest = registration.from + std::time::Duration::from_nanos(1);
    ExecutorRegistration { until: Some(now.max(earliest)), ..registration }
}

/// The name of an image, without its registry, tag and digest: these change and it stays the same
/// kind of executor.
pub(super) fn image_name(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let start = image.rfind('/').map_or(0, |slash| slash + 1);
    let name = &image[start..];
    name.split_once(':').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_name() {
        for (image, name) in [
            ("python", "python"),
            ("python:3.12", "python"),
            ("registry:5000/a/b@sha256:00", "b"),
            ("registry:5000/b:1", "b"),
        ] {
            assert_eq!(image_name(image), name, "{image}");
        }
    }
}
