//! `egret replay`: the events that the store keeps, judged again by another configuration.
//!
//! With `--diff` two engines see the same events and begin with the same baseline; they differ in
//! configuration alone. What the store has as incidents is no such measure: it depends on sessions
//! that began before the time asked for, on what was learned since, and on the version of egret that
//! judged then.
//!
//! Sessions that began before that time are seen without their beginnings. Silent sources are not
//! told of: only the clock of a running egret hears silence. What `[collector]` decides was decided
//! when the events were stored.

mod difference;
mod suppress;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use egret_analyzer::{Engine, Feedback, FrozenBaseline, IncidentChange, Suppression};
use egret_event::{Event, EventId, Timestamp};
use egret_store::Store;
use serde::Serialize;

use self::difference::{Difference, TOLD_COLUMNS, Told, worst_first};
pub use self::suppress::SuppressArg;
use super::learn::new_engine;
use crate::cli::{ConfigArgs, ReplayArgs, ReplayFormat};
use crate::clock;
use crate::config::{Loaded, load_without_secrets};
use crate::terminal::{shown, table};

/// What a replay found.
#[derive(Debug, Serialize)]
struct Report {
    /// Time of the first event.
    from: Timestamp,
    /// Time of the last event.
    until: Timestamp,
    /// Events that were judged.
    events: u64,
    /// What scoring began with. `None`: what the configuration names, or the shipped priors.
    baseline: Option<Begun>,
    /// What a reader of the result should know.
    notes: Vec<String>,
    #[serde(flatten)]
    found: Found,
}

/// A baseline of the store.
#[derive(Debug, Serialize)]
struct Begun {
    id: EventId,
    frozen_at: Timestamp,
    sessions: u64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Found {
    Incidents {
        /// Most severe first, without those that are suppressed.
        incidents: Vec<Told>,
        suppressed: u64,
    },
    Difference(Difference),
}

/// Judges the events and prints what was found.
///
/// # Errors
/// When a configuration or the store cannot be read, or no event is kept of that time.
pub fn run(args: &ReplayArgs) -> Result<()> {
    let report = replay(args)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        ReplayFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        }
        ReplayFormat::Table => out.write_all(as_table(&report).as_bytes())?,
    }
    Ok(out.flush()?)
}

fn replay(args: &ReplayArgs) -> Result<Report> {
    let changed = load_without_secrets(&args.config)?;
    let in_effect = args.diff.then(|| in_effect(args.against.as_deref())).transpose()?;
    let store = open(&changed.config.store)?;
    let now = clock::now();
    let since = args.since.before(now);
    let until = args.until.map_or(now, |until| until.before(now));
    let mut notes = Vec::new();
    let baseline = baseline(&store, since, (&changed, in_effect.as_ref()), &mut notes)?;

    let (kept, feedback) = (store.suppressions(now)?, store.feedback(now)?);
    let more = args.suppress.iter().map(SuppressArg::suppression);
    let mut sides = Vec::new();
    if let Some(loaded) = &in_effect {
        let said = Said { suppressions: kept.clone(), feedback: feedback.clone(), now };
        sides.push(Side::new(loaded, baseline.as_ref(), said)?);
    }
    let suppressions = kept.into_iter().chain(more).collect();
    sides.push(Side::new(&changed, baseline.as_ref(), Said { suppressions, feedback, now })?);

    let Some((from, last, events)) = judge(&store, (since, until), &mut sides)? else {
        bail!(
            "the store {} keeps no events from {since} until {until}",
            changed.config.store.path.display()
        );
    };
    let told: Vec<_> = sides.into_iter().map(Side::finish).collect();
    let found = match <[_; 2]>::try_from(told) {
        Ok([before, after]) => Found::Difference(Difference::of(&before, &after)),
        Err(alone) => listed(alone.into_iter().flatten()),
    };
    let baseline = baseline.as_ref().map(Begun::of);
    Ok(Report { from, until: last, events, baseline, notes, found })
}

/// The configuration in effect, which the changed one is compared with.
fn in_effect(named: Option<&Path>) -> Result<Loaded> {
    let config = named.map(Path::to_owned);
    let loaded = load_without_secrets(&ConfigArgs { config, set: Vec::new() })?;
    if loaded.file.is_none() {
        bail!(
            "there is no configuration in effect to compare with: name its file with --against \
             (neither ./egret.toml nor /etc/egret/egret.toml exists)"
        );
    }
    Ok(loaded)
}

/// A store that is there: opening makes one where there is none.
fn open(config: &egret_store::StoreConfig) -> Result<Store> {
    if !config.path.exists() {
        bail!("there is no store at {} (set store.path)", config.path.display());
    }
    Ok(Store::open(config)?)
}

/// The baseline that was in force at `since`, if the store still keeps it. Where the two
/// configurations begin with different files, that is the change to be shown: then none.
fn baseline(
    store: &Store,
    since: Timestamp,
    (changed, in_effect): (&Loaded, Option<&Loaded>),
    notes: &mut Vec<String>,
) -> Result<Option<FrozenBaseline>> {
    if let Some(in_effect) = in_effect {
        let in_toml = |loaded: &Loaded| toml::Value::try_from(&loaded.raw.collector);
        if in_toml(changed)? != in_toml(in_effect)? {
            let note = "the [collector] sections differ: what they change was decided when the \
                        events were stored, so a replay does not show it";
            notes.push(note.to_owned());
        }
        if changed.config.analyzer.baseline != in_effect.config.analyzer.baseline {
            notes.push("each begins with the baseline that it names".to_owned());
            return Ok(None);
        }
    }
    let Some(frozen) = store.baseline_at(since)? else {
        let note = "the store keeps no baseline of that time: what analyzer.baseline names is \
                    begun with, or the shipped priors";
        notes.push(note.to_owned());
        return Ok(None);
    };
    Ok(Some(frozen))
}

/// Hands the events to all sides; the first one's and the last one's time, and how many there are.
fn judge(
    store: &Store,
    (since, until): (Timestamp, Timestamp),
    sides: &mut [Side],
) -> Result<Option<(Timestamp, Timestamp, u64)>> {
    let (mut first, mut last, mut count) = (None, None::<Event>, 0);
    loop {
        let mut events = store.events_onward(since, until, last.as_ref())?;
        for side in &mut *sides {
            side.observe(&events);
        }
        count += events.len() as u64;
        first = first.or(events.first().map(|event| event.at));
        let Some(end) = events.pop() else { break };
        last = Some(end);
    }
    Ok(first.zip(last).map(|(first, last)| (first, last.at, count)))
}

fn listed(told: impl Iterator<Item = (EventId, Told)>) -> Found {
    let (suppressed, mut incidents): (Vec<_>, Vec<_>) =
        told.map(|(_, told)| told).partition(|told| told.is_suppressed);
    incidents.sort_by(worst_first);
    Found::Incidents { incidents, suppressed: suppressed.len() as u64 }
}

impl Begun {
    fn of(frozen: &FrozenBaseline) -> Self {
        Self { id: frozen.id, frozen_at: frozen.frozen_at, sessions: frozen.sessions }
    }
}

/// What people said of incidents. It counts as it stands now, whenever the events were: what is asked is
/// what it would do, not what it did.
struct Said {
    suppressions: Vec<Suppression>,
    /// What they judged benign and counts now; and so at every event, all of which were before.
    feedback: Vec<Feedback>,
    now: Timestamp,
}

/// One configuration, and what it has found so far.
struct Side {
    engine: Engine,
    suppressions: Vec<Suppression>,
    /// When suppressions are asked for.
    now: Timestamp,
    /// Each incident as its last change left it, and whether a suppression hides it.
    told: BTreeMap<EventId, Told>,
    changes: Vec<IncidentChange>,
}

impl Side {
    fn new(loaded: &Loaded, baseline: Option<&FrozenBaseline>, said: Said) -> Result<Self> {
        let Said { suppressions, feedback, now } = said;
        let config = &loaded.config.analyzer;
        let mut engine = match baseline {
            Some(frozen) => Engine::with_frozen(config.clone(), frozen)?,
            None => new_engine(config)?,
        };
        engine.take_feedback(feedback);
        Ok(Self { engine, suppressions, now, told: BTreeMap::new(), changes: Vec::new() })
    }

    fn observe(&mut self, events: &[Event]) {
        self.engine.observe(events, &mut self.changes);
        self.keep();
    }

    fn keep(&mut self) {
        for change in self.changes.drain(..) {
            let incident = change.incident;
            let is_suppressed =
                self.suppressions.iter().any(|one| one.matches(&incident, self.now));
            self.told.insert(incident.id, Told::of(incident, is_suppressed));
        }
    }

    fn finish(mut self) -> BTreeMap<EventId, Told> {
        self.engine.finish(&mut self.changes);
        self.keep();
        self.told
    }
}

fn as_table(report: &Report) -> String {
    use std::fmt::Write as _;
    let Report { from, until, events, .. } = report;
    // Writing to a string cannot fail.
    let mut out = format!("{events} events from {from} until {until}\n");
    if let Some(Begun { id, frozen_at, sessions }) = &report.baseline {
        let _ = writeln!(out, "begun with baseline {id} of {frozen_at}, from {sessions} sessions");
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {note}");
    }
    match &report.found {
        Found::Difference(difference) => out.push_str(&difference.as_table()),
        Found::Incidents { incidents, suppressed } => {
            let count = incidents.len();
            let _ = writeln!(out, "\n{count} incidents; {suppressed} more are suppressed");
            let rows: Vec<_> = incidents.iter().map(Told::row).collect();
            if !rows.is_empty() {
                let _ = write!(out, "\n{}", table(&TOLD_COLUMNS, &rows));
            }
            for told in incidents {
                let _ = writeln!(out, "{}: {}", shown(&told.destination), shown(&told.title));
            }
        }
    }
    out
}
