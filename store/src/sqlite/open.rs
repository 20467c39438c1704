//! Opening the file: its mode, the connections' settings, and clear words when it fails.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::migrations::{self, NotOurs};
use super::readers::Readers;
use super::writer::Writer;
use super::{Shared, SqliteStore};
use crate::{StoreConfig, StoreError};

/// How long a connection waits for another process's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Prepared statements kept per connection. All texts of this crate fit.
const STATEMENTS_KEPT: usize = 128;

/// Larger pages than the usual 4 KiB hold more of a clustered row table per tree level.
const PAGE_BYTES: u32 = 8192;

impl SqliteStore {
    /// Opens the file, creating or migrating it as needed.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the reason and what helps.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let fail =
            |reason: String| StoreError::Open { path: config.path.display().to_string(), reason };
        create_file(&config.path).map_err(|error| fail(describe_io(&config.path, &error)))?;
        let mut writer =
            open_writer(&config.path).map_err(|error| fail(describe_sqlite(&error)))?;
        if !is_wal(&writer).map_err(|error| fail(describe_sqlite(&error)))? {
            let reason = "its file system has no shared memory (set store.path to a local disk)";
            return Err(fail(reason.to_owned()));
        }
        migrations::migrate(&mut writer).map_err(|error| fail(describe_tables(&error)))?;
        let readers = Readers::open(&config.path).map_err(|error| fail(describe_sqlite(&error)))?;
        let shared = Shared {
            config: config.clone(),
            turn: Mutex::new(()),
            writer: Mutex::new(Writer::new(writer)),
            readers,
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

/// Makes the file, readable by its owner only, unless it exists. SQLite gives the WAL beside it
/// the same mode.
fn create_file(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    if path.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    owner_only(&mut options);
    options.open(path).map(|_: File| ())
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // The first two only take effect on an empty file, before it becomes a WAL file.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -65_536)?; // KiB: 64 MiB
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Pages between checkpoints: 32 MiB. A page that is changed often is then written back once.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

/// Whether the file is in WAL mode: SQLite stays silent where it cannot be.
fn is_wal(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    Ok(mode == "wal")
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Opened for writing all the same: a WAL file's reader may have to write its shared index.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?; // KiB: 16 MiB
    // Sorting a week of sums must not take the memory that the engine needs.
    connection.pragma_update(None, "temp_store", "FILE")?;
    Ok(connection)
}

fn describe_io(path: &Path, error: &io::Error) -> String {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.display(),
        // A bare file name lies in the working directory.
        _ => Path::new(".").display(),
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "permission denied (make {parent} writable for the user that egret runs as, or set store.path)"
        ),
        io::ErrorKind::IsADirectory => {
            "it is a directory (store.path names the file, such as DIRECTORY/egret.db)".to_owned()
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            format!("{parent} is not a directory (set store.path)")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{parent} is read-only (mount it writable, or set store.path)")
        }
        io::ErrorKind::StorageFull => "no space left (free some, or set store.path)".to_owned(),
        _ => format!("{error} (check store.path)"),
    }
}

fn describe_sqlite(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            "it is not an SQLite database (move it away, or set store.path)".to_owned()
        }
        Some(ErrorCode::DatabaseCorrupt) => format!(
            "it is damaged: {error} (move it away, or rescue what can be with the sqlite3 command .recover)"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has locked it (stop that process, or set store.path)".to_owned()
        }
        Some(ErrorCode::DiskFull) => "no space left (free some, or set store.path)".to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            format!(
                "{error} (the file and its directory must be writable for the user that egret runs as)"
            )
        }
        _ => format!("{error} (check store.path)"),
    }
}

fn describe_tables(error: &NotOurs) -> String {
    match error {
        NotOurs::Foreign => {
            "it is another program's database (move it away, or set store.path)".to_owned()
        }
        NotOurs::Newer { found } => format!(
            "a newer egret made it (tables version {found}, this egret knows up to {}): run that release, or set store.path",
            migrations::newest()
        ),
        NotOurs::Sqlite(error) => describe_sqlite(error),
    }
}
