//! Durations and byte sizes as people write them in the configuration: `10s`, `1h30m`, `64MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text is not a duration or a byte size.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseUnitError {
    text: String,
    expected: &'static str,
}

/// A length of time, written like `50ms`, `10s`, `1h30m` or `7d`. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

impl FromStr for HumanDuration {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseUnitError {
            text: text.to_owned(),
            expected: "a duration such as \"10s\", \"1h30m\" or \"7d\"",
        };
        // Days are taken to be 24 hours: all times here are UTC.
        let span: jiff::Span = text.parse().map_err(|_| wrong())?;
        let signed =
            span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        Duration::try_from(signed).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(signed) => write!(f, "{signed:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

/// A number of bytes, written like `1024`, `64KiB`, `1.5MiB` or `10GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Suffix and factor, largest binary unit first so that display picks the largest that divides.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = ParseUnitError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseUnitError {
            text: text.to_owned(),
            expected: "a byte size such as \"64KiB\", \"1.5MiB\" or \"10GB\"",
        };
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(end);
        let unit = unit.trim();
        let factor = if unit.is_empty() {
            1
        } else {
            UNITS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit))
                .map(|(_, factor)| *factor)
                .ok_or_else(wrong)?
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(wrong);
        }
        let value: f64 = number.parse().map_err(|_| wrong())?;
        let bytes = value * factor as f64;
        // 2^53: above it an f64 no longer holds every whole number of bytes.
        if bytes.is_finite() && bytes <= 9_007_199_254_740_992.0 {
            Ok(Self(bytes.round() as u64))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = UNITS
            .iter()
            .copied()
            .filter(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .max_by_key(|(_, factor)| *factor)
            .unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

macro_rules! serde_as_text {
    ($kind:ty) => {
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
serde_as_text!(HumanDuration);
serde_as_text!(ByteSize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, seconds) in [("10s", 10.0), ("1h30m", 5400.0), ("7d", 604_800.0), ("50ms", 0.05)]
        {
            let read: HumanDuration = text.parse().unwrap();
            assert!((read.0.as_secs_f64() - seconds).abs() < 1e-9, "{text}");
            assert_eq!(read.to_string().parse::<HumanDuration>().unwrap(), read);
        }
        for wrong in ["", "ten", "-5s", "5 parsecs"] {
            assert!(wrong.parse::<HumanDuration>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn byte_sizes_read_and_print() {
        for (text, bytes, printed) in [
            ("1024", 1024, "1KiB"),
            ("64MiB", 64 << 20, "64MiB"),
            ("1.5MiB", 3 << 19, "1536KiB"),
            ("10GB", 10_000_000_000, "10GB"),
            ("0", 0, "0B"),
        ] {
            let read: ByteSize = text.parse().unwrap();
            assert_eq!(read.0, bytes, "{text}");
            assert_eq!(read.to_string(), printed);
        }
        for wrong in ["", "MiB", "5 stones", "-1", "99999999999999999999TiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong:?} was accepted");
        }
    }
}
