//! Frozen baselines, so that it can be told later what an incident was scored against.

use egret_analyzer::FrozenBaseline;
use egret_event::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::stored::Stored;
use crate::StoreError;

/// Baselines kept: two days of epochs of an hour. Each may hold megabytes.
const KEPT: i64 = 48;

/// Writes a baseline, once, and drops the oldest.
pub(super) fn write(db: &Connection, baseline: &FrozenBaseline) -> Result<(), StoreError> {
    let insert = "INSERT OR IGNORE INTO baselines (id, frozen_at, sessions, body)
                  VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(insert)?.execute(params![
        &baseline.id.to_bytes()[..],
        Stored(baseline.frozen_at),
        i64::try_from(baseline.sessions).unwrap_or(i64::MAX),
        baseline.content,
    ])?;
    let drop = "DELETE FROM baselines WHERE id IN
                (SELECT id FROM baselines ORDER BY frozen_at DESC, id LIMIT -1 OFFSET ?1)";
    db.prepare_cached(drop)?.execute([KEPT])?;
    Ok(())
}

impl SqliteStore {
    /// A frozen baseline; see [`crate::Store::baseline`].
    pub fn baseline(&self, id: EventId) -> Result<Option<FrozenBaseline>, StoreError> {
        let db = self.reader();
        let sql = "SELECT frozen_at, sessions, body FROM baselines WHERE id = ?1";
        let found = db
            .prepare_cached(sql)?
            .query_row([&id.to_bytes()[..]], |row| {
                let frozen_at: Stored<Timestamp> = row.get(0)?;
                let sessions: i64 = row.get(1)?;
                let sessions = u64::try_from(sessions).unwrap_or(0);
                Ok(FrozenBaseline { id, frozen_at: frozen_at.0, sessions, content: row.get(2)? })
            })
            .optional()?;
        Ok(found)
    }

    /// The newest frozen baseline that was there at `at`; see [`crate::Store::baseline_at`].
    pub fn baseline_at(&self, at: Timestamp) -> Result<Option<FrozenBaseline>, StoreError> {
        let sql = "SELECT id FROM baselines WHERE frozen_at <= ?1
                   ORDER BY frozen_at DESC, id LIMIT 1";
        let newest = |row: &rusqlite::Row<'_>| Ok(row.get::<_, Stored<EventId>>(0)?.0);
        let id = self.reader().prepare_cached(sql)?.query_row([Stored(at)], newest).optional()?;
        id.map_or(Ok(None), |id| self.baseline(id))
    }
}
