//! What is too old, or too much, goes: in small transactions, so that the pipeline's own writes
//! get in between.
//!
//! Never deleted: incidents that are not closed, and alerts that were not delivered.

use egret_event::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::incidents::status_number;
use super::sums::{HOUR, MINUTE};
use super::writer::Memory;
use crate::{IncidentStatus, Pruned, StoreError};

/// Rows deleted in one transaction: some tens of milliseconds.
const CHUNK: i64 = 20_000;

/// Pages given back to the file system in one go: 16 MiB.
const PAGES_FREED_AT_ONCE: i64 = 2048;

/// Free pages are left in the file up to this part of it (one eighth): new rows will need them,
/// and to move the file's end into them costs more than the space is worth.
const FREE_PART_KEPT: i64 = 8;

/// Up to where things are too old, rounded down so that whole periods go.
#[derive(Clone, Copy)]
struct Cuts {
    /// Events and minutes before this go.
    events: i64,
    /// Hours, closed incidents and delivered alerts before this go.
    history: i64,
}

impl Cuts {
    /// Names before this are used by nothing that is left.
    fn names(self) -> i64 {
        self.events.min(self.history)
    }
}

impl SqliteStore {
    /// Deletes what is older than the retention, then the oldest events beyond the size limit; takes the
    /// marks off incidents whose suppression, or the verdict that they are like, has expired.
    pub fn prune(&self, now: Timestamp) -> Result<Pruned, StoreError> {
        let config = &self.shared.config;
        let floor =
            |at: Timestamp, period: i64| at.as_nanos().div_euclid(period).saturating_mul(period);
        let cuts = Cuts {
            events: floor(now - config.keep_events, MINUTE),
            history: floor(now - config.keep_history, HOUR),
        };
        let mut pruned = Pruned::default();
        self.unmark_expired(now)?;
        self.forget_feedback(now)?;
        self.prune_old(cuts, &mut pruned)?;
        self.prune_names(cuts)?;
        self.prune_beyond_size(&mut pruned)?;
        self.give_back_pages()?;
        Ok(pruned)
    }

    fn prune_old(&self, cuts: Cuts, pruned: &mut Pruned) -> Result<(), StoreError> {
        pruned.events += self.in_chunks(|db| oldest(db, EVENTS, cuts.events))?;
        let minute = cuts.events.div_euclid(MINUTE);
        pruned.sum_rows += self.in_chunks(|db| oldest(db, MINUTES, minute))?;
        let hour = cuts.history.div_euclid(HOUR);
        pruned.sum_rows += self.in_chunks(|db| oldest(db, HOURS, hour))?;
        pruned.incidents += self.in_chunks(|db| closed_incidents(db, cuts.history))?;
        pruned.alerts += self.in_chunks(|db| {
            let delete = "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox
                WHERE state IN (1, 3, 4, 5) AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";
            Ok(db.prepare_cached(delete)?.execute([cuts.history, CHUNK])?)
        })?;
        Ok(())
    }

    /// Repeats `delete` in transactions of its own until it deletes nothing.
    fn in_chunks(
        &self,
        delete: impl Fn(&Connection) -> Result<usize, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            match self.write(|db, _| delete(db))? {
                0 => return Ok(deleted),
                rows => deleted += rows as u64,
            }
        }
    }

    /// Deletes names that nothing uses any more, and what else is small and old.
    fn prune_names(&self, cuts: Cuts) -> Result<(), StoreError> {
        self.write(|db, memory| {
            // A late event may have come in between the transactions: its names must stay
            // unless it goes in this one.
            while oldest(db, EVENTS, cuts.events)? > 0 {}
            while oldest(db, MINUTES, cuts.events.div_euclid(MINUTE))? > 0 {}
            while oldest(db, HOURS, cuts.history.div_euclid(HOUR))? > 0 {}
            db.execute("DELETE FROM evidence WHERE at < ?1", [cuts.events])?;
            db.execute("DELETE FROM suppressions WHERE expires_at < ?1", [cuts.history])?;
            db.execute("DELETE FROM registrations WHERE ends < ?1", [cuts.history])?;
            // Never ended, but the address has long been another's.
            db.execute(
                "DELETE FROM registrations AS old WHERE ends IS NULL AND EXISTS (
                    SELECT 1 FROM registrations new WHERE new.address = old.address
                        AND new.starts > old.starts AND new.starts < ?1)",
                [cuts.history],
            )?;
            db.execute("DELETE FROM origins WHERE used_at < ?1", [cuts.events])?;
            db.execute("DELETE FROM destinations WHERE last_seen < ?1", [cuts.names()])?;
            db.execute(
                "DELETE FROM executors WHERE ranked_at < ?1
                    AND NOT EXISTS (SELECT 1 FROM origins WHERE executor = executors.id)
                    AND NOT EXISTS (SELECT 1 FROM registrations r WHERE r.executor = name)",
                [cuts.names()],
            )?;
            *memory = Memory::default();
            Ok(())
        })
    }

    fn prune_beyond_size(&self, pruned: &mut Pruned) -> Result<(), StoreError> {
        let limit = i64::try_from(self.shared.config.max_size_bytes).unwrap_or(i64::MAX);
        while self.maintain(|db| Ok(Size::of(db)?.used_bytes()))? > limit {
            let events = self.write(|db, _| oldest(db, EVENTS, i64::MAX))?;
            let rows = match events {
                0 => self.write(|db, _| oldest(db, MINUTES, i64::MAX))?,
                _ => 0,
            };
            pruned.events += events as u64;
            pruned.sum_rows += rows as u64;
            if events + rows == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Shortens the file where much of it is free, or where it is over the limit.
    fn give_back_pages(&self) -> Result<(), StoreError> {
        let limit = i64::try_from(self.shared.config.max_size_bytes).unwrap_or(i64::MAX);
        loop {
            let size = self.maintain(Size::of)?;
            let kept = if size.file_bytes() > limit { 0 } else { size.pages / FREE_PART_KEPT };
            let surplus = (size.free_pages - kept).min(PAGES_FREED_AT_ONCE);
            if surplus <= 0 {
                return Ok(());
            }
            self.maintain(|db| {
                // One page is freed per row that is asked for.
                let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({surplus})"))?;
                let mut rows = vacuum.query([])?;
                while rows.next()?.is_some() {}
                Ok(())
            })?;
            if self.maintain(Size::of)?.free_pages >= size.free_pages {
                return Ok(());
            }
        }
    }
}

/// A table, and the column of its key that time goes by.
type Aged = (&'static str, &'static str);
const EVENTS: Aged = ("events", "at");
const MINUTES: Aged = ("minutes", "minute");
const HOURS: Aged = ("hours", "hour");

/// Deletes about [`CHUNK`] of the oldest rows before `end`, and says how many.
fn oldest(db: &Connection, (table, column): Aged, end: i64) -> Result<usize, StoreError> {
    let nth = format!(
        "SELECT {column} FROM {table} WHERE {column} < ?1 ORDER BY {column} LIMIT 1 OFFSET ?2"
    );
    let nth = db.prepare_cached(&nth)?.query_row([end, CHUNK], |row| row.get(0)).optional()?;
    // The last value is deleted too, whole: many rows may share it.
    let last: i64 = nth.unwrap_or(end.saturating_sub(1));
    let delete = format!("DELETE FROM {table} WHERE {column} <= ?1");
    Ok(db.prepare_cached(&delete)?.execute([last])?)
}

fn closed_incidents(db: &Connection, before: i64) -> Result<usize, StoreError> {
    let old = "SELECT id FROM incidents WHERE status = ?1 AND updated_at < ?2
               ORDER BY updated_at, id LIMIT ?3";
    let values = params![status_number(IncidentStatus::Closed), before, CHUNK];
    let history = format!("DELETE FROM history WHERE incident IN ({old})");
    db.prepare_cached(&history)?.execute(values)?;
    let incidents = format!("DELETE FROM incidents WHERE id IN ({old})");
    Ok(db.prepare_cached(&incidents)?.execute(values)?)
}

/// The file's size, in pages.
struct Size {
    pages: i64,
    free_pages: i64,
    page_bytes: i64,
}

impl Size {
    fn of(db: &Connection) -> Result<Self, StoreError> {
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get(0));
        Ok(Self {
            pages: pragma("page_count")?,
            free_pages: pragma("freelist_count")?,
            page_bytes: pragma("page_size")?,
        })
    }

    fn file_bytes(&self) -> i64 {
        self.pages.saturating_mul(self.page_bytes)
    }

    fn used_bytes(&self) -> i64 {
        (self.pages - self.free_pages).saturating_mul(self.page_bytes)
    }
}
