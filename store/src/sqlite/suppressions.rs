//! Suppressions: which incidents nobody wants to be alerted about.

use egret_analyzer::Suppression;
use egret_event::{EventId, Timestamp};
use rusqlite::{Connection, params};

use super::SqliteStore;
use super::incidents;
use super::outbox;
use super::stored::{Stored, from_json, to_json};
use super::writer::Memory;
use crate::{IncidentMatches, StoreError};

/// For every minute: it must find what is marked without looking at what is not.
pub(super) const UNMARK_EXPIRED: &str = "UPDATE incidents SET suppressed_by = NULL
    WHERE suppressed_by IN (SELECT id FROM suppressions WHERE expires_at <= ?1)";

impl SqliteStore {
    /// Suppressions that have not expired at `now`, in the order of their ids.
    pub fn suppressions(&self, now: Timestamp) -> Result<Vec<Suppression>, StoreError> {
        let all = read_all(&self.reader())?;
        Ok(all.into_iter().filter(|suppression| now < suppression.expires_at).collect())
    }

    /// Adds a suppression, marks the incidents it matches that are not closed, and says how many
    /// match. Alerts that are queued already stay queued.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where its id is taken.
    pub fn add_suppression(&self, suppression: &Suppression) -> Result<u64, StoreError> {
        self.write(|db, memory| {
            memory.suppressions = None;
            let insert = "INSERT OR IGNORE INTO suppressions (id, body, expires_at)
                          VALUES (?1, ?2, ?3)";
            let new = db.prepare_cached(insert)?.execute(params![
                Stored(suppression.id),
                to_json("suppression", suppression)?,
                Stored(suppression.expires_at),
            ])?;
            if new == 0 {
                let id = suppression.id.to_string();
                return Err(StoreError::Exists { what: "suppression", id });
            }
            let matching = matching(db, suppression)?;
            let mark = "UPDATE incidents SET suppressed_by = ?2
                        WHERE id = ?1 AND suppressed_by IS NULL";
            let mut mark = db.prepare_cached(mark)?;
            for id in &matching {
                mark.execute([Stored(*id), Stored(suppression.id)])?;
            }
            outbox::let_go_hidden(db, suppression.created_at)?;
            Ok(matching.len() as u64)
        })
    }

    /// What a suppression would match; see [`crate::Store::preview_suppression`].
    pub fn preview_suppression(
        &self,
        suppression: &Suppression,
        since: Timestamp,
    ) -> Result<IncidentMatches, StoreError> {
        let mut found = IncidentMatches::default();
        incidents::each_since_or_open(&self.reader(), None, since, |row| {
            if suppression.matches(&row.incident, suppression.created_at) {
                found.count(row, since);
            }
        })?;
        Ok(found)
    }

    /// Takes the marks off incidents whose suppression has expired by `now`: they are listed again.
    pub(super) fn unmark_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(|db, _| {
            db.prepare_cached(UNMARK_EXPIRED)?.execute([Stored(now)])?;
            Ok(())
        })
    }

    /// Removes a suppression and the marks it left on incidents. `false`: there was none.
    pub fn remove_suppression(&self, id: EventId) -> Result<bool, StoreError> {
        self.write(|db, memory| {
            memory.suppressions = None;
            db.prepare_cached(
                "UPDATE incidents SET suppressed_by = NULL WHERE suppressed_by = ?1",
            )?
            .execute([Stored(id)])?;
            let gone = db
                .prepare_cached("DELETE FROM suppressions WHERE id = ?1")?
                .execute([Stored(id)])?;
            Ok(gone == 1)
        })
    }
}

/// The suppressions that apply at `now`.
pub(super) fn active(
    db: &Connection,
    memory: &mut Memory,
    now: Timestamp,
) -> Result<Vec<Suppression>, StoreError> {
    if memory.suppressions.is_none() {
        memory.suppressions = Some(read_all(db)?);
    }
    let all = memory.suppressions.iter().flatten();
    Ok(all.filter(|suppression| now < suppression.expires_at).cloned().collect())
}

fn read_all(db: &Connection) -> Result<Vec<Suppression>, StoreError> {
    let mut statement = db.prepare_cached("SELECT body FROM suppressions ORDER BY id")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|body| from_json("suppression", &body?)).collect()
}

/// Incidents that are not closed and that match when the suppression is made.
fn matching(db: &Connection, suppression: &Suppression) -> Result<Vec<EventId>, StoreError> {
    let mut ids = Vec::new();
    incidents::each_since_or_open(db, None, Timestamp::MAX, |row| {
        if suppression.matches(&row.incident, suppression.created_at) {
            ids.push(row.incident.id);
        }
    })?;
    Ok(ids)
}
