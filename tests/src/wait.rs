//! Waiting for another program, with an end.

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// How long [`until`] looks.
const PATIENCE: Duration = Duration::from_secs(90);

/// A point in time after which nothing is waited for any more.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// `patience` from now.
    pub fn after(patience: Duration) -> Self {
        Self(real_now() + patience)
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        real_now() > self.0
    }
}

#[expect(clippy::disallowed_methods, reason = "other programs take real time")]
fn real_now() -> Instant {
    Instant::now()
}

/// Looks until there is an answer, and returns it.
///
/// # Panics
/// After a minute and a half, naming `what` was waited for.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// The same, for what takes longer.
///
/// # Panics
/// After `patience`, naming `what` was waited for.
pub fn until_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(patience);
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(!deadline.has_passed(), "waited in vain for {what}");
        thread::sleep(PAUSE);
    }
}
