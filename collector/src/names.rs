//! What each client was told about addresses by DNS.
//!
//! Owns the bounded memory of (client, address) -> name. A name learned by one client says
//! nothing about another: who never asked gets no name. Captures and logs of flows both use it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egret_event::{SmolStr, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Hash seed, fixed so that runs are repeatable.
const SEED: u64 = 0x6567_7265_7433;

/// How long a name outlives its time to live: clients keep connections, and answers, longer.
const GRACE: Duration = Duration::from_secs(300);

/// Longest time to live that is believed.
const MAX_TTL: Duration = Duration::from_secs(86_400);

/// How much is remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Answers to one client before its older half is forgotten; it holds at most twice as many.
    pub(crate) young: usize,
    /// Answers to one client about one address.
    pub(crate) of_address: usize,
    /// Answers to all clients, about 100 bytes each.
    pub(crate) all: usize,
}

impl Limits {
    /// While time goes by: a flow is named within minutes of the answer.
    pub(crate) const LIVE: Self = Self { young: 1024, of_address: 4, all: 262_144 };

    /// While logs are followed, which may be read at different speeds until there is nothing left of
    /// what was written before.
    pub(crate) const LOGS: Self = Self { young: 16_384, of_address: 64, all: 262_144 };

    /// Where all answers are read before the first flow is named.
    pub(crate) const WHOLE: Self = Self { young: 65_536, of_address: 4096, all: 1_048_576 };
}

/// An address as names are kept by.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Names that several capture threads learn and use together: a client's DNS question and the flow
/// that follows it may be on different ones. Locked per flow, not per packet.
#[derive(Debug, Clone)]
pub(crate) struct SharedNames(Arc<Mutex<Names>>);

impl SharedNames {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Names::new(Limits::LIVE))))
    }

    /// As [`Names::learn`].
    pub(crate) fn learn(&self, pair: (u128, u128), name: &SmolStr, ttl_s: u32, at: Timestamp) {
        self.lock().learn(pair, name, ttl_s, at);
    }

    /// As [`Names::find`].
    pub(crate) fn find(&self, client: u128, address: u128, at: Timestamp) -> Option<SmolStr> {
        self.lock().find(client, address, at).cloned()
    }

    /// As [`Names::take_evicted`].
    pub(crate) fn take_evicted(&self) -> u64 {
        self.lock().take_evicted()
    }

    // A panic while it was locked leaves at worst a name half counted.
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names by client and address.
#[derive(Debug)]
pub(crate) struct Names {
    clients: HashMap<u128, Client, FixedState>,
    /// Clients in the order in which they first learned something. Executors are short-lived,
    /// so the first to come is the first that can be forgotten.
    arrivals: VecDeque<u128>,
    held: usize,
    limits: Limits,
    evicted: u64,
}

#[derive(Debug)]
struct Client {
    /// When the first answer came that is known of.
    since: Timestamp,
    young: Generation,
    old: Generation,
}

/// What a client was told, by address.
#[derive(Debug)]
struct Generation {
    told: HashMap<u128, Answers, FixedState>,
    held: usize,
}

/// What a client was told about one address: most often one name, which then needs no other memory.
#[derive(Debug)]
struct Answers {
    last: Told,
    /// Earlier ones, in the order of time.
    before: Vec<Told>,
}

/// An answer.
#[derive(Debug, Clone)]
struct Told {
    name: SmolStr,
    from: Timestamp,
    until: Timestamp,
}

impl Names {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            clients: HashMap::with_hasher(FixedState::with_seed(SEED)),
            arrivals: VecDeque::new(),
            held: 0,
            limits,
            evicted: 0,
        }
    }

    /// Notes that `client` was told at `at` that `name` is at `address`, for `ttl_s` seconds.
    pub(crate) fn learn(
        &mut self,
        (client, address): (u128, u128),
        name: &SmolStr,
        ttl_s: u32,
        at: Timestamp,
    ) {
        while self.held >= self.limits.all {
            let Some(first) = self.arrivals.pop_front() else { break };
            self.forget(first);
        }
        let arrivals = &mut self.arrivals;
        let known = self.clients.entry(client).or_insert_with(|| {
            arrivals.push_back(client);
            Client { since: at, young: Generation::default(), old: Generation::default() }
        });
        known.since = known.since.min(at);
        let before = known.held();
        if known.young.held >= self.limits.young {
            let old = std::mem::replace(&mut known.old, std::mem::take(&mut known.young));
            self.evicted += old.held as u64;
        }
        let until = at + MAX_TTL.min(Duration::from_secs(u64::from(ttl_s))) + GRACE;
        let told = Told { name: name.clone(), from: at, until };
        self.evicted += known.young.learn(address, told, self.limits.of_address);
        self.held = self.held - before + known.held();
    }

    /// What `client` was last told is at `address`, as of `at`, if that still held then.
    pub(crate) fn find(&self, client: u128, address: u128, at: Timestamp) -> Option<&SmolStr> {
        let known = self.clients.get(&client)?;
        let told = known.young.last(address, at).or_else(|| known.old.last(address, at))?;
        (at <= told.until).then_some(&told.name)
    }

    /// What `client` calls `address` in a connection of that time: what it was told last before it, or
    /// else first while it lasted. A client that was not heard to ask before the connection may have
    /// known already what it asks for soon afterwards.
    pub(crate) fn find_for(
        &self,
        (client, address): (u128, u128),
        (from, until): (Timestamp, Timestamp),
    ) -> Option<&SmolStr> {
        let before = self.find(client, address, from);
        before.or_else(|| {
            let known = self.clients.get(&client)?;
            let until = if from < known.since { until + GRACE } else { until };
            let told = [&known.old, &known.young].map(|some| some.first(address, from, until));
            let first = told.into_iter().flatten().min_by_key(|told| told.from)?;
            Some(&first.name)
        })
    }

    /// How many names were forgotten for want of room since the last call.
    pub(crate) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    fn forget(&mut self, client: u128) {
        if let Some(known) = self.clients.remove(&client) {
            self.held -= known.held();
            self.evicted += known.held() as u64;
        }
    }
}

impl Client {
    fn held(&self) -> usize {
        self.young.held + self.old.held
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self { told: HashMap::with_hasher(FixedState::with_seed(SEED)), held: 0 }
    }
}

impl Generation {
    /// Takes in an answer; how many others were forgotten for it. One that says again what the last
    /// one said only makes that hold longer.
    fn learn(&mut self, address: u128, told: Told, most: usize) -> u64 {
        let known = match self.told.entry(address) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                vacant.insert(Answers { last: told, before: Vec::new() });
                self.held += 1;
                return 0;
            }
        };
        if known.last.name == told.name
            && known.last.from <= told.from
            && told.from <= known.last.until
        {
            known.last.until = known.last.until.max(told.until);
            return 0;
        }
        known.insert(told);
        if known.before.len() >= most {
            known.before.remove(0);
            return 1;
        }
        self.held += 1;
        0
    }

    /// The last answer about `address` that had come by `at`.
    fn last(&self, address: u128, at: Timestamp) -> Option<&Told> {
        let Answers { last, before } = self.told.get(&address)?;
        if last.from <= at {
            return Some(last);
        }
        before[..before.partition_point(|told| told.from <= at)].last()
    }

    /// The first answer about `address` that came after `from`, by `until`.
    fn first(&self, address: u128, from: Timestamp, until: Timestamp) -> Option<&Told> {
        let Answers { last, before } = self.told.get(&address)?;
        let first = before.get(before.partition_point(|told| told.from <= from)).unwrap_or(last);
        (from < first.from && first.from <= until).then_some(first)
    }
}

impl Answers {
    /// Puts an answer where it belongs; of those with one time the one that was told last is the last.
    fn insert(&mut self, told: Told) {
        if self.last.from <= told.from {
            self.before.push(std::mem::replace(&mut self.last, told));
        } else {
            let place = self.before.partition_point(|other| other.from <= told.from);
            self.before.insert(place, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn a_name_holds_for_its_time_to_live_and_five_minutes() {
        let mut names = Names::new(Limits::LIVE);
        names.learn((1, 9), &"a.example".into(), 60, at(0));
        assert_eq!(names.find(1, 9, at(360)).unwrap(), "a.example");
        assert_eq!(names.find(1, 9, at(361)), None);
        assert_eq!(names.find(2, 9, at(1)), None, "another client never asked");
    }

    #[test]
    fn the_last_answer_counts() {
        let mut names = Names::new(Limits::LIVE);
        names.learn((1, 9), &"a.example".into(), 60, at(0));
        names.learn((1, 9), &"b.example".into(), 60, at(1));
        assert_eq!(names.find(1, 9, at(2)).unwrap(), "b.example");
    }

    #[test]
    fn an_answer_says_nothing_of_the_time_before_it() {
        let mut names = Names::new(Limits::LIVE);
        names.learn((1, 9), &"b.example".into(), 60, at(1_000));
        names.learn((1, 9), &"a.example".into(), 60, at(900));
        assert_eq!(names.find(1, 9, at(899)), None);
        assert_eq!(names.find(1, 9, at(999)).unwrap(), "a.example");
        assert_eq!(names.find(1, 9, at(1_000)).unwrap(), "b.example");
        assert_eq!(names.find(1, 9, at(1_361)), None, "the older answer holds no longer either");
    }

    #[test]
    fn a_connection_older_than_all_answers_has_the_name_that_its_client_asks_for_soon() {
        let mut names = Names::new(Limits::LOGS);
        names.learn((1, 9), &"a.example".into(), 60, at(1_000));
        names.learn((1, 9), &"b.example".into(), 60, at(1_100));
        let found = |from, until| names.find_for((1, 9), (at(from), at(until)));
        assert_eq!(found(0, 700).unwrap(), "a.example");
        assert_eq!(found(0, 699), None, "five minutes");
        assert_eq!(found(0, 9_000).unwrap(), "a.example");
        assert_eq!(found(1_050, 1_060).unwrap(), "a.example");
        assert_eq!(found(1_500, 1_600), None);
        names.learn((1, 8), &"other.example".into(), 60, at(-1));
        let found = |from, until| names.find_for((1, 9), (at(from), at(until)));
        assert_eq!(found(0, 700), None, "it asks and did not ask for this");
        assert_eq!(found(0, 1_000).unwrap(), "a.example");
    }

    #[test]
    fn an_address_with_many_names_keeps_its_last_and_one_told_again_takes_no_room() {
        let mut names = Names::new(Limits::LIVE);
        for second in 0..100 {
            names.learn((1, 9), &"a.example".into(), 60, at(second));
        }
        assert_eq!(names.held, 1);
        for second in 100..200 {
            names.learn((1, 9), &format!("{second}.example").into(), 60, at(second));
        }
        assert_eq!((names.held, names.take_evicted()), (4, 97));
        assert_eq!(names.find(1, 9, at(500)).unwrap(), "199.example");
        assert_eq!(names.find(1, 9, at(195)), None);
    }

    #[test]
    fn a_client_that_asks_without_end_forgets_its_own_names_only() {
        let mut names = Names::new(Limits::LIVE);
        names.learn((1, 9), &"a.example".into(), 60, at(0));
        for address in 0..10_000 {
            names.learn((2, address), &"flood.example".into(), 60, at(0));
        }
        assert!(names.held <= 1 + 2 * Limits::LIVE.young);
        assert_eq!(names.take_evicted(), 10_001 - names.held as u64);
        assert!(names.find(1, 9, at(1)).is_some());
        assert!(names.find(2, 9_999, at(1)).is_some());
    }

    #[test]
    fn many_clients_stay_within_the_limit_and_the_newest_are_kept() {
        let mut names = Names::new(Limits { all: 100, ..Limits::LIVE });
        for client in 0..1000 {
            names.learn((client, 9), &"a.example".into(), 60, at(0));
        }
        assert!(names.held <= 100);
        assert_eq!(names.take_evicted(), 900);
        assert!(names.find(999, 9, at(1)).is_some());
        assert!(names.find(0, 9, at(1)).is_none());
    }
}
