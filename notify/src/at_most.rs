//! How often a target is called: a storm becomes a few alerts, of which each tells how many there are.

use std::time::Duration;

use egret_event::Timestamp;

/// A target that is called at most so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtMost {
    pub(crate) alerts: usize,
    pub(crate) per: Duration,
}

/// Longest wait before the last call that is left is made: so many more may be told with it.
const LONGEST_GATHERING: Duration = Duration::from_secs(60);

/// When to look again whether what was tried has been taken, or given up.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What a target with a limit may be told of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// So many alerts.
    For(usize),
    /// None until then.
    NotBefore(Timestamp),
}

impl AtMost {
    /// The room at `now`, after the calls at `told` (newest first, those of the last `per`) and so many that were tried
    /// and are to be tried again, while alerts have waited since `waiting_since`. The last call that is left waits
    /// until more than the first few can be told with it: a storm that goes on would otherwise be known only when
    /// the next call is free.
    pub(crate) fn room(
        self,
        (told, tried): (&[Timestamp], usize),
        waiting_since: Timestamp,
        now: Timestamp,
    ) -> Room {
        match self.alerts.saturating_sub(told.len()).saturating_sub(tried) {
            0 => {
                // With fewer told it is one that was tried which keeps the room.
                let first = self.alerts.checked_sub(1).and_then(|last| told.get(last));
                let frees = first.map_or(now + LOOK_AGAIN, |first| *first + self.per);
                // The wall clock may have been set back since.
                Room::NotBefore(frees.min(now + self.per))
            }
            1 if self.alerts > 1 => {
                let tells = waiting_since + (self.per / 10).min(LONGEST_GATHERING);
                let has_waited = now >= tells || waiting_since > now;
                if has_waited { Room::For(1) } else { Room::NotBefore(tells) }
            }
            free => Room::For(free),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_last_call_that_is_left_most_is_made() {
        let limit = AtMost { alerts: 3, per: Duration::from_secs(600) };
        let second = |n: i64| Timestamp::from_secs(1000 + n);
        assert_eq!(limit.room((&[], 0), second(0), second(0)), Room::For(3));
        let [a, b, c] = [second(0), second(1), second(2)];
        assert_eq!(limit.room((&[a], 0), second(1), second(1)), Room::For(2));
        assert_eq!(limit.room((&[b, a], 0), second(2), second(2)), Room::NotBefore(second(62)));
        assert_eq!(limit.room((&[b, a], 0), second(2), second(62)), Room::For(1));
        assert_eq!(
            limit.room((&[c, b, a], 0), second(3), second(99)),
            Room::NotBefore(second(600))
        );
        // What was tried may have called somebody.
        assert_eq!(limit.room((&[a], 2), second(9), second(9)), Room::NotBefore(second(19)));
        let single = AtMost { alerts: 1, ..limit };
        assert_eq!(single.room((&[], 0), second(0), second(0)), Room::For(1));
    }
}
