//! CONTRACT STUB: captures and live interfaces.
#![allow(missing_docs, unused_variables, clippy::todo)]
use crate::{CollectError, Context, Emit, LiveOptions};
use egret_event::SmolStr;
use std::path::Path;
pub(crate) fn run_file(
    name: &SmolStr,
    path: &Path,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    todo!()
}
pub(crate) fn run_live(
    name: &SmolStr,
    options: &LiveOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    todo!()
}
