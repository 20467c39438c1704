//! Times and durations as logs write them.

use egret_event::Timestamp;
use serde::{Deserialize, Serialize};

use super::field::Value;
use crate::logs::digits::number;
use crate::logs::text::days_since_epoch;

/// How a time or a duration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds, also with a fraction; as a time, since 1970.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl Unit {
    const fn nanos(self) -> u64 {
        match self {
            Self::S => 1_000_000_000,
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
            Self::Ns => 1,
        }
    }
}

/// What a log does not say of its dates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    /// Of local times: how far they are ahead of UTC.
    pub(super) ahead_s: i64,
    /// Of dates without a year: the latest day that they can mean.
    pub(super) latest: Option<Timestamp>,
}

/// A time: a number in `unit`, or a date in one of the usual forms.
pub(super) fn time(value: &Value<'_>, unit: Unit, calendar: Calendar) -> Option<Timestamp> {
    if let Some(nanos) = nanos(value, unit) {
        return i64::try_from(nanos).ok().map(Timestamp::from_nanos);
    }
    match value {
        Value::Text(text) => date(text, calendar),
        Value::Whole(_) | Value::Fraction(_) => None,
    }
}

/// A length of time, in nanoseconds.
pub(super) fn nanos(value: &Value<'_>, unit: Unit) -> Option<u64> {
    let scale = unit.nanos();
    match value {
        Value::Whole(count) => count.checked_mul(scale),
        Value::Fraction(count) if *count >= 0.0 && *count < 1e18 => {
            // A double holds a present time in seconds to about 0.2 us: the rest is noise.
            let micros = count * (scale as f64 / 1e3);
            (micros < 9e15).then(|| micros.round() as u64 * 1_000)
        }
        Value::Fraction(_) => None,
        Value::Text(text) => decimal_nanos(text, scale),
    }
}

/// `DIGITS[.DIGITS]`.
fn decimal_nanos(text: &[u8], scale: u64) -> Option<u64> {
    let dot = memchr::memchr(b'.', text).unwrap_or(text.len());
    let whole = number(&text[..dot])?.checked_mul(scale)?;
    let fraction = text.get(dot + 1..).unwrap_or_default();
    // More than nine digits are below the nanosecond.
    let fraction = &fraction[..fraction.len().min(9)];
    if fraction.is_empty() {
        return Some(whole);
    }
    let parts = number(fraction)?.checked_mul(scale)?;
    whole.checked_add(parts / 10_u64.pow(fraction.len() as u32))
}

fn date(text: &[u8], calendar: Calendar) -> Option<Timestamp> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).unwrap_or(text);
    let (date, rest) = match text {
        [_, _, b'/', ..] => clf_date(text),
        [_, _, _, _, b'-', ..] => iso_date(text),
        [_, _, b'.', _, _, b' ', ..] => short_date(text, calendar),
        _ => None,
    }?;
    let (of_day, rest) = time_of_day(rest)?;
    let ahead_s = match rest.trim_ascii_start() {
        b"" => calendar.ahead_s,
        b"Z" | b"z" => 0,
        zone => offset(zone)?,
    };
    let seconds = date * 86_400 - ahead_s;
    Some(Timestamp::from_parts(seconds + of_day.seconds, of_day.nanos))
}

/// `DD/MON/YYYY:`, in days since 1970.
fn clf_date(text: &[u8]) -> Option<(i64, &[u8])> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let (date, rest) = text.split_at_checked(12)?;
    let month = MONTHS.iter().position(|month| **month == date[3..6])? + 1;
    let marks = date[2] == b'/' && date[6] == b'/' && date[11] == b':';
    let days = days(digits(&date[7..11])?, month as i64, digits(&date[..2])?)?;
    marks.then_some((days, rest))
}

/// `YYYY-MM-DDT`, or with a space.
fn iso_date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = text.split_at_checked(11)?;
    let marks = date[4] == b'-' && date[7] == b'-' && matches!(date[10], b'T' | b't' | b' ');
    let days = days(digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..10])?)?;
    marks.then_some((days, rest))
}

/// `MM.DD `: in the latest year in which that is not after the latest day there is.
fn short_date(text: &[u8], calendar: Calendar) -> Option<(i64, &[u8])> {
    let (date, rest) = text.split_at_checked(6)?;
    let (month, day) = (digits(&date[..2])?, digits(&date[3..5])?);
    let latest = calendar.latest?.as_secs().div_euclid(86_400) + 1;
    // 29 February is found within eight years (none in 1900, 2100).
    let year = 1970 + latest.div_euclid(365);
    let date = (year - 9..=year).rev().filter_map(|year| days(year, month, day));
    let date = date.into_iter().find(|days| *days <= latest)?;
    Some((date, rest))
}

struct OfDay {
    seconds: i64,
    nanos: i64,
}

/// `HH:MM:SS[.FRACTION]`, and what follows it.
fn time_of_day(text: &[u8]) -> Option<(OfDay, &[u8])> {
    let (clock, rest) = text.split_at_checked(8)?;
    let (hour, minute, second) =
        (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..8])?);
    let marks = clock[2] == b':' && clock[5] == b':';
    // 60 is a leap second.
    let possible = hour < 24 && minute < 60 && second <= 60;
    let seconds = (marks && possible).then_some(hour * 3600 + minute * 60 + second)?;
    let Some(fraction) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) else {
        return Some((OfDay { seconds, nanos: 0 }, rest));
    };
    let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let kept = &fraction[..length.min(9)];
    let nanos = number(kept)? * 10_u64.pow(9 - kept.len() as u32);
    Some((OfDay { seconds, nanos: nanos as i64 }, &fraction[length..]))
}

/// `+HHMM` or `+HH:MM`, in seconds.
pub(super) fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, digits_of) = match zone {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits_of {
        [_, _, b':', _, _] => (&digits_of[..2], &digits_of[3..]),
        [_, _, _, _] => digits_of.split_at(2),
        _ => return None,
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &[u8]) -> Option<i64> {
    number(text).and_then(|value| i64::try_from(value).ok())
}

/// Days from 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=length).contains(&day).then(|| days_since_epoch(year, month, day))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn read(text: &str, unit: Unit) -> Option<String> {
        let latest = Some("2026-02-01T00:00:00Z".parse().unwrap());
        let value = Value::Text(Cow::Borrowed(text.as_bytes()));
        let calendar = Calendar { ahead_s: 3600, latest };
        time(&value, unit, calendar).map(|time| time.to_string())
    }

    #[test]
    fn the_usual_forms_of_time_are_read() {
        for (text, unit, expected) in [
            ("1769851800.123", Unit::S, "2026-01-31T09:30:00.123Z"),
            ("1769851800123", Unit::Ms, "2026-01-31T09:30:00.123Z"),
            ("31/Jan/2026:10:30:00 +0100", Unit::S, "2026-01-31T09:30:00Z"),
            ("[31/Jan/2026:09:30:00 +0000]", Unit::S, "2026-01-31T09:30:00Z"),
            ("31/Jan/2026:10:30:00.123", Unit::S, "2026-01-31T09:30:00.123Z"),
            ("2026-01-31T09:30:00.123456789Z", Unit::S, "2026-01-31T09:30:00.123456789Z"),
            ("2026-01-31T05:00:00-04:30", Unit::S, "2026-01-31T09:30:00Z"),
            ("2026-01-31 10:30:00,5", Unit::S, "2026-01-31T09:30:00.5Z"),
            ("2024-02-29T00:00:00Z", Unit::S, "2024-02-29T00:00:00Z"),
            ("01.31 10:30:00", Unit::S, "2026-01-31T09:30:00Z"),
            ("10.30 16:49:06", Unit::S, "2025-10-30T15:49:06Z"),
            ("02.29 12:00:00", Unit::S, "2024-02-29T11:00:00Z"),
        ] {
            assert_eq!(read(text, unit).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "-",
            "31/Jan/2026",
            "31/Foo/2026:09:30:00",
            "2026-02-30T00:00:00Z",
            "1.2.3",
            "2026-01-31T25:00:00Z",
            "2026-01-31T09:30:00+99:00",
            "02.30 00:00:00",
            "1769851800.x",
        ] {
            assert_eq!(read(text, Unit::S), None, "{text}");
        }
    }

    #[test]
    fn numbers_carry_their_unit() {
        assert_eq!(nanos(&Value::Fraction(0.25), Unit::S), Some(250_000_000));
        assert_eq!(nanos(&Value::Whole(7), Unit::Ms), Some(7_000_000));
        assert_eq!(nanos(&Value::Whole(u64::MAX), Unit::Us), None);
        assert_eq!(nanos(&Value::Fraction(f64::NAN), Unit::S), None);
        assert_eq!(nanos(&Value::Fraction(-1.0), Unit::S), None);
        let epoch = time(&Value::Fraction(1_769_851_800.123), Unit::S, Calendar::default());
        assert_eq!(epoch.unwrap().to_string(), "2026-01-31T09:30:00.123Z");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            dated in "[0-9]{2}[./][A-z0-9]{2,3}[ /][0-9:./]{0,16} ?[+-]?[0-9:]{0,5}",
        ) {
            let calendar = Calendar { ahead_s: -3600, latest: Some(Timestamp::from_secs(0)) };
            for text in [&text[..], dated.as_bytes()] {
                let value = Value::Text(Cow::Borrowed(text));
                let _ = time(&value, Unit::S, calendar);
            }
        }

        #[test]
        fn dates_agree_with_the_general_parser(
            seconds in 0_i64..4_102_444_800, millis in 0_i64..1000,
        ) {
            let expected = Timestamp::from_parts(seconds, millis * 1_000_000);
            let text = expected.to_string();
            proptest::prop_assert_eq!(date(text.as_bytes(), Calendar::default()), Some(expected));
        }
    }
}
