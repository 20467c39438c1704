//! The only place where the wall clock is read; everything else takes time as an argument.

use egret_event::Timestamp;

/// Now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this file is where the clock is read")]
pub fn now() -> Timestamp {
    let since_epoch =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
