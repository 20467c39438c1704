//! The `[analyzer]` section: as written, and as checked.

use std::path::PathBuf;
use std::time::Duration;

use egret_event::{HumanDuration, SmolStr, clean_name};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The `[analyzer]` section as written: every key optional, unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAnalyzer {
    /// Length of an epoch. Default `1h`.
    pub epoch: Option<HumanDuration>,
    /// How late an event may be before it counts as late. Default `30s`.
    pub lateness: Option<HumanDuration>,
    /// Silence that ends a session which nobody registered. Default `30m`.
    pub session_idle: Option<HumanDuration>,
    /// Engine shards. Default 1. The incidents do not depend on it.
    pub shards: Option<usize>,
    /// Policy: domains that executors may contact. Empty or absent: any.
    pub allow: Option<Vec<SmolStr>>,
    /// Policy: private ranges that executors may contact although they are private.
    pub allow_private: Option<Vec<IpNet>>,
    /// A baseline that `egret learn` wrote, to begin with. Absent: the shipped priors.
    pub baseline: Option<PathBuf>,
}

/// The `[analyzer]` section, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalyzerConfig {
    /// Length of an epoch.
    pub epoch: Duration,
    /// How late an event may be.
    pub lateness: Duration,
    /// Silence that ends a session which nobody registered.
    pub session_idle: Duration,
    /// Engine shards, at least 1.
    pub shards: usize,
    /// Domains that executors may contact. Empty: any.
    pub allow: Vec<SmolStr>,
    /// Private ranges that executors may contact.
    pub allow_private: Vec<IpNet>,
    /// The file with the baseline to begin with. This crate reads no files: see
    /// [`crate::Engine::with_baseline`].
    pub baseline: Option<PathBuf>,
}

/// A value of the `[analyzer]` section that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// Too short to be useful, or too long to end.
    #[error("analyzer.{key} is {value}: write a duration between {least} and {most}")]
    Duration {
        /// The key within the section.
        key: &'static str,
        /// What was written.
        value: HumanDuration,
        /// Shortest accepted.
        least: HumanDuration,
        /// Longest accepted.
        most: HumanDuration,
    },
    /// No shard, or more than can be used.
    #[error("analyzer.shards is {0}: write a number from 1 to {MOST_SHARDS}")]
    Shards(usize),
    /// An entry of the allowlist is no domain.
    #[error(
        "analyzer.allow holds {0:?}, which is not a domain: write a name such as \"example.org\" \
         (subdomains are included), without scheme, path or port"
    )]
    Domain(SmolStr),
}

/// Most engine shards: the number of partitions of the engine's state.
const MOST_SHARDS: usize = crate::partition::PARTITIONS;

impl Default for AnalyzerConfig {
    fn default() -> Self {
        Self {
            epoch: Duration::from_secs(3600),
            lateness: Duration::from_secs(30),
            session_idle: Duration::from_secs(30 * 60),
            shards: 1,
            allow: Vec::new(),
            allow_private: Vec::new(),
            baseline: None,
        }
    }
}

impl RawAnalyzer {
    /// Fills in the defaults and checks every value.
    ///
    /// # Errors
    /// The first value that cannot work, with its key and the cure.
    pub fn check(&self) -> Result<AnalyzerConfig, ConfigProblem> {
        let default = AnalyzerConfig::default();
        let (second, minute, day) = (1, 60, 86_400);
        let shards = self.shards.unwrap_or(default.shards);
        if !(1..=MOST_SHARDS).contains(&shards) {
            return Err(ConfigProblem::Shards(shards));
        }
        Ok(AnalyzerConfig {
            epoch: checked("epoch", self.epoch, default.epoch, (minute, 7 * day))?,
            lateness: checked("lateness", self.lateness, default.lateness, (0, day))?,
            session_idle: checked(
                "session_idle",
                self.session_idle,
                default.session_idle,
                (second, 30 * day),
            )?,
            shards,
            allow: self.allow.iter().flatten().map(checked_domain).collect::<Result<_, _>>()?,
            allow_private: self.allow_private.clone().unwrap_or_default(),
            baseline: self.baseline.clone(),
        })
    }
}

/// `range` in seconds.
fn checked(
    key: &'static str,
    written: Option<HumanDuration>,
    default: Duration,
    range: (u64, u64),
) -> Result<Duration, ConfigProblem> {
    let value = written.map_or(default, |written| written.0);
    let (least, most) = (Duration::from_secs(range.0), Duration::from_secs(range.1));
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let value = HumanDuration(value);
    Err(ConfigProblem::Duration {
        key,
        value,
        least: HumanDuration(least),
        most: HumanDuration(most),
    })
}

/// A domain in the form in which host names come, `*.` left out.
fn checked_domain(written: &SmolStr) -> Result<SmolStr, ConfigProblem> {
    let name = clean_name(written.trim_start_matches("*."));
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if is_address || name.split('.').all(is_label) {
        Ok(name)
    } else {
        Err(ConfigProblem::Domain(written.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_written_means_the_documented_defaults() {
        let checked = RawAnalyzer::default().check().unwrap();
        assert_eq!(checked, AnalyzerConfig::default());
        assert_eq!((checked.epoch.as_secs(), checked.lateness.as_secs()), (3600, 30));
        assert_eq!((checked.session_idle.as_secs(), checked.shards), (1800, 1));
    }

    #[test]
    fn what_cannot_work_is_named_with_its_key_and_the_cure() {
        let written = |raw: RawAnalyzer| raw.check().unwrap_err().to_string();
        let second = Some(HumanDuration(Duration::from_secs(1)));
        let message = written(RawAnalyzer { epoch: second, ..RawAnalyzer::default() });
        assert!(message.contains("analyzer.epoch") && message.contains("between"), "{message}");
        let message = written(RawAnalyzer { shards: Some(0), ..RawAnalyzer::default() });
        assert!(message.contains("analyzer.shards is 0"), "{message}");
        for wrong in ["https://example.org", "", "a b", "example.org/path", "example.org:443"] {
            let allow = Some(vec![SmolStr::new(wrong)]);
            let message = written(RawAnalyzer { allow, ..RawAnalyzer::default() });
            assert!(message.contains("analyzer.allow holds"), "{message}");
        }
    }

    #[test]
    fn domains_are_cleaned_as_host_names_are() {
        let allow = Some(vec!["*.Example.ORG.".into(), "192.0.2.1".into(), "2001:db8::1".into()]);
        let checked = RawAnalyzer { allow, ..RawAnalyzer::default() }.check().unwrap();
        assert_eq!(checked.allow, ["example.org", "192.0.2.1", "2001:db8::1"]);
    }
}
