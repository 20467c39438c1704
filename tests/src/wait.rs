//! Waiting for another program, with an end.

use std::thread;
use std::time::Duration;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks made before giving up: one minute of pauses.
const LOOKS: u32 = 3000;

/// Looks until there is an answer, and returns it.
///
/// # Panics
/// After about a minute, naming `what` was waited for.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(answer) = look() {
            return answer;
        }
        thread::sleep(PAUSE);
    }
    panic!("waited in vain for {what}");
}
