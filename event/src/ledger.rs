//! The account of a stage: everything received was passed on, filtered, or dropped for a reason.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// Why a unit that a stage received was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Not egress of a watched segment: not ours to report.
    NotEgress,
    /// Not Internet Protocol (ARP, spanning tree): nothing to report.
    NotIp,
    /// Could not be understood.
    Malformed,
    /// The record was cut short by the capture's snapshot length or the file's end.
    Truncated,
    /// Longer than the limit.
    TooLong,
    /// The queue behind the stage was full.
    QueueFull,
    /// The stage's own table was full.
    TableFull,
    /// The same unit was seen before.
    Duplicate,
    /// A flow record of a layout (template) that the exporter has not told yet.
    NoTemplate,
    /// Its time lies in the future: it is stored, and not judged.
    FromFuture,
    /// The stage behind had ended.
    Stopped,
}

impl Loss {
    /// All reasons, in the order of [`LedgerReading::lost`].
    pub const ALL: [Self; 11] = [
        Self::NotEgress,
        Self::NotIp,
        Self::Malformed,
        Self::Truncated,
        Self::TooLong,
        Self::QueueFull,
        Self::TableFull,
        Self::Duplicate,
        Self::NoTemplate,
        Self::FromFuture,
        Self::Stopped,
    ];

    /// The word used in metrics and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotEgress => "not_egress",
            Self::NotIp => "not_ip",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::TooLong => "too_long",
            Self::QueueFull => "queue_full",
            Self::TableFull => "table_full",
            Self::Duplicate => "duplicate",
            Self::NoTemplate => "no_template",
            Self::FromFuture => "from_future",
            Self::Stopped => "stopped",
        }
    }

    /// Whether this is a choice (filtered) and not a loss of something we wanted (dropped).
    pub const fn is_filter(self) -> bool {
        matches!(self, Self::NotEgress | Self::NotIp | Self::Duplicate)
    }
}

/// Counters of one stage. Cheap to share and to add to from any thread.
#[derive(Debug, Default)]
pub struct Ledger {
    received: AtomicU64,
    passed: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
}

/// What a [`Ledger`] held at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerReading {
    /// Units that came in.
    pub received: u64,
    /// Units that were understood and used.
    pub passed: u64,
    /// Units that were not, by reason; reasons that never occurred are left out.
    pub lost: Vec<(Loss, u64)>,
}

impl Ledger {
    /// Counts `n` units that came in.
    pub fn receive(&self, n: u64) {
        self.received.fetch_add(n, Relaxed);
    }

    /// Counts `n` units that were understood and used.
    pub fn pass(&self, n: u64) {
        self.passed.fetch_add(n, Relaxed);
    }

    /// Counts `n` units that were received and not passed on, because of `reason`.
    pub fn lose(&self, reason: Loss, n: u64) {
        self.lost[reason as usize].fetch_add(n, Relaxed);
    }

    /// The counters now. Exact once the stage has stopped; while it runs, off by what is in hand.
    pub fn read(&self) -> LedgerReading {
        let lost = Loss::ALL
            .into_iter()
            .map(|reason| (reason, self.lost[reason as usize].load(Relaxed)))
            .filter(|(_, n)| *n > 0)
            .collect();
        LedgerReading {
            passed: self.passed.load(Relaxed),
            lost,
            received: self.received.load(Relaxed),
        }
    }
}

impl LedgerReading {
    /// Units received and accounted for nowhere. Zero when the stage balances.
    pub fn unaccounted(&self) -> i128 {
        let lost: u64 = self.lost.iter().map(|(_, n)| n).sum();
        i128::from(self.received) - i128::from(self.passed) - i128::from(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_listed_in_the_order_of_their_counters() {
        for (index, reason) in Loss::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
    }

    #[test]
    fn a_ledger_balances_or_says_by_how_much_it_does_not() {
        let ledger = Ledger::default();
        ledger.receive(10);
        ledger.pass(7);
        ledger.lose(Loss::Malformed, 2);
        assert_eq!(ledger.read().unaccounted(), 1);
        ledger.lose(Loss::NotIp, 1);
        assert_eq!(ledger.read().unaccounted(), 0);
        assert_eq!(ledger.read().lost, [(Loss::NotIp, 1), (Loss::Malformed, 2)]);
    }
}
