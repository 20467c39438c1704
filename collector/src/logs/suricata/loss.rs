//! What Suricata says it could not see: packets that the kernel dropped before it (`stats`), and
//! packets that it could not decode (`anomaly`).

use egret_event::{GapReason, Timestamp};

use super::Common;
use crate::logs::entry::{Entry, GapRecord};
use crate::logs::json::object;
use crate::logs::record::LineProblem;

/// The counter of drops as it stood last. It runs since Suricata's start.
#[derive(Debug, Default)]
pub(super) struct Drops {
    last: Option<(u64, Timestamp)>,
}

object! {
    struct Stats {
        capture,
    }
}

object! {
    struct Capture {
        kernel_drops,
    }
}

object! {
    struct Anomaly {
        kind = "type",
    }
}

impl Drops {
    /// A gap if packets were dropped since the line before. Of the first line nothing can be said:
    /// its drops may be of any time since the start.
    pub(super) fn entry<'a>(&mut self, common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
        let at = common.at()?;
        let stats: Stats<'a> = common.stats.object().ok_or(LineProblem::Malformed("stats"))?;
        let capture: Capture<'a> = stats.capture.object().unwrap_or_default();
        let now = capture.kernel_drops.count().ok_or(LineProblem::Note)?;
        let (before, from) = self.last.replace((now, at)).ok_or(LineProblem::Note)?;
        // A counter that went back began anew.
        let count = now.checked_sub(before).unwrap_or(now);
        if count == 0 {
            return Err(LineProblem::Note);
        }
        Ok(Entry::Gap(GapRecord { reason: GapReason::SensorLoss, count, from: from.min(at), at }))
    }
}

/// A gap of one packet if it could not be decoded. Oddities of streams and protocols are notes.
pub(super) fn anomaly<'a>(common: &Common<'a>) -> Result<Entry<'a>, LineProblem> {
    let anomaly: Anomaly<'a> = common.anomaly.object().unwrap_or_default();
    if anomaly.kind.text().as_deref() != Some(b"decode") {
        return Err(LineProblem::Note);
    }
    let at = common.at()?;
    Ok(Entry::Gap(GapRecord { reason: GapReason::Malformed, count: 1, from: at, at }))
}
