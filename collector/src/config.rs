//! The `[collector]` section: as written, and as checked.

mod raw_source;
mod source;

use std::net::IpAddr;
use std::sync::Arc;

use egret_event::SmolStr;
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::attribution::UNASSIGNED_SEGMENT;
use crate::content::{self, RawSecret, Scanner};
use crate::logs::mapping::{self, Mapping, RawMapping};
use crate::{Segment, StaticExecutor, dialects};

pub(crate) use raw_source::CANNOT_FOLLOW_COMPRESSED;
pub use raw_source::{RawSource, SyslogProtocol};
pub use source::{
    Carrier, Dialect, DockerOptions, Input, KubernetesOptions, LiveOptions, SourceConfig,
    SourceKind,
};

/// The `[collector]` section as written: unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawCollector {
    /// Network ranges that hold executors.
    pub segments: Vec<RawSegment>,
    /// Executors with a fixed address.
    pub executors: Vec<RawExecutor>,
    /// Where events come from.
    pub sources: Vec<RawSource>,
    /// Dialects of logs that are not shipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<RawMapping>,
    /// Values that must not leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<RawSecret>,
}

/// A `[[collector.segments]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawSegment {
    /// Its name.
    pub name: SmolStr,
    /// Its address ranges.
    pub ranges: Vec<IpNet>,
}

/// A `[[collector.executors]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawExecutor {
    /// Its id.
    pub id: SmolStr,
    /// Its address.
    pub address: IpAddr,
    /// The kind of executor.
    pub template: Option<SmolStr>,
    /// Who it works for.
    pub tenant: Option<SmolStr>,
}

/// The `[collector]` section, checked.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// Network ranges that hold executors.
    pub segments: Vec<Segment>,
    /// Executors with a fixed address.
    pub executors: Vec<StaticExecutor>,
    /// Where events come from; names are unique.
    pub sources: Vec<SourceConfig>,
    /// What looks for secrets in what can be seen.
    pub scanner: Arc<Scanner>,
}

/// A key of the `[collector]` section holds something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigProblem {
    /// The key, for example `collector.sources[2].path`.
    pub key: String,
    /// What is wrong with it, and what helps.
    pub problem: String,
}

/// Longest accepted name, in bytes: as for registered executors.
const MAX_NAME_BYTES: usize = 256;

impl RawCollector {
    /// Checks the section and fills in the defaults.
    ///
    /// # Errors
    /// The first key that cannot be used, in the order of the section.
    pub fn check(&self) -> Result<CollectorConfig, ConfigProblem> {
        Ok(CollectorConfig {
            segments: self.check_segments()?,
            executors: self.check_executors()?,
            sources: self.check_sources(&self.check_mappings()?)?,
            scanner: self.check_secrets()?,
        })
    }

    fn check_secrets(&self) -> Result<Arc<Scanner>, ConfigProblem> {
        let mut names = Taken::default();
        for (n, secret) in self.secrets.iter().enumerate() {
            let key = format!("collector.secrets[{n}]");
            check_name(&key, "name", &secret.name)?;
            names.take(&secret.name, format!("{key}.name"))?;
        }
        content::check(&self.secrets).map(Arc::new)
    }

    fn check_segments(&self) -> Result<Vec<Segment>, ConfigProblem> {
        let mut names = Taken::default();
        let mut ranges = Taken::default();
        let mut checked = Vec::with_capacity(self.segments.len());
        for (n, raw) in self.segments.iter().enumerate() {
            let key = format!("collector.segments[{n}]");
            check_name(&key, "name", &raw.name)?;
            if raw.name == UNASSIGNED_SEGMENT {
                let problem = format!("{UNASSIGNED_SEGMENT:?} is reserved; choose another name");
                return Err(ConfigProblem { key: format!("{key}.name"), problem });
            }
            names.take(&raw.name, format!("{key}.name"))?;
            if raw.ranges.is_empty() {
                let problem = "holds no range; add one such as \"10.20.0.0/16\"".to_owned();
                return Err(ConfigProblem { key: format!("{key}.ranges"), problem });
            }
            for (m, range) in raw.ranges.iter().enumerate() {
                let key = format!("{key}.ranges[{m}]");
                check_range(&key, range)?;
                ranges.take(&range.trunc().to_string(), key)?;
            }
            checked.push(Segment { name: raw.name.clone(), ranges: raw.ranges.clone() });
        }
        Ok(checked)
    }

    fn check_executors(&self) -> Result<Vec<StaticExecutor>, ConfigProblem> {
        let mut ids = Taken::default();
        let mut addresses = Taken::default();
        let mut checked = Vec::with_capacity(self.executors.len());
        for (n, raw) in self.executors.iter().enumerate() {
            let key = format!("collector.executors[{n}]");
            check_name(&key, "id", &raw.id)?;
            for (field, name) in [("template", &raw.template), ("tenant", &raw.tenant)] {
                name.as_ref().map_or(Ok(()), |name| check_name(&key, field, name))?;
            }
            let address = raw.address.to_canonical();
            ids.take(&raw.id, format!("{key}.id"))?;
            addresses.take(&address.to_string(), format!("{key}.address"))?;
            checked.push(StaticExecutor {
                id: raw.id.clone(),
                address,
                template: raw.template.clone(),
                tenant: raw.tenant.clone(),
            });
        }
        Ok(checked)
    }

    fn check_mappings(&self) -> Result<Vec<&'static Mapping>, ConfigProblem> {
        let mut names = Taken::default();
        let mut checked = Vec::with_capacity(self.mappings.len());
        for (n, raw) in self.mappings.iter().enumerate() {
            let key = format!("collector.mappings[{n}]");
            check_name(&key, "name", &raw.name)?;
            names.take(&raw.name, format!("{key}.name"))?;
            if dialects::named(&raw.name, &[]).is_some() {
                let problem = format!("{:?} is a shipped dialect; choose another name", raw.name);
                return Err(ConfigProblem { key: format!("{key}.name"), problem });
            }
            let mapping = raw.compile().map_err(|(inner, problem)| ConfigProblem {
                key: format!("{key}.{inner}"),
                problem,
            })?;
            checked.push(mapping::kept(mapping));
        }
        Ok(checked)
    }

    fn check_sources(
        &self,
        mappings: &[&'static Mapping],
    ) -> Result<Vec<SourceConfig>, ConfigProblem> {
        let mut names = Taken::default();
        let mut logs = Taken::default();
        let mut ports = Taken::default();
        let mut checked = Vec::with_capacity(self.sources.len());
        for (n, raw) in self.sources.iter().enumerate() {
            let key = format!("collector.sources[{n}]");
            let source = raw.check(&key, mappings)?;
            check_name(&key, "name", &source.name)?;
            names.take(&source.name, format!("{key}.name"))?;
            // Two readers of one log would count its lines twice and mix up their positions.
            if let SourceKind::Log { path, .. } = &source.kind {
                logs.take(&path.to_string_lossy(), format!("{key}.path"))?;
            }
            if let Some(port) = source.kind.port() {
                ports.take(&port, format!("{key}.listen"))?;
            }
            checked.push(source);
        }
        Ok(checked)
    }
}

fn check_name(key: &str, field: &str, name: &str) -> Result<(), ConfigProblem> {
    let problem = if name.is_empty() {
        "is empty; give it a value or leave the key out where it is optional".to_owned()
    } else if name.len() > MAX_NAME_BYTES {
        format!("is {} bytes long; shorten it to at most {MAX_NAME_BYTES}", name.len())
    } else if name.chars().any(char::is_control) {
        "holds a control character; remove it".to_owned()
    } else {
        return Ok(());
    };
    Err(ConfigProblem { key: format!("{key}.{field}"), problem })
}

/// Refuses IPv4 ranges in IPv6 clothes: addresses are compared in their plain form, so such a
/// range would hold nothing.
fn check_range(key: &str, range: &IpNet) -> Result<(), ConfigProblem> {
    let mapped = matches!(range, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some());
    if !mapped {
        return Ok(());
    }
    let problem = format!("{range} is an IPv4 range written as IPv6; write it as IPv4");
    Err(ConfigProblem { key: key.to_owned(), problem })
}

/// Values that must not occur twice, and the key at which each was first seen.
#[derive(Default)]
struct Taken(HashMap<String, String, FixedState>);

impl Taken {
    fn take(&mut self, value: &str, key: String) -> Result<(), ConfigProblem> {
        if let Some(first) = self.0.get(value) {
            let problem = format!("{value:?} is already used by {first}; each must be different");
            return Err(ConfigProblem { key, problem });
        }
        self.0.insert(value.to_owned(), key);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
