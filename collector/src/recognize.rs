//! CONTRACT STUB: which kind of input a file is, by its content.
#![allow(missing_docs, clippy::todo)]
use crate::{CollectError, Dialect};
use std::path::Path;
/// What a file was recognized as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognized {
    Capture,
    Log(Dialect),
}
/// Recognizes a file by its content.
pub fn recognize(path: &Path) -> Result<Recognized, CollectError> {
    let _ = path;
    todo!()
}
