//! Which sums answer a question about a span of time: minutes for short spans, hours for
//! long ones and for times whose minutes retention has taken.

use egret_event::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::sums::{HOUR, MINUTE};
use crate::StoreError;

/// Longest span, in nanoseconds, that is answered from minutes. Six hours of a busy site's minute
/// rows are as many as a week's hour rows.
const LONGEST_IN_MINUTES: i64 = 6 * HOUR;

/// The larger of the two views (wire, log) per destination and executor, for use after
/// `SELECT destination, executor,`. Totals are floats, exact up to 2^53, and cannot overflow.
pub(super) const LARGER_VIEW: &str = "max(total(wire_up), total(logged_up)) AS up,
    max(total(wire_down), total(logged_down)) AS down,
    max(sum(wire_allowed), sum(logged_allowed)) AS allowed,
    max(sum(wire_blocked), sum(logged_blocked)) AS blocked,
    max(last_seen) AS last_seen";

/// Sums of [`LARGER_VIEW`] over many destinations or executors, as whole numbers.
pub(super) const SUM_OF_VIEWS: &str = "CAST(min(total(up), 9e18) AS INTEGER) AS up,
    CAST(min(total(down), 9e18) AS INTEGER) AS down,
    sum(allowed) AS allowed, sum(blocked) AS blocked";

/// The periods to read, of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Periods {
    /// The table's name.
    pub(super) table: &'static str,
    /// Its first column's name.
    pub(super) column: &'static str,
    /// Nanoseconds of one period.
    pub(super) length: i64,
    /// First period.
    pub(super) first: i64,
    /// Last period.
    pub(super) last: i64,
}

impl Periods {
    pub(super) fn minutes(since: i64, until: i64) -> Self {
        Self::of("minutes", "minute", MINUTE, (since, until))
    }

    pub(super) fn hours(since: i64, until: i64) -> Self {
        Self::of("hours", "hour", HOUR, (since, until))
    }

    fn of(table: &'static str, column: &'static str, length: i64, span: (i64, i64)) -> Self {
        let first = span.0.div_euclid(length);
        let last = span.1.saturating_sub(1).div_euclid(length);
        Self { table, column, length, first, last }
    }

    /// The periods that cover a span, either end of which may be open.
    pub(super) fn covering(
        db: &Connection,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let since = since.map_or(i64::MIN, Timestamp::as_nanos);
        let open_end = until.map_or(i64::MAX, Timestamp::as_nanos);
        let until = match until {
            Some(until) => until.as_nanos(),
            None => newest(db)?,
        };
        if until.saturating_sub(since) <= LONGEST_IN_MINUTES && has_minutes(db, since)? {
            Ok(Self::minutes(since, open_end))
        } else {
            Ok(Self::hours(since, open_end))
        }
    }
}

/// Whether the minutes from `since` on are all still there.
pub(super) fn has_minutes(db: &Connection, since: i64) -> Result<bool, StoreError> {
    let oldest_minute = edge(db, "SELECT minute FROM minutes ORDER BY minute LIMIT 1")?;
    let oldest_hour = edge(db, "SELECT hour FROM hours ORDER BY hour LIMIT 1")?;
    Ok(match (oldest_minute, oldest_hour) {
        (Some(minute), Some(hour)) => {
            hour >= minute.div_euclid(60) || since.div_euclid(MINUTE) >= minute
        }
        (None, Some(_)) => false,
        (_, None) => true,
    })
}

/// The end of the newest minute.
fn newest(db: &Connection) -> Result<i64, StoreError> {
    let minute = edge(db, "SELECT minute FROM minutes ORDER BY minute DESC LIMIT 1")?;
    Ok(minute.map_or(i64::MAX, |minute| minute.saturating_add(1).saturating_mul(MINUTE)))
}

fn edge(db: &Connection, sql: &str) -> Result<Option<i64>, StoreError> {
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
}
