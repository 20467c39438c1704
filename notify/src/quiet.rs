//! When a target is left alone: quiet hours, every week anew, and maintenance, once.

use egret_analyzer::{Incident, Severity};
use egret_event::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use crate::config::Wrong;
use crate::target::Only;

/// Spans that follow one another are one; after so many it is asked for anew, when the alert is to be sent.
const MOST_IN_A_ROW: usize = 32;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// When a target is left alone.
#[derive(Debug, Clone)]
pub(crate) struct Quiet {
    pub(crate) hours: Vec<Hours>,
    /// From this severity on quiet hours do not count.
    pub(crate) except: Severity,
    pub(crate) maintenance: Vec<Maintenance>,
}

/// Hours of some days, in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hours {
    days: Vec<Weekday>,
    from: Time,
    /// Not after `from`: it ends on the day after. `None`: at midnight.
    to: Option<Time>,
    zone: TimeZone,
}

/// A time in which somebody works on what executors are, and their incidents call nobody.
#[derive(Debug, Clone)]
pub(crate) struct Maintenance {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) only: Only,
}

impl Quiet {
    /// Until when the target is left alone about an incident. `None`: it is not.
    pub(crate) fn until(&self, incident: &Incident, now: Timestamp) -> Option<Timestamp> {
        let is_excepted = incident.severity >= self.except;
        let hours = if is_excepted { &[][..] } else { &self.hours };
        let mut at = now;
        for _ in 0..MOST_IN_A_ROW {
            let ends = hours.iter().filter_map(|hours| hours.end(at));
            let works = self.maintenance.iter().filter(|work| work.covers(incident, at));
            match ends.chain(works.map(|work| work.until)).max() {
                Some(end) if end > at => at = end,
                _ => break,
            }
        }
        (at > now).then_some(at)
    }

    /// Whether it is ever left alone.
    pub(crate) fn is_any(&self) -> bool {
        !self.hours.is_empty() || !self.maintenance.is_empty()
    }
}

impl Maintenance {
    fn covers(&self, incident: &Incident, at: Timestamp) -> bool {
        (self.from..self.until).contains(&at) && self.only.has(incident)
    }
}

impl Hours {
    /// Reads hours such as `"22:00-07:00"`, `"sat-sun 00:00-24:00"` or `"mon,wed 12:00-13:00"`.
    pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Self, Wrong> {
        let wrong = || {
            let problem =
                format!("{text:?} is not hours such as \"22:00-07:00\" or \"sat-sun 00:00-24:00\"");
            Wrong::new("quiet", problem)
        };
        let (days, hours) = match text.trim().rsplit_once(' ') {
            Some((days, hours)) => (days_of(days).ok_or_else(wrong)?, hours),
            None => (DAYS.map(|(_, day)| day).to_vec(), text.trim()),
        };
        let (from, to) = hours.split_once('-').ok_or_else(wrong)?;
        let from = time_of(from).ok_or_else(wrong)?;
        let to = if to == "24:00" { None } else { Some(time_of(to).ok_or_else(wrong)?) };
        if to == Some(from) {
            return Err(wrong());
        }
        Ok(Self { days, from, to, zone: zone.clone() })
    }

    /// When the span ends that `at` falls into.
    fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_nanosecond(at.as_nanos().into()).ok()?;
        let today = self.zone.to_datetime(instant).date();
        // A night began yesterday.
        let begins = [today.yesterday().ok()?, today];
        let spans = begins.into_iter().filter(|day| self.days.contains(&day.weekday()));
        spans.filter_map(|day| self.on(day)).find(|span| span.contains(&at)).map(|span| span.end)
    }

    /// The span that begins on a day. Where the clock is put forward past its start or its end, that is as long
    /// after the hour before as it would have been; where it is put back, the earlier of both times counts.
    fn on(&self, day: Date) -> Option<std::ops::Range<Timestamp>> {
        let end = match self.to {
            Some(to) if to > self.from => day.to_datetime(to),
            to => day.tomorrow().ok()?.to_datetime(to.unwrap_or(Time::midnight())),
        };
        let instant = |civil| {
            let zoned = self.zone.to_ambiguous_zoned(civil).compatible().ok()?;
            Some(Timestamp::from_nanos(i64::try_from(zoned.timestamp().as_nanosecond()).ok()?))
        };
        Some(instant(day.to_datetime(self.from))?..instant(end)?)
    }
}

/// Days such as `sat-sun` or `mon,wed`.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let position = |name: &str| DAYS.iter().position(|(known, _)| name.eq_ignore_ascii_case(known));
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (position(first.trim())?, position(last.trim())?);
        // From Friday to Monday is over the end of the week.
        let count = (last + 7 - first) % 7 + 1;
        days.extend((0..count).map(|step| DAYS[(first + step) % 7].1));
    }
    Some(days)
}

fn time_of(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let is_plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(hour) || !is_plain(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// A time zone by its name, such as `Europe/Berlin`.
pub(crate) fn zone_named(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!("{name:?} is no time zone: write one such as \"Europe/Berlin\" or \"UTC\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::incident;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn quiet(hours: &[&str], zone: &str) -> Quiet {
        let zone = zone_named(zone).unwrap();
        let hours = hours.iter().map(|text| Hours::parse(text, &zone).unwrap()).collect();
        Quiet { hours, except: Severity::Critical, maintenance: Vec::new() }
    }

    fn until(quiet: &Quiet, now: &str) -> Option<String> {
        quiet.until(&incident("a"), at(now)).map(|until| until.to_string())
    }

    #[test]
    fn a_night_ends_in_the_morning_where_the_target_lives() {
        let nights = quiet(&["22:00-07:00"], "Europe/Berlin");
        // Winter: an hour ahead of UTC.
        for (now, ends) in [
            ("2026-11-30T20:59:59Z", None),
            ("2026-11-30T21:00:00Z", Some("2026-12-01T06:00:00Z")),
            ("2026-12-01T05:59:59Z", Some("2026-12-01T06:00:00Z")),
            ("2026-12-01T06:00:00Z", None),
            // Summer.
            ("2026-07-01T20:00:00Z", Some("2026-07-02T05:00:00Z")),
            // The night in which clocks are put forward is an hour shorter.
            ("2026-03-28T23:00:00Z", Some("2026-03-29T05:00:00Z")),
        ] {
            assert_eq!(until(&nights, now).as_deref(), ends, "{now}");
        }
    }

    #[test]
    fn spans_that_follow_one_another_are_one() {
        let all = quiet(&["22:00-07:00", "Sat-Sun 00:00-24:00"], "UTC");
        // 2026-12-04 is a Friday.
        assert_eq!(until(&all, "2026-12-04T23:00:00Z").unwrap(), "2026-12-07T07:00:00Z");
        assert_eq!(until(&all, "2026-12-07T07:00:00Z"), None);
        let always = quiet(&["00:00-24:00"], "UTC");
        let ends = at(&until(&always, "2026-12-04T23:00:00Z").unwrap());
        assert!(ends > at("2026-12-20T00:00:00Z"), "{ends}");
    }

    #[test]
    fn days_may_be_listed_and_may_reach_over_sunday() {
        let zone = zone_named("UTC").unwrap();
        let hours = |text| Hours::parse(text, &zone).unwrap();
        assert_eq!(hours("fri-mon 01:00-02:00").days.len(), 4);
        assert_eq!(hours("mon,wed 12:00-13:00").days, [Weekday::Monday, Weekday::Wednesday]);
        for wrong in
            ["", "22-07", "22:00", "xyz 22:00-07:00", "7:00-8:00", "07:00-07:00", "24:00-01:00"]
        {
            assert!(Hours::parse(wrong, &zone).is_err(), "{wrong:?} was accepted");
        }
        assert!(zone_named("Europe/Atlantis").unwrap_err().contains("is no time zone"));
    }

    #[test]
    fn what_is_grave_is_told_at_night_and_maintenance_is_for_what_it_names() {
        let mut quiet = quiet(&["22:00-07:00"], "UTC");
        let (night, noon) = (at("2026-12-01T23:00:00Z"), at("2026-12-01T12:00:00Z"));
        let mut grave = incident("a");
        grave.severity = Severity::Critical;
        assert_eq!(quiet.until(&grave, night), None);
        let until = at("2026-12-01T22:30:00Z");
        let only = Only { segments: Some(vec!["pods".into()]), ..Only::default() };
        quiet.maintenance = vec![Maintenance { from: noon, until, only }];
        assert_eq!(quiet.until(&grave, noon), Some(until));
        let morning = Some(at("2026-12-02T07:00:00Z"));
        assert_eq!(quiet.until(&incident("a"), noon), morning, "it ends at night");
        grave.origin.segment = "vms".into();
        assert_eq!(quiet.until(&grave, noon), None);
    }
}
