//! Numbers for the names that repeat in every row.

use std::net::IpAddr;
use std::sync::Arc;

use egret_event::{Attribution, Event, Fact, SmolStr, Timestamp};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, params};

use super::stored::{Stored, to_json};
use crate::StoreError;

/// Names of one kind kept in memory: about 10 MB at most. Beyond that all are forgotten and read
/// again as they come, which is rare and costs one look-up each.
const NAMES_KEPT: usize = 100_000;

pub(super) type Map<K, V> = HashMap<K, V, RandomState>;

/// Numbers already known, so that most events need no look-up.
#[derive(Default)]
pub(super) struct Dictionary {
    sources: Map<SmolStr, i64>,
    destinations: Map<SmolStr, i64>,
    executors: Map<SmolStr, i64>,
    origins: Map<Arc<Attribution>, Origin>,
}

/// The numbers of an attribution and of its executor.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) id: i64,
    pub(super) executor: i64,
}

impl Dictionary {
    pub(super) fn source(&mut self, db: &Connection, event: &Event) -> Result<i64, StoreError> {
        let name = &event.source;
        number(&mut self.sources, name, || {
            let insert = "INSERT INTO sources (name) VALUES (?1)";
            match find(db, "SELECT id FROM sources WHERE name = ?1", name)? {
                Some(id) => Ok(id),
                None => Ok(db.prepare_cached(insert)?.insert([name.as_str()])?),
            }
        })
    }

    pub(super) fn destination(
        &mut self,
        db: &Connection,
        event: &Event,
    ) -> Result<i64, StoreError> {
        let name = &event.destination.domain;
        number(&mut self.destinations, name, || {
            let insert = "INSERT INTO destinations (name, first_seen, last_seen)
                          VALUES (?1, ?2, ?2)";
            match find(db, "SELECT id FROM destinations WHERE name = ?1", name)? {
                Some(id) => Ok(id),
                None => {
                    let values = params![name.as_str(), Stored(event.at)];
                    Ok(db.prepare_cached(insert)?.insert(values)?)
                }
            }
        })
    }

    /// The executor's number. `at` is where it ranks until more is known of it.
    pub(super) fn executor(
        &mut self,
        db: &Connection,
        name: &SmolStr,
        at: Timestamp,
    ) -> Result<i64, StoreError> {
        number(&mut self.executors, name, || {
            let insert = "INSERT INTO executors (name, ranked_at) VALUES (?1, ?2)";
            match find(db, "SELECT id FROM executors WHERE name = ?1", name)? {
                Some(id) => Ok(id),
                None => {
                    Ok(db.prepare_cached(insert)?.insert(params![name.as_str(), Stored(at)])?)
                }
            }
        })
    }

    pub(super) fn origin(&mut self, db: &Connection, event: &Event) -> Result<Origin, StoreError> {
        if let Some(known) = self.origins.get(&*event.origin) {
            return Ok(*known);
        }
        let executor = self.executor(db, &event.origin.executor, event.at)?;
        let body = to_json("attribution", &*event.origin)?;
        let insert = "INSERT INTO origins (body, executor, used_at) VALUES (?1, ?2, ?3)";
        let id = match find(db, "SELECT id FROM origins WHERE body = ?1", &body)? {
            Some(id) => id,
            None => db.prepare_cached(insert)?.insert(params![body, executor, Stored(event.at)])?,
        };
        let origin = Origin { id, executor };
        make_room(&mut self.origins);
        self.origins.insert(Arc::clone(&event.origin), origin);
        Ok(origin)
    }
}

/// What one batch saw of names, to be written once at its end.
#[derive(Default)]
pub(super) struct Sightings<'a> {
    destinations: Map<i64, (Timestamp, Timestamp)>,
    origins: Map<i64, Timestamp>,
    ranks: Map<i64, Timestamp>,
    executors: Map<i64, Sighting<'a>>,
}

#[derive(Clone, Copy)]
struct Sighting<'a> {
    at: Timestamp,
    address: IpAddr,
    origin: &'a Attribution,
}

impl<'a> Sightings<'a> {
    /// Notes the names of an event. A gap tells of what was not seen, so its executor does not
    /// count as seen.
    pub(super) fn note(&mut self, event: &'a Event, destination: i64, origin: Origin) {
        let (first, last) = self.destinations.entry(destination).or_insert((event.at, event.at));
        *first = event.at.min(*first);
        *last = event.at.max(*last);
        let used = self.origins.entry(origin.id).or_insert(event.at);
        *used = event.at.max(*used);
        let rank = self.ranks.entry(origin.executor).or_insert(event.at);
        *rank = event.at.max(*rank);
        if matches!(event.fact, Fact::Gap(_)) {
            return;
        }
        let now = Sighting { at: event.at, address: event.client.0, origin: &event.origin };
        self.executors
            .entry(origin.executor)
            .and_modify(|last| {
                if last.at <= now.at {
                    *last = now;
                }
            })
            .or_insert(now);
    }

    pub(super) fn write(&self, db: &Connection) -> Result<(), StoreError> {
        let mut statement = db.prepare_cached(
            "UPDATE destinations SET first_seen = min(first_seen, ?2),
                 last_seen = max(last_seen, ?3) WHERE id = ?1",
        )?;
        for (id, (first, last)) in &self.destinations {
            statement.execute(params![id, Stored(*first), Stored(*last)])?;
        }
        let mut statement =
            db.prepare_cached("UPDATE origins SET used_at = max(used_at, ?2) WHERE id = ?1")?;
        for (id, used) in &self.origins {
            statement.execute(params![id, Stored(*used)])?;
        }
        let mut statement =
            db.prepare_cached("UPDATE executors SET ranked_at = max(ranked_at, ?2) WHERE id = ?1")?;
        for (id, rank) in &self.ranks {
            statement.execute(params![id, Stored(*rank)])?;
        }
        self.write_executors(db)
    }

    fn write_executors(&self, db: &Connection) -> Result<(), StoreError> {
        let mut statement = db.prepare_cached(
            "UPDATE executors SET address = ?2, template = ?3, tenant = ?4, session = ?5,
                 last_seen = ?6
             WHERE id = ?1 AND (last_seen IS NULL OR last_seen <= ?6)",
        )?;
        for (id, seen) in &self.executors {
            statement.execute(params![
                id,
                seen.address.to_string(),
                seen.origin.template.as_deref(),
                seen.origin.tenant.as_deref(),
                seen.origin.session.as_deref(),
                Stored(seen.at),
            ])?;
        }
        Ok(())
    }
}

fn number(
    known: &mut Map<SmolStr, i64>,
    name: &SmolStr,
    ask: impl FnOnce() -> Result<i64, StoreError>,
) -> Result<i64, StoreError> {
    if let Some(id) = known.get(name) {
        return Ok(*id);
    }
    let id = ask()?;
    make_room(known);
    known.insert(name.clone(), id);
    Ok(id)
}

fn make_room<K, V>(known: &mut Map<K, V>) {
    if known.len() >= NAMES_KEPT {
        known.clear();
    }
}

fn find(db: &Connection, select: &str, name: &str) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(select)?.query_row([name], |row| row.get(0)).optional()?)
}
