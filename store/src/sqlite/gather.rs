//! Many alerts told as one: for targets that are called only so often.
//!
//! What waits for such a target when it may not be told of it one by one is told by one alert, which is of the gravest
//! incident and says how many there are. The others end with it: the row that leads carries all that is to be said,
//! also after a crash, and what they would have said by themselves is forgotten.

use egret_analyzer::Severity;
use egret_event::{EventId, SmolStr, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::outbox::GATHERED;
use super::roll_ups::severity_from;
use super::stored::{Stored, to_json, unsigned};
use crate::{Gathered, StoreError};

/// Most destinations named.
const MOST_DESTINATIONS: i64 = 5;

/// Most incidents told by one alert that are said.
const MOST_LED: i64 = 100_000;

/// Holds for alerts (as `o`) that are due for the target `?1` at `?2`, call for somebody, were not tried, lead no
/// others, and before which no alert of the same incident has to leave by itself.
const RAISES: &str =
    "o.target = ?1 AND o.state = 0 AND o.due_at <= ?2 AND o.signal = 0 AND o.leads = 0
    AND o.attempts = 0 AND NOT EXISTS (SELECT 1 FROM outbox earlier
        WHERE earlier.target = o.target AND earlier.incident = o.incident AND earlier.state = 0
            AND earlier.seq < o.seq
            AND (earlier.due_at > ?2 OR earlier.leads OR earlier.attempts > 0))";

/// Holds for alerts (as `o`) of whose incident the target was told by one of its own.
const IS_KNOWN: &str = "EXISTS (SELECT 1 FROM outbox told
    WHERE told.target = o.target AND told.incident = o.incident AND told.signal = 0
        AND told.state = 1)";

impl SqliteStore {
    /// How many alerts that call for somebody were tried and are to be tried again; see
    /// [`crate::Store::outbox_tried`].
    pub fn outbox_tried(&self, target: &str, since: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM outbox
            WHERE target = ?1 AND state = 0 AND attempts > 0 AND signal = 0 AND tried_at > ?2";
        let db = self.reader();
        let values = params![target, Stored(since)];
        Ok(db.prepare_cached(sql)?.query_row(values, |row| row.get(0).map(unsigned))?)
    }

    /// When `target` was called last, newest first; see [`crate::Store::outbox_told`].
    pub fn outbox_told(
        &self,
        target: &str,
        (since, now): (Timestamp, Timestamp),
        most: usize,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let sql = "SELECT ended_at FROM outbox
            WHERE target = ?1 AND state = 1 AND signal = 0 AND ended_at > ?2 AND ended_at <= ?4
            ORDER BY ended_at DESC LIMIT ?3";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let db = self.reader();
        let mut statement = db.prepare_cached(sql)?;
        // What a clock that has been set back told of the future counts no more.
        let values = params![target, Stored(since), most, Stored(now)];
        let rows = statement.query_map(values, |row| row.get::<_, Stored<Timestamp>>(0))?;
        rows.map(|at| Ok(at?.0)).collect()
    }

    /// Since when an alert that calls for somebody waits for `target`; see [`crate::Store::outbox_waiting_since`].
    pub fn outbox_waiting_since(
        &self,
        target: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT due_at FROM outbox
            WHERE target = ?1 AND state = 0 AND due_at <= ?2 AND signal = 0 AND attempts = 0
            ORDER BY seq LIMIT 1";
        let db = self.reader();
        let first: Option<Stored<Timestamp>> = db
            .prepare_cached(sql)?
            .query_row(params![target, Stored(now)], |row| row.get(0))
            .optional()?;
        Ok(first.map(|at| at.0))
    }

    /// Incidents that `target` was told of by alerts about another one; see [`crate::Store::outbox_led`].
    pub fn outbox_led(&self, incident: EventId, target: &str) -> Result<Vec<EventId>, StoreError> {
        // What was told of by itself since was another call.
        let sql = "SELECT DISTINCT incident FROM outbox led
            WHERE state = 3 AND incident <> ?1 AND led_by = (
                SELECT alert FROM outbox
                WHERE target = ?2 AND incident = ?1 AND signal = 0 AND leads ORDER BY seq DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM outbox own
                WHERE own.target = ?2 AND own.incident = led.incident AND own.signal = 0
                    AND own.state IN (0, 1) AND own.seq > led.seq)
            ORDER BY seq LIMIT ?3";
        let db = self.reader();
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map(params![Stored(incident), target, MOST_LED], |row| {
            row.get::<_, Stored<EventId>>(0)
        })?;
        rows.map(|id| Ok(id?.0)).collect()
    }

    /// Gathers what is due for `target` where that is more than `room`; see [`crate::Store::outbox_gather`].
    pub fn outbox_gather(
        &self,
        target: &str,
        now: Timestamp,
        room: usize,
    ) -> Result<u64, StoreError> {
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        if !exceeds(&self.reader(), target, now, room)? {
            return Ok(0);
        }
        self.write(|db, _| gather(db, target, now))
    }
}

/// Whether more alerts are due than there is room for, beside those that lead others and were not tried.
fn exceeds(db: &Connection, target: &str, now: Timestamp, room: i64) -> Result<bool, StoreError> {
    let leaders = "SELECT count(*) FROM outbox
        WHERE target = ?1 AND state = 0 AND leads AND attempts = 0";
    let leaders: i64 = db.prepare_cached(leaders)?.query_row([target], |row| row.get(0))?;
    let room = room - leaders;
    if room <= 0 {
        return Ok(false);
    }
    let due = format!("SELECT count(*) FROM (SELECT 1 FROM outbox o WHERE {RAISES} LIMIT ?3)");
    let values = params![target, Stored(now), room.saturating_add(1)];
    let due: i64 = db.prepare_cached(&due)?.query_row(values, |row| row.get(0))?;
    Ok(due > room)
}

/// Lets the last alert of the gravest incident lead all that is due, and says how many end with it.
fn gather(db: &Connection, target: &str, now: Timestamp) -> Result<u64, StoreError> {
    // One whose page is open already, or ends at once, would call nobody.
    let leader = format!(
        "SELECT max(seq), incident FROM outbox o WHERE {RAISES} AND incident = (
            SELECT incident FROM outbox o WHERE {RAISES}
            ORDER BY {IS_KNOWN} OR EXISTS (SELECT 1 FROM outbox later
                    WHERE later.target = o.target AND later.incident = o.incident
                        AND later.state = 0 AND later.signal <> 0),
                rank DESC, seq
            LIMIT 1)"
    );
    let (leader, incident): (Option<i64>, Option<Stored<EventId>>) = db
        .prepare_cached(&leader)?
        .query_row(params![target, Stored(now)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(leader), Some(incident)) = (leader, incident) else { return Ok(0) };
    let gathered = to_json("gathered alerts", &gathered(db, target, now)?)?;
    // What is over, and was not told of before, ends here too. The leader's own incident goes on.
    let others = format!(
        "UPDATE outbox SET state = {GATHERED}, ended_at = ?2, body = '',
            led_by = (SELECT alert FROM outbox WHERE seq = ?3)
         WHERE seq IN (
            SELECT seq FROM outbox o WHERE {RAISES} AND seq <> ?3
            UNION ALL
            SELECT seq FROM outbox o WHERE target = ?1 AND state = 0 AND signal <> 0
                AND incident <> ?4 AND NOT {IS_KNOWN}
                AND incident IN (SELECT incident FROM outbox o WHERE {RAISES}))"
    );
    let values = params![target, Stored(now), leader, incident];
    let others = db.prepare_cached(&others)?.execute(values)?;
    db.prepare_cached("UPDATE outbox SET leads = 1, gathered = ?2 WHERE seq = ?1")?
        .execute(params![leader, gathered])?;
    Ok(others as u64)
}

/// What is due, as the alert that leads it says it.
fn gathered(db: &Connection, target: &str, now: Timestamp) -> Result<Gathered, StoreError> {
    let values = params![target, Stored(now)];
    let severities = format!(
        "SELECT severity, count(*) FROM (
            SELECT max(rank) AS severity FROM outbox o WHERE {RAISES} GROUP BY incident)
         GROUP BY severity ORDER BY severity DESC"
    );
    let severities = db
        .prepare_cached(&severities)?
        .query_map(values, |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?
        .map(|row| {
            let (rank, incidents) = row?;
            Ok((severity_from(rank)?, incidents))
        })
        .collect::<Result<Vec<(Severity, u64)>, StoreError>>()?;
    let destinations = format!(
        "SELECT destination, count(*) AS many FROM incidents WHERE id IN (
            SELECT incident FROM outbox o WHERE {RAISES})
         GROUP BY destination ORDER BY many DESC, destination LIMIT {MOST_DESTINATIONS}"
    );
    let destinations = db
        .prepare_cached(&destinations)?
        .query_map(values, |row| Ok((row.get::<_, String>(0)?.into(), unsigned(row.get(1)?))))?
        .collect::<Result<Vec<(SmolStr, u64)>, _>>()?;
    let since = format!("SELECT min(due_at) FROM outbox o WHERE {RAISES}");
    let since: Stored<Timestamp> =
        db.prepare_cached(&since)?.query_row(values, |row| row.get(0))?;
    let incidents = severities.iter().map(|(_, incidents)| incidents).sum();
    Ok(Gathered { incidents, severities, destinations, since: since.0 })
}
