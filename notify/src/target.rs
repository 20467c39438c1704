//! What all kinds of targets have in their configuration.

use egret_analyzer::Severity;

/// What a target wants to be told of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    pub(crate) min_severity: Severity,
    pub(crate) repeats: bool,
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
            $($(#[$about_field])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) fn wants(&self) -> (&str, crate::target::Wants) {
                let min_severity = self.min_severity.unwrap_or(egret_analyzer::Severity::Low);
                let repeats = self.repeats.unwrap_or(true);
                (&self.name, crate::target::Wants { min_severity, repeats })
            }
        }
    };
}

pub(crate) use raw_target;
