//! One unit of the pipeline, written in one transaction.

use std::collections::BTreeSet;

use egret_event::{Event, EventId, Fact};
use hashbrown::HashMap;
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::changes::{Applied, Hidden, apply};
use super::dictionary::{Dictionary, Map, Sightings};
use super::outbox::{self, Queued};
use super::sums::UnitSums;
use super::writer::Memory;
use super::{baselines, event_body, feedback, incidents, roll_ups, snapshots, suppressions};
use crate::{AlertRollUp, Committed, StoreError, WriteUnit};

impl SqliteStore {
    /// Writes one unit in one transaction; see [`crate::Store::commit`].
    pub fn commit(&self, unit: &WriteUnit<'_>) -> Result<Committed, StoreError> {
        self.write(|db, memory| {
            let mut committed = Committed::default();
            write_events(db, &mut memory.dictionary, unit.events, &mut committed)?;
            write_changes(db, memory, unit, &mut committed)?;
            if let Some(baseline) = unit.baseline {
                baselines::write(db, baseline)?;
            }
            if let Some((body, positions)) = unit.snapshot {
                snapshots::write(db, body, positions, unit.now)?;
            }
            Ok(committed)
        })
    }
}

fn write_events(
    db: &Connection,
    dictionary: &mut Dictionary,
    events: &[Event],
    committed: &mut Committed,
) -> Result<(), StoreError> {
    let mut sums = UnitSums::default();
    let mut sightings = Sightings::default();
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO events (at, id, source, origin, destination, kind, blocked, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut body = Vec::new();
    for event in events {
        let source = dictionary.source(db, event)?;
        let origin = dictionary.origin(db, event)?;
        let destination = dictionary.destination(db, event)?;
        body = event_body::pack(event, body)?;
        let new = insert.execute(params![
            event.at.as_nanos(),
            &event.id.to_bytes()[..],
            source,
            origin.id,
            destination,
            kind(&event.fact),
            event.verdict.is_blocked(),
            body.as_slice(),
        ])?;
        if new == 0 {
            committed.repeated_events += 1;
            continue;
        }
        committed.events += 1;
        sums.add(event, destination, origin.executor);
        sightings.note(event, destination, origin);
    }
    sums.write(db)?;
    sightings.write(db)
}

/// Writes the changes, then those alerts about them that nothing suppresses.
fn write_changes(
    db: &Connection,
    memory: &mut Memory,
    unit: &WriteUnit<'_>,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    if unit.changes.is_empty() && unit.alerts.is_empty() {
        return Ok(());
    }
    let active = suppressions::active(db, memory, unit.now)?;
    let judged = feedback::known(db, memory, unit.now)?;
    let told: BTreeSet<EventId> = unit.alerts.iter().map(|alert| alert.alert).collect();
    let mut fates: Map<EventId, (Applied, Option<AlertRollUp>)> = HashMap::default();
    for change in unit.changes {
        let incident = &change.incident;
        let hidden = Hidden {
            suppressed_by: active.iter().find(|s| s.matches(incident, unit.now)).map(|s| s.id),
            judged_like: judged.prevents(incident, unit.now),
        };
        let (applied, near) = apply(db, change, hidden, unit.now)?;
        committed.changes += u64::from(applied != Applied::Repeat);
        // Read now, so that what an alert says does not depend on what else is in the unit.
        let is_told = matches!(applied, Applied::New | Applied::Again);
        let mut roll_up = match near {
            _ if !is_told || !told.contains(&change.alert_id()) => None,
            Some(near) => Some(roll_ups::of_alert(db, incident.id, &near)?),
            None => roll_ups::for_alert(db, incident.id)?,
        };
        if let Some(roll_up) = roll_up.as_mut().filter(|_| applied == Applied::Again) {
            roll_up.repeats = true;
        }
        fates.insert(change.alert_id(), (applied, roll_up));
    }
    for alert in unit.alerts {
        let (fate, roll_up) = match fates.get(&alert.alert) {
            Some(fate) => fate.clone(),
            None if incidents::is_suppressed(db, alert.incident)? => (Applied::Suppressed, None),
            None => (Applied::New, roll_ups::for_alert(db, alert.incident)?),
        };
        match fate {
            // Its alerts were decided on when it was new.
            Applied::Repeat => {}
            Applied::Suppressed => committed.suppressed += 1,
            Applied::New | Applied::Again => {
                match outbox::queue(db, alert, roll_up.as_ref(), unit.now)? {
                    Queued::New => committed.alerts += 1,
                    Queued::Unwanted => committed.repeats += 1,
                    Queued::NotNeeded => committed.unneeded += 1,
                    Queued::Before => {}
                }
            }
        }
    }
    Ok(())
}

/// The number that stands for a kind of fact in the table.
fn kind(fact: &Fact) -> i64 {
    match fact {
        Fact::Flow(_) => 0,
        Fact::Dns(_) => 1,
        Fact::Tls(_) => 2,
        Fact::Http(_) => 3,
        Fact::Gap(_) => 4,
        Fact::Certificate(_) => 5,
        Fact::Contradiction(_) => 6,
    }
}

/// The number for the kind's name.
pub(super) fn kind_named(name: &str) -> Result<i64, StoreError> {
    match name {
        "flow" => Ok(0),
        "dns" => Ok(1),
        "tls" => Ok(2),
        "http" => Ok(3),
        "gap" => Ok(4),
        "certificate" => Ok(5),
        "contradiction" => Ok(6),
        _ => Err(StoreError::BadQuery(format!(
            "{name:?} is not a kind of event: use flow, dns, tls, http, \
             gap, certificate or contradiction"
        ))),
    }
}
