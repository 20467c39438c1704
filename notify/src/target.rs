//! What all kinds of targets have in their configuration.

use std::ops::RangeInclusive;
use std::time::Duration;

use egret_analyzer::{Incident, Severity};
use egret_event::{HumanDuration, SmolStr};

use crate::config::Wrong;

/// What a target wants to be told of.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    pub(crate) min_severity: Severity,
    pub(crate) repeats: bool,
    pub(crate) only: Only,
    /// The time between two heartbeats. `None`: it gets none.
    pub(crate) heartbeat: Option<Duration>,
}

/// Between two heartbeats, in order that they are neither a burden nor of no use.
const HEARTBEATS: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3600);

/// The time between two heartbeats, checked.
pub(crate) fn check_heartbeat(every: Option<HumanDuration>) -> Result<Option<Duration>, Wrong> {
    match every {
        Some(every) if !HEARTBEATS.contains(&every.0) => {
            Err(Wrong::new("heartbeat", "is not between 10s and 1h".to_owned()))
        }
        every => Ok(every.map(|every| every.0)),
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
            /// Tell it so often that Egret is well, `10s` to `1h`; when that stops, something is wrong. Default: never.
            pub heartbeat: Option<egret_event::HumanDuration>,
            $($(#[$about_field])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) fn wants(&self) -> Result<(&str, crate::target::Wants), crate::config::Wrong> {
                let only = crate::target::Only {
                    segments: self.segments.clone(),
                    templates: self.templates.clone(),
                    tenants: self.tenants.clone(),
                    techniques: self.techniques.clone(),
                };
                let wants = crate::target::Wants {
                    min_severity: self.min_severity.unwrap_or(egret_analyzer::Severity::Low),
                    repeats: self.repeats.unwrap_or(true),
                    only: only.check()?,
                    heartbeat: crate::target::check_heartbeat(self.heartbeat)?,
                };
                Ok((&self.name, wants))
            }
        }
    };
}

pub(crate) use raw_target;
