//! Time as data: UTC nanoseconds since the Unix epoch.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// Written as RFC 3339 with a `Z` in readable formats (JSON), as the integer in binary ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 date and time with an offset.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a time such as 2026-01-31T09:30:00Z")]
pub struct ParseTimestampError {
    text: String,
}

impl Timestamp {
    /// The earliest representable moment; older than any observation.
    pub const MIN: Self = Self(i64::MIN);

    /// The latest representable moment; later than any observation.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds and nanoseconds (0 to 999,999,999) since the Unix epoch. Saturates.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// From whole seconds since the Unix epoch. Saturates.
    pub const fn from_secs(seconds: i64) -> Self {
        Self::from_parts(seconds, 0)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The start of the period of length `period` that holds this moment, counted from the epoch.
    ///
    /// A zero `period` gives the moment itself.
    pub fn floor(self, period: Duration) -> Self {
        match i64::try_from(period.as_nanos()) {
            Ok(nanos) if nanos > 0 => Self(self.0.saturating_sub(self.0.rem_euclid(nanos))),
            _ => self,
        }
    }
}

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(span(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(span(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseTimestampError { text: text.to_owned() };
        let moment: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        i64::try_from(moment.as_nanosecond()).map(Self).map_err(|_| wrong())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_form_is_rfc_3339_and_comes_back() {
        let moment = Timestamp::from_parts(1_769_851_800, 123_000_000);
        let text = serde_json::to_string(&moment).unwrap();
        assert_eq!(text, "\"2026-01-31T09:30:00.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), moment);
    }

    #[test]
    fn floor_rounds_towards_the_past_on_both_sides_of_the_epoch() {
        let hour = Duration::from_secs(3600);
        assert_eq!(Timestamp::from_secs(3601).floor(hour), Timestamp::from_secs(3600));
        assert_eq!(Timestamp::from_secs(-1).floor(hour), Timestamp::from_secs(-3600));
        assert_eq!(Timestamp::from_secs(5).floor(Duration::ZERO), Timestamp::from_secs(5));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MIN - Duration::from_secs(1), Timestamp::MIN);
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
    }
}
