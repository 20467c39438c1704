//! Sums over time, from what is kept per minute and hour.

use std::collections::BTreeMap;

use egret_event::{SmolStr, Timestamp, clean_name};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::SqliteStore;
use super::filter::Filter;
use super::periods::{LARGER_VIEW, Periods, SUM_OF_VIEWS, has_minutes};
use super::stored::unsigned;
use super::sums::MINUTE;
use crate::{GroupBy, Series, SeriesPoint, SeriesQuery, StoreError};

/// Most steps of a series.
const MAX_STEPS: i64 = 1000;

/// Groups kept of a series that is split.
const GROUPS_KEPT: usize = 20;

type Points = BTreeMap<(i64, SmolStr), SeriesPoint>;

impl SqliteStore {
    /// Sums over time. Steps are counted from the epoch, so the first may begin before `since`.
    ///
    /// What was missed is told of series that are not split, and regardless of the destination
    /// or executor asked for: while we were blind, anybody may have sent anything.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] where `until` is not after `since`.
    pub fn series(&self, query: &SeriesQuery) -> Result<Series, StoreError> {
        if query.until <= query.since {
            let (since, until) = (query.since, query.until);
            let reason = format!("until ({until}) is not after since ({since}): swap them");
            return Err(StoreError::BadQuery(reason));
        }
        let db = self.reader();
        let tx = db.unchecked_transaction()?;
        let step = Step::of(&tx, query)?;
        let mut points = Points::new();
        add_sums(&tx, query, step, &mut points)?;
        if query.group_by == GroupBy::Nothing {
            add_missed(&tx, step, &mut points)?;
        }
        Ok(Series { step_s: unsigned(step.minutes) * 60, points: points.into_values().collect() })
    }
}

/// How long a step is and which rows it is summed from.
#[derive(Clone, Copy)]
struct Step {
    minutes: i64,
    periods: Periods,
}

impl Step {
    fn of(db: &Connection, query: &SeriesQuery) -> Result<Self, StoreError> {
        let (since, until) = (query.since.as_nanos(), query.until.as_nanos());
        let wanted = i64::try_from(query.step_s.div_ceil(60)).unwrap_or(i64::MAX);
        let coarsest_needed = if has_minutes(db, since)? { 1 } else { 60 };
        let minutes = step_minutes(wanted.max(coarsest_needed), since, until);
        let periods = if minutes < 60 {
            Periods::minutes(since, until)
        } else {
            Periods::hours(since, until)
        };
        Ok(Self { minutes, periods })
    }

    /// An expression for the start, in minutes, of the step that holds a row.
    fn start(self) -> String {
        let Periods { column, length, .. } = self.periods;
        let periods = self.minutes / (length / MINUTE);
        // SQLite rounds towards zero; rows before 1970 would share the step at 0.
        format!(
            "({column} - ((({column} % {periods}) + {periods}) % {periods})) * {}",
            length / MINUTE
        )
    }

    fn filter(self) -> Filter {
        let mut filter = Filter::default();
        filter.and(&format!("{} >= ?", self.periods.column), [Value::from(self.periods.first)]);
        filter.and(&format!("{} <= ?", self.periods.column), [Value::from(self.periods.last)]);
        filter
    }
}

/// The wish, at least a minute, rounded up to whole hours from one hour on, and raised until the
/// span has no more than [`MAX_STEPS`] steps.
fn step_minutes(wanted: i64, since: i64, until: i64) -> i64 {
    let whole = |minutes: i64| match minutes {
        ..1 => 1,
        1..60 => minutes,
        60.. => (minutes - 1) / 60 * 60 + 60,
    };
    let (first, last) = (since.div_euclid(MINUTE), (until - 1).div_euclid(MINUTE));
    let steps = |minutes: i64| last.div_euclid(minutes) - first.div_euclid(minutes) + 1;
    // Beyond a century a step holds everything anyway.
    let mut minutes = whole(wanted.min(100 * 366 * 24 * 60));
    minutes = whole(minutes.max((last - first) / MAX_STEPS));
    while steps(minutes) > MAX_STEPS {
        minutes = whole(minutes + 1);
    }
    minutes
}

fn add_sums(
    db: &Connection,
    query: &SeriesQuery,
    step: Step,
    points: &mut Points,
) -> Result<(), StoreError> {
    let filter = pairs_filter(query, step);
    let (group, name) = match query.group_by {
        GroupBy::Nothing => ("NULL", "''"),
        GroupBy::Destination => {
            ("destination", "(SELECT name FROM destinations WHERE id = destination)")
        }
        GroupBy::Executor => ("executor", "(SELECT name FROM executors WHERE id = executor)"),
    };
    let largest = match query.group_by {
        GroupBy::Nothing => String::new(),
        _ => format!(
            "WHERE {group} IN (SELECT {group} FROM pairs GROUP BY {group}
                ORDER BY total(up) DESC, {group} LIMIT {GROUPS_KEPT})"
        ),
    };
    let sql = format!(
        "WITH pairs AS (
            SELECT {start} AS start, destination, executor, {LARGER_VIEW} FROM {table}{filter}
            GROUP BY start, destination, executor)
        SELECT start, {name}, {SUM_OF_VIEWS} FROM pairs {largest} GROUP BY start, {group}",
        start = step.start(),
        table = step.periods.table,
        filter = filter.sql(),
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(filter.values()))?;
    while let Some(row) = rows.next()? {
        let name: Option<String> = row.get(1)?;
        let point = point_at(points, row.get(0)?, &name.unwrap_or_default());
        point.up_bytes = unsigned(row.get(2)?);
        point.down_bytes = unsigned(row.get(3)?);
        point.allowed = unsigned(row.get(4)?);
        point.blocked = unsigned(row.get(5)?);
    }
    Ok(())
}

fn pairs_filter(query: &SeriesQuery, step: Step) -> Filter {
    let mut filter = step.filter();
    filter.and("events > 0", []);
    filter.and_if(
        "destination = (SELECT id FROM destinations WHERE name = ?)",
        query.destination.as_ref().map(|name| clean_name(name).to_string()),
    );
    filter.and_if(
        "executor = (SELECT id FROM executors WHERE name = ?)",
        query.executor.as_ref().map(ToString::to_string),
    );
    filter
}

fn add_missed(db: &Connection, step: Step, points: &mut Points) -> Result<(), StoreError> {
    let Periods { table, column, first, last, .. } = step.periods;
    let sql = format!(
        "SELECT {} AS start, CAST(min(total(missed), 9e18) AS INTEGER) FROM {table}
         WHERE {column} >= ?1 AND {column} <= ?2 AND missed > 0 GROUP BY start",
        step.start()
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![first, last])?;
    while let Some(row) = rows.next()? {
        point_at(points, row.get(0)?, "").missed = unsigned(row.get(1)?);
    }
    Ok(())
}

fn point_at<'a>(points: &'a mut Points, minute: i64, group: &str) -> &'a mut SeriesPoint {
    let group = SmolStr::from(group);
    points.entry((minute, group.clone())).or_insert_with(|| SeriesPoint {
        at: Timestamp::from_nanos(minute.saturating_mul(MINUTE)),
        group,
        up_bytes: 0,
        down_bytes: 0,
        allowed: 0,
        blocked: 0,
        missed: 0,
    })
}
