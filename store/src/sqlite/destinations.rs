//! Destinations with their totals, from what is kept per minute and hour.

use egret_event::{SmolStr, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::SqliteStore;
use super::filter::Filter;
use super::incidents::search_pattern;
use super::paging::{Paging, page};
use super::periods::{LARGER_VIEW, Periods, SUM_OF_VIEWS};
use super::stored::{Stored, unsigned};
use crate::query::page_size;
use crate::{Cursor, DestinationQuery, DestinationRow, DestinationSort, Page, StoreError};

impl SqliteStore {
    /// Destinations with their totals, one page.
    ///
    /// Bytes and contacts are, per executor, the larger of what the wire and what a proxy's log
    /// says of the time asked for: the same egress is never counted twice.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] for a foreign cursor or too long a search text.
    pub fn destinations(
        &self,
        query: &DestinationQuery,
    ) -> Result<Page<DestinationRow>, StoreError> {
        let (column, paging) = sorted_by(query.sort);
        let size = page_size(query.limit);
        let db = self.reader();
        let tx = db.unchecked_transaction()?;
        let periods = Periods::covering(&tx, query.since, query.until)?;
        let pairs = pairs_filter(query, periods);
        let names = names_filter(query)?;
        let rest = after(query.after.as_ref(), column, paging)?;
        let sql = format!(
            "WITH pairs AS (
                SELECT destination, executor, {LARGER_VIEW} FROM {table}{pairs}
                GROUP BY destination, executor),
            sums AS (
                SELECT destination, {SUM_OF_VIEWS}, sum(allowed) + sum(blocked) AS contacts,
                    count(*) AS executors, max(last_seen) AS last_seen
                FROM pairs GROUP BY destination),
            totals AS (
                SELECT sums.*, d.name AS name, d.first_seen AS first_seen
                FROM sums JOIN destinations d ON d.id = sums.destination{names})
            SELECT name, up, down, allowed, blocked, executors, first_seen, last_seen, {column}
            FROM totals{rest} ORDER BY {column} DESC, name LIMIT {limit}",
            table = periods.table,
            pairs = pairs.sql(),
            names = names.sql(),
            rest = rest.sql(),
            limit = size + 1,
        );
        let values = pairs.values().chain(names.values()).chain(rest.values());
        let mut statement = tx.prepare_cached(&sql)?;
        let rows =
            statement.query_map(params_from_iter(values), |row| Ok((read(row)?, row.get(8)?)))?;
        let rows = rows.collect::<Result<Vec<(DestinationRow, i64)>, _>>()?;
        let page =
            page(rows, size, |(row, value)| paging.cursor(*value, row.destination.as_bytes()));
        Ok(Page { items: page.items.into_iter().map(|(row, _)| row).collect(), next: page.next })
    }
}

fn sorted_by(sort: DestinationSort) -> (&'static str, Paging) {
    match sort {
        DestinationSort::UpBytes => ("up", Paging::of("db")),
        DestinationSort::Contacts => ("contacts", Paging::of("dc")),
        DestinationSort::Blocked => ("blocked", Paging::of("dx")),
        DestinationSort::FirstSeen => ("first_seen", Paging::of("df")),
        DestinationSort::LastSeen => ("last_seen", Paging::of("dl")),
    }
}

fn pairs_filter(query: &DestinationQuery, periods: Periods) -> Filter {
    let mut filter = Filter::default();
    filter.and(&format!("{} >= ?", periods.column), [Value::from(periods.first)]);
    filter.and(&format!("{} <= ?", periods.column), [Value::from(periods.last)]);
    // A gap is about what was not seen: it makes no destination.
    filter.and("events > 0", []);
    filter.and_if(
        "executor = (SELECT id FROM executors WHERE name = ?)",
        query.executor.as_ref().map(ToString::to_string),
    );
    filter
}

fn names_filter(query: &DestinationQuery) -> Result<Filter, StoreError> {
    let mut filter = Filter::default();
    let pattern = query.search.as_deref().map(search_pattern).transpose()?;
    filter.and_if("name LIKE ? ESCAPE '\\'", pattern);
    Ok(filter)
}

fn after(cursor: Option<&Cursor>, column: &str, paging: Paging) -> Result<Filter, StoreError> {
    let mut filter = Filter::default();
    if let Some(cursor) = cursor {
        let (value, name) = paging.read(cursor)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let condition = format!("{column} < ? OR ({column} = ? AND name > ?)");
        filter.and(&condition, [value.into(), value.into(), name.into()]);
    }
    Ok(filter)
}

fn read(row: &Row<'_>) -> rusqlite::Result<DestinationRow> {
    Ok(DestinationRow {
        destination: SmolStr::from(row.get::<_, String>(0)?),
        up_bytes: unsigned(row.get(1)?),
        down_bytes: unsigned(row.get(2)?),
        allowed: unsigned(row.get(3)?),
        blocked: unsigned(row.get(4)?),
        executors: unsigned(row.get(5)?),
        first_seen: row.get::<_, Stored<Timestamp>>(6)?.0,
        last_seen: row.get::<_, Stored<Timestamp>>(7)?.0,
    })
}
