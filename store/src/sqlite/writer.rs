//! The one connection that writes, and what it remembers between transactions.

use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};

use egret_analyzer::{FeedbackSet, Suppression};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::SqliteStore;
use super::dictionary::Dictionary;
use crate::StoreError;

pub(super) struct Writer {
    connection: Connection,
    memory: Memory,
}

/// What the writer knows of the file without asking. It may be dropped at any time.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) dictionary: Dictionary,
    /// All suppressions, expired ones too. `None`: not read yet.
    pub(super) suppressions: Option<Vec<Suppression>>,
    /// What people judged benign. `None`: not read yet.
    pub(super) feedback: Option<Arc<FeedbackSet>>,
    /// SQLite's count of other connections' writes, as of the last transaction.
    version: i64,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, memory: Memory::default() }
    }

    /// Does `work` in one transaction.
    ///
    /// The memory is put back only when the transaction was committed: after an error or a panic
    /// it might hold numbers of names that were rolled back.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Memory) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut memory = mem::take(&mut self.memory);
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        memory.forget_if_another_wrote(&tx)?;
        let done = work(&tx, &mut memory)?;
        tx.commit()?;
        self.memory = memory;
        Ok(done)
    }
}

impl Memory {
    fn forget_if_another_wrote(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if version != self.version {
            *self = Self { version, ..Self::default() };
        }
        Ok(())
    }
}

impl SqliteStore {
    /// Waits for the writer. Whoever waits holds the turn, so that a thread that comes straight
    /// back for more (retention does) finds itself behind the one that waits.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        let _turn = self.shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` in one transaction: all of it is kept, or on an error none of it.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection, &mut Memory) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.writer().transact(work).map_err(|error| self.told_apart(error))
    }

    /// Does `work` on the writing connection outside a transaction, as maintenance needs.
    pub(super) fn maintain<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        work(&self.writer().connection).map_err(|error| self.told_apart(error))
    }

    /// A full disk is what callers wait out, so it has a variant of its own.
    fn told_apart(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Sqlite(cause) if cause.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                StoreError::Full { path: self.shared.config.path.display().to_string() }
            }
            other => other,
        }
    }
}
