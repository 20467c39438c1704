//! The frozen baseline: what was learned until the last epoch ended, made ready for scoring.
//!
//! Scoring reads nothing else. A baseline never changes; the next epoch makes a new one.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use egret_event::{EventId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calibration::{Bar, Calibration};
use crate::dossier::JudgedBy;
use crate::histogram::{Histogram, LAST_BIN, bin_start, log_size};
use crate::hyperloglog::Distinct;
use crate::incident::{Level, Stage};
use crate::learned::{Asked, FLEET, Learned, Place, Scope, Seen};
use crate::moments::Expected;
use crate::pitman_yor::{Draws, MIN_DRAWS};
use crate::priors::{Curve, SESSIONS_TO_KNOW, SizePrior};
use crate::size::Cell;
use crate::tails::ParetoTail;

/// θ for tenants' places. Less than for destinations: sessions of one kind leave things at few places,
/// and a few dozen of them show which. Egret's own choice.
const TENANCY_STRENGTH: f64 = 2.0;

/// What was learned until `frozen_at`, and what follows from it.
#[derive(Debug)]
pub(crate) struct Baseline {
    learned: Learned,
    derived: BTreeMap<u64, Derived>,
    /// Whether sessions of at least [`SHARED_BY`] tenants were seen.
    has_tenants: bool,
    id: EventId,
    frozen_at: Option<Timestamp>,
    generation: u32,
}

/// Tenants that make a destination one that is shared. Egret's own choice: two may be one attacker with
/// a stolen account.
pub(crate) const SHARED_BY: u64 = 3;

/// What is computed once per scope when a baseline is frozen.
#[derive(Debug, Default)]
struct Derived {
    draws: Draws,
    /// By the kind of [`TenancyKey`]; one draw is a session.
    tenancies: BTreeMap<u8, Draws>,
    tails: BTreeMap<Cell, ParetoTail>,
    bar: Bar,
}

/// A tenant's place on a service, as levels keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TenancyKey {
    /// What the service is used for, and what was done ([`crate::detect::foreign_tenant`]).
    pub(crate) kind: u8,
    /// A hash of the service and the tenant.
    pub(crate) place: u64,
}

impl Default for Baseline {
    /// The shipped priors alone.
    fn default() -> Self {
        Self::freeze(Learned::default(), None, 0)
    }
}

fn content_of(learned: &Learned) -> Vec<u8> {
    postcard::to_stdvec(learned).expect(SERIALIZABLE)
}

/// The hash of [`content_of`], which may take hundreds of megabytes and need not stand in memory for it.
fn id_of(learned: &Learned) -> EventId {
    let length = postcard::to_io(learned, Length(0)).expect(SERIALIZABLE).0;
    let id = BufWriter::with_capacity(64 << 10, EventId::writer(&[b"baseline"], length));
    let id = postcard::to_io(learned, id).expect(SERIALIZABLE).into_inner();
    id.expect("a hash takes everything").finish()
}

const SERIALIZABLE: &str = "every part has a known length and no part fails to serialize";

/// Counts the bytes that are written.
struct Length(u64);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Baseline {
    /// Freezes what was learned. `frozen_at` is `None` for the shipped priors alone.
    /// `generation` tells successive baselines of one engine apart.
    pub(crate) fn freeze(learned: Learned, frozen_at: Option<Timestamp>, generation: u32) -> Self {
        let id = id_of(&learned);
        let mut derived: BTreeMap<u64, Derived> = BTreeMap::new();
        for (key, scope) in &learned.scopes {
            let fitted = scope.sizes.iter().map(|(cell, sizes)| Some((*cell, sizes.fit_tail()?)));
            let tails = fitted.flatten().collect();
            let bar = learned.calibrations.get(key).map_or_else(Bar::default, Calibration::bar);
            derived.insert(*key, Derived { tails, bar, ..Derived::default() });
        }
        for ((scope, _), seen) in &learned.seen {
            derived.entry(*scope).or_default().draws.add_value(seen.sessions);
        }
        for ((scope, key), tenancy) in &learned.tenancies {
            let kinds = &mut derived.entry(*scope).or_default().tenancies;
            kinds.entry(key.kind).or_default().add_value(tenancy.sessions);
        }
        let mut tenants = Distinct::default();
        let of_fleet = learned.seen.range((FLEET, 0)..=(FLEET, u64::MAX));
        of_fleet.for_each(|(_, seen)| tenants.merge(&seen.tenants));
        let has_tenants = tenants.count() >= SHARED_BY;
        Self { learned, derived, has_tenants, id, frozen_at, generation }
    }

    /// What was learned, to learn more on top of it.
    pub(crate) fn learned(&self) -> &Learned {
        &self.learned
    }

    /// The same, to be changed: the baseline is given up for it.
    pub(crate) fn into_learned(self) -> Learned {
        self.learned
    }

    /// What was learned, in bytes.
    pub(crate) fn content(&self) -> Vec<u8> {
        content_of(&self.learned)
    }

    /// A hash of its content.
    pub(crate) fn id(&self) -> EventId {
        self.id
    }

    /// When it was frozen. `None`: the shipped priors alone.
    pub(crate) fn frozen_at(&self) -> Option<Timestamp> {
        self.frozen_at
    }

    /// Which of an engine's baselines this is.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Sessions that were learned from, over the fleet.
    pub(crate) fn sessions(&self) -> u64 {
        self.learned.sessions()
    }

    /// How most sessions' thresholds are set: the templates that at least half of them belong to.
    pub(crate) fn stage(&self) -> Stage {
        let is_calibrated = |key| {
            self.derived.get(key).is_some_and(|derived| derived.bar.stage == Stage::Calibrated)
        };
        let calibrated = self.learned.calibrations.keys().filter(|key| is_calibrated(key));
        let sessions = calibrated.filter_map(|key| Some(self.learned.scopes.get(key)?.sessions));
        let sum: u64 = sessions.sum();
        if sum > 0 && 2 * sum >= self.sessions() { Stage::Calibrated } else { Stage::Priors }
    }

    /// What findings about the whole fleet are said to be judged by.
    pub(crate) fn judges(&self) -> JudgedBy {
        let (baseline, frozen_at) = (self.id, self.frozen_at);
        JudgedBy { baseline, frozen_at, template_sessions: self.sessions() }
    }

    /// The levels that an executor is compared with.
    pub(crate) fn ladder(&self, place: &Place) -> Ladder<'_> {
        let rung = |level, key| {
            let scope = self.learned.scopes.get(&key)?;
            Some(Rung { level, key, scope, derived: self.derived.get(&key)? })
        };
        Ladder {
            baseline: self,
            rungs: [
                rung(Level::Fleet, FLEET),
                rung(Level::Segment, place.segment),
                place.tenant.and_then(|key| rung(Level::Tenant, key)),
                rung(Level::Template, place.template),
            ],
            template: place.template,
            tenant: place.tenant,
        }
    }
}

/// The levels of one place, widest first. A level without data is left out.
#[derive(Debug)]
pub(crate) struct Ladder<'a> {
    baseline: &'a Baseline,
    rungs: [Option<Rung<'a>>; 4],
    template: u64,
    tenant: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Rung<'a> {
    level: Level,
    key: u64,
    scope: &'a Scope,
    derived: &'a Derived,
}

impl Rung<'_> {
    /// The draws of a kind of place, without the sessions that did nothing of the kind.
    fn tenancies(&self, key: TenancyKey) -> Draws {
        self.derived.tenancies.get(&key.kind).copied().unwrap_or_default()
    }
}

/// How much a level counts in a belief that was joined from several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weight {
    /// The level that counts most.
    pub(crate) level: Level,
    /// Sessions that it learned from.
    pub(crate) sessions: u64,
    /// Sessions that all levels together learned from.
    pub(crate) most_sessions: u64,
    heaviest: f64,
}

impl Weight {
    pub(crate) fn of_prior() -> Self {
        Self { level: Level::Prior, sessions: 0, most_sessions: 0, heaviest: 1.0 }
    }

    /// A narrower level with `n` sessions takes n / (n + κ) of the weight of what is above it.
    pub(crate) fn narrow(&mut self, level: Level, n: u64) {
        let taken = n as f64 / (n as f64 + crate::moments::PARENT_WEIGHT);
        self.heaviest *= 1.0 - taken;
        self.most_sessions = self.most_sessions.max(n);
        if taken > self.heaviest {
            (self.level, self.sessions, self.heaviest) = (level, n, taken);
        }
    }
}

impl<'a> Ladder<'a> {
    fn rungs(&self) -> impl Iterator<Item = &Rung<'a>> + Clone {
        self.rungs.iter().flatten()
    }

    /// Sessions of the executor's template that were learned from.
    pub(crate) fn template_sessions(&self) -> u64 {
        self.rungs[3].map_or(0, |rung| rung.scope.sessions)
    }

    /// Whether so many of the template's sessions were learned from that it is known what is new to it.
    /// Until then everything is, and what goes to everyday destinations would pass for what goes to new
    /// ones.
    pub(crate) fn knows_what_is_new(&self) -> bool {
        self.template_sessions() >= SESSIONS_TO_KNOW
    }

    /// The same of the fleet: whether it is known what is new to all.
    pub(crate) fn knows_what_is_new_to_all(&self) -> bool {
        self.rungs[0].is_some_and(|rung| rung.scope.sessions >= SESSIONS_TO_KNOW)
    }

    /// Below which combined probability an incident of the template opens.
    pub(crate) fn bar(&self) -> Bar {
        self.rungs[3].map_or_else(Bar::default, |rung| rung.derived.bar)
    }

    /// What findings are said to be judged by.
    pub(crate) fn judged_by(&self) -> JudgedBy {
        JudgedBy {
            baseline: self.baseline.id,
            frozen_at: self.baseline.frozen_at,
            template_sessions: self.template_sessions(),
        }
    }

    /// What the template's sessions did at a destination, if that counts as seen: by several
    /// sessions, and by sessions of several tenants or of the session's own.
    pub(crate) fn seen_by_template(&self, destination: u64) -> Option<&'a Seen> {
        let seen = self.seen(self.template, destination)?;
        let is_own = || {
            let own = self.tenant.and_then(|tenant| self.seen(tenant, destination));
            own.is_some_and(|seen| seen.sessions >= MIN_DRAWS)
        };
        let counts = seen.sessions >= MIN_DRAWS && (self.is_shared(destination) || is_own());
        counts.then_some(seen)
    }

    /// Whether the fleet's sessions know a destination, while it is not known what is new to the template:
    /// a template that was introduced lately uses the resolver and the registries that all use.
    pub(crate) fn is_known_to_others(&self, destination: u64) -> bool {
        let seen = self.seen_by_fleet(destination);
        !self.knows_what_is_new()
            && seen.is_some_and(|seen| seen.sessions >= MIN_DRAWS)
            && self.is_shared(destination)
    }

    /// How much the template's sessions sent to a destination, if that may become normal: what one
    /// tenant does alone does not, or else he could make anything so.
    pub(crate) fn sent_by_template(&self, destination: u64) -> Option<&'a [Histogram; 2]> {
        let seen = self.seen_by_template(destination)?;
        seen.sizes.as_deref().filter(|_| self.is_shared(destination))
    }

    /// Whether sessions of several tenants contact a destination. Where there are not even so many
    /// tenants, they cannot be told from each other, and sessions count instead.
    fn is_shared(&self, destination: u64) -> bool {
        !self.baseline.has_tenants || self.has_several_tenants(destination)
    }

    /// Whether sessions of at least [`SHARED_BY`] tenants contact a destination.
    pub(crate) fn has_several_tenants(&self, destination: u64) -> bool {
        let seen = self.seen_by_fleet(destination);
        seen.is_some_and(|seen| seen.tenants.count() >= SHARED_BY)
    }

    /// Whether a destination is new to the whole fleet, or was so lately and is not grown up.
    pub(crate) fn is_young(&self, domain: &str, destination: u64) -> bool {
        let sessions = self.seen_by_fleet(destination).map_or(0, |seen| seen.sessions);
        sessions < MIN_DRAWS || self.baseline.learned.drops.young.contains_key(domain)
    }

    /// What all sessions did at a destination.
    pub(crate) fn seen_by_fleet(&self, destination: u64) -> Option<&'a Seen> {
        self.seen(FLEET, destination)
    }

    /// What the template's sessions asked for below a domain.
    pub(crate) fn asked_by_template(&self, domain: u64) -> Option<&'a Asked> {
        self.baseline.learned.asked.get(&(self.template, domain))
    }

    /// P(a session acts at this place or at one as unfamiliar), and where that comes from. Sessions that
    /// do nothing of the kind are draws too.
    pub(crate) fn tenancy(&self, key: TenancyKey, prior: f64) -> (f64, Weight) {
        let (mut p, mut weight) = (prior, Weight::of_prior());
        for rung in self.rungs() {
            let count = self.tenancy_sessions(rung.key, key);
            let draws = Draws { total: rung.scope.sessions, ..rung.tenancies(key) };
            p = draws.familiarity_by(TENANCY_STRENGTH, count, p);
            weight.narrow(rung.level, rung.scope.sessions);
        }
        (p, weight)
    }

    /// The part of the template's sessions that act at places which still do not count as seen. Fewer
    /// than a few such sessions make no habit.
    pub(crate) fn rate_of_new_tenancies(&self, key: TenancyKey) -> f64 {
        let Some(rung) = &self.rungs[3] else { return 0.0 };
        let draws = rung.tenancies(key);
        let new = draws.once + 2 * draws.twice;
        if new < MIN_DRAWS { 0.0 } else { new as f64 / rung.scope.sessions.max(new) as f64 }
    }

    /// Whether the template's sessions have places of this kind that count as seen.
    pub(crate) fn has_tenancies(&self, key: TenancyKey) -> bool {
        let draws = self.rungs[3].map_or_else(Draws::default, |rung| rung.tenancies(key));
        draws.values > draws.once + draws.twice
    }

    /// Sessions of the template that acted at a place.
    pub(crate) fn tenancy_by_template(&self, key: TenancyKey) -> u64 {
        self.tenancy_sessions(self.template, key)
    }

    /// All sessions that acted at a place.
    pub(crate) fn tenancy_by_fleet(&self, key: TenancyKey) -> u64 {
        self.tenancy_sessions(FLEET, key)
    }

    fn tenancy_sessions(&self, scope: u64, key: TenancyKey) -> u64 {
        let tenancy = self.baseline.learned.tenancies.get(&(scope, key));
        tenancy.map_or(0, |tenancy| tenancy.sessions)
    }

    fn seen(&self, scope: u64, destination: u64) -> Option<&'a Seen> {
        self.baseline.learned.seen.get(&(scope, destination))
    }

    /// P(a session contacts this destination or one as unfamiliar), and where that comes from.
    pub(crate) fn familiarity(&self, destination: u64, prior: f64) -> (f64, Weight) {
        let (mut p, mut weight) = (prior, Weight::of_prior());
        for rung in self.rungs() {
            let count = self.seen(rung.key, destination).map_or(0, |seen| seen.sessions);
            p = rung.derived.draws.familiarity(count, p);
            weight.narrow(rung.level, rung.scope.sessions);
        }
        (p, weight)
    }

    /// What is believed about a count per session, and where that comes from.
    pub(crate) fn expected(
        &self,
        prior: Expected,
        of: impl Fn(&Scope) -> &crate::moments::Moments,
    ) -> (Expected, Weight) {
        self.rungs().fold((prior, Weight::of_prior()), |(parent, mut weight), rung| {
            let own = of(rung.scope);
            weight.narrow(rung.level, own.sessions());
            (parent.narrowed(own), weight)
        })
    }

    /// What is believed about sizes of a kind, and about one destination's if its own history is
    /// known.
    pub(crate) fn sizes(&self, of: SizeQuestion<'a>) -> Sizes<'a, '_> {
        Sizes { ladder: self, of }
    }
}

/// Most levels of sizes: those of a ladder, and a destination's own.
const MOST_LEVELS: usize = 5;

/// Which sizes are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizeQuestion<'a> {
    /// Where each level keeps them.
    pub(crate) cell: Cell,
    /// What is believed before anything was learned.
    pub(crate) prior: SizePrior,
    /// What the template's sessions did at this very destination.
    pub(crate) own: Option<&'a Histogram>,
}

/// What is believed about the sizes that were asked for.
#[derive(Debug)]
pub(crate) struct Sizes<'a, 'l> {
    ladder: &'l Ladder<'a>,
    of: SizeQuestion<'a>,
}

/// What is normal, at the level that counts most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormalSize {
    pub(crate) weight: Weight,
    pub(crate) median: u64,
    pub(crate) p98: u64,
    /// Whether this is the history of this very destination.
    pub(crate) of_destination: bool,
}

/// The levels that know sizes of a kind, widest first.
struct Levels<'a> {
    prior: Curve,
    levels: [Option<LevelOfSizes<'a>>; MOST_LEVELS],
}

#[derive(Debug, Clone, Copy)]
struct LevelOfSizes<'a> {
    sizes: &'a Histogram,
    tail: Option<&'a ParetoTail>,
    /// The end of what it saw, and P(at least that much) by the wider levels.
    end: u64,
    p_end: f64,
}

impl LevelOfSizes<'_> {
    /// P(at least `bytes`), which is `y` on the scale of [`log_size`], where the wider levels say `parent`.
    fn survival(&self, (bytes, y): (u64, f64), parent: f64) -> f64 {
        let (n, kappa) = (self.sizes.total() as f64, crate::moments::PARENT_WEIGHT);
        let join = |own: f64, parent: f64| (n * own + kappa * parent) / (n + kappa);
        match self.tail {
            Some(tail) if y > tail.start => join(tail.survival(y), parent),
            _ if bytes < self.end => join(self.sizes.survival(bytes), parent),
            _ => {
                let p_beyond = join(0.0, self.p_end).max(1.0 / (n + 1.0 / self.p_end));
                p_beyond * parent / self.p_end
            }
        }
    }
}

impl Levels<'_> {
    fn survival(&self, bytes: u64) -> f64 {
        let y = log_size(bytes);
        let levels = self.levels.iter().flatten();
        levels.fold(self.prior.survival(y), |p, level| level.survival((bytes, y), p))
    }
}

impl<'a> Sizes<'a, '_> {
    fn levels(&self) -> Levels<'a> {
        let rungs = self.ladder.rungs().filter_map(|rung| {
            Some((rung.scope.sizes.get(&self.of.cell)?, rung.derived.tails.get(&self.of.cell)))
        });
        let known = rungs.chain(self.of.own.map(|sizes| (sizes, None)));
        let mut levels = Levels { prior: self.of.prior.curve(), levels: [None; MOST_LEVELS] };
        for (at, (sizes, tail)) in known.enumerate() {
            let end = sizes.end();
            let p_end = levels.survival(end);
            levels.levels[at] = Some(LevelOfSizes { sizes, tail, end, p_end });
        }
        levels
    }

    /// P(a session sends at least `bytes`), level by level.
    ///
    /// Within what a level saw, S_ℓ = (n Ŝ_ℓ + κ S_parent) / (n + κ). Beyond it, where no tail was
    /// fitted, S_ℓ falls in the proportion in which its parent's does: that none of n sessions sent as
    /// much must not count anew at each level, for they are the same sessions.
    pub(crate) fn survival(&self, bytes: u64) -> f64 {
        self.levels().survival(bytes)
    }

    /// The smallest size whose tail probability is below `p`, to the histogram bin.
    pub(crate) fn first_below(&self, p: f64) -> u64 {
        let levels = self.levels();
        let (mut low, mut high) = (0u16, LAST_BIN);
        while low < high {
            let middle = low.midpoint(high);
            if levels.survival(bin_start(middle)) < p {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        bin_start(low)
    }

    /// What is normal, at the level that counts most.
    pub(crate) fn normal(&self) -> NormalSize {
        let prior = self.of.prior;
        let mut normal = NormalSize {
            weight: Weight::of_prior(),
            median: prior.median,
            p98: prior.p98,
            of_destination: false,
        };
        let mut weight = normal.weight;
        let levels = self
            .ladder
            .rungs()
            .filter_map(|rung| Some((rung.level, rung.scope.sizes.get(&self.of.cell)?, false)));
        let own = self.of.own.map(|sizes| (Level::Template, sizes, true));
        for (level, sizes, of_destination) in levels.chain(own) {
            let before = weight.sessions;
            weight.narrow(level, sizes.total());
            if weight.level == level && (weight.sessions != before || of_destination) {
                let at_most = |q| sizes.quantile(q).saturating_sub(1);
                normal.median = at_most(0.5);
                normal.p98 = at_most(crate::histogram::TAIL_QUANTILE);
                normal.of_destination = of_destination;
            }
        }
        normal.weight = weight;
        normal
    }
}
