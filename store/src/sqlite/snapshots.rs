//! The engine's snapshots, each with the input positions it goes with.

use egret_event::{InputPosition, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::stored::{Stored, from_json, to_json};
use crate::{Recovery, StoreError};

/// Snapshots kept: the last one is used; the ones before it are there for whoever has to find
/// out what went wrong.
const KEPT: i64 = 3;

/// Writes a snapshot and drops the oldest.
pub(super) fn write(
    db: &Connection,
    body: &[u8],
    positions: &[InputPosition],
    now: Timestamp,
) -> Result<(), StoreError> {
    let positions = to_json("input positions", &positions)?;
    let insert = "INSERT INTO snapshots (written_at, body, positions) VALUES (?1, ?2, ?3)";
    let seq = db.prepare_cached(insert)?.insert(params![Stored(now), body, positions])?;
    db.prepare_cached("DELETE FROM snapshots WHERE seq <= ?1")?.execute([seq - KEPT])?;
    Ok(())
}

impl SqliteStore {
    /// The last snapshot and its input positions. `None`: none was ever written.
    pub fn recover(&self) -> Result<Option<Recovery>, StoreError> {
        let db = self.reader();
        let sql = "SELECT body, positions, written_at FROM snapshots ORDER BY seq DESC LIMIT 1";
        let last = db
            .prepare_cached(sql)?
            .query_row([], |row| {
                let written_at: Stored<Timestamp> = row.get(2)?;
                Ok((row.get(0)?, row.get::<_, String>(1)?, written_at.0))
            })
            .optional()?;
        last.map(|(snapshot, positions, written_at)| {
            let positions = from_json("input positions", &positions)?;
            Ok(Recovery { snapshot, positions, written_at })
        })
        .transpose()
    }
}
