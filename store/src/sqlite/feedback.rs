//! Feedback: what the engine is told of incidents that people judged benign, and which others are like
//! them.

use std::sync::Arc;

use egret_analyzer::{Feedback, FeedbackSet};
use egret_event::{EventId, Timestamp};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::incidents;
use super::outbox;
use super::stored::{Stored, from_json, to_json};
use super::writer::Memory;
use crate::{FeedbackMatches, IncidentRow, StoreError};

/// Judged incidents that count at a time, the newest: each is less than 2 KB in the engine's memory.
const MOST_JUDGED: i64 = 10_000;

/// For every minute: it must find what is marked without looking at what is not.
pub(super) const UNMARK_EXPIRED: &str = "UPDATE incidents SET judged_like = NULL
    WHERE judged_like IN (SELECT incident FROM feedback WHERE expires_at <= ?1)";

impl SqliteStore {
    /// What counts at `now`, the last judged first.
    pub fn feedback(&self, now: Timestamp) -> Result<Vec<Feedback>, StoreError> {
        read(&self.reader(), now)
    }

    /// What it would do to judge an incident benign; see [`crate::Store::preview_feedback`].
    pub fn preview_feedback(
        &self,
        id: EventId,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<FeedbackMatches, StoreError> {
        let db = self.reader();
        let not_found = || StoreError::NotFound { what: "incident", id: id.to_string() };
        let judged = incidents::load(&db, id)?.ok_or_else(not_found)?;
        let mut kept = read_at(&db, &judged.incident.destination, now)?;
        kept.retain(|one| one.incident != id);
        let feedback = Feedback::of(&judged.incident, now);
        let without = FeedbackSet::new(kept.iter().cloned());
        let with = FeedbackSet::new(kept.into_iter().chain(feedback.iter().cloned()));
        let mut found = FeedbackMatches { feedback, ..FeedbackMatches::default() };
        let destination = Some(judged.incident.destination.as_str());
        incidents::each_since_or_open(&db, destination, since, |row| {
            let is_prevented = |set: &FeedbackSet| set.prevents(&row.incident, now).is_some();
            let is_other = row.incident.id != id && row.verdict.is_none();
            if is_other && is_prevented(&with) && !is_prevented(&without) {
                found.incidents.count(row, since);
            }
        })?;
        Ok(found)
    }

    /// Takes the marks off incidents where what they are like has expired by `now`, and forgets that.
    pub(super) fn forget_feedback(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(|db, memory| {
            db.prepare_cached(UNMARK_EXPIRED)?.execute([Stored(now)])?;
            let delete = "DELETE FROM feedback WHERE expires_at <= ?1";
            if db.prepare_cached(delete)?.execute([Stored(now)])? > 0 {
                memory.feedback = None;
            }
            Ok(())
        })
    }
}

/// What was judged benign; what of it has expired counts no more by its own times.
pub(super) fn known(
    db: &Connection,
    memory: &mut Memory,
    now: Timestamp,
) -> Result<Arc<FeedbackSet>, StoreError> {
    if let Some(known) = &memory.feedback {
        return Ok(Arc::clone(known));
    }
    let known = Arc::new(FeedbackSet::new(read(db, now)?));
    memory.feedback = Some(Arc::clone(&known));
    Ok(known)
}

/// Lets the verdict on an incident count from `now` on, in place of what was said of it before, and marks
/// the incidents that would not have opened with it and are not closed.
pub(super) fn give(
    db: &Connection,
    memory: &mut Memory,
    judged: &IncidentRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = judged.incident.id;
    forget(db, memory, id)?;
    let feedback = Feedback::of(&judged.incident, now);
    if let Some(expires_at) = feedback.iter().map(|one| one.expires_at).max() {
        let insert = "INSERT INTO feedback (incident, destination, body, judged_at, expires_at)
                      VALUES (?1, ?2, ?3, ?4, ?5)";
        db.prepare_cached(insert)?.execute(params![
            Stored(id),
            judged.incident.destination.as_str(),
            to_json("feedback", &feedback)?,
            Stored(now),
            Stored(expires_at),
        ])?;
    }
    mark(db, &judged.incident.destination, now)
}

/// Lets the verdict on an incident count no more.
pub(super) fn withdraw(
    db: &Connection,
    memory: &mut Memory,
    judged: &IncidentRow,
    now: Timestamp,
) -> Result<(), StoreError> {
    match forget(db, memory, judged.incident.id)? {
        true => mark(db, &judged.incident.destination, now),
        false => Ok(()),
    }
}

/// Whether there was any.
fn forget(db: &Connection, memory: &mut Memory, id: EventId) -> Result<bool, StoreError> {
    memory.feedback = None;
    let unmark = "UPDATE incidents SET judged_like = NULL WHERE judged_like = ?1";
    db.prepare_cached(unmark)?.execute([Stored(id)])?;
    let delete = "DELETE FROM feedback WHERE incident = ?1";
    Ok(db.prepare_cached(delete)?.execute([Stored(id)])? > 0)
}

/// Marks the incidents about a destination that would not have opened with what counts at `now` and are not
/// closed.
fn mark(db: &Connection, destination: &str, now: Timestamp) -> Result<(), StoreError> {
    let known = FeedbackSet::new(read_at(db, destination, now)?);
    let mut alike = Vec::new();
    incidents::each_since_or_open(db, Some(destination), Timestamp::MAX, |row| {
        // The newest verdict is the one that expires last.
        let like = known.prevents(&row.incident, now).filter(|like| row.judged_like != Some(*like));
        alike.extend(like.map(|like| (row.incident.id, like)));
    })?;
    let mut mark = db.prepare_cached("UPDATE incidents SET judged_like = ?2 WHERE id = ?1")?;
    for (id, like) in alike {
        mark.execute([Stored(id), Stored(like)])?;
    }
    outbox::let_go_hidden(db, now)
}

/// Everything that counts.
fn read(db: &Connection, now: Timestamp) -> Result<Vec<Feedback>, StoreError> {
    let sql = "SELECT body FROM feedback WHERE expires_at > ?1
               ORDER BY judged_at DESC, incident LIMIT ?2";
    bodies(db, sql, params![Stored(now), MOST_JUDGED])
}

/// The same of incidents about one destination.
fn read_at(
    db: &Connection,
    destination: &str,
    now: Timestamp,
) -> Result<Vec<Feedback>, StoreError> {
    let sql = "SELECT body FROM feedback WHERE expires_at > ?1 AND destination = ?3
               ORDER BY judged_at DESC, incident LIMIT ?2";
    bodies(db, sql, params![Stored(now), MOST_JUDGED, destination])
}

fn bodies(
    db: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Feedback>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut all = Vec::new();
    for body in statement.query_map(values, |row| row.get::<_, String>(0))? {
        all.extend(from_json::<Vec<Feedback>>("feedback", &body?)?);
    }
    Ok(all)
}
