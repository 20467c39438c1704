//! CONTRACT STUB: proxy logs, read whole or followed.
#![allow(missing_docs, unused_variables, clippy::todo)]
use crate::{CollectError, Context, Dialect, Emit};
use egret_event::{InputPosition, SmolStr};
use std::path::Path;
pub(crate) fn run_whole(
    name: &SmolStr,
    path: &Path,
    dialect: Option<Dialect>,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    todo!()
}
pub(crate) fn run_following(
    name: &SmolStr,
    path: &Path,
    dialect: Option<Dialect>,
    resume: &[InputPosition],
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    todo!()
}
