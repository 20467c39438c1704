//! Executors: those registered and those seen, with their totals.

use egret_event::{ExecutorRegistration, SmolStr, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::SqliteStore;
use super::dictionary::Map;
use super::filter::{Filter, marks};
use super::incidents::search_pattern;
use super::paging::{Paging, page};
use super::periods::{LARGER_VIEW, Periods, SUM_OF_VIEWS};
use super::stored::{Stored, from_json, to_json, unsigned};
use crate::query::page_size;
use crate::{ExecutorQuery, ExecutorRow, Page, StoreError};

const PAGING: Paging = Paging::of("x");

/// A row, its number and what it ranks by.
struct Ranked {
    row: ExecutorRow,
    id: i64,
    ranked_at: i64,
}

impl SqliteStore {
    /// Executors seen or registered, last seen (or registered) first, one page.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] for a foreign cursor or too long a search text.
    pub fn executors(&self, query: &ExecutorQuery) -> Result<Page<ExecutorRow>, StoreError> {
        let size = page_size(query.limit);
        let filter = filter(query)?;
        let sql = format!(
            "SELECT e.name, e.address, e.template, e.tenant, e.session, e.last_seen, r.body, e.id,
                e.ranked_at
            FROM executors e LEFT JOIN registrations r ON r.executor = e.name AND r.starts =
                (SELECT max(starts) FROM registrations WHERE executor = e.name){}
            ORDER BY e.ranked_at DESC, e.id DESC LIMIT {}",
            filter.sql(),
            size + 1
        );
        let db = self.reader();
        let tx = db.unchecked_transaction()?;
        let mut statement = tx.prepare_cached(&sql)?;
        let mut found = statement.query(params_from_iter(filter.values()))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read(row)?);
        }
        let mut page =
            page(rows, size, |ranked| PAGING.cursor(ranked.ranked_at, &ranked.id.to_be_bytes()));
        add_totals(&tx, query, &mut page.items)?;
        let items = page.items.into_iter().map(|ranked| ranked.row).collect();
        Ok(Page { items, next: page.next })
    }

    /// Writes a registration; the same id and `from` again replaces it.
    pub fn put_executor(&self, registration: &ExecutorRegistration) -> Result<(), StoreError> {
        self.write(|db, memory| {
            memory.dictionary.executor(db, &registration.id, registration.from)?;
            let rank = "UPDATE executors SET ranked_at = max(ranked_at, ?2) WHERE name = ?1";
            db.prepare_cached(rank)?
                .execute(params![registration.id.as_str(), Stored(registration.from)])?;
            let put = "INSERT OR REPLACE INTO registrations (executor, starts, ends, address, body)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            db.prepare_cached(put)?.execute(params![
                registration.id.as_str(),
                Stored(registration.from),
                registration.until.map(Stored),
                registration.address.to_string(),
                to_json("registration", registration)?,
            ])?;
            Ok(())
        })
    }

    /// All registrations that end after `since`, by their start.
    pub fn registrations(&self, since: Timestamp) -> Result<Vec<ExecutorRegistration>, StoreError> {
        let db = self.reader();
        let sql = "SELECT body FROM registrations WHERE ends IS NULL OR ends > ?1
                   ORDER BY starts, executor";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map([Stored(since)], |row| row.get::<_, String>(0))?;
        rows.map(|body| from_json("registration", &body?)).collect()
    }
}

fn filter(query: &ExecutorQuery) -> Result<Filter, StoreError> {
    let mut filter = Filter::default();
    // Neither seen nor registered: it was only named by a gap.
    filter.and("e.last_seen IS NOT NULL OR r.executor IS NOT NULL", []);
    if let Some(text) = &query.search {
        let pattern = search_pattern(text)?;
        // A registration's names are searched where nothing was seen of its executor yet.
        let columns = [
            "e.name",
            "e.template",
            "e.tenant",
            "json_extract(r.body, '$.template')",
            "json_extract(r.body, '$.tenant')",
        ];
        let any = columns.map(|column| format!("{column} LIKE ? ESCAPE '\\'")).join(" OR ");
        filter.and(&any, columns.map(|_| Value::from(pattern.clone())));
    }
    if let Some(cursor) = &query.after {
        let (ranked_at, id) = PAGING.read(cursor)?;
        let id = id.try_into().map_or(0, i64::from_be_bytes);
        filter.and("(e.ranked_at, e.id) < (?, ?)", [ranked_at.into(), id.into()]);
    }
    Ok(filter)
}

fn read(row: &Row<'_>) -> Result<Ranked, StoreError> {
    let text = |column| -> Result<Option<SmolStr>, StoreError> {
        Ok(row.get::<_, Option<String>>(column)?.map(SmolStr::from))
    };
    let last_seen: Option<Stored<Timestamp>> = row.get(5)?;
    let mut executor = ExecutorRow {
        id: SmolStr::from(row.get::<_, String>(0)?),
        address: text(1)?.and_then(|address| address.parse().ok()),
        template: text(2)?,
        tenant: text(3)?,
        session: text(4)?,
        from: None,
        until: None,
        last_seen: last_seen.map(|at| at.0),
        up_bytes: 0,
        allowed: 0,
        blocked: 0,
    };
    if let Some(body) = row.get::<_, Option<String>>(6)? {
        let registered: ExecutorRegistration = from_json("registration", &body)?;
        executor.address = Some(registered.address);
        executor.template = registered.template.or(executor.template);
        executor.tenant = registered.tenant.or(executor.tenant);
        executor.session = registered.session.or(executor.session);
        executor.from = Some(registered.from);
        executor.until = registered.until;
    }
    Ok(Ranked { row: executor, id: row.get(7)?, ranked_at: row.get(8)? })
}

/// Fills in what each executor of a page sent in the time asked for.
fn add_totals(
    db: &Connection,
    query: &ExecutorQuery,
    page: &mut [Ranked],
) -> Result<(), StoreError> {
    if page.is_empty() {
        return Ok(());
    }
    let periods = Periods::covering(db, query.since, query.until)?;
    let mut filter = Filter::default();
    filter.and(&format!("{} >= ?", periods.column), [Value::from(periods.first)]);
    filter.and(&format!("{} <= ?", periods.column), [Value::from(periods.last)]);
    let ids = page.iter().map(|ranked| Value::from(ranked.id));
    filter.and(&format!("executor IN ({})", marks(page.len())), ids);
    let sql = format!(
        "WITH pairs AS (
            SELECT destination, executor, {LARGER_VIEW} FROM {}{} GROUP BY destination, executor)
        SELECT executor, {SUM_OF_VIEWS} FROM pairs GROUP BY executor",
        periods.table,
        filter.sql()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(filter.values()), |row| {
        Ok((row.get(0)?, [row.get(1)?, row.get(3)?, row.get(4)?]))
    })?;
    let totals = rows.collect::<Result<Map<i64, [i64; 3]>, _>>()?;
    for ranked in page {
        if let Some([up, allowed, blocked]) = totals.get(&ranked.id) {
            ranked.row.up_bytes = unsigned(*up);
            ranked.row.allowed = unsigned(*allowed);
            ranked.row.blocked = unsigned(*blocked);
        }
    }
    Ok(())
}
