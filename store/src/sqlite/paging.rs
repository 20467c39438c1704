//! Pages by key: a cursor holds the sort value and id of the last row, so rows that arrive
//! while someone leafs through are neither skipped nor shown twice.
//!
//! A row whose own sort value changes meanwhile (an incident that grows, sorted by its last
//! change) moves with it.

use std::fmt::Write;

use crate::{Cursor, Page, StoreError};

/// Writes and reads the cursors of one query and sort order.
#[derive(Clone, Copy)]
pub(super) struct Paging {
    /// Tells cursors of different lists apart.
    list: &'static str,
}

impl Paging {
    pub(super) const fn of(list: &'static str) -> Self {
        Self { list }
    }

    /// The cursor after the row with this sort value and key.
    pub(super) fn cursor(self, value: i64, key: &[u8]) -> Cursor {
        let mut text = format!("{}.{:016x}.", self.list, value.cast_unsigned());
        for byte in key {
            let _ = write!(text, "{byte:02x}"); // a String takes everything
        }
        Cursor(text)
    }

    /// The sort value and key in a cursor.
    pub(super) fn read(self, cursor: &Cursor) -> Result<(i64, Vec<u8>), StoreError> {
        self.parse(&cursor.0).ok_or_else(|| {
            let shown: String = cursor.0.chars().take(80).collect();
            StoreError::BadQuery(format!(
                "the cursor {shown:?} is not one of this list and order: start again without it"
            ))
        })
    }

    fn parse(self, text: &str) -> Option<(i64, Vec<u8>)> {
        let mut parts = text.split('.');
        let (list, value, key) = (parts.next()?, parts.next()?, parts.next()?);
        if list != self.list || parts.next().is_some() || value.len() != 16 {
            return None;
        }
        let value = u64::from_str_radix(value, 16).ok()?.cast_signed();
        Some((value, from_hex(key)?))
    }

    /// As [`Paging::read`], where the key is an id.
    pub(super) fn read_id(self, cursor: &Cursor) -> Result<(i64, [u8; 16]), StoreError> {
        let (value, key) = self.read(cursor)?;
        match key.try_into() {
            Ok(id) => Ok((value, id)),
            Err(_) => Err(StoreError::BadQuery(format!(
                "the cursor {:?} is cut short: start again without it",
                cursor.0
            ))),
        }
    }
}

/// The page's rows from up to `size + 1` that were read, with a cursor if there are more.
pub(super) fn page<T>(mut rows: Vec<T>, size: usize, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let more = rows.len() > size;
    rows.truncate(size);
    let next = if more { rows.last().map(cursor) } else { None };
    Page { items: rows, next }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    bytes
        .chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}
