//! What the authorities that name executors do not agree on.
//!
//! Owns the queue of disputes that wait to be told. Each is told once for an address and a pair of
//! names, however often it is met again.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use egret_event::{
    Attribution, Contradiction, ContradictionKind, Destination, Event, EventId, Fact, NamedBy,
    SmolStr, Timestamp, Verdict, Volume,
};
use foldhash::quality::FixedState;
use hashbrown::HashSet;

use super::SEED;

/// Most disputes that wait: they are taken every second.
const MAX_WAITING: usize = 1_024;

/// Most disputes remembered as told; then all are forgotten and may be told again.
const MAX_TOLD: usize = 65_536;

/// Two authorities name different executors for one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The address.
    pub address: IpAddr,
    /// When the two met.
    pub at: Timestamp,
    /// The name that holds.
    pub held: Arc<Attribution>,
    /// The authority that says otherwise.
    pub other: NamedBy,
    /// The executor that it names.
    pub other_executor: SmolStr,
}

impl Dispute {
    /// The event that tells of it, by the source `name`.
    pub fn event(&self, name: &SmolStr) -> Event {
        let nowhere = Destination::address(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let said = Contradiction {
            about: ContradictionKind::Executor,
            one: self.held.named_by.word().into(),
            one_says: self.held.executor.clone(),
            other: self.other.word().into(),
            other_says: self.other_executor.clone(),
        };
        let address = self.address.to_string();
        let parts = [&said.one, &said.one_says, &said.other, &said.other_says];
        let parts = parts.map(|part| part.as_bytes());
        let [one, one_says, other, other_says] = parts;
        let at = self.at.as_nanos().to_be_bytes();
        let id = [b"dispute", address.as_bytes(), one, one_says, other, other_says, &at];
        Event {
            id: EventId::of(&id),
            at: self.at,
            source: name.clone(),
            also_seen_by: None,
            origin: Arc::clone(&self.held),
            client: (self.address, 0),
            destination: nowhere,
            verdict: Verdict::Allowed,
            up: Volume::UNKNOWN,
            down: Volume::UNKNOWN,
            fact: Fact::Contradiction(Box::new(said)),
        }
    }
}

/// Disputes that wait to be told.
#[derive(Debug)]
pub(super) struct Disputes {
    waiting: VecDeque<Dispute>,
    told: HashSet<u64, FixedState>,
}

impl Default for Disputes {
    fn default() -> Self {
        let told = HashSet::with_hasher(FixedState::with_seed(SEED));
        Self { waiting: VecDeque::new(), told }
    }
}

impl Disputes {
    /// Whether this dispute was noted before.
    pub(super) fn knows(&self, address: IpAddr, held: &str, other: &str) -> bool {
        self.told.contains(&Self::key(address, held, other))
    }

    /// Notes a dispute, if it is a new one.
    pub(super) fn note(&mut self, dispute: Dispute) {
        if self.told.len() >= MAX_TOLD {
            self.told.clear();
        }
        let key = Self::key(dispute.address, &dispute.held.executor, &dispute.other_executor);
        if !self.told.insert(key) {
            return;
        }
        metrics::counter!("egret_attribution_disputes_total").increment(1);
        if self.waiting.len() >= MAX_WAITING {
            metrics::counter!("egret_attribution_disputes_dropped_total").increment(1);
            return;
        }
        self.waiting.push_back(dispute);
    }

    pub(super) fn take(&mut self) -> Vec<Dispute> {
        self.waiting.drain(..).collect()
    }

    fn key(address: IpAddr, held: &str, other: &str) -> u64 {
        FixedState::with_seed(SEED).hash_one((address, held, other))
    }
}
