//! `capture_loss.log`: how many acknowledgements were of bytes that Zeek never saw. A line without
//! such says that nothing was missed, and is a note.

use egret_event::GapReason;

use super::field::Field;
use super::row::Row;
use crate::logs::entry::{Entry, GapRecord};
use crate::logs::record::LineProblem;

pub(super) fn entry<'a>(row: &Row<'a>) -> Result<Entry<'a>, LineProblem> {
    let at = row.time(Field::Ts).ok_or(LineProblem::Malformed("ts"))?;
    let count = row.count(Field::Gaps).ok_or(LineProblem::Malformed("gaps"))?;
    if count == 0 {
        return Err(LineProblem::Note);
    }
    let span = row.span(Field::TsDelta).unwrap_or_default();
    Ok(Entry::Gap(GapRecord { reason: GapReason::SensorLoss, count, from: at - span, at }))
}
