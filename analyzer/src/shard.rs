//! Some of the partitions, self-contained: a shard shares nothing with others while it observes.

use egret_event::{Event, Timestamp};

use crate::incident::IncidentChange;
use crate::join::Out;
use crate::partition::{BarsCache, Counts, PARTITIONS, Partition, Taught, hash_of, partition_of};
use crate::session::Session;
use crate::world::World;

/// The partitions whose number is this shard's modulo the number of shards.
#[derive(Debug)]
pub(crate) struct Shard {
    partitions: Vec<Partition>,
    bars: BarsCache,
}

/// The way of an event to its session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Way {
    pub(crate) shard: usize,
    /// The partition's place in the shard.
    within: usize,
    /// By which the partition finds the session.
    hash: u64,
}

impl Way {
    /// When there are `shards`.
    pub(crate) fn of(event: &Event, shards: usize) -> Self {
        let (shard, within) = address_of(partition_of(&event.origin.executor), shards);
        Self { shard, within, hash: hash_of(&event.origin) }
    }
}

/// The shard of a partition and its place there, when there are `shards`.
fn address_of(partition: usize, shards: usize) -> (usize, usize) {
    (partition % shards, partition / shards)
}

/// Deals all partitions, in the order of their numbers, to `shards` shards.
pub(crate) fn deal(partitions: Vec<Partition>, shards: usize) -> Vec<Shard> {
    let empty = || Shard { partitions: Vec::new(), bars: BarsCache::default() };
    let mut dealt: Vec<Shard> = (0..shards).map(|_| empty()).collect();
    for (number, partition) in partitions.into_iter().enumerate() {
        dealt[address_of(number, shards).0].partitions.push(partition);
    }
    dealt
}

/// All partitions of all shards, in the order of their numbers.
pub(crate) fn partitions(shards: &[Shard]) -> impl Iterator<Item = &Partition> {
    (0..PARTITIONS).map(|number| {
        let (shard, within) = address_of(number, shards.len());
        &shards[shard].partitions[within]
    })
}

impl Shard {
    /// Takes in an event of one of its executors.
    pub(crate) fn observe(
        &mut self,
        (event, way): (&Event, Way),
        world: &World,
        out: &mut Out<'_>,
    ) {
        let partition = &mut self.partitions[way.within];
        partition.observe((event, way.hash), (world, &mut self.bars), out);
    }

    /// The live session of an event, if there is one.
    pub(crate) fn session(&self, event: &Event, way: Way) -> Option<&Session> {
        self.partitions[way.within].session(&event.origin, way.hash)
    }

    /// Ends the sessions that have been silent long enough.
    pub(crate) fn expire(
        &mut self,
        world: &World,
        watermark: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) {
        self.partitions.iter_mut().for_each(|partition| partition.expire(world, watermark, out));
    }

    /// Tells open incidents what could not be seen in their time.
    pub(crate) fn look_at_gaps(
        &mut self,
        world: &World,
        now: Timestamp,
        out: &mut Vec<IncidentChange>,
    ) {
        self.partitions.iter_mut().for_each(|partition| partition.look_at_gaps(world, now, out));
    }

    /// Ends all sessions.
    pub(crate) fn finish(&mut self, world: &World, at: Timestamp, out: &mut Vec<IncidentChange>) {
        self.partitions.iter_mut().for_each(|partition| partition.finish(world, at, out));
    }

    /// What was taught since the last call, all partitions together.
    pub(crate) fn take_taught(&mut self) -> Taught {
        let mut sum = Taught::default();
        for partition in &mut self.partitions {
            sum.merge(partition.take_taught());
        }
        sum
    }

    /// What was given up for lack of room.
    pub(crate) fn counts(&self) -> Counts {
        self.partitions.iter().map(Partition::counts).fold(Counts::default(), |sum, counts| {
            Counts {
                evicted_sessions: sum.evicted_sessions + counts.evicted_sessions,
                evicted_destinations: sum.evicted_destinations + counts.evicted_destinations,
                evicted_pasts: sum.evicted_pasts + counts.evicted_pasts,
                unlearned: sum.unlearned + counts.unlearned,
            }
        })
    }

    /// Live sessions.
    pub(crate) fn live_sessions(&self) -> usize {
        self.partitions.iter().map(Partition::live_sessions).sum()
    }
}
