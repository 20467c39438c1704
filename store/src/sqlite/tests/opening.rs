//! Opening, and the words when it fails. Also tokens: the smallest thing to keep.

use std::fs;

use egret_event::Timestamp;

use super::made::{at, config, store};
use crate::{Role, SqliteStore, StoreError, TokenRow};

fn refused(config: &crate::StoreConfig) -> String {
    match SqliteStore::open(config) {
        Err(error @ StoreError::Open { .. }) => error.to_string(),
        Err(error) => panic!("not an opening error: {error}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_only_and_its_directory_is_made() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let config = config(&directory.path().join("a/b"));
    let store = SqliteStore::open(&config).unwrap();
    store.add_token(&token("ana", 1)).unwrap();
    for name in ["egret.db", "egret.db-wal"] {
        let mode = fs::metadata(config.path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_is_not_egrets_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    fs::write(&config.path, "this is a text, and long enough for a header of SQLite's".repeat(99))
        .unwrap();
    let before = fs::read(&config.path).unwrap();
    assert!(
        refused(&config).ends_with("is not an SQLite database (move it away, or set store.path)")
    );
    assert_eq!(fs::read(&config.path).unwrap(), before);

    fs::remove_file(&config.path).unwrap();
    let foreign = rusqlite::Connection::open(&config.path).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(foreign);
    assert!(refused(&config).contains("it is another program's database"));
}

#[test]
fn a_directory_and_a_path_below_a_file_are_refused_with_the_cure() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.path = directory.path().to_owned();
    assert!(refused(&config).contains("it is a directory (store.path names the file"));
    fs::write(directory.path().join("file"), "").unwrap();
    config.path = directory.path().join("file/egret.db");
    assert!(refused(&config).contains("is not a directory (set store.path)"));
}

#[test]
fn a_newer_file_is_refused_by_its_version() {
    let made = store();
    made.maintain(|db| Ok(db.pragma_update(None, "user_version", 1000)?)).unwrap();
    let words = refused(&made.config);
    assert!(words.contains("a newer egret made it (tables version 1000"), "{words}");
}

#[test]
fn many_may_open_a_new_file_at_the_same_moment() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    std::thread::scope(|scope| {
        for n in 0..4_u8 {
            let config = &config;
            scope.spawn(move || {
                let store = SqliteStore::open(config).unwrap();
                store.add_token(&token(&format!("t{n}"), n)).unwrap();
            });
        }
    });
    assert_eq!(SqliteStore::open(&config).unwrap().tokens().unwrap().len(), 4);
}

fn token(name: &str, n: u8) -> TokenRow {
    TokenRow {
        name: name.into(),
        hash: [n; 32],
        role: Role::Analyst,
        created_at: at(1),
        expires_at: Some(Timestamp::from_secs(1)),
    }
}

#[test]
fn tokens_are_kept_by_name_until_they_are_removed() {
    let made = store();
    let rows = [token("ana", 1), TokenRow { expires_at: None, ..token("bo", 2) }];
    for row in &rows {
        made.add_token(row).unwrap();
    }
    assert_eq!(made.again().tokens().unwrap(), rows);
    let error = made.add_token(&token("ana", 3)).unwrap_err();
    assert_eq!(error.to_string(), "token \"ana\" exists already");
    assert!(made.remove_token("ana").unwrap());
    assert!(!made.remove_token("ana").unwrap());
    assert_eq!(made.tokens().unwrap(), rows[1..]);
}
