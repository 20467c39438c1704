//! What each client was told about addresses by DNS.
//!
//! Owns the bounded memory of (client, address) -> name. A name learned by one client says
//! nothing about another: who never asked gets no name.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egret_event::{SmolStr, Timestamp};
use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::table::SEED;

/// How long a name outlives its time to live: clients keep connections, and answers, longer.
const GRACE: Duration = Duration::from_secs(300);

/// Longest time to live that is believed.
const MAX_TTL: Duration = Duration::from_secs(86_400);

/// Names of one client before its older half is forgotten; it holds at most twice as many.
const MAX_YOUNG_NAMES: usize = 1024;

/// Names of all clients, about 100 bytes each.
const MAX_NAMES: usize = 262_144;

/// Names that several capture threads learn and use together: a client's DNS question and the flow
/// that follows it may be on different ones. Locked per flow, not per packet.
#[derive(Debug, Clone)]
pub(super) struct SharedNames(Arc<Mutex<Names>>);

impl SharedNames {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Names::new())))
    }

    /// As [`Names::learn`].
    pub(super) fn learn(&self, pair: (u128, u128), name: &SmolStr, ttl_s: u32, at: Timestamp) {
        self.lock().learn(pair, name, ttl_s, at);
    }

    /// As [`Names::find`].
    pub(super) fn find(&self, client: u128, address: u128, at: Timestamp) -> Option<SmolStr> {
        self.lock().find(client, address, at).cloned()
    }

    /// As [`Names::take_evicted`].
    pub(super) fn take_evicted(&self) -> u64 {
        self.lock().take_evicted()
    }

    // A panic while it was locked leaves at worst a name half counted.
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names by client and address.
#[derive(Debug)]
struct Names {
    clients: HashMap<u128, Client, FixedState>,
    /// Clients in the order in which they first learned something. Executors are short-lived,
    /// so the first to come is the first that can be forgotten.
    arrivals: VecDeque<u128>,
    held: usize,
    most: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Client {
    young: HashMap<u128, Named, FixedState>,
    old: HashMap<u128, Named, FixedState>,
}

#[derive(Debug)]
struct Named {
    name: SmolStr,
    until: Timestamp,
}

impl Names {
    fn new() -> Self {
        Self::with_limit(MAX_NAMES)
    }

    fn with_limit(most: usize) -> Self {
        Self {
            clients: HashMap::with_hasher(FixedState::with_seed(SEED)),
            arrivals: VecDeque::new(),
            held: 0,
            most,
            evicted: 0,
        }
    }

    /// Notes that `client` was told at `at` that `name` is at `address`, for `ttl_s` seconds.
    fn learn(
        &mut self,
        (client, address): (u128, u128),
        name: &SmolStr,
        ttl_s: u32,
        at: Timestamp,
    ) {
        while self.held >= self.most {
            let Some(first) = self.arrivals.pop_front() else { break };
            self.forget(first);
        }
        let arrivals = &mut self.arrivals;
        let known = self.clients.entry(client).or_insert_with(|| {
            arrivals.push_back(client);
            Client { young: new_map(), old: new_map() }
        });
        if known.young.len() >= MAX_YOUNG_NAMES {
            let old =
                std::mem::replace(&mut known.old, std::mem::replace(&mut known.young, new_map()));
            self.held -= old.len();
            self.evicted += old.len() as u64;
        }
        let until = at + MAX_TTL.min(Duration::from_secs(u64::from(ttl_s))) + GRACE;
        let named = Named { name: name.clone(), until };
        if known.young.insert(address, named).is_none() {
            self.held += 1;
        }
    }

    /// What `client` was last told is at `address`, if that still holds at `at`.
    fn find(&self, client: u128, address: u128, at: Timestamp) -> Option<&SmolStr> {
        let known = self.clients.get(&client)?;
        let named = known.young.get(&address).or_else(|| known.old.get(&address))?;
        (at <= named.until).then_some(&named.name)
    }

    /// How many names were forgotten for want of room since the last call.
    fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    fn forget(&mut self, client: u128) {
        if let Some(known) = self.clients.remove(&client) {
            let names = known.young.len() + known.old.len();
            self.held -= names;
            self.evicted += names as u64;
        }
    }
}

fn new_map() -> HashMap<u128, Named, FixedState> {
    HashMap::with_hasher(FixedState::with_seed(SEED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn a_name_holds_for_its_time_to_live_and_five_minutes() {
        let mut names = Names::new();
        names.learn((1, 9), &"a.example".into(), 60, at(0));
        assert_eq!(names.find(1, 9, at(360)).unwrap(), "a.example");
        assert_eq!(names.find(1, 9, at(361)), None);
        assert_eq!(names.find(2, 9, at(1)), None, "another client never asked");
    }

    #[test]
    fn the_last_answer_counts() {
        let mut names = Names::new();
        names.learn((1, 9), &"a.example".into(), 60, at(0));
        names.learn((1, 9), &"b.example".into(), 60, at(1));
        assert_eq!(names.find(1, 9, at(2)).unwrap(), "b.example");
        assert_eq!(names.held, 1);
    }

    #[test]
    fn a_client_that_asks_without_end_forgets_its_own_names_only() {
        let mut names = Names::new();
        names.learn((1, 9), &"a.example".into(), 60, at(0));
        for address in 0..10_000 {
            names.learn((2, address), &"flood.example".into(), 60, at(0));
        }
        assert!(names.held <= 1 + 2 * MAX_YOUNG_NAMES);
        assert_eq!(names.take_evicted(), 10_001 - names.held as u64);
        assert!(names.find(1, 9, at(1)).is_some());
        assert!(names.find(2, 9_999, at(1)).is_some());
    }

    #[test]
    fn many_clients_stay_within_the_limit_and_the_newest_are_kept() {
        let mut names = Names::with_limit(100);
        for client in 0..1000 {
            names.learn((client, 9), &"a.example".into(), 60, at(0));
        }
        assert!(names.held <= 100);
        assert_eq!(names.take_evicted(), 900);
        assert!(names.find(999, 9, at(1)).is_some());
        assert!(names.find(0, 9, at(1)).is_none());
    }
}
