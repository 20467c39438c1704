//! Numbers and levels in plain words.

use std::time::Duration;

use egret_event::{Attribution, GapReason, SmolStr, Timestamp};

use crate::incident::{GapSeen, Level};

/// Bytes with a binary unit and two or three digits: `5.0 MiB`.
pub(crate) fn bytes_words(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => {
            let value = bytes as f64 / *size as f64;
            if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
        }
        None => format!("{bytes} bytes"),
    }
}

/// A length of time in one unit: `350 ms`, `12 s`, `4 min`, `3 h`.
pub(crate) fn duration_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// A day: `2026-01-31`.
pub(crate) fn date_words(at: Timestamp) -> String {
    at.to_string().chars().take("2026-01-31".len()).collect()
}

/// A count with its noun: `1 contact`, `3 contacts`.
pub(crate) fn count_words(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A part of the whole: `62 %`, `less than 1 %`.
pub(crate) fn percent_words(part: f64) -> String {
    let percent = (part * 100.0).round();
    if percent < 1.0 { "less than 1 %".to_owned() } else { format!("{percent} %") }
}

/// What was missed, with its unit.
fn gap_words(reason: GapReason, count: u64) -> String {
    let many = |noun: &str, what: &str| format!("{} {what}", count_words(count, noun));
    match reason {
        GapReason::KernelDrop => many("packet", "dropped by the kernel"),
        GapReason::QueueFull => many("event", "dropped from a full queue"),
        GapReason::Malformed => many("unit", "not understood"),
        GapReason::Truncated => many("packet", "cut short"),
        GapReason::LineTooLong => many("line", "too long"),
        GapReason::LogLost => many("byte", "of log lost"),
        GapReason::FlowTableFull => many("flow", "pushed out of a full table"),
        GapReason::Stopped => "a pause of the collector".to_owned(),
        GapReason::MissedBytes => many("byte", "of streams not captured"),
        GapReason::SequenceHole => many("record", "never arrived"),
        GapReason::Quiet => format!("{} of silence", duration_words(Duration::from_secs(count))),
        GapReason::SensorLoss => many("packet", "lost by the sensor"),
        GapReason::NoTemplate => many("record", "of an unknown layout"),
    }
}

/// What was missed, by source and reason.
pub(crate) fn missed_words(gaps: &[GapSeen]) -> String {
    let mut missed: Vec<(&SmolStr, GapReason, u64)> = Vec::new();
    for gap in gaps {
        let same = missed.iter_mut().find(|(s, r, _)| **s == gap.source && *r == gap.reason);
        match same {
            Some((_, _, sum)) => *sum = sum.saturating_add(gap.count),
            None => missed.push((&gap.source, gap.reason, gap.count)),
        }
    }
    let words =
        missed.iter().map(|(source, reason, n)| format!("{} by {source}", gap_words(*reason, *n)));
    words.collect::<Vec<_>>().join(", ")
}

/// Whose behaviour is normal, as the subject of a sentence in the plural.
pub(crate) fn whose(level: Level, origin: &Attribution) -> String {
    match level {
        Level::Template => match &origin.template {
            Some(template) => format!("sessions of template {template:?}"),
            None => "sessions without a template".to_owned(),
        },
        Level::Tenant => "sessions of this tenant".to_owned(),
        Level::Segment => "sessions in this segment".to_owned(),
        Level::Fleet => "sessions here".to_owned(),
        Level::Prior => "sessions, by the shipped prior,".to_owned(),
    }
}

/// The name of an executor's group at a level; empty for the fleet and the prior.
pub(crate) fn name_at(level: Level, origin: &Attribution) -> SmolStr {
    match level {
        Level::Template => origin.template.clone().unwrap_or_default(),
        Level::Tenant => origin.tenant.clone().unwrap_or_default(),
        Level::Segment => origin.segment.clone(),
        Level::Fleet | Level::Prior => SmolStr::default(),
    }
}

/// A probability with one digit: more would promise too much.
pub(crate) fn probability_words(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.0e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_with_their_units() {
        assert_eq!(bytes_words(5 << 20), "5.0 MiB");
        assert_eq!(bytes_words(48 << 10), "48 KiB");
        assert_eq!(bytes_words(539), "539 bytes");
        assert_eq!(duration_words(Duration::from_millis(350)), "350 ms");
        assert_eq!(duration_words(Duration::from_secs(12)), "12 s");
        assert_eq!(count_words(1, "contact"), "1 contact");
        assert_eq!(probability_words(2.3e-7), "2e-7");
    }
}
