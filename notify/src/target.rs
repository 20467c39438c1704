//! What all kinds of targets have in their configuration.

use std::ops::RangeInclusive;
use std::time::Duration;

use egret_analyzer::{Incident, Severity};
use egret_event::{HumanDuration, SmolStr};
use serde::{Deserialize, Serialize};

use crate::alert::Telling;
use crate::at_most::AtMost;
use crate::config::Wrong;
use crate::quiet::Quiet;

/// What a target wants to be told of.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    pub(crate) min_severity: Severity,
    pub(crate) repeats: bool,
    pub(crate) only: Only,
    pub(crate) calls: Calls,
    pub(crate) telling: Telling,
    /// The time between two heartbeats. `None`: it gets none.
    pub(crate) heartbeat: Option<Duration>,
}

/// When a target is called.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    /// Only about what nobody took on for so long.
    pub(crate) unacknowledged_for: Option<Duration>,
    pub(crate) quiet: Quiet,
    pub(crate) at_most: Option<AtMost>,
}

impl Calls {
    /// Whether there is anything that the target is not told of by itself.
    pub(crate) fn is_selective(&self) -> bool {
        self.unacknowledged_for.is_some() || self.at_most.is_some() || self.quiet.is_any()
    }
}

/// How often a target is called, as written.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawAtMost {
    /// So many alerts, 1 to 1000.
    pub alerts: u32,
    /// In any span of this length, `1m` to `24h`.
    pub per: HumanDuration,
}

impl RawAtMost {
    pub(crate) fn check(self) -> Result<AtMost, Wrong> {
        let wrong = |problem: &str| Err(Wrong::new("at_most", problem.to_owned()));
        let (alerts, per) = (self.alerts, self.per.0);
        if !(1..=1000).contains(&alerts) {
            return wrong("its alerts are not 1 to 1000");
        }
        if !(minutes(1)..=minutes(24 * 60)).contains(&per) {
            return wrong("its per is not between 1m and 24h");
        }
        Ok(AtMost { alerts: alerts as usize, per })
    }
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// How long nobody may have taken an incident on.
pub(crate) const PATIENCES: Span = (Duration::from_secs(10)..=minutes(7 * 24 * 60), "10s and 7d");

/// The time between two heartbeats, in order that they are neither a burden nor of no use.
pub(crate) const HEARTBEATS: Span = (Duration::from_secs(10)..=minutes(60), "10s and 1h");

/// The durations that a key may have, and its bounds in words.
type Span = (RangeInclusive<Duration>, &'static str);

/// A duration, where there is one, checked.
pub(crate) fn check_span(
    key: &'static str,
    given: Option<HumanDuration>,
    (span, words): Span,
) -> Result<Option<Duration>, Wrong> {
    let given = given.map(|given| given.0);
    match given.is_none_or(|given| span.contains(&given)) {
        true => Ok(given),
        false => Err(Wrong::new(key, format!("is not between {words}"))),
    }
}

/// The incidents that a target is told of. `None`: any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Only {
    pub(crate) segments: Option<Vec<SmolStr>>,
    pub(crate) templates: Option<Vec<SmolStr>>,
    pub(crate) tenants: Option<Vec<SmolStr>>,
    pub(crate) techniques: Option<Vec<SmolStr>>,
}

impl Only {
    /// A list that is written names something: an empty one would be a target that is told of nothing, or of
    /// all, and nobody can tell which was meant.
    pub(crate) fn check(self) -> Result<Self, Wrong> {
        for (key, list) in [
            ("segments", &self.segments),
            ("templates", &self.templates),
            ("tenants", &self.tenants),
            ("techniques", &self.techniques),
        ] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                let problem = "names nothing: remove it for any, or say which";
                return Err(Wrong::new(key, problem.to_owned()));
            }
        }
        for technique in self.techniques.iter().flatten() {
            let number = technique.strip_prefix('T').unwrap_or_default();
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                let problem = format!("{technique:?} is no technique of ATT&CK, such as \"T1567\"");
                return Err(Wrong::new("techniques", problem));
            }
        }
        Ok(self)
    }

    /// Whether an incident is one of them.
    pub(crate) fn has(&self, incident: &Incident) -> bool {
        let origin = &incident.origin;
        let is_in = |list: &Option<Vec<SmolStr>>, name: Option<&SmolStr>| {
            list.as_ref().is_none_or(|list| name.is_some_and(|name| list.contains(name)))
        };
        is_in(&self.segments, Some(&origin.segment))
            && is_in(&self.templates, origin.template.as_ref())
            && is_in(&self.tenants, origin.tenant.as_ref())
            && self.has_technique(incident)
    }

    /// A technique stands for its sub-techniques too: `T1567` for `T1567.002`.
    fn has_technique(&self, incident: &Incident) -> bool {
        let found = &incident.explanation.techniques;
        let is_of = |id: &str, wanted: &SmolStr| {
            id.strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.techniques.as_ref().is_none_or(|techniques| {
            techniques.iter().any(|wanted| found.iter().any(|one| is_of(&one.id, wanted)))
        })
    }
}

/// Defines the `[[notify.targets]]` entry of one kind: the keys that all have, then its own.
macro_rules! raw_target {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$about_field:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Its name in the outbox and in metrics. A renamed target is a new one.
            pub name: String,
            /// Incidents below this severity are not sent. Default `low`: all are.
            pub min_severity: Option<egret_analyzer::Severity>,
            /// Whether it is also told of incidents that repeat one of the same roll-up: the same story, not
            /// more severe, and that one is not closed. Default `true`; `false` for what wakes people.
            pub repeats: Option<bool>,
            /// Only incidents of these network segments. Default: of any.
            pub segments: Option<Vec<egret_event::SmolStr>>,
            /// Only incidents of these kinds of executors. Default: of any.
            pub templates: Option<Vec<egret_event::SmolStr>>,
            /// Only incidents of executors that work for these. Default: for any.
            pub tenants: Option<Vec<egret_event::SmolStr>>,
            /// Only incidents with one of these techniques of ATT&CK, sub-techniques included. Default: with any.
            pub techniques: Option<Vec<egret_event::SmolStr>>,
            /// Only incidents that nobody acknowledged or closed for so long, `10s` to `7d`: an escalation.
            pub unacknowledged_for: Option<egret_event::HumanDuration>,
            /// Incidents are told as at least so severe. Default: as severe as they are.
            pub raise_to: Option<egret_analyzer::Severity>,
            /// Hours in which it is left alone, such as `["22:00-07:00", "sat-sun 00:00-24:00"]`, in
            /// `notify.time_zone`. What opened then, and is still open, is told when they are over.
            pub quiet: Option<Vec<String>>,
            /// Incidents of this severity or above are told in `quiet` hours too. Default `critical`.
            pub quiet_except: Option<egret_analyzer::Severity>,
            /// How often it is called at most: what is more is told as one, with the number of incidents.
            pub at_most: Option<crate::target::RawAtMost>,
            /// Fields of one's own, by their names in the receiver: where in Egret's own document their values are,
            /// such as `{ "labels.team" = "incident.origin.tenant" }`.
            pub fields: Option<std::collections::BTreeMap<String, String>>,
            /// Fields of one's own whose values are always the same, such as `{ "labels.site" = "berlin" }`.
            pub constants: Option<std::collections::BTreeMap<String, serde_json::Value>>,
            /// Tell it so often that Egret is well, `10s` to `1h`; when that stops, something is wrong. Default: never.
            pub heartbeat: Option<egret_event::HumanDuration>,
            $($(#[$about_field])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) fn wants(
                &self,
                zone: &jiff::tz::TimeZone,
            ) -> Result<(&str, crate::target::Wants), crate::config::Wrong> {
                let hours = self.quiet.iter().flatten();
                let hours = hours.map(|text| crate::quiet::Hours::parse(text, zone));
                let calls = crate::target::Calls {
                    unacknowledged_for: crate::target::check_span(
                        "unacknowledged_for",
                        self.unacknowledged_for,
                        crate::target::PATIENCES,
                    )?,
                    quiet: crate::quiet::Quiet {
                        hours: hours.collect::<Result<_, _>>()?,
                        except: self.quiet_except.unwrap_or(egret_analyzer::Severity::Critical),
                        maintenance: Vec::new(),
                    },
                    at_most: self.at_most.map(crate::target::RawAtMost::check).transpose()?,
                };
                let only = crate::target::Only {
                    segments: self.segments.clone(),
                    templates: self.templates.clone(),
                    tenants: self.tenants.clone(),
                    techniques: self.techniques.clone(),
                };
                let fields = crate::fields::Fields::check(
                    self.fields.as_ref(),
                    self.constants.as_ref(),
                )?;
                let wants = crate::target::Wants {
                    telling: crate::alert::Telling {
                        dashboard: None,
                        raise_to: self.raise_to,
                        fields,
                    },
                    min_severity: self.min_severity.unwrap_or(egret_analyzer::Severity::Low),
                    repeats: self.repeats.unwrap_or(true),
                    only: only.check()?,
                    calls,
                    heartbeat: crate::target::check_span(
                        "heartbeat",
                        self.heartbeat,
                        crate::target::HEARTBEATS,
                    )?,
                };
                Ok((&self.name, wants))
            }
        }
    };
}

pub(crate) use raw_target;
