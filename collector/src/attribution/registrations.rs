//! Executors that somebody named for a time: per address, a list of intervals.

use std::net::IpAddr;
use std::sync::Arc;

use egret_event::{Attribution, ExecutorRegistration, NamedBy, SmolStr, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::SEED;

/// Most intervals kept per address: three days of an address that is reused every five minutes.
const MAX_PER_ADDRESS: usize = 1_024;

/// Most intervals kept in all, about 400 bytes each.
const MAX_IN_ALL: usize = 262_144;

/// Part of [`MAX_IN_ALL`] that is freed at once when it is reached, so that the search for what
/// to free is paid for by many registrations.
const FREED_AT_ONCE: usize = MAX_IN_ALL / 16;

/// Which executor has an address from when until when.
#[derive(Debug)]
struct Interval {
    from: Timestamp,
    /// As registered.
    until: Option<Timestamp>,
    /// `until`, or else the start of the next interval by the same authority.
    ends: Option<Timestamp>,
    /// The latest end of this interval and all before it; `None`: one of them has no end.
    covered_until: Option<Timestamp>,
    /// Counts registrations: of two by one authority that overlap the later wins.
    number: u64,
    who: Arc<Attribution>,
}

impl Interval {
    /// Orders intervals by how soon they can be forgotten: first the ended ones by their end,
    /// then the running ones by their start. No two are equal.
    fn age(&self) -> (bool, Timestamp, u64) {
        match self.ends {
            Some(end) => (false, end, self.number),
            None => (true, self.from, self.number),
        }
    }

    fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && self.ends.is_none_or(|end| at < end)
    }

    fn overlaps(&self, other: &Self) -> bool {
        other.ends.is_none_or(|end| self.from < end) && self.ends.is_none_or(|end| other.from < end)
    }
}

/// All registered intervals, by address.
#[derive(Debug)]
pub(super) struct Registrations {
    by_address: HashMap<IpAddr, Vec<Interval>, FixedState>,
    /// How many intervals name each executor.
    ids: HashMap<SmolStr, u32, FixedState>,
    kept: usize,
    number: u64,
}

impl Default for Registrations {
    fn default() -> Self {
        let by_address = HashMap::with_hasher(FixedState::with_seed(SEED));
        let ids = HashMap::with_hasher(FixedState::with_seed(SEED));
        Self { by_address, ids, kept: 0, number: 0 }
    }
}

impl Registrations {
    /// Takes a registration. Returns how many older ones had to go to make room.
    pub(super) fn add(
        &mut self,
        address: IpAddr,
        registration: &ExecutorRegistration,
        who: Arc<Attribution>,
    ) -> u64 {
        self.number += 1;
        let interval = Interval {
            from: registration.from,
            until: registration.until,
            ends: None,
            covered_until: None,
            number: self.number,
            who,
        };
        let id = interval.who.executor.clone();
        let intervals = self.by_address.entry(address).or_default();
        let before = intervals.len();
        place(intervals, interval);
        if intervals.len() > before {
            *self.ids.entry(id).or_default() += 1;
        }
        let mut evicted = 0;
        if intervals.len() > MAX_PER_ADDRESS {
            let oldest = (0..intervals.len()).min_by_key(|n| intervals[*n].age());
            if let Some(gone) = oldest.map(|n| intervals.remove(n)) {
                forget(&mut self.ids, &gone);
            }
            evicted += 1;
        }
        settle(intervals);
        self.kept = self.kept + intervals.len() - before;
        if self.kept > MAX_IN_ALL {
            evicted += self.free();
        }
        evicted
    }

    /// Whether there is any registration for `address`.
    pub(super) fn knows(&self, address: IpAddr) -> bool {
        self.by_address.contains_key(&address)
    }

    /// Whether any interval names this executor.
    pub(super) fn names(&self, executor: &str) -> bool {
        self.ids.contains_key(executor)
    }

    /// Who else is said to have had `address` while the interval lasted that was added last:
    /// other executors, by other authorities.
    pub(super) fn rivals(&self, address: IpAddr) -> impl Iterator<Item = &Arc<Attribution>> {
        let intervals = self.by_address.get(&address).map_or(&[][..], Vec::as_slice);
        let newest = intervals.iter().find(|interval| interval.number == self.number);
        intervals
            .iter()
            .filter(move |old| {
                newest.is_some_and(|new| {
                    old.who.named_by != new.who.named_by
                        && old.who.executor != new.who.executor
                        && old.overlaps(new)
                })
            })
            .map(|interval| &interval.who)
    }

    /// The intervals of an authority that have no end of their own, ordered by address and start.
    #[cfg(any(feature = "docker", feature = "kubernetes", test))]
    pub(super) fn running(&self, by: NamedBy) -> Vec<ExecutorRegistration> {
        let all = self.by_address.iter().flat_map(|(address, intervals)| {
            intervals.iter().map(move |interval| (*address, interval))
        });
        let running =
            all.filter(|(_, interval)| interval.who.named_by == by && interval.until.is_none());
        let mut found: Vec<_> = running
            .map(|(address, interval)| ExecutorRegistration {
                id: interval.who.executor.clone(),
                address,
                template: interval.who.template.clone(),
                tenant: interval.who.tenant.clone(),
                session: interval.who.session.clone(),
                from: interval.from,
                until: None,
            })
            .collect();
        found.sort_by_key(|registration| (registration.address, registration.from));
        found
    }

    /// Who had `address` at `at`, by the strongest authority that knows.
    pub(super) fn find(&self, address: IpAddr, at: Timestamp) -> Option<&Arc<Attribution>> {
        let intervals = self.by_address.get(&address)?;
        let started = &intervals[..intervals.partition_point(|interval| interval.from <= at)];
        // Backwards, until nothing earlier reaches `at`: one or two steps unless many overlap.
        started
            .iter()
            .rev()
            .take_while(|interval| interval.covered_until.is_none_or(|until| at < until))
            .filter(|interval| interval.covers(at))
            .max_by_key(|interval| (interval.who.named_by, interval.number))
            .map(|interval| &interval.who)
    }

    /// Forgets the oldest intervals. Returns how many.
    fn free(&mut self) -> u64 {
        let mut ages: Vec<_> = self.by_address.values().flatten().map(Interval::age).collect();
        let (_, newest_to_go, _) = ages.select_nth_unstable(FREED_AT_ONCE - 1);
        let newest_to_go = *newest_to_go;
        let ids = &mut self.ids;
        self.by_address.retain(|_, intervals| {
            let before = intervals.len();
            intervals.retain(|interval| {
                let stays = interval.age() > newest_to_go;
                if !stays {
                    forget(ids, interval);
                }
                stays
            });
            if intervals.len() < before {
                settle(intervals);
            }
            !intervals.is_empty()
        });
        let before = self.kept;
        self.kept = self.by_address.values().map(Vec::len).sum();
        (before - self.kept) as u64
    }
}

fn forget(ids: &mut HashMap<SmolStr, u32, FixedState>, gone: &Interval) {
    if let Some(count) = ids.get_mut(&gone.who.executor) {
        *count -= 1;
        if *count == 0 {
            ids.remove(&gone.who.executor);
        }
    }
}

/// Puts an interval into the list, which is ordered by start, or in place of an earlier word
/// about the same one.
fn place(intervals: &mut Vec<Interval>, interval: Interval) {
    let same = |old: &Interval| {
        old.from == interval.from
            && old.who.executor == interval.who.executor
            && old.who.named_by == interval.who.named_by
    };
    if let Some(old) = intervals.iter_mut().find(|old| same(old)) {
        *old = interval;
        return;
    }
    let place = intervals.partition_point(|old| old.from <= interval.from);
    intervals.insert(place, interval);
}

/// Computes what follows from an interval's neighbours.
fn settle(intervals: &mut [Interval]) {
    // Per authority: the start looked at last, and the next one that is later than it.
    let mut starts = [(None, None); NamedBy::Registration as usize + 1];
    for interval in intervals.iter_mut().rev() {
        let (last, next) = &mut starts[interval.who.named_by as usize];
        if last.is_some_and(|last| last > interval.from) {
            *next = *last;
        }
        *last = Some(interval.from);
        interval.ends = interval.until.or(*next);
    }
    let mut covered_until = Some(Timestamp::MIN);
    for interval in intervals {
        covered_until = covered_until.zip(interval.ends).map(|(a, b)| a.max(b));
        interval.covered_until = covered_until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egret_event::NamedBy;

    fn add(table: &mut Registrations, address: [u8; 4], from: i64, until: Option<i64>) -> u64 {
        let registration = ExecutorRegistration {
            id: format!("job-{from}").into(),
            address: IpAddr::from(address),
            template: None,
            tenant: None,
            session: None,
            from: Timestamp::from_secs(from),
            until: until.map(Timestamp::from_secs),
        };
        let who = Attribution {
            executor: registration.id.clone(),
            session: None,
            template: None,
            tenant: None,
            segment: "s".into(),
            named_by: NamedBy::Registration,
        };
        table.add(registration.address, &registration, Arc::new(who))
    }

    fn found(table: &Registrations, address: [u8; 4], at: i64) -> Option<String> {
        table
            .find(IpAddr::from(address), Timestamp::from_secs(at))
            .map(|who| who.executor.to_string())
    }

    const HOME: [u8; 4] = [10, 0, 0, 1];

    #[test]
    fn one_address_keeps_its_newest_intervals() {
        let mut table = Registrations::default();
        let evicted: u64 = (0..2_000).map(|n| add(&mut table, HOME, n * 10, None)).sum();
        assert_eq!(evicted, 2_000 - MAX_PER_ADDRESS as u64);
        assert_eq!(table.kept, MAX_PER_ADDRESS);
        assert_eq!(found(&table, HOME, 19_985).as_deref(), Some("job-19980"));
        assert_eq!(found(&table, HOME, 5), None);
    }

    #[test]
    fn when_the_table_is_full_the_ended_go_first() {
        let mut table = Registrations::default();
        add(&mut table, HOME, 0, None);
        let mut evicted = 0;
        for n in 0..MAX_IN_ALL as u32 {
            let [_, b, c, d] = n.to_be_bytes();
            evicted += add(&mut table, [11, b, c, d], 100 + i64::from(n), Some(1_000_000));
        }
        assert_eq!(evicted, FREED_AT_ONCE as u64);
        assert_eq!(table.kept as u64 + evicted, MAX_IN_ALL as u64 + 1);
        assert_eq!(found(&table, HOME, 50).as_deref(), Some("job-0"));
    }

    proptest::proptest! {
        #[test]
        fn the_quick_search_finds_what_a_plain_one_finds(
            words in proptest::collection::vec((0i64..30, proptest::option::of(1i64..20)), 1..20),
            at in 0i64..60,
        ) {
            let mut table = Registrations::default();
            for (from, length) in &words {
                add(&mut table, HOME, *from, length.map(|length| from + length));
            }
            // The newest word about each start stands; an open one ends at the next start.
            let standing: Vec<_> = words
                .iter()
                .enumerate()
                .filter(|(n, (from, _))| !words[n + 1..].iter().any(|(later, _)| later == from))
                .collect();
            let end = |from: i64, length: Option<i64>| {
                let next = standing.iter().map(|(_, (start, _))| *start).filter(|s| *s > from);
                length.map_or_else(|| next.min().unwrap_or(i64::MAX), |length| from + length)
            };
            let expected = standing
                .iter()
                .filter(|(_, (from, length))| *from <= at && at < end(*from, *length))
                .max_by_key(|(n, _)| *n)
                .map(|(_, (from, _))| format!("job-{from}"));
            proptest::prop_assert_eq!(found(&table, HOME, at), expected);
        }
    }
}
