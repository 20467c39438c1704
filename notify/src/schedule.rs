//! When a delivery is tried again, and when it is given up.
//!
//! Two things can go wrong, and they are told apart. A receiver that *answers* and does not take
//! an alert, or takes the request and then hangs, says something about that alert: it climbs
//! [`LADDER`] by itself while others go on. A receiver that *cannot be reached* says nothing about
//! any alert: the whole target waits, is probed with its oldest alert every few seconds, and goes
//! on as soon as it is back (a circuit breaker: open while it waits, half-open at each probe). Otherwise a syslog server that restarts within ten seconds would get
//! its alerts hours later.

use std::time::Duration;

use egret_event::EventId;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// Waits after the first failed attempt, the second, … (Standard Webhooks 1.0.0, "Deliverability
/// and reliability"). After the attempt that follows the last wait, the alert is dead.
const LADDER: [Duration; 9] = [
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(20 * 60),
    minutes(24 * 60),
];

/// Pauses between probes of a target that cannot be reached: doubled from the first to the last.
const FIRST_PROBE: Duration = Duration::from_secs(5);
const SLOWEST_PROBE: Duration = Duration::from_secs(60);

/// How long an unreachable target's alerts are kept before they are dead: as long as the ladder,
/// 75 h 35 min, so that both kinds of failure get the same patience. Rounded up to hours.
pub(crate) const PATIENCE: Duration = minutes(76 * 60);

/// How long an outage must have lasted before [`PATIENCE`] counts: an old dead letter that was
/// made due again is not given up because of one failed connection.
pub(crate) const SHORTEST_OUTAGE: Duration = minutes(10);

/// Longest `Retry-After` that is honoured. A receiver's mistake must not silence it for weeks.
pub(crate) const LONGEST_RETRY_AFTER: Duration = minutes(24 * 60);

/// The wait after `failed` attempts that the receiver did not take. `None`: give up.
///
/// The wait is spread by ±20 %, so that alerts which failed together do not return together. The
/// spread is a hash of alert and attempt: a replay waits as long as the first run did.
pub(crate) fn wait_after(alert: EventId, failed: u32) -> Option<Duration> {
    let step = usize::try_from(failed).ok()?.checked_sub(1)?;
    let wait = LADDER.get(step)?;
    let hash = EventId::of(&[b"retry", &alert.to_bytes(), &failed.to_le_bytes()]).bits();
    // 0 to 400 per mille on top of 800.
    let per_mille = 800 + (hash % 401) as u32;
    Some(*wait * per_mille / 1000)
}

/// The pause before probe number `probe` (from 0) of a target that cannot be reached.
pub(crate) fn probe_pause(probe: u32) -> Duration {
    FIRST_PROBE.saturating_mul(1 << probe.min(8)).min(SLOWEST_PROBE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_are_made_over_three_days() {
        let alert = EventId::of(&[b"alert"]);
        let waits: Vec<_> = (1..=10).map(|failed| wait_after(alert, failed)).collect();
        assert!(waits[..9].iter().all(Option::is_some));
        assert_eq!(waits[9], None);
        let total: Duration = waits.iter().flatten().sum();
        assert!(total > PATIENCE * 7 / 10 && total < PATIENCE * 13 / 10, "{total:?}");
        assert!(LADDER.iter().sum::<Duration>() <= PATIENCE);
    }

    #[test]
    fn waits_spread_by_a_fifth_and_repeat_exactly() {
        let firsts: Vec<_> = (0..1000_u32)
            .map(|n| wait_after(EventId::of(&[&n.to_le_bytes()]), 1).unwrap())
            .collect();
        let (least, most) = (firsts.iter().min().unwrap(), firsts.iter().max().unwrap());
        assert!((4000..4100).contains(&least.as_millis()), "{least:?}");
        assert!((5900..=6000).contains(&most.as_millis()), "{most:?}");
        assert_eq!(firsts[7], wait_after(EventId::of(&[&7_u32.to_le_bytes()]), 1).unwrap());
    }

    #[test]
    fn probes_slow_down_to_one_a_minute() {
        let pauses: Vec<_> = (0..6).map(|probe| probe_pause(probe).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        assert_eq!(probe_pause(u32::MAX), SLOWEST_PROBE);
    }
}
