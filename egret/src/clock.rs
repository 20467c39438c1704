//! The only place where the wall clock is read; everything else takes time as an argument.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use egret_event::Timestamp;

/// Now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
pub fn now() -> Timestamp {
    let since_epoch =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

/// How long this process has run by a clock that is never set: against it a step of the wall clock shows.
#[expect(clippy::disallowed_methods, reason = "this file is where clocks are read")]
pub fn running_for() -> Duration {
    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
    STARTED.elapsed()
}
