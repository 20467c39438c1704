//! `--suppress`: a suppression as typed, to be tried before anybody makes it.

use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use egret_analyzer::{Detector, Suppression};
use egret_event::{EventId, SmolStr, Timestamp, clean_name};

/// What it matches, as `destination=example.org,template=python`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SuppressArg {
    destination: Option<SmolStr>,
    template: Option<SmolStr>,
    tenant: Option<SmolStr>,
    detector: Option<Detector>,
}

impl FromStr for SuppressArg {
    type Err = Error;
    fn from_str(typed: &str) -> Result<Self> {
        let mut all = Self::default();
        for part in typed.split(',') {
            let (key, value) = part
                .split_once('=')
                .filter(|(_, value)| !value.is_empty())
                .with_context(|| format!("{part:?} is not KEY=VALUE"))?;
            match key {
                "destination" => all.destination = Some(clean_name(value)),
                "template" => all.template = Some(value.into()),
                "tenant" => all.tenant = Some(value.into()),
                "detector" => all.detector = Some(detector(value)?),
                _ => bail!("{key:?} is not destination, template, tenant or detector"),
            }
        }
        Ok(all)
    }
}

/// A detector by the name that the API gives it.
fn detector(name: &str) -> Result<Detector> {
    serde_json::from_value(name.into())
        .with_context(|| format!("{name:?} is no detector: write such as \"upload_size\""))
}

impl SuppressArg {
    /// The same as if it were made, without an end.
    pub fn suppression(&self) -> Suppression {
        Suppression {
            id: EventId::of(&[b"tried suppression", format!("{self:?}").as_bytes()]),
            destination: self.destination.clone(),
            template: self.template.clone(),
            tenant: self.tenant.clone(),
            detector: self.detector,
            reason: String::new(),
            created_by: SmolStr::default(),
            created_at: Timestamp::MIN,
            expires_at: Timestamp::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_matched() {
        let all: SuppressArg =
            "destination=CDN.Example.org.,tenant=acme,detector=upload_size".parse().unwrap();
        let made = all.suppression();
        assert_eq!(made.destination.as_deref(), Some("cdn.example.org"));
        assert_eq!((made.tenant.as_deref(), made.template), (Some("acme"), None));
        assert_eq!(made.detector, Some(Detector::UploadSize));
    }

    #[test]
    fn what_would_match_everything_or_nothing_that_is_known_is_refused() {
        for wrong in ["", "destination", "tenant=", "host=example.org", "detector=none", "a=b,,"] {
            assert!(wrong.parse::<SuppressArg>().is_err(), "{wrong:?}");
        }
    }
}
