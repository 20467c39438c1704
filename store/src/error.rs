//! What can go wrong with the store.

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened or made.
    #[error("cannot open the store {path:?}: {reason}")]
    Open {
        /// Path of the file.
        path: String,
        /// Why, and what helps.
        reason: String,
    },
    /// The disk is full. What was not written is still with the caller. Deleting rows needs some
    /// space too, so retention alone cannot get out of this.
    #[error(
        "no space left for the store {path:?}: free some, and keep store.max_size below what the disk can hold"
    )]
    Full {
        /// Path of the file.
        path: String,
    },
    /// There is no such thing.
    #[error("no {what} {id:?}")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// Its id or name.
        id: String,
    },
    /// A thing of that name exists.
    #[error("{what} {id:?} exists already")]
    Exists {
        /// The kind of thing.
        what: &'static str,
        /// Its id or name.
        id: String,
    },
    /// The question cannot be answered as put.
    #[error("{0}")]
    BadQuery(String),
    /// SQLite reported an error.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value could not be read back.
    #[error("the store holds a damaged {what}: {reason}")]
    Damaged {
        /// The kind of value.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
