//! Warnings about lines that cannot be read: the first at once, then a sum now and then.

use std::time::Duration;

use egret_event::{SmolStr, Timestamp};

/// Shortest time between two warnings.
const PAUSE: Duration = Duration::from_secs(10);

/// Unreadable lines of one source, and what was said of them.
pub(crate) struct Complaints {
    source: SmolStr,
    is_first: bool,
    unsaid: u64,
    last: &'static str,
    said_at: Option<Timestamp>,
}

impl Complaints {
    pub(crate) fn new(source: SmolStr) -> Self {
        Self { source, is_first: true, unsaid: 0, last: "", said_at: None }
    }

    /// Notes a line. The line itself is never told: it may hold secrets.
    pub(crate) fn add(&mut self, what: &'static str) {
        self.unsaid += 1;
        self.last = what;
        if self.is_first {
            self.is_first = false;
            self.say();
        }
    }

    /// Tells of what was noted since the last warning, if that is long enough ago.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        let since = *self.said_at.get_or_insert(now);
        if self.unsaid > 0 && now.since(since) >= PAUSE {
            self.said_at = Some(now);
            self.say();
        }
    }

    /// Tells of what is left.
    pub(crate) fn finish(&mut self) {
        if self.unsaid > 0 {
            self.say();
        }
    }

    fn say(&mut self) {
        tracing::warn!(
            source = %self.source, lines = self.unsaid, problem = self.last,
            "log lines cannot be read; is the dialect right?"
        );
        self.unsaid = 0;
    }
}
