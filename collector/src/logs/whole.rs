//! Reading a log once, from its begin to its end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use egret_event::SmolStr;

use super::intake::{Closed, Intake};
use super::lines::Lines;
use super::rotation::Opened;
use crate::unpack::{Counted, Packing, Unpacked};
use crate::{CollectError, Context, Dialect, Emit};

/// Reads the log at `path`, compressed or not; a last line without a line end counts as one.
///
/// # Errors
/// When the file cannot be opened or read.
pub(crate) fn run_whole(
    name: &SmolStr,
    path: &Path,
    dialect: Option<Dialect>,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let failed = |error: io::Error| CollectError::reading(path, &error);
    let Opened { file, generation, offset } = Opened::at(path).map_err(failed)?;
    let packing = Packing::of(&file).map_err(failed)?;
    let counted = Counted::new(file, Arc::clone(&context.progress));
    let mut input = Unpacked::new(counted, packing).map_err(failed)?;
    let mut intake = Intake::new(name, &path.to_string_lossy(), dialect, context);
    intake.begin(generation, offset);
    let mut lines = Lines::starting_at(0);
    while !context.stop.load(Relaxed) {
        let read = match lines.fill(&mut input) {
            Ok(read) => read,
            Err(error) if packing.is_some() => return end_early(&error, &lines, &mut intake, emit),
            Err(error) => return Err(failed(error)),
        };
        if take_all(&mut lines, &mut intake, emit).is_err() {
            return Ok(());
        }
        if read == 0 {
            break;
        }
    }
    // Nobody listening any more is a reason to end, not an error of this source.
    let _ = take_rest(&mut lines, &mut intake, emit).and_then(|()| intake.finish(emit));
    Ok(())
}

/// Ends where a compressed log is damaged or cut: what came before it is used.
fn end_early(
    error: &io::Error,
    lines: &Lines,
    intake: &mut Intake,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    tracing::warn!(%error, "a compressed log ends early; what came before is used");
    let held = lines.read_until() - lines.offset();
    let _ = intake.lose(held, emit).and_then(|()| intake.finish(emit));
    Ok(())
}

/// Takes all complete lines.
pub(super) fn take_all(
    lines: &mut Lines,
    intake: &mut Intake,
    emit: &mut Emit<'_>,
) -> Result<(), Closed> {
    while let Some(line) = lines.next() {
        intake.take(&line, emit)?;
    }
    Ok(())
}

/// Takes the last line of a file that will not grow any more.
pub(super) fn take_rest(
    lines: &mut Lines,
    intake: &mut Intake,
    emit: &mut Emit<'_>,
) -> Result<(), Closed> {
    match lines.rest() {
        Some(line) => intake.take(&line, emit),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
