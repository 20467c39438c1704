//! The registration of an executor by whoever starts it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::Timestamp;

/// Longest accepted id, template, tenant or session, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// "This address is this executor, from then until then."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutorRegistration {
    /// The executor's id, unique among executors.
    pub id: SmolStr,
    /// The address its traffic comes from.
    pub address: IpAddr,
    /// The kind of executor (image, task type).
    #[serde(default)]
    pub template: Option<SmolStr>,
    /// Who it works for.
    #[serde(default)]
    pub tenant: Option<SmolStr>,
    /// The task it runs. `None`: the session is the executor's lifetime.
    #[serde(default)]
    pub session: Option<SmolStr>,
    /// The first moment at which the address is this executor's.
    pub from: Timestamp,
    /// The first moment at which it no longer is. `None`: still running.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// The registration contradicts itself or names something unusable.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// `until` is not after `from`.
    #[error("until ({until}) is not after from ({from})")]
    EndsBeforeItStarts {
        /// Start of the interval.
        from: Timestamp,
        /// End of the interval.
        until: Timestamp,
    },
    /// A name is empty, too long or holds control characters.
    #[error("{field} must be 1 to 256 bytes without control characters")]
    BadName {
        /// Which field.
        field: &'static str,
    },
}

impl ExecutorRegistration {
    /// Checks that the interval and the names can be used.
    pub fn check(&self) -> Result<(), RegistrationError> {
        let names = [
            ("id", Some(&self.id)),
            ("template", self.template.as_ref()),
            ("tenant", self.tenant.as_ref()),
            ("session", self.session.as_ref()),
        ];
        for (field, name) in names {
            let Some(name) = name else { continue };
            let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
            if !fits || name.chars().any(char::is_control) {
                return Err(RegistrationError::BadName { field });
            }
        }
        match self.until {
            Some(until) if until <= self.from => {
                Err(RegistrationError::EndsBeforeItStarts { from: self.from, until })
            }
            _ => Ok(()),
        }
    }

    /// Whether the address was this executor's at `at`.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration() -> ExecutorRegistration {
        ExecutorRegistration {
            id: "job-1".into(),
            address: IpAddr::from([10, 20, 0, 17]),
            template: None,
            tenant: None,
            session: None,
            from: Timestamp::from_secs(10),
            until: Some(Timestamp::from_secs(20)),
        }
    }

    #[test]
    fn the_interval_is_closed_at_its_start_and_open_at_its_end() {
        let registration = registration();
        assert!(registration.covers(Timestamp::from_secs(10)));
        assert!(!registration.covers(Timestamp::from_secs(20)));
    }

    #[test]
    fn contradictions_and_control_characters_are_refused() {
        assert!(registration().check().is_ok());
        let backwards =
            ExecutorRegistration { until: Some(Timestamp::from_secs(10)), ..registration() };
        assert!(backwards.check().is_err());
        let hostile = ExecutorRegistration { tenant: Some("a\u{1b}[2J".into()), ..registration() };
        assert_eq!(
            hostile.check().unwrap_err().to_string(),
            "tenant must be 1 to 256 bytes without control characters"
        );
    }
}
