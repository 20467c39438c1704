//! API tokens: their hashes and what they allow.

use egret_event::Timestamp;
use rusqlite::params;

use super::SqliteStore;
use super::stored::{Stored, from_json, to_json};
use crate::{StoreError, TokenRow};

impl SqliteStore {
    /// Adds a token.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where its name or its hash is taken.
    pub fn add_token(&self, token: &TokenRow) -> Result<(), StoreError> {
        self.write(|db, _| {
            let insert = "INSERT OR IGNORE INTO tokens (name, hash, role, created_at, expires_at)
                          VALUES (?1, ?2, ?3, ?4, ?5)";
            let new = db.prepare_cached(insert)?.execute(params![
                token.name.as_str(),
                &token.hash[..],
                to_json("role", &token.role)?,
                Stored(token.created_at),
                token.expires_at.map(Stored),
            ])?;
            match new {
                0 => Err(StoreError::Exists { what: "token", id: token.name.to_string() }),
                _ => Ok(()),
            }
        })
    }

    /// All tokens, by name.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let db = self.reader();
        let sql = "SELECT name, hash, role, created_at, expires_at FROM tokens ORDER BY name";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let created_at: Stored<Timestamp> = row.get(3)?;
            let expires_at: Option<Stored<Timestamp>> = row.get(4)?;
            let role: String = row.get(2)?;
            let name: String = row.get(0)?;
            Ok((name, row.get(1)?, role, created_at.0, expires_at.map(|at| at.0)))
        })?;
        rows.map(|row| {
            let (name, hash, role, created_at, expires_at) = row?;
            let role = from_json("role", &role)?;
            Ok(TokenRow { name: name.into(), hash, role, created_at, expires_at })
        })
        .collect()
    }

    /// Removes the token of that name. `false`: there was none.
    pub fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        self.write(|db, _| {
            let gone = db.prepare_cached("DELETE FROM tokens WHERE name = ?1")?.execute([name])?;
            Ok(gone == 1)
        })
    }
}
