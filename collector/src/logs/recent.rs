//! Flows that a log tells of in several lines, remembered for as long as lines follow.

use std::net::IpAddr;
use std::time::Duration;

use egret_event::Timestamp;
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::entry::Ends;

/// Flows remembered, in each of two generations: about 100 bytes each. Where there are more, those
/// not told of for longest begin anew when they go on.
const MAX_REMEMBERED: usize = 32_768;

/// Who talks to whom, and by which protocol number.
type Key = ((IpAddr, u16), (IpAddr, u16), u8);

/// Numbers the parts of flows.
#[derive(Debug, Default)]
pub(super) struct Recent {
    recent: HashMap<Key, Known, FixedState>,
    older: HashMap<Key, Known, FixedState>,
}

/// What is remembered of a flow.
#[derive(Debug, Clone, Copy)]
struct Known {
    until: Timestamp,
    next: u32,
}

impl Recent {
    /// Which part of its flow this is. A flow that was quiet for longer than `idle` is another.
    pub(super) fn number(&mut self, ends: &Ends, protocol: u8, idle: Duration) -> u32 {
        let key = (ends.client, ends.server, protocol);
        let known = self.recent.get(&key).or_else(|| self.older.get(&key)).copied();
        let goes_on = known.filter(|known| ends.at <= known.until + idle);
        let number = goes_on.map_or(0, |known| known.next);
        let until = goes_on.map_or(ends.at, |known| known.until.max(ends.at));
        if self.recent.len() >= MAX_REMEMBERED && !self.recent.contains_key(&key) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, Known { until, next: number.saturating_add(1) });
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(port: u16, second: i64) -> Ends {
        Ends {
            at: Timestamp::from_secs(second),
            client: ("10.20.0.17".parse().unwrap(), port),
            server: ("192.0.2.7".parse().unwrap(), 443),
        }
    }

    #[test]
    fn parts_are_numbered_until_a_flow_was_quiet_for_long() {
        let mut recent = Recent::default();
        let mut number =
            |port, second| recent.number(&ends(port, second), 6, Duration::from_secs(60));
        assert_eq!([number(1, 0), number(1, 60), number(2, 60), number(1, 50)], [0, 1, 0, 2]);
        assert_eq!(number(1, 200), 0);
    }

    #[test]
    fn memory_is_bounded_and_what_was_told_of_last_stays() {
        let mut recent = Recent::default();
        for second in 0..3 * MAX_REMEMBERED as i64 {
            let mut other = ends(1, 0);
            other.server.0 = IpAddr::V4(std::net::Ipv4Addr::from_bits(second as u32));
            recent.number(&other, 6, Duration::from_secs(60));
            if second % 1000 == 0 {
                recent.number(&ends(1, 0), 6, Duration::from_secs(60));
            }
        }
        assert!(recent.recent.len() <= MAX_REMEMBERED && recent.older.len() <= MAX_REMEMBERED);
        assert!(recent.number(&ends(1, 0), 6, Duration::from_secs(60)) > 0);
    }
}
