//! Where flows are kept, found, woken and, when there are too many, dropped.
//!
//! Owns storage and timers. It decides nothing about a flow: [`super::decoder`] does.

use std::hash::{BuildHasher, Hasher};
use std::ops::{Index, IndexMut};
use std::time::Duration;

use egret_event::Timestamp;
use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::flow::{Flow, FlowKey};

/// Hash seed, fixed so that runs are repeatable.
pub(super) const SEED: u64 = 0x6567_7265_7432;

/// log2 of a timer slot in nanoseconds: 2^27 ns are 134 ms.
const SLOT_BITS: u32 = 27;

/// Length of a timer slot: how late a timer may be.
pub(super) const SLOT: Duration = Duration::from_nanos(1 << SLOT_BITS);

/// Slots in the wheel: 550 s, more than the longest time that a flow waits.
const SLOTS: usize = 4096;

/// Which part of a full table is sorted out at once when room is needed.
const EVICTION_SHARE: usize = 32;

/// No flow: the end of a list.
const NONE: u32 = u32::MAX;

/// Place of a flow in the timer wheel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    previous: u32,
    next: u32,
    /// The slot in whose list the flow is; none if `i64::MAX`.
    slot: i64,
}

impl Timer {
    /// In no list.
    pub(super) const UNSET: Self = Self { previous: NONE, next: NONE, slot: i64::MAX };
}

/// Flows by key, each with one timer.
#[derive(Debug)]
pub(super) struct Table {
    index: HashTable<u32>,
    flows: Vec<Option<Flow>>,
    free: Vec<u32>,
    hasher: FixedState,
    /// First flow of each slot's list.
    heads: Box<[u32]>,
    /// The next slot to be emptied.
    turn: Option<i64>,
    most: usize,
    /// The flows that were idle longest when last looked at, with the time they had been seen;
    /// the longest idle is last.
    candidates: Vec<(Timestamp, u32)>,
}

impl Table {
    /// A table for at most `most` flows.
    pub(super) fn new(most: usize) -> Self {
        Self {
            index: HashTable::new(),
            flows: Vec::new(),
            free: Vec::new(),
            hasher: FixedState::with_seed(SEED),
            heads: vec![NONE; SLOTS].into_boxed_slice(),
            turn: None,
            most: most.clamp(1, NONE as usize - 1),
            candidates: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.index.len() >= self.most
    }

    /// Hash of a key, to be computed once per packet.
    #[inline]
    pub(super) fn hash(&self, key: &FlowKey) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for word in key.words() {
            hasher.write_u64(word);
        }
        hasher.finish()
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        let flows = &self.flows;
        let is_it = |at: &u32| flows[*at as usize].as_ref().is_some_and(|flow| flow.key == *key);
        self.index.find(hash, is_it).copied()
    }

    /// Adds a flow whose key is not in the table, and sets its timer.
    pub(super) fn insert(&mut self, flow: Flow) -> u32 {
        let hash = self.hash(&flow.key);
        let at = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            (self.flows.len() - 1) as u32
        });
        self.flows[at as usize] = Some(flow);
        let (flows, hasher) = (&self.flows, &self.hasher);
        self.index.insert_unique(hash, at, |at| {
            let mut state = hasher.build_hasher();
            if let Some(flow) = &flows[*at as usize] {
                for word in flow.key.words() {
                    state.write_u64(word);
                }
            }
            state.finish()
        });
        self.set_timer(at);
        at
    }

    /// Lets a flow go.
    pub(super) fn remove(&mut self, at: u32) {
        self.unlink(at);
        let hash = self.hash(&self[at].key);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        self.flows[at as usize] = None;
        self.free.push(at);
    }

    /// All flows, in an order that depends on the input only.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.flows.len() as u32
    }

    pub(super) fn get(&self, at: u32) -> Option<&Flow> {
        self.flows.get(at as usize)?.as_ref()
    }

    /// Sets the timer anew if the flow is due before it. A timer that is too early corrects
    /// itself when it fires.
    #[inline]
    pub(super) fn hasten_timer(&mut self, at: u32) {
        let flow = &self[at];
        if slot_of(flow.due()) < flow.timer.slot {
            self.unlink(at);
            self.set_timer(at);
        }
    }

    /// Sets the timer of a flow that is in no list.
    pub(super) fn set_timer(&mut self, at: u32) {
        let due = slot_of(self[at].due());
        let turn = *self.turn.get_or_insert(due);
        // Never in the past, nor so far ahead that the wheel would come round before.
        let slot = due.clamp(turn, turn.saturating_add(SLOTS as i64 - 1));
        let head = self.heads[place(slot)];
        let timer = &mut self[at].timer;
        timer.slot = slot;
        timer.previous = NONE;
        timer.next = head;
        if head != NONE {
            self[head].timer.previous = at;
        }
        self.heads[place(slot)] = at;
    }

    /// Takes the next flow out of its list whose timer fires before `now`, with the time at which
    /// it did. Its timer must be set again, or the flow be removed.
    #[inline]
    pub(super) fn next_due(&mut self, now: Timestamp) -> Option<(u32, Timestamp)> {
        let until = slot_of(now);
        match self.turn {
            Some(turn) if turn < until => self.turn_to(until),
            Some(_) => None,
            None => {
                self.turn = Some(until);
                None
            }
        }
    }

    fn turn_to(&mut self, until: i64) -> Option<(u32, Timestamp)> {
        while let Some(turn) = self.turn.filter(|turn| *turn < until) {
            let head = self.heads[place(turn)];
            if head != NONE {
                self.unlink(head);
                return Some((head, end_of(turn)));
            }
            // With no flows there is nothing to wake, however far the time has leapt.
            self.turn = Some(if self.index.is_empty() { until } else { turn + 1 });
        }
        None
    }

    fn unlink(&mut self, at: u32) {
        let Some(flow) = self.flows[at as usize].as_mut() else { return };
        let timer = flow.timer;
        if timer.slot == i64::MAX {
            return;
        }
        flow.timer = Timer::UNSET;
        if timer.previous == NONE {
            self.heads[place(timer.slot)] = timer.next;
        } else {
            self[timer.previous].timer.next = timer.next;
        }
        if timer.next != NONE {
            self[timer.next].timer.previous = timer.previous;
        }
    }

    /// The flow that has been idle longest.
    ///
    /// The table is looked through once for many evictions, so that a known flow costs nothing
    /// per packet; a flow used since then is passed over.
    pub(super) fn longest_idle(&mut self) -> Option<u32> {
        loop {
            if self.candidates.is_empty() {
                self.find_candidates();
            }
            let (seen, at) = self.candidates.pop()?;
            if self.get(at).is_some_and(|flow| flow.last_seen == seen) {
                return Some(at);
            }
        }
    }

    fn find_candidates(&mut self) {
        let live = self
            .flows
            .iter()
            .enumerate()
            .filter_map(|(at, flow)| flow.as_ref().map(|flow| (flow.last_seen, at as u32)));
        self.candidates.extend(live);
        let share = (self.candidates.len() / EVICTION_SHARE).max(1);
        if share < self.candidates.len() {
            self.candidates.select_nth_unstable(share);
            self.candidates.truncate(share);
        }
        self.candidates.sort_unstable_by(|a, b| b.cmp(a));
    }
}

impl Index<u32> for Table {
    type Output = Flow;
    #[inline]
    fn index(&self, at: u32) -> &Flow {
        self.flows[at as usize].as_ref().expect("places are handed out for live flows only")
    }
}

impl IndexMut<u32> for Table {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut Flow {
        self.flows[at as usize].as_mut().expect("places are handed out for live flows only")
    }
}

fn slot_of(at: Timestamp) -> i64 {
    at.as_nanos() >> SLOT_BITS
}

fn end_of(slot: i64) -> Timestamp {
    Timestamp::from_nanos(slot.saturating_add(1).saturating_mul(1 << SLOT_BITS))
}

fn place(slot: i64) -> usize {
    slot.rem_euclid(SLOTS as i64) as usize
}
