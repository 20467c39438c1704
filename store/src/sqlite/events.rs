//! Reading events: newest first, or onward from a time.

use std::sync::Arc;

use egret_event::{Attribution, Event, EventId, SmolStr, Timestamp, clean_name};
use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::SqliteStore;
use super::commit::kind_named;
use super::dictionary::Map;
use super::event_body::{Columns, unpack};
use super::filter::{Filter, marks};
use super::paging::{Paging, page};
use super::stored::{Stored, from_json};
use super::sums::MINUTE;
use crate::query::page_size;
use crate::{Cursor, EventQuery, Page, StoreError};

const PAGING: Paging = Paging::of("e");

/// Most ids in one question: what a page can hold.
const MAX_IDS: usize = 1000;

/// Events that are read onward at once: a few megabytes.
const MOST_ONWARD: i64 = 4096;

/// A row as read, with names still as numbers.
struct Raw {
    at: Timestamp,
    id: EventId,
    source: i64,
    origin: i64,
    destination: i64,
    body: Vec<u8>,
}

/// From when, to when and after what: the part of the key that a scan covers.
#[derive(Clone, Copy)]
struct Span {
    /// First nanosecond.
    first: i64,
    /// Last nanosecond.
    last: i64,
    /// The row after which to begin, going back in time.
    after: Option<(i64, [u8; 16])>,
}

impl SqliteStore {
    /// Events that match, newest first, one page.
    ///
    /// Events that an incident names as evidence are found by id at once; for other ids the time
    /// asked for is searched through.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] for a foreign cursor, an unknown kind or more than 1,000 ids.
    pub fn events(&self, query: &EventQuery) -> Result<Page<Event>, StoreError> {
        let size = page_size(query.limit);
        let Some(span) = Span::of(query)? else { return Ok(empty()) };
        let db = self.reader();
        let tx = db.unchecked_transaction()?;
        let Some(scan) = Scan::of(&tx, query, size + 1)? else { return Ok(empty()) };
        let rows = if query.ids.is_empty() { scan.rows(span)? } else { scan.by_id(query, span)? };
        let page = page(rows, size, |row| PAGING.cursor(row.at.as_nanos(), &row.id.to_bytes()));
        let mut names = Names::default();
        let items = page.items.iter().map(|row| names.event(&tx, row));
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: page.next })
    }
}

impl SqliteStore {
    /// Events in the order of their time; see [`crate::Store::events_onward`]. Each call is a
    /// transaction of its own: a long one would keep the file's log from being taken in.
    pub fn events_onward(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&Event>,
    ) -> Result<Vec<Event>, StoreError> {
        let db = self.reader();
        let tx = db.unchecked_transaction()?;
        let sql = "SELECT at, id, source, origin, destination, body FROM events
                   WHERE at >= ?1 AND at < ?2 AND (at, id) > (?3, ?4) ORDER BY at, id LIMIT ?5";
        let since = after.map_or(since, |event| event.at.max(since));
        let (last, id) = after.map_or((i64::MIN, Vec::new()), |event| {
            (event.at.as_nanos(), event.id.to_bytes().to_vec())
        });
        let mut statement = tx.prepare_cached(sql)?;
        let values = params![Stored(since), Stored(until), last, id, MOST_ONWARD];
        let rows = statement.query_map(values, Raw::read)?;
        let mut names = Names::default();
        rows.map(|row| names.event(&tx, &row?)).collect()
    }
}

fn empty() -> Page<Event> {
    Page { items: Vec::new(), next: None }
}

impl Span {
    /// `None`: there is no time in it.
    fn of(query: &EventQuery) -> Result<Option<Self>, StoreError> {
        let after =
            query.after.as_ref().map(|cursor: &Cursor| PAGING.read_id(cursor)).transpose()?;
        let until = query.until.map(Timestamp::as_nanos);
        let last = match until {
            Some(i64::MIN) => return Ok(None),
            Some(until) => until - 1,
            None => i64::MAX,
        };
        let last = after.map_or(last, |(at, _)| last.min(at));
        let first = query.since.map_or(i64::MIN, Timestamp::as_nanos);
        Ok((first <= last).then_some(Self { first, last, after }))
    }

    fn within(self, first: i64, last: i64) -> Self {
        Self { first: self.first.max(first), last: self.last.min(last), after: self.after }
    }
}

/// What a scan looks for.
struct Scan<'a> {
    db: &'a Connection,
    query: &'a EventQuery,
    limit: usize,
    kind: Option<i64>,
    destination: Option<i64>,
    executor: Option<i64>,
}

impl<'a> Scan<'a> {
    /// `None`: it looks for a name that was never seen.
    fn of(
        db: &'a Connection,
        query: &'a EventQuery,
        limit: usize,
    ) -> Result<Option<Self>, StoreError> {
        if query.ids.len() > MAX_IDS {
            return Err(StoreError::BadQuery(format!(
                "{} ids at once are too many: ask for {MAX_IDS} at most",
                query.ids.len()
            )));
        }
        let kind = query.kind.as_deref().map(kind_named).transpose()?;
        let find = |sql: &str, name: &SmolStr| -> Result<Option<i64>, StoreError> {
            Ok(db.prepare_cached(sql)?.query_row([name.as_str()], |row| row.get(0)).optional()?)
        };
        let mut scan = Self { db, query, limit, kind, destination: None, executor: None };
        if let Some(name) = &query.destination {
            let name = clean_name(name);
            scan.destination = find("SELECT id FROM destinations WHERE name = ?1", &name)?;
            if scan.destination.is_none() {
                return Ok(None);
            }
        }
        if let Some(name) = &query.executor {
            scan.executor = find("SELECT id FROM executors WHERE name = ?1", name)?;
            if scan.executor.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(scan))
    }

    fn rows(&self, span: Span) -> Result<Vec<Raw>, StoreError> {
        if self.destination.is_none() && self.executor.is_none() {
            return self.read(span, self.limit);
        }
        self.minute_by_minute(span)
    }

    /// Reads only the minutes in which the sums know the destination and executor: a rare
    /// name is found without reading what lies between.
    fn minute_by_minute(&self, span: Span) -> Result<Vec<Raw>, StoreError> {
        let mut filter = Filter::default();
        filter.and("minute >= ?", [Value::from(span.first.div_euclid(MINUTE))]);
        filter.and("minute <= ?", [Value::from(span.last.div_euclid(MINUTE))]);
        filter.and_if("destination = ?", self.destination);
        filter.and_if("executor = ?", self.executor);
        let sql =
            format!("SELECT DISTINCT minute FROM minutes{} ORDER BY minute DESC", filter.sql());
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut minutes = statement.query(params_from_iter(filter.values()))?;
        let mut rows = Vec::new();
        while let Some(row) = minutes.next()? {
            let start = row.get::<_, i64>(0)?.saturating_mul(MINUTE);
            let minute = span.within(start, start.saturating_add(MINUTE - 1));
            rows.extend(self.read(minute, self.limit - rows.len())?);
            if rows.len() >= self.limit {
                break;
            }
        }
        Ok(rows)
    }

    fn by_id(&self, query: &EventQuery, span: Span) -> Result<Vec<Raw>, StoreError> {
        let mut rows = Vec::new();
        let mut searched = Vec::new();
        let mut find = self.db.prepare_cached("SELECT at FROM evidence WHERE event = ?1")?;
        for id in &query.ids {
            let at: Option<i64> = find.query_row([Stored(*id)], |row| row.get(0)).optional()?;
            let found = match at {
                Some(at) => self.read_ids(span.within(at, at), &[*id])?,
                None => Vec::new(),
            };
            if found.is_empty() {
                searched.push(*id);
            }
            rows.extend(found);
        }
        if !searched.is_empty() {
            rows.extend(self.read_ids(span, &searched)?);
        }
        rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.at, row.id)));
        rows.dedup_by_key(|row| (row.at, row.id));
        rows.truncate(self.limit);
        Ok(rows)
    }

    fn read(&self, span: Span, limit: usize) -> Result<Vec<Raw>, StoreError> {
        self.select(span, &[], limit)
    }

    fn read_ids(&self, span: Span, ids: &[EventId]) -> Result<Vec<Raw>, StoreError> {
        self.select(span, ids, self.limit)
    }

    fn select(&self, span: Span, ids: &[EventId], limit: usize) -> Result<Vec<Raw>, StoreError> {
        let mut filter = Filter::default();
        filter.and("at >= ?", [Value::from(span.first)]);
        filter.and("at <= ?", [Value::from(span.last)]);
        if let Some((at, id)) = span.after {
            filter.and("(at, id) < (?, ?)", [Value::from(at), Value::from(id.to_vec())]);
        }
        if !ids.is_empty() {
            let wanted = ids.iter().map(|id| Value::from(id.to_bytes().to_vec()));
            filter.and(&format!("id IN ({})", marks(ids.len())), wanted);
        }
        filter.and_if("destination = ?", self.destination);
        filter.and_if("origin IN (SELECT id FROM origins WHERE executor = ?)", self.executor);
        filter.and_if("kind = ?", self.kind);
        filter.and_if("blocked = ?", self.query.blocked.map(i64::from));
        let sql = format!(
            "SELECT at, id, source, origin, destination, body FROM events{}
             ORDER BY at DESC, id DESC LIMIT ?",
            filter.sql()
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = filter.values().chain([&limit as &dyn ToSql]);
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), Raw::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            at: row.get::<_, Stored<Timestamp>>(0)?.0,
            id: row.get::<_, Stored<EventId>>(1)?.0,
            source: row.get(2)?,
            origin: row.get(3)?,
            destination: row.get(4)?,
            body: row.get(5)?,
        })
    }
}

/// Names by number, read once per page.
#[derive(Default)]
struct Names {
    sources: Map<i64, SmolStr>,
    destinations: Map<i64, SmolStr>,
    origins: Map<i64, Arc<Attribution>>,
}

impl Names {
    fn event(&mut self, db: &Connection, row: &Raw) -> Result<Event, StoreError> {
        let source = named(&mut self.sources, row.source, |id| {
            text(db, "SELECT name FROM sources WHERE id = ?1", id).map(SmolStr::from)
        })?;
        let domain = named(&mut self.destinations, row.destination, |id| {
            text(db, "SELECT name FROM destinations WHERE id = ?1", id).map(SmolStr::from)
        })?;
        let origin = named(&mut self.origins, row.origin, |id| {
            let body = text(db, "SELECT body FROM origins WHERE id = ?1", id)?;
            from_json("attribution", &body).map(Arc::new)
        })?;
        let columns = Columns { at: row.at, id: row.id, source, origin, domain };
        unpack(columns, &row.body)
    }
}

fn named<T: Clone>(
    known: &mut Map<i64, T>,
    id: i64,
    ask: impl FnOnce(i64) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if let Some(name) = known.get(&id) {
        return Ok(name.clone());
    }
    let name = ask(id)?;
    known.insert(id, name.clone());
    Ok(name)
}

fn text(db: &Connection, sql: &str, id: i64) -> Result<String, StoreError> {
    let found = db.prepare_cached(sql)?.query_row(params![id], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::Damaged {
        what: "event",
        reason: format!("name number {id} is missing"),
    })
}
