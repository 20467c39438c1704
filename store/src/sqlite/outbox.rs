//! Alerts on their way out: waiting, delivered or dead.
//!
//! Per target, alerts of one incident leave strictly in the order in which they were queued: one
//! that waits for its next attempt holds up the later ones of its incident, and no others.
//!
//! An alert may be queued for later: its target has quiet hours, or is called only where nobody took the incident on.
//! Until its time has come it is *held*. A later alert of the incident takes its place and its time; when somebody
//! takes the incident on, or it is over, it is let go. What a target was not told of, it is not told the end of.

use egret_analyzer::{IncidentChange, IncidentStatus, Signal};
use egret_event::{EventId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::SqliteStore;
use super::filter::Filter;
use super::incidents::status_number;
use super::roll_ups::VISIBLE;
use super::stored::{Stored, from_json, to_json, unsigned};
use crate::{AlertRollUp, Delivery, DeliveryState, OutboxEntry, StoreError};

/// The states, as the table numbers them.
const WAITING: i64 = 0;
const DELIVERED: i64 = 1;
const DEAD: i64 = 2;
pub(super) const GATHERED: i64 = 3;
const NOT_NEEDED: i64 = 4;
const REPEATS: i64 = 5;

// What targets are to hear, as the table numbers it.
const _: () = assert!(
    Signal::Raise as i64 == 0 && Signal::TakenOn as i64 == 1 && Signal::Over as i64 == 2,
    "rows that are there would mean something else"
);

/// Most incidents that a target is told of again.
const MAX_STANDING: i64 = 1000;

/// Most dead letters returned at once; the counts tell of all.
const MAX_DEAD_LETTERS: usize = 1000;

const COLUMNS: &str = "alert, target, body, queued_at, attempts, error, roll_up, gathered";

/// Holds for alerts (as `o`) that no earlier alert of the same incident holds up.
const FIRST_OF_ITS_INCIDENT: &str = "NOT EXISTS (SELECT 1 FROM outbox earlier
    WHERE earlier.target = o.target AND earlier.incident = o.incident AND earlier.state = 0
        AND earlier.seq < o.seq)";

/// Holds for alerts whose time has not come at `?1`, and of which nothing was tried.
const IS_HELD: &str = "state = 0 AND held = 1 AND attempts = 0 AND due_at > ?1";

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queued {
    New,
    /// It was queued before.
    Before,
    /// It repeats what was told, and the target wants no repeats.
    Unwanted,
    /// It is the end of what the target was not told of, or somebody has taken it on already.
    NotNeeded,
}

/// Queues an alert about an incident of a roll-up.
pub(super) fn queue(
    db: &Connection,
    entry: &OutboxEntry,
    roll_up: Option<&AlertRollUp>,
    now: Timestamp,
) -> Result<Queued, StoreError> {
    if roll_up.is_some_and(|roll_up| roll_up.repeats) && !entry.to.repeats {
        // What it repeats may be let go before the target is told of it.
        if entry.to.is_selective && entry.signal == Signal::Raise {
            insert(db, entry, roll_up, (now, now), REPEATS)?;
        }
        return Ok(Queued::Unwanted);
    }
    let Some(due_at) = due_at(db, entry, now)? else { return Ok(Queued::NotNeeded) };
    insert(db, entry, roll_up, (now, due_at), WAITING)
}

/// Writes an alert in the state in which it begins.
fn insert(
    db: &Connection,
    entry: &OutboxEntry,
    roll_up: Option<&AlertRollUp>,
    (now, due_at): (Timestamp, Timestamp),
    state: i64,
) -> Result<Queued, StoreError> {
    let insert = "INSERT OR IGNORE INTO outbox (alert, incident, target, body, queued_at, due_at,
                      roll_up, signal, rank, held, state, ended_at)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?6 > ?5, ?10,
                      CASE ?10 WHEN 0 THEN NULL ELSE ?5 END)";
    let new = db.prepare_cached(insert)?.execute(params![
        Stored(entry.alert),
        Stored(entry.incident),
        entry.to.target,
        entry.body,
        Stored(now),
        Stored(due_at),
        roll_up.map(|roll_up| to_json("roll-up", roll_up)).transpose()?,
        entry.signal as i64,
        entry.severity as i64,
        state,
    ])?;
    Ok(if new == 1 { Queued::New } else { Queued::Before })
}

/// When the target is to be told. `None`: it need not be.
fn due_at(
    db: &Connection,
    entry: &OutboxEntry,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let to = &entry.to;
    if !to.is_selective {
        return Ok(Some(now));
    }
    let knows = knows(db, entry, now)?;
    if entry.signal != Signal::Raise {
        return Ok(knows.then_some(now));
    }
    let mut due_at = to.not_before.map_or(now, |until| until.max(now));
    if let Some(escalates_at) = to.if_untaken_at.filter(|_| !knows) {
        if is_taken_on(db, entry.incident)? {
            return Ok(None);
        }
        due_at = due_at.max(escalates_at);
    }
    Ok(Some(match take_place_of_held(db, entry, now)? {
        Some(held) => due_at.min(held),
        None => due_at,
    }))
}

/// Whether the target was told of the incident by an alert of its own, or is being told.
fn knows(db: &Connection, entry: &OutboxEntry, now: Timestamp) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE target = ?2 AND incident = ?3 AND signal = 0
            AND state IN (0, 1) AND NOT ({IS_HELD}))"
    );
    let values = params![Stored(now), entry.to.target, Stored(entry.incident)];
    Ok(db.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
}

fn is_taken_on(db: &Connection, incident: EventId) -> Result<bool, StoreError> {
    let sql = "SELECT status FROM incidents WHERE id = ?1";
    let status: Option<i64> =
        db.prepare_cached(sql)?.query_row([Stored(incident)], |row| row.get(0)).optional()?;
    Ok(status.is_some_and(|status| status != status_number(IncidentStatus::Open)))
}

/// Lets go the alerts of the incident that are held for the target, and says when the first of them was to be told.
fn take_place_of_held(
    db: &Connection,
    entry: &OutboxEntry,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let released = release(db, entry.incident, Some(&entry.to.target), now)?;
    Ok(released.into_iter().map(|(_, due_at)| due_at).min())
}

/// Lets go what is held about an incident: somebody has taken it on, and its story with it; or it is over, and what
/// repeated it takes its place.
pub(super) fn let_go(
    db: &Connection,
    incident: EventId,
    signal: Signal,
    now: Timestamp,
) -> Result<(), StoreError> {
    let released = release(db, incident, None, now)?;
    if signal == Signal::Over {
        for (target, due_at) in released {
            pass_on(db, incident, &target, due_at)?;
        }
    }
    Ok(())
}

/// Lets go what is held about incidents that are hidden: they are over for whoever is told.
pub(super) fn let_go_hidden(db: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT DISTINCT incident FROM outbox WHERE {IS_HELD}
            AND incident IN (SELECT id FROM incidents WHERE NOT ({VISIBLE}))"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([Stored(now)], |row| row.get::<_, Stored<EventId>>(0))?;
    for hidden in rows.collect::<Result<Vec<_>, _>>()? {
        let_go(db, hidden.0, Signal::Over, now)?;
    }
    Ok(())
}

/// Ends what is held about an incident, for one target or for all: (target, when it was to be told).
fn release(
    db: &Connection,
    incident: EventId,
    target: Option<&str>,
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let sql = format!(
        "UPDATE outbox SET state = {NOT_NEEDED}, ended_at = ?1
         WHERE incident = ?2 AND (?3 IS NULL OR target = ?3) AND {IS_HELD}
         RETURNING target, due_at"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![Stored(now), Stored(incident), target], |row| {
        Ok((row.get(0)?, row.get::<_, Stored<Timestamp>>(1)?.0))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Holds, in the place of an alert that was let go, the gravest of those that repeated it and are still open.
fn pass_on(
    db: &Connection,
    incident: EventId,
    target: &str,
    due_at: Timestamp,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE outbox SET state = {WAITING}, held = 1, due_at = ?3, ended_at = NULL WHERE seq = (
            SELECT o.seq FROM outbox o JOIN incidents ON id = o.incident
            WHERE o.target = ?2 AND o.state = {REPEATS} AND o.incident <> ?1 AND status = ?4
                AND {VISIBLE} AND story = (SELECT story FROM incidents WHERE id = ?1)
            ORDER BY o.rank DESC, o.seq DESC LIMIT 1)"
    );
    let open = status_number(IncidentStatus::Open);
    let values = params![Stored(incident), target, Stored(due_at), open];
    db.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

impl SqliteStore {
    /// Alerts due for a target at `now`, oldest first; see [`crate::Store::outbox_due`].
    pub fn outbox_due(
        &self,
        target: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.due((target, now, limit), "1")
    }

    /// The same, of those that call for nobody anew; see [`crate::Store::outbox_due_no_calls`].
    pub fn outbox_due_no_calls(
        &self,
        target: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.due((target, now, limit), "(signal <> 0 OR attempts > 0)")
    }

    fn due(
        &self,
        (target, now, limit): (&str, Timestamp, usize),
        holds: &str,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox o
             WHERE target = ?1 AND state = 0 AND due_at <= ?2 AND {holds} AND {FIRST_OF_ITS_INCIDENT}
             ORDER BY seq LIMIT ?3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let db = self.reader();
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(params![target, Stored(now), limit], Raw::read)?;
        rows.map(|raw| raw?.into_delivery()).collect()
    }

    /// How many alerts wait for a target.
    pub fn outbox_waiting(&self, target: &str) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM outbox WHERE target = ?1 AND state = 0";
        let db = self.reader();
        Ok(db.prepare_cached(sql)?.query_row([target], |row| row.get(0).map(unsigned))?)
    }

    /// When the next attempt for `target` is due. `None`: nothing waits.
    pub fn outbox_next(&self, target: &str) -> Result<Option<Timestamp>, StoreError> {
        let sql = format!(
            "SELECT min(due_at) FROM outbox o
             WHERE target = ?1 AND state = 0 AND {FIRST_OF_ITS_INCIDENT}"
        );
        let db = self.reader();
        let next: Option<Stored<Timestamp>> =
            db.prepare_cached(&sql)?.query_row([target], |row| row.get(0))?;
        Ok(next.map(|at| at.0))
    }

    /// What `target` was told last of each incident that was not closed then; see
    /// [`crate::Store::outbox_standing`].
    pub fn outbox_standing(&self, target: &str) -> Result<Vec<IncidentChange>, StoreError> {
        // Beside max() the other columns are those of the row that has it.
        let sql = "SELECT body, max(seq) AS last FROM outbox WHERE target = ?1 AND state = 1
            GROUP BY incident HAVING signal <> 2
            ORDER BY last DESC LIMIT ?2";
        let db = self.reader();
        let mut statement = db.prepare_cached(sql)?;
        let rows =
            statement.query_map(params![target, MAX_STANDING], |row| row.get::<_, String>(0))?;
        rows.map(|body| from_json("alert", &body?)).collect()
    }

    /// Records what became of a delivery. What was delivered stays so.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where no such alert was queued for the target.
    pub fn outbox_record(
        &self,
        alert: EventId,
        target: &str,
        state: &DeliveryState,
    ) -> Result<(), StoreError> {
        let (state, at, tried_at, error) = match state {
            DeliveryState::Delivered { at } => (DELIVERED, *at, *at, None),
            DeliveryState::Retry { tried_at, at, error } => (WAITING, *at, *tried_at, Some(error)),
            DeliveryState::Dead { at, error } => (DEAD, *at, *at, Some(error)),
        };
        self.write(|db, _| {
            let update = "UPDATE outbox SET state = ?3, attempts = attempts + 1, error = ?5,
                    due_at = CASE ?3 WHEN 0 THEN ?4 ELSE due_at END, tried_at = ?6,
                    ended_at = CASE ?3 WHEN 0 THEN NULL ELSE ?4 END
                WHERE target = ?1 AND alert = ?2 AND state <> 1";
            let values = params![target, Stored(alert), state, Stored(at), error, Stored(tried_at)];
            if db.prepare_cached(update)?.execute(values)? == 1 || is_queued(db, alert, target)? {
                return Ok(());
            }
            let id = format!("{alert} for {target}");
            Err(StoreError::NotFound { what: "alert", id })
        })
    }

    /// Puts an alert off that was not tried; see [`crate::Store::outbox_hold`].
    pub fn outbox_hold(
        &self,
        alert: EventId,
        target: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(|db, _| {
            let update = "UPDATE outbox SET due_at = ?3, held = 1
                WHERE target = ?1 AND alert = ?2 AND state = 0 AND attempts = 0";
            db.prepare_cached(update)?.execute(params![target, Stored(alert), Stored(until)])?;
            Ok(())
        })
    }

    /// The last 1,000 deliveries given up, newest first, of one target or of all.
    pub fn dead_letters(&self, target: Option<&str>) -> Result<Vec<Delivery>, StoreError> {
        let filter = dead(target, None);
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox{} ORDER BY ended_at DESC, seq DESC
             LIMIT {MAX_DEAD_LETTERS}",
            filter.sql()
        );
        let db = self.reader();
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(filter.values()), Raw::read)?;
        rows.map(|raw| raw?.into_delivery()).collect()
    }

    /// Makes dead letters due again at `now`, as if never attempted, and says how many.
    pub fn replay_dead_letters(
        &self,
        target: Option<&str>,
        alert: Option<EventId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let filter = dead(target, alert);
        let sql = format!(
            "UPDATE outbox SET state = {WAITING}, attempts = 0, ended_at = NULL, due_at = {}{}",
            now.as_nanos(),
            filter.sql()
        );
        self.write(|db, _| Ok(db.execute(&sql, params_from_iter(filter.values()))? as u64))
    }

    /// How many alerts wait, and how many are dead: (target, waiting, dead), by target.
    pub fn outbox_counts(&self) -> Result<Vec<(String, u64, u64)>, StoreError> {
        let sql = "SELECT target, sum(state = 0), sum(state = 2) FROM (
                SELECT target, state FROM outbox WHERE state = 0
                UNION ALL SELECT target, state FROM outbox WHERE state = 2)
            GROUP BY target ORDER BY target";
        let db = self.reader();
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?), unsigned(row.get(2)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn is_queued(db: &Connection, alert: EventId, target: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM outbox WHERE target = ?1 AND alert = ?2";
    let found: Option<i64> = db
        .prepare_cached(sql)?
        .query_row(params![target, Stored(alert)], |row| row.get(0))
        .optional()?;
    Ok(found.is_some())
}

fn dead(target: Option<&str>, alert: Option<EventId>) -> Filter {
    let mut filter = Filter::default();
    filter.and("state = 2", []);
    filter.and_if("target = ?", target.map(str::to_owned));
    filter.and_if("alert = ?", alert.map(|id| Value::Blob(id.to_bytes().to_vec())));
    filter
}

/// Columns of [`COLUMNS`], as read.
struct Raw {
    alert: EventId,
    target: String,
    body: String,
    queued_at: Timestamp,
    attempts: u32,
    error: Option<String>,
    roll_up: Option<String>,
    gathered: Option<String>,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            alert: row.get::<_, Stored<EventId>>(0)?.0,
            target: row.get(1)?,
            body: row.get(2)?,
            queued_at: row.get::<_, Stored<Timestamp>>(3)?.0,
            attempts: row.get(4)?,
            error: row.get(5)?,
            roll_up: row.get(6)?,
            gathered: row.get(7)?,
        })
    }

    fn into_delivery(self) -> Result<Delivery, StoreError> {
        Ok(Delivery {
            alert: self.alert,
            target: self.target,
            change: from_json("alert", &self.body)?,
            queued_at: self.queued_at,
            attempts: self.attempts,
            last_error: self.error,
            roll_up: self.roll_up.map(|text| from_json("roll-up", &text)).transpose()?,
            gathered: self.gathered.map(|text| from_json("gathered alerts", &text)).transpose()?,
        })
    }
}
