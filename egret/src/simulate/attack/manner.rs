//! The manners of an attack: the same thing done plainly, with jitter, or low and slow.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How an attacker goes about it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// As a tool does it that nobody told to hide: all at once, or like clockwork.
    Plain,
    /// Sizes and gaps are drawn anew each time.
    Jittered,
    /// Below every naive limit (100 requests a minute, 10 MB), over hours, beside ordinary work.
    LowAndSlow,
}

impl Manner {
    /// All manners.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Jittered, Self::LowAndSlow];

    /// Its name on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Jittered => "jittered",
            Self::LowAndSlow => "low-and-slow",
        }
    }
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How often, how much, and how far apart: what an attack does in one manner.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Contacts of a session.
    pub(crate) contacts: Range<usize>,
    /// Stolen bytes in each.
    pub(crate) bytes: Range<usize>,
    /// Between the end of one and the beginning of the next, in milliseconds.
    pub(crate) apart_ms: Range<u64>,
}

impl Pace {
    /// An archive, in the order of [`Manner::ALL`]: in one piece; in parts of any size, as a
    /// multipart upload sends them; a file every few minutes, 1.2 MB over half a working day.
    pub(crate) const OF_AN_ARCHIVE: [Self; 3] = [
        Self { contacts: 1..2, bytes: 300_000..1_500_000, apart_ms: 0..1 },
        Self { contacts: 5..13, bytes: 20_000..200_000, apart_ms: 500..30_000 },
        Self { contacts: 40..61, bytes: 8_000..40_000, apart_ms: 240_000..600_000 },
    ];

    /// The longest that all waiting can take, in milliseconds.
    pub(crate) const fn longest_ms(&self) -> u64 {
        self.contacts.end as u64 * self.apart_ms.end
    }
}
