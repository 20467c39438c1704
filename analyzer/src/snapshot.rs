//! The engine's state in bytes: versioned, and equal for equal states.

use std::collections::BTreeMap;

use egret_event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AnalyzerConfig;
use crate::baseline::Baseline;
use crate::blind::Watch;
use crate::detect::fleet_drip::FleetDrips;
use crate::detect::template_drift::TemplateDrifts;
use crate::engine::{Engine, EventTime, FrozenBaseline};
use crate::form2::LearnedForm2;
use crate::form5::LearnedForm5;
use crate::form7::LearnedForm7;
use crate::form12::LearnedForm12;
use crate::gaps::Gaps;
use crate::learned::Learned;
use crate::partition::{PARTITIONS, Partition, SavedPartition};
use crate::shard::partitions;

/// The version that is written: the first byte.
///
/// Every version begins with what is [`Kept`]. Of an older one only that is read: what was learned
/// stays, and the sessions that were live then begin anew. Up to version 2 a level kept its sizes
/// in an array of 18 ([`crate::form2`]), up to version 5 it knew nothing of tenants and of thresholds
/// ([`crate::form5`]), up to version 7 nothing of what many sessions leave ([`crate::form7`]), and up to
/// version 12 of bursts no more than their moments ([`crate::form12`]).
const VERSION: u8 = 15;
const LAST_WITH_FORM_2: u8 = 2;
const LAST_WITH_FORM_5: u8 = 5;
const LAST_WITH_FORM_7: u8 = 7;
const LAST_WITH_FORM_12: u8 = 12;

/// What a baseline in a file begins with.
const BASELINE_MARK: &[u8] = b"egret baseline\n";

/// What outlives sessions: the beginning of every version.
#[derive(Serialize, Deserialize)]
struct Kept<L> {
    time: EventTime,
    learned: L,
    frozen_at: Option<Timestamp>,
    generation: u32,
    waiting: BTreeMap<Timestamp, L>,
    forgotten_destinations: u64,
}

impl<L: Into<Learned>> Kept<L> {
    /// The same in today's form.
    fn renewed(self) -> Kept<Learned> {
        Kept {
            time: self.time,
            learned: self.learned.into(),
            frozen_at: self.frozen_at,
            generation: self.generation,
            waiting: self.waiting.into_iter().map(|(at, learned)| (at, learned.into())).collect(),
            forgotten_destinations: self.forgotten_destinations,
        }
    }
}

/// What is kept of a snapshot of some version, and the bytes after it.
fn take_kept(version: u8, bytes: &[u8]) -> Result<(Kept<Learned>, &[u8]), postcard::Error> {
    if version <= LAST_WITH_FORM_2 {
        let (old, rest) = postcard::take_from_bytes::<Kept<LearnedForm2>>(bytes)?;
        Ok((old.renewed(), rest))
    } else if version <= LAST_WITH_FORM_5 {
        let (old, rest) = postcard::take_from_bytes::<Kept<LearnedForm5>>(bytes)?;
        Ok((old.renewed(), rest))
    } else if version <= LAST_WITH_FORM_7 {
        let (old, rest) = postcard::take_from_bytes::<Kept<LearnedForm7>>(bytes)?;
        Ok((old.renewed(), rest))
    } else if version <= LAST_WITH_FORM_12 {
        let (old, rest) = postcard::take_from_bytes::<Kept<LearnedForm12>>(bytes)?;
        Ok((old.renewed(), rest))
    } else {
        postcard::take_from_bytes(bytes)
    }
}

/// The rest.
#[derive(Serialize, Deserialize)]
struct Live {
    gaps: Gaps,
    watch: Watch,
    fleet_drips: FleetDrips,
    template_drifts: TemplateDrifts,
    partitions: Vec<SavedPartition>,
}

/// The bytes are not a snapshot that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// They do not decode.
    #[error("cannot read the engine snapshot: {0} (delete it to start with an empty engine)")]
    Unreadable(#[from] postcard::Error),
    /// They are no baseline at all.
    #[error("this is no baseline: `egret learn` writes them")]
    NoBaseline,
    /// They are a frozen baseline that another version wrote: it has no number to tell which.
    #[error("another version of egret froze this baseline")]
    OtherForm,
    /// A newer version wrote them.
    #[error("cannot read the engine snapshot: a newer egret wrote it (form {0})")]
    Newer(u8),
    /// They decode to a state with the wrong number of parts.
    #[error(
        "cannot read the engine snapshot: it has {found} partitions and not {expected} (delete it \
         to start with an empty engine)"
    )]
    Partitions {
        /// Partitions in the snapshot.
        found: usize,
        /// Partitions in this version.
        expected: usize,
    },
}

impl Engine {
    /// The state, for [`Engine::restore`]. Configuration is not part of it.
    pub fn snapshot(&self) -> Vec<u8> {
        let live = Live {
            gaps: self.world.gaps.clone(),
            watch: self.watch.clone(),
            fleet_drips: self.fleet_drips.clone(),
            template_drifts: self.template_drifts.clone(),
            partitions: partitions(&self.shards).map(Partition::save).collect(),
        };
        in_bytes(&(VERSION, self.kept(), live))
    }

    fn kept(&self) -> Kept<Learned> {
        let baseline = &self.world.baseline;
        Kept {
            time: self.time,
            learned: baseline.learned().clone(),
            frozen_at: baseline.frozen_at(),
            generation: baseline.generation(),
            waiting: self.waiting.clone(),
            forgotten_destinations: self.forgotten_destinations,
        }
    }

    /// What was learned, for [`Engine::with_baseline`]: what was frozen, and what waits.
    pub fn baseline(&self) -> Vec<u8> {
        [BASELINE_MARK, &in_bytes(&(VERSION, self.kept()))].concat()
    }

    /// An engine that begins with what another one learned. Time begins with its first event.
    ///
    /// # Errors
    /// When the bytes are none of [`Engine::baseline`] of a known version.
    pub fn with_baseline(config: AnalyzerConfig, bytes: &[u8]) -> Result<Self, RestoreError> {
        let marked = bytes.strip_prefix(BASELINE_MARK).ok_or(RestoreError::NoBaseline)?;
        let (version, rest) = postcard::take_from_bytes::<u8>(marked)?;
        if version > VERSION {
            return Err(RestoreError::Newer(version));
        }
        let (kept, _) = take_kept(version, rest)?;
        let mut engine = Self::new(config);
        engine.keep(Kept { time: EventTime::default(), ..kept });
        Ok(engine)
    }

    /// An engine that begins with a baseline that another one froze. Time begins with its first
    /// event, and nothing waits to be learned.
    ///
    /// # Errors
    /// When the content is not what its id says it is in today's form: another version froze it.
    pub fn with_frozen(
        config: AnalyzerConfig,
        frozen: &FrozenBaseline,
    ) -> Result<Self, RestoreError> {
        let learned = postcard::from_bytes(&frozen.content).map_err(|_| RestoreError::OtherForm)?;
        let mut engine = Self::new(config);
        engine.world.baseline = Baseline::freeze(learned, Some(frozen.frozen_at), 0);
        if engine.baseline_id() == frozen.id { Ok(engine) } else { Err(RestoreError::OtherForm) }
    }

    fn keep(&mut self, kept: Kept<Learned>) {
        self.world.baseline = Baseline::freeze(kept.learned, kept.frozen_at, kept.generation);
        self.time = kept.time;
        self.waiting = kept.waiting;
        self.forgotten_destinations = kept.forgotten_destinations;
    }

    /// An engine that goes on where the snapshot was taken, on any number of shards.
    ///
    /// # Errors
    /// When the bytes are not a snapshot of a known version.
    pub fn restore(config: AnalyzerConfig, bytes: &[u8]) -> Result<Self, RestoreError> {
        let (version, rest) = postcard::take_from_bytes::<u8>(bytes)?;
        let (kept, rest) = take_kept(version, rest)?;
        let mut engine = match version {
            ..VERSION => Self::new(config),
            VERSION => {
                let live: Live = postcard::from_bytes(rest)?;
                let found = live.partitions.len();
                if found != PARTITIONS {
                    return Err(RestoreError::Partitions { found, expected: PARTITIONS });
                }
                let partitions = live.partitions.into_iter().map(Partition::restore).collect();
                let mut engine = Self::assemble(config, partitions);
                engine.world.gaps = live.gaps;
                engine.watch = live.watch;
                engine.fleet_drips = live.fleet_drips;
                engine.template_drifts = live.template_drifts;
                engine
            }
            _ => return Err(RestoreError::Newer(version)),
        };
        engine.keep(kept);
        Ok(engine)
    }
}

fn in_bytes(state: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(state)
        .expect("every part has a known length and no part fails to serialize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form12;

    /// What is kept of an old version, then sessions that cannot be read any more.
    fn snapshot_of<L: Serialize + Clone>(version: u8, learned: L) -> Vec<u8> {
        let kept = Kept {
            time: EventTime::default(),
            learned: learned.clone(),
            frozen_at: Some(Timestamp::from_secs(7)),
            generation: 3,
            waiting: BTreeMap::from([(Timestamp::from_secs(9), learned)]),
            forgotten_destinations: 5,
        };
        postcard::to_stdvec(&(version, kept, "sessions")).unwrap()
    }

    #[test]
    fn a_frozen_baseline_is_begun_with_and_one_in_another_form_is_refused() {
        let learned = Learned::from(crate::form2::sample());
        let mut engine = Engine::new(AnalyzerConfig::default());
        engine.world.baseline = Baseline::freeze(learned, Some(Timestamp::from_secs(7)), 3);
        let mut frozen = engine.frozen_baseline().unwrap();
        let begun = Engine::with_frozen(AnalyzerConfig::default(), &frozen).unwrap();
        assert_eq!(begun.frozen_baseline(), Some(frozen.clone()));
        assert_eq!(begun.summary().watermark, None);
        frozen.content = postcard::to_stdvec(&crate::form2::sample()).unwrap();
        let refused = Engine::with_frozen(AnalyzerConfig::default(), &frozen);
        assert!(matches!(refused, Err(RestoreError::OtherForm)));
    }

    #[test]
    fn an_old_snapshot_keeps_what_was_learned_and_begins_its_sessions_anew() {
        let learned = Learned::from(crate::form2::sample());
        let Learned { scopes, seen, asked, .. } = learned.clone();
        let form5 = LearnedForm5 { scopes: form12::of(scopes), seen, asked };
        let Learned { scopes, seen, asked, tenancies, calibrations, .. } = learned.clone();
        let scopes = form12::of(scopes);
        let form7 = LearnedForm7 { scopes, seen, asked, tenancies, calibrations };
        let Learned { scopes, seen, asked, tenancies, calibrations, drops } = learned.clone();
        let scopes = form12::of(scopes);
        let form12 = LearnedForm12 { scopes, seen, asked, tenancies, calibrations, drops };
        let old = [
            snapshot_of(LAST_WITH_FORM_2, crate::form2::sample()),
            snapshot_of(LAST_WITH_FORM_5, form5),
            snapshot_of(LAST_WITH_FORM_7, form7),
            snapshot_of(LAST_WITH_FORM_12, form12),
        ];
        for old in old {
            let restored = Engine::restore(AnalyzerConfig::default(), &old).unwrap();
            assert_eq!(restored.world.baseline.learned(), &learned);
            assert_eq!(restored.waiting[&Timestamp::from_secs(9)], learned);
            assert_eq!(restored.world.baseline.frozen_at(), Some(Timestamp::from_secs(7)));
            assert_eq!(restored.summary().live_sessions, 0);
            let again = Engine::restore(AnalyzerConfig::default(), &restored.snapshot()).unwrap();
            assert_eq!(again.baseline_id(), restored.baseline_id());
        }
    }
}
