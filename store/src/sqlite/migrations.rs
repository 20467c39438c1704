//! The tables' versions: numbered files, applied in order, each once.

use rusqlite::{Connection, TransactionBehavior};

use super::roll_ups;

/// Every migration, oldest first. The file's `user_version` says how many it has had.
const MIGRATIONS: [&str; 7] = [
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0002_baselines.sql"),
    include_str!("migrations/0003_suppressed.sql"),
    include_str!("migrations/0004_verdicts.sql"),
    include_str!("migrations/0005_destinations.sql"),
    include_str!("migrations/0006_roll_ups.sql"),
    include_str!("migrations/0007_outbox.sql"),
];

/// Marks a file as Egret's ("EGRT"), so that another program's database is never written to.
const APPLICATION_ID: i32 = 0x4547_5254;

/// Why a file's tables cannot be used.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// It is another program's database.
    Foreign,
    /// A later release of Egret made it.
    Newer {
        /// The version it has.
        found: usize,
    },
    /// SQLite failed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for NotOurs {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The newest version that this release knows.
pub(super) const fn newest() -> usize {
    MIGRATIONS.len()
}

/// Brings the tables up to date, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), NotOurs> {
    if version(connection)? == newest() && is_ours(connection)? {
        return Ok(());
    }
    // Two processes may start at the same moment: whoever comes second finds the work done.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !is_ours(&tx)? {
        return Err(NotOurs::Foreign);
    }
    let found = version(&tx)?;
    if found > newest() {
        return Err(NotOurs::Newer { found });
    }
    for sql in &MIGRATIONS[found..] {
        tx.execute_batch(sql)?;
    }
    roll_ups::fill_in(&tx)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", i64::try_from(newest()).unwrap_or(i64::MAX))?;
    Ok(tx.commit()?)
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Whether the file is Egret's, or empty.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID || (id == 0 && tables == 0))
}
